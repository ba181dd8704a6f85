"""Every registered learner keeps its promises, and every check of them can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from acclimate.models import MODELS, fading
from acclimate.models.popularity import Popularity
from acclimate.types import Events, Histories
from tests.contract import learners as contract
from tests.contract.learners import CHECKS, EXACT, check_learning_ends_where_a_fit_would
from tests.contract.models import Make
from tests.contract.test_models import maker

LEARNERS = [name for name in MODELS if hasattr(maker(name)(), "learn")]
ALL = [*CHECKS, check_learning_ends_where_a_fit_would]


@pytest.fixture(autouse=True)
def _few_events_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fading, "KEPT", 50)


def test_the_contract_is_complete() -> None:
    assert len(CHECKS) == len(set(CHECKS)) == 9
    assert {name for name in vars(contract) if name.startswith("check_")} == {c.__name__ for c in ALL}
    assert sorted(LEARNERS) == sorted([*EXACT, "als"])


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", LEARNERS)
def test_learner_keeps_the_contract(name: str, check: Callable[[Make], None]) -> None:
    check(maker(name))


@pytest.mark.parametrize("name", EXACT)
def test_learning_ends_where_a_fit_would(name: str) -> None:
    check_learning_ends_where_a_fit_would(maker(name))


class Eager(Popularity):
    def learn(self, events: Events) -> None:
        if self.counts is not None:
            super().learn(events)


class Restless(Popularity):
    def learn(self, events: Events) -> None:
        super().learn(events)
        self._fitted()[0] += 1


class Choppy(Popularity):
    """Fades once a call."""

    def learn(self, events: Events) -> None:
        self.counts = self._fitted() * (0.9 if len(events.time) else 1.0)
        super().learn(events)


class Curious(Popularity):
    """Takes a question for an event."""

    def score(self, histories: Histories) -> Any:
        scores = super().score(histories)
        self._fitted()[0] += 1
        return scores


class Deaf(Popularity):
    def learn(self, events: Events) -> None:
        self._fitted()


class Swelling(Popularity):
    """Gives each new user a column."""

    def learn(self, events: Events) -> None:
        super().learn(events)
        more = max(int(events.user.max(initial=0)) - len(self._fitted()), 0)
        self.counts = np.pad(self._fitted(), (0, more))


class Frozen(Popularity):
    """Learns no more once it has travelled."""

    travelled = False

    def restore(self, state: Any) -> None:
        super().restore(state)
        self.travelled = True

    def learn(self, events: Events) -> None:
        if not self.travelled:
            super().learn(events)


class Clannish(Popularity):
    """Answers nobody whose code it does not know."""

    def score(self, histories: Histories) -> Any:
        scores = super().score(histories)
        return scores if histories.users is None else scores * np.float32(np.nan)


class Hoarding(Popularity):
    """Keeps every event."""

    def learn(self, events: Events) -> None:
        super().learn(events)
        self.kept = [*getattr(self, "kept", []), *zip(*(column.tolist() for column in events), strict=True)]


class Approximate(Popularity):
    def learn(self, events: Events) -> None:
        super().learn(events._replace(weight=events.weight * np.float32(0.99)))


BROKEN: dict[Callable[[Make], None], type[Popularity]] = {
    contract.check_unfitted_refuses_to_learn: Eager,
    contract.check_no_events_change_nothing: Restless,
    contract.check_chunks_are_invisible: Choppy,
    contract.check_asking_in_between_changes_nothing: Curious,
    contract.check_what_is_learned_counts: Deaf,
    contract.check_events_do_not_change_the_catalogue: Swelling,
    contract.check_state_travels_and_goes_on_learning: Frozen,
    contract.check_a_stranger_is_answered_by_the_history: Clannish,
    contract.check_memory_is_bounded: Hoarding,
    contract.check_learning_ends_where_a_fit_would: Approximate,
}


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.__name__)
def test_every_check_can_fail(check: Callable[[Make], None]) -> None:
    check(Popularity)
    with pytest.raises(AssertionError):
        check(BROKEN[check])
