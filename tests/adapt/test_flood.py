"""A flood of one account for one item hardly moves what others are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from acclimate.adapt.stepped import RATES, Stepped
from acclimate.adapt.swapped import WAYS, Swapped
from acclimate.data.synthetic import drifting_world
from acclimate.models.sequence import SequenceModel
from acclimate.state import influence
from acclimate.types import Events

TOP, FLOOD = 10, 10_000
WORLD = drifting_world("none", n_users=200, n_items=120, n_events=6_000, tastes=4).data
CLOCKS: dict[str, Callable[[SequenceModel], Swapped | Stepped]] = {"prior": Swapped, "step": Stepped}


@pytest.fixture(scope="module")
def model() -> SequenceModel:
    made = SequenceModel(width=16, heads=1, layers=1, epochs=6, batch_tokens=512, max_length=20)
    made.fit(WORLD)
    return made


def trusting(clock: Swapped | Stepped) -> Swapped | Stepped:
    """Return it with what adds most taken for the best, as the flood would have it."""
    n = 1 + (len(WAYS) if isinstance(clock, Swapped) else len(RATES))
    most = 2 if isinstance(clock, Swapped) else n - 1  # the shortest half-life, all of it; the largest rate
    for _ in range(400):
        clock.contest.judge(np.where(np.arange(n) == most, 0.3, 0.0))
    assert clock.contest.best == most
    return clock


def flood(user: int, item: int, seconds: float) -> Iterator[Events]:
    start = float(WORLD.time.max()) + 1
    for first in range(0, FLOOD, 1_000):
        at = start + (first + np.arange(1_000)) * seconds
        ones = np.ones(1_000, np.float32)
        codes = np.full(1_000, user, np.int32), np.full(1_000, item, np.int32)
        yield Events(*codes, at, ones, ones * np.float32(np.nan))


def attacked(clock: Swapped | Stepped, item: int, seconds: float) -> tuple[float, float]:
    """Return by how many places what is in the top 10 moved, the mean over all lists; and the share of lists
    into whose top 10 the item came.
    """
    clock.begin(WORLD)
    others, found = WORLD.histories()[1:], []
    for n in range(2):
        trusting(clock)
        found.append(np.argsort(np.argsort(-clock.score(others), axis=1, kind="stable"), axis=1))
        for events in flood(0, item, seconds) if n == 0 else ():
            clock.learn(events)
    before, after = found
    came = (before[:, item] >= TOP) & (after[:, item] < TOP)
    return float(np.abs(after - before)[before < TOP].mean()), float(came.mean())


COUNTS = np.bincount(WORLD.item, minlength=WORLD.n_items)
RARE, COMMON = int(COUNTS.argmin()), int(COUNTS.argmax())


@pytest.mark.parametrize(
    ("clock", "item", "seconds"),
    [("prior", RARE, 0.01), ("prior", RARE, 60.0), ("prior", COMMON, 1.0), ("step", RARE, 60.0)],
)
def test_a_flood_hardly_moves_other_lists(
    model: SequenceModel, clock: str, item: int, seconds: float
) -> None:
    moved, came = attacked(CLOCKS[clock](model), item, seconds)
    assert moved <= 0.2
    assert came <= 0.15


@pytest.mark.parametrize("clock", CLOCKS)
def test_without_the_bound_it_would(
    model: SequenceModel, clock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influence.Influence, "share", lambda self, user, item, time: 1.0)
    monkeypatch.setitem(globals(), "FLOOD", 1_000)
    moved, came = attacked(CLOCKS[clock](model), RARE, 0.01)
    assert moved > 0.5
    assert came > 0.3
