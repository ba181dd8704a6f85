"""The fast clock takes no more memory the longer it goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acclimate.adapt.swapped import Swapped
from acclimate.data.dataset import Dataset
from acclimate.models.sequence import SequenceModel
from acclimate.recommend import Recommender
from acclimate.state import panel
from acclimate.state.fold import LiveState
from tests.state.worlds import event

USERS, ITEMS, KEPT = 500, 100, 10
"""Two words are kept for each item that a user ever touched: here all are, after some 300,000 events."""


def resident() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_million_events_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "EVENTS", KEPT)
    data = Dataset.of((f"u{n % USERS}", f"i{n % ITEMS}", float(n)) for n in range(2 * USERS))
    model = SequenceModel(width=16, heads=1, epochs=1, validation_users=0, max_length=KEPT)
    model.fit(data)
    clock = Swapped(model)
    clock.begin(data)
    recommender = Recommender(clock, LiveState.of(data, max_history=KEPT))
    rng, taken = np.random.default_rng(0), list[float]()
    for part in range(1_000):
        chosen = zip(
            rng.integers(0, USERS, 1_000).tolist(), rng.integers(0, ITEMS, 1_000).tolist(), strict=True
        )
        first = 1 + 1_000 * part
        recommender.apply(
            [
                event(first + n, f"u{user}", "like", f"i{item}", time=1e5 + first + n)
                for n, (user, item) in enumerate(chosen)
            ]
        )
        if part % 100 == 99:
            taken.append(resident())
    assert recommender.state.offset == 1_000_000
    assert clock.contest.asked > 10_000
    assert taken[-1] < 1.01 * taken[2] + 2, taken
