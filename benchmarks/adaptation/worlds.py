"""What the clocks are worth in made worlds, whose best possible answer is known."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.adaptation.levels import clocks

from acclimate.data.synthetic import World, drifting_world
from acclimate.evaluate.prequential import replay
from acclimate.evaluate.stream_report import StreamReport

WITHIN = 10
"""Events of a user since the change that are told apart."""
WINDOWS = 5
"""Parts of the time since the change."""


def sudden(seed: int, cache: Path) -> dict[str, Any]:
    """Half of ten tastes turn at event 5,000; 1,000 items, 500 users; fitted on the first 4,000 events."""
    world = drifting_world(
        "sudden", n_events=10_000, n_users=500, n_items=1_000, tastes=10, turning=0.5, seed=seed
    )
    report = _replayed(world, 0.4, seed, cache / f"sudden-{seed}")
    asked, user = report.stream.asked, report.stream.events.user
    after = asked >= len(world.data) // 2
    turned = after & world.turns[user[asked]]
    since, best = _since(user, len(world.data) // 2)[asked], world.ndcg[asked]
    found: dict[str, Any] = {"levels": {}}
    for level in report.levels:
        ndcg = level.per_question["ndcg@10"]
        found["levels"][level.name] = {
            "before": _share(ndcg, best, ~after),
            "turned": [_share(ndcg, best, turned & (since == n)) for n in range(WITHIN)],
            "windows": [_share(ndcg, best, turned & part) for part in _parts(after)],
        }
    return found


def recurring(seed: int, cache: Path) -> dict[str, Any]:
    """Tastes turn, turn back and turn again by quarters of 12,000 events; fitted on the first eighth."""
    world = drifting_world("recurring", n_events=12_000, n_users=300, n_items=300, seed=seed)
    report = _replayed(world, 0.125, seed, cache / f"recurring-{seed}")
    quarter = report.stream.asked * 4 // len(world.data)
    asked, best = report.stream.asked, world.ndcg[report.stream.asked]
    found: dict[str, Any] = {"levels": {}}
    for level in report.levels:
        ndcg = level.per_question["ndcg@10"]
        starts = [(quarter == n) & (asked < (n + 0.2) * len(world.data) / 4) for n in (1, 3)]
        found["levels"][level.name] = {
            "quarters": [_share(ndcg, best, quarter == n) for n in range(4)],
            "first_visit_starts": _share(ndcg, best, starts[0]),
            "second_visit_starts": _share(ndcg, best, starts[1]),
            "backward_transfer": level.forgetting[0].backward,
        }
    return found


def _replayed(world: World, start: float, seed: int, folder: Path) -> StreamReport:
    first = float(world.data.time[int(start * len(world.data))])
    levels = clocks(seed, folder.parent)
    return replay(levels, world.data, start=first, seed=seed, folder=folder, progress=True)


def _since(user: np.ndarray, first: int) -> np.ndarray:
    """Return how many events of its user lie between event ``first`` and each, int64[n]; -1 before it."""
    out, count = np.full(len(user), -1), np.zeros(int(user.max()) + 1, np.int64)
    for n in range(first, len(user)):
        out[n] = count[user[n]]
        count[user[n]] += 1
    return out


def _parts(after: np.ndarray) -> list[np.ndarray]:
    """Return the questions of each part of the time since the change, bool[m] each."""
    cuts = np.linspace(0, after.sum(), WINDOWS + 1).astype(int)
    place = np.where(after, np.cumsum(after) - 1, -1)
    return [(place >= low) & (place < high) for low, high in pairwise(cuts.tolist())]


def _share(ndcg: np.ndarray, best: np.ndarray, which: np.ndarray) -> float | None:
    """Return the NDCG@10 of some questions as a share of what one who knows the chances would reach."""
    return float(ndcg[which].sum() / best[which].sum()) if which.any() else None
