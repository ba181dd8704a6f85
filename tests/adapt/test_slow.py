"""Weights go on learning: what turned is learned, what was known is not lost, and any cut ends the same."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from acclimate.adapt.slow import STRETCHES, Slow
from acclimate.data.dataset import Dataset
from acclimate.data.synthetic import drifting_world
from acclimate.errors import InputError
from acclimate.evaluate.prequential import Level, replay
from acclimate.models.ease import EASE
from acclimate.models.going_on import closed, foreseeing, opened
from acclimate.models.sequence import SequenceModel
from acclimate.models.sequence_net import SequenceNet
from acclimate.state import panel
from acclimate.types import Clocked, Events, Histories, State
from tests.contract.learners import (
    CHECKS,
    STREAM,
    begun,
    check_memory_is_bounded,
    check_what_is_learned_counts,
    later,
    learns,
)
from tests.contract.models import questions, travelled


@pytest.fixture(autouse=True)
def _little_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acclimate.adapt.slow.STRETCHES", 16)


FITTED: dict[int, State] = {}
LEFT_OUT = check_what_is_learned_counts, check_memory_is_bounded
"""One step is not enough to know an item; and each puts new arrays in the place of old ones, see below."""
OTHERS = [check for check in CHECKS if check not in LEFT_OUT]


class Quick(SequenceModel):
    """Is fitted once on the same data."""

    def __init__(self) -> None:
        super().__init__(width=8, heads=1, epochs=1, validation_users=0, batch_tokens=128, max_length=12)

    def fit(self, data: Dataset) -> None:
        if len(data) not in FITTED:
            super().fit(data)
            FITTED[len(data)] = travelled(self.state())
        self.restore(FITTED[len(data)])
        self.data = data


def slow() -> Slow:
    return Slow(Quick(), every=16, learning_rate=0.01, safeguard="none")


@pytest.mark.parametrize("check", OTHERS, ids=lambda check: check.__name__)
def test_it_keeps_the_promises_of_learners(
    check: Callable[[Callable[[], Slow]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "EVENTS", 5)
    check(slow)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "EVENTS", 5)
    model, span = begun(slow), 60.0 + STREAM.time[-1] - STREAM.time[0]
    tracemalloc.start()
    ours, taken = [tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)], []
    """Of arrays: there are ever a few more of torch's small objects, which are used again."""
    for lap in range(8):
        learns(model, later(STREAM, lap * span))
        if lap in {3, 7}:
            state = sum(part.nbytes for part in model.state()[0].values())
            gc.collect()
            traces = tracemalloc.take_snapshot().filter_traces(ours).traces
            taken.append((state, sum(trace.size for trace in traces)))
    tracemalloc.stop()
    (state, memory), (state_then, memory_then) = taken
    assert state_then <= state + 16 * 8, "but for the few events that wait"
    assert memory_then - memory < 16 * 4 * len(STREAM.time)


def test_what_is_opened_and_closed_is_the_same_model() -> None:
    model = begun(Quick)  # type: ignore[arg-type]
    net = opened(model, np.zeros(model.n_items, np.int64))
    for name, array in closed(net, model.state())[0].items():
        np.testing.assert_array_equal(model.state()[0][name], array, err_msg=name)
    assert net.training
    assert all(weight.requires_grad for weight in net.parameters())


def test_the_last_event_of_each_is_foreseen_and_not_read() -> None:
    steps, then = foreseeing(Histories.of([[4, 5, 6], [7, 8]]))
    assert steps.items.tolist() == [4, 5, 7]
    assert steps.lengths.tolist() == [2, 1]
    assert steps.times.tolist() == [0.0, 1.0, 0.0]
    assert steps.asked.tolist() == [1.0, 2.0, 1.0]
    assert then.tolist() == [5, 6, 8]


def test_of_new_events_alone_is_asked() -> None:
    model = begun(slow)
    assert isinstance(model, Slow)
    events = [(1, 3, 0.0), (1, 4, 1.0), (1, 5, 2.0), (2, 6, 3.0), (2, 7, 4.0), (900, 8, 5.0)]
    model.users = panel.Panel()
    for user, item, time in events:
        model.users.learn(user, (item, time, 1.0, 0.0))
    batch = model._recent(np.array([1, 2, 900]), np.array([1, 9, 1]), longest=12)
    assert batch is not None
    assert batch.targets.tolist() == [4, 5, 7]
    assert batch.weights.tolist() == [0.0, 1.0, 1.0], "user 900 did one thing: nothing is before it"


def test_it_steps_when_there_are_enough_events_and_weights_move() -> None:
    model = begun(slow)
    assert isinstance(model, Slow)
    assert isinstance(model, Clocked)
    before = travelled(model.base.state())[0]
    liked = np.flatnonzero(STREAM.weight > 0)
    learns(model, STREAM.part(liked[:15]))
    assert model.steps == 0
    np.testing.assert_array_equal(model.base.state()[0]["ids"], before["ids"])
    learns(model, STREAM.part(liked[15:32]))
    assert model.steps == 2
    assert np.abs(model.base.state()[0]["ids"] - before["ids"]).max() > 1e-3


def test_dislikes_and_exposures_are_not_learned() -> None:
    model = begun(slow)
    assert isinstance(model, Slow)
    learns(model, STREAM._replace(weight=-np.ones_like(STREAM.weight)))
    assert model.steps == 0


def test_a_step_that_comes_to_no_number_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = begun(slow)
    assert isinstance(model, Slow)
    before = travelled(model.base.state())[0]
    real = SequenceNet.loss
    monkeypatch.setattr(SequenceNet, "loss", lambda net, batch: real(net, batch) * float("nan"))
    learns(model, STREAM)
    assert model.failed == model.steps > 3
    for name, array in before.items():
        np.testing.assert_array_equal(model.base.state()[0][name], array, err_msg=name)
    monkeypatch.setattr(SequenceNet, "loss", real)
    learns(model, STREAM)
    assert model.steps > model.failed
    assert np.isfinite(model.score(questions())).any()


def test_a_user_who_is_forgotten_is_not_replayed() -> None:
    model = begun(slow)
    assert isinstance(model, Slow)
    learns(model, Events(*(part[:3] for part in STREAM)))
    user = int(STREAM.user[0])
    assert user in model.users.codes
    model.forget(user)
    assert user not in model.users.codes
    assert user not in model._new


def test_others_are_refused() -> None:
    with pytest.raises(InputError, match="ease cannot go on learning: take sequence"):
        Slow(EASE())
    with pytest.raises(InputError, match="with repeats sequence cannot go on learning yet"):
        Slow(SequenceModel(repeats=True))
    with pytest.raises(InputError, match="with feedback sequence cannot go on learning yet"):
        Slow(SequenceModel(feedback=True))


def test_a_world_that_turned_is_learned_and_another_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the end the slow clock foresees the new world better; where nothing turned, it loses little."""
    monkeypatch.setattr("acclimate.adapt.slow.STRETCHES", STRETCHES)
    gains = {}
    for change in ("sudden", "none"):
        world = drifting_world(change, n_events=4000, n_users=100, n_items=80)
        main = SequenceModel(width=32, heads=1, epochs=10, validation_users=0, batch_tokens=512)
        levels = [Level("items", main, learns=False), Level("slow", Slow(main), every=128)]
        report = replay(levels, world.data, start=float(world.data.time[1600]))
        as_fitted, now = (level.per_question["ndcg@10"][-800:].mean() for level in report.levels)
        gains[change] = now / as_fitted
    assert gains["sudden"] > 1.08
    assert gains["none"] > 0.96, "what was published is held to, so that little is learned by heart"
