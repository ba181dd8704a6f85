"""How much memory the fast clock takes, however long it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.adapt.swapped import Swapped
from acclimate.data.dataset import Dataset
from acclimate.events.log import Record
from acclimate.models.sequence import SequenceModel
from acclimate.recommend import Recommender
from acclimate.state.fold import LiveState

USERS, ITEMS, KEPT = 10_000, 200, 20
"""Users and items of the made stream, and events of a user that are kept. Two words are kept for each item
that a user ever touched: here these are all, after some millions."""
MILLIONS, AT_ONCE = 10, 1_000
"""Million events, and records that are taken in at once."""


def memory(seed: int, cache: Path, millions: int = MILLIONS) -> dict[str, Any]:
    """Let many users of a made stream choose items for long; return what the process took by then."""
    rng = np.random.default_rng(seed)
    made = [(f"u{n % USERS}", f"i{n % ITEMS}", float(n)) for n in range(2 * USERS)]
    data = Dataset.of(made)
    model = SequenceModel(width=16, heads=1, epochs=1, validation_users=0, max_length=KEPT)
    model.fit(data)
    clock = Swapped(model)
    clock.begin(data)
    recommender = Recommender(clock, LiveState.of(data, max_history=KEPT))
    found, started = list[float](), time.process_time()
    for million in range(millions):
        for records in _records(rng, million * 1_000_000):
            recommender.apply(records)
        found.append(resident())
    return {"rss_mb": found, "events_per_second": millions * 1e6 / (time.process_time() - started)}


def _records(rng: np.random.Generator, first: int) -> Iterator[list[Record]]:
    for low in range(first, first + 1_000_000, AT_ONCE):
        users, items = (
            rng.integers(0, USERS, AT_ONCE).tolist(),
            (ITEMS * rng.random(AT_ONCE) ** 3).astype(int),
        )
        yield [
            Record(
                low + n + 1,
                "event",
                2.0 * USERS + low + n,
                {
                    "user_id": f"u{user}",
                    "item_id": f"i{item}",
                    "event_type": "like",
                    "timestamp": 2.0 * USERS + low + n,
                },
            )
            for n, (user, item) in enumerate(zip(users, items.tolist(), strict=True))
        ]


def resident() -> float:
    """Return the memory of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
