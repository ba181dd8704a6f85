"""Clocks around each other: each foresees an event with all that was learned before it, and nothing of it."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.adapt.around import Around
from acclimate.adapt.slow import Slow
from acclimate.adapt.stepped import Stepped
from acclimate.adapt.swapped import Swapped
from acclimate.errors import InputError
from acclimate.models.ease import EASE
from acclimate.state import panel
from acclimate.types import Events, Floats, Histories, State
from tests.adapt.test_slow import Quick, slow
from tests.adapt.test_swapped import Softmax
from tests.contract.learners import STREAM, begun, check_state_travels_and_goes_on_learning, learns
from tests.contract.models import equal


class Diary(Around):
    """Learns nothing but how many events there were, and writes down how many it knew when it was asked."""

    def __init__(self) -> None:
        super().__init__(Softmax())
        self.known, self.asked = 0, list[int]()

    def _begin(self, counts: np.ndarray, histories: Histories) -> None:
        self.known = 0

    def learn(self, events: Events) -> None:
        self.known += len(events.time)

    def score(self, histories: Histories) -> Floats:
        self.asked += [self.known] * len(histories)
        return self.base.score(histories)

    def state(self) -> State:
        return self.base.state()

    def restore(self, state: State) -> None:
        self.base.restore(state)


@pytest.mark.parametrize("pieces", [1, 5, len(STREAM.time)])
def test_an_event_is_foreseen_by_who_knows_all_before_it_and_not_itself(
    pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    diary = Diary()
    prior = begun(lambda: Swapped(diary))
    assert isinstance(prior, Swapped)
    ask, questions = prior._ask, list[tuple[int, int, float]]()

    def asked(user: int, item: int, time: float) -> None:
        questions.append((user, item, time))
        ask(user, item, time)

    monkeypatch.setattr(prior, "_ask", asked)
    for part in np.array_split(np.arange(len(STREAM.time)), pieces):
        prior.learn(STREAM.part(part))
        assert diary.known == part[-1] + 1, "what was learned is known below at once"
    events = list(zip(STREAM.user.tolist(), STREAM.item.tolist(), STREAM.time.tolist(), strict=True))
    assert diary.asked == [events.index(question) for question in questions]
    assert len(questions) > 20


def all_clocks() -> Swapped:
    return Swapped(Stepped(Slow(Quick(), every=60, safeguard="none")))


def test_however_the_stream_is_cut_all_clocks_end_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "EVENTS", 5)
    some = STREAM.part(slice(0, 80))
    whole = learns(begun(all_clocks), some)
    for pieces in (3, 80):
        model = begun(all_clocks)
        for part in np.array_split(np.arange(80), pieces):
            learns(model, some.part(part))
        for name, array in model.state()[0].items():
            equal(array, whole.state()[0][name], 1e-5)


def test_all_clocks_travel_in_a_state_and_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "EVENTS", 5)
    check_state_travels_and_goes_on_learning(all_clocks)


def test_each_clock_takes_in_what_happens_and_forgets() -> None:
    model = begun(all_clocks)
    assert isinstance(model, Swapped)
    step = model.base
    assert isinstance(step, Stepped)
    assert isinstance(step.base, Slow)
    model.learn(STREAM)
    assert step.base.steps > 0
    assert step.taken.sum() > 0
    assert model.contest.asked > 0
    user = int(STREAM.user[0])
    assert all(each.count(user) for each in (model.panel, step.users, step.base.users))
    model.forget(user)
    assert not any(each.count(user) for each in (model.panel, step.users, step.base.users))


def test_clocks_around_another_model_say_so() -> None:
    with pytest.raises(InputError, match="ease cannot go on learning"):
        Slow(EASE())
    with pytest.raises(InputError, match="cannot go on learning"):
        Slow(Swapped(slow().base))
    with pytest.raises(InputError, match="the items of softmax cannot be moved"):
        Stepped(Swapped(Softmax()))
