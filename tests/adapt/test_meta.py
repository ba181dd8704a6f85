"""A start for new users: one step down the loss of their own events, at rates learned over users."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from acclimate.adapt import meta
from acclimate.adapt.meta import FIRST, WAYS, Meta
from acclimate.adapt.slow import Slow
from acclimate.data.synthetic import drifting_world
from acclimate.errors import InputError
from acclimate.metrics import rank_metrics
from acclimate.models.ease import EASE
from acclimate.models.going_on import user_states
from acclimate.models.sequence import SequenceModel
from acclimate.state import panel
from acclimate.state.contest import Contest
from acclimate.types import Clocked, Histories
from tests.adapt.test_slow import Quick
from tests.contract.learners import (
    CHECKS,
    STREAM,
    begun,
    check_asking_in_between_changes_nothing,
    check_chunks_are_invisible,
    check_memory_is_bounded,
    check_what_is_learned_counts,
)
from tests.contract.models import equal, travelled

LEFT_OUT = (
    check_what_is_learned_counts,  # it learns of users and not of items
    check_memory_is_bounded,  # the model remembers states of users, up to a number of its own
    check_chunks_are_invisible,  # see below, on fewer events
    check_asking_in_between_changes_nothing,
)
OTHERS = [check for check in CHECKS if check not in LEFT_OUT]


def made() -> Meta:
    return Meta(Quick())


def ready() -> Meta:
    model = begun(made)
    assert isinstance(model, Meta)
    assert isinstance(model, Clocked)
    return model


def taken(model: Meta, way: tuple[float, float]) -> Meta:
    """Let one way be clearly the best."""
    for _ in range(400):
        model.contest.judge(np.where(np.arange(len(WAYS)) == WAYS.index(way), 0.3, 0.0))
    return model


@pytest.mark.parametrize("check", OTHERS, ids=lambda check: check.__name__)
def test_it_keeps_the_promises_of_learners(
    check: Callable[[Callable[[], Meta]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "EVENTS", 3)
    monkeypatch.setattr(meta, "EPOCHS", 1)
    check(made)


def test_however_the_stream_is_cut_it_ends_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meta, "EPOCHS", 1)
    whole, parts = ready(), ready()
    whole.learn(STREAM.part(slice(0, 60)))
    for n in range(60):
        parts.learn(STREAM.part(slice(n, n + 1)))
        parts.score(Histories.of([[1, 2]]))
    assert whole.contest.asked > 10
    for name, array in parts.state()[0].items():
        equal(array, whole.state()[0][name], 1e-5)


def test_what_is_added_is_a_step_down_the_loss_of_the_users_own_events() -> None:
    model = ready()
    rng = np.random.default_rng(0)
    model.start = rng.normal(0, 0.1, len(model.start)).astype(np.float32)
    model.rates, model.hold = rng.normal(0, 1, len(model.start)).astype(np.float32), 2.0
    items = [3, 1, 7, 5]
    whole = Histories.of([items])
    scale, aims = float(model.scale), model.model._items.aims
    start = torch.tensor(model.start, requires_grad=True)
    losses = []
    for n in range(1, len(items)):
        state = torch.from_numpy(user_states(model.model, Histories.of([items[:n]])))[0]
        logits = scale * (state + start) @ aims.T
        logits = logits.index_fill(0, torch.tensor(items[:n]), -torch.inf)
        losses.append(F.cross_entropy(logits, torch.tensor(items[n])))
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
    assert start.grad is not None
    slope = -start.grad.numpy() / scale
    expected = model.start + model.rates * slope / (len(losses) + 2.0)
    np.testing.assert_allclose(model.steps(whole)[0], expected, atol=1e-4)
    plain = model.base.score(whole)
    np.testing.assert_array_equal(model.score(whole), plain)
    for way in ((1.0, 1.0), (0.5, 0.0)):
        model.contest = Contest(len(WAYS))
        assert taken(model, way).way == way
        own = way[0] * model.start + way[1] * (expected - model.start)
        np.testing.assert_allclose(model.score(whole), plain + own @ aims.numpy().T, atol=1e-3)


def test_after_the_step_new_users_are_foreseen_better() -> None:
    """They are none of those over whom the start was learned."""
    data = drifting_world("none", n_users=240, n_items=60, n_events=4_800, tastes=3).data
    model = Meta(SequenceModel(width=16, heads=1, layers=1, epochs=25, batch_tokens=512, validation_users=0))
    model.fit(data.where(data.user < 160))
    whole = data.histories()
    some = [whole[n].items[:9].tolist() for n in range(160, 240) if len(whole[n].items) >= 9]
    before, then = (
        Histories.of([items[:8] for items in some]),
        np.array([items[8] for items in some], np.int32),
    )

    def ndcg() -> float:
        ends = np.arange(len(then) + 1)
        found = rank_metrics(model.score(before), then, ends, before.rows, before.items)
        return float(found["ndcg@10"].mean())

    plain = ndcg()
    taken(model, (1.0, 1.0))
    assert ndcg() > 1.05 * plain


def test_it_is_for_new_users_alone_and_what_it_stands_around_stays() -> None:
    model = taken(ready(), (1.0, 1.0))
    before = travelled(model.base.state())[0]
    many = Histories.of([[n % 12 for n in range(FIRST + 1)], [], [2]])
    steps = model.steps(many)
    assert not steps[:2].any()
    np.testing.assert_array_equal(steps[2], model.start)
    model.learn(STREAM)
    for name, array in before.items():
        np.testing.assert_array_equal(model.base.state()[0][name], array)
    assert model.contest.asked > 400


def test_another_model_or_other_arguments_say_so() -> None:
    with pytest.raises(InputError, match="ease has no state to start from: take sequence"):
        Meta(EASE())
    with pytest.raises(InputError, match="with repeats a start for new users cannot be learned yet"):
        Meta(SequenceModel(repeats=True))
    assert Meta(Slow(Quick())).inner.name == "sequence"
