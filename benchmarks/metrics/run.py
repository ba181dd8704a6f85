"""How long the metrics of a full ranking take, once the scores are there: ``make bench-metrics``."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import json
import statistics
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
from benchmarks.machine import machine, stamp

from acclimate.evaluate.compare import bootstrap, coverage_interval
from acclimate.metrics import find_places, metrics_at, top_lists

CLAIM = (
    "Full-ranking metrics of 6,000 users x 3,700 items take at most 3 seconds on one core, with intervals."
)
LIMIT, REPEATS = 3.0, 5
N_USERS, N_ITEMS, HISTORY, K = 6_000, 3_700, 165, 10


def main() -> int:
    """Measure, write ``results.json``, and return 0 if the claim holds."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((N_USERS, N_ITEMS), dtype=np.float32)
    targets = rng.integers(0, N_ITEMS, N_USERS).astype(np.int32)
    rows = np.repeat(np.arange(N_USERS), HISTORY)
    columns = rng.integers(0, N_ITEMS, len(rows))
    keep = columns != targets[rows]
    rows, columns = rows[keep], columns[keep]
    steps: dict[str, list[float]] = {"places": [], "lists": [], "metrics_and_intervals": []}
    for _ in range(REPEATS):
        times = [perf_counter()]
        places = find_places(scores, targets, np.arange(N_USERS + 1), rows, columns)
        times.append(perf_counter())
        lists = top_lists(scores, rows, columns, K)
        times.append(perf_counter())
        bootstrap(np.column_stack(list(metrics_at(places, K).values())))
        coverage_interval(lists, N_ITEMS)
        times.append(perf_counter())
        for step, seconds in zip(steps.values(), np.diff(times), strict=True):
            step.append(float(seconds))
    seconds = statistics.median(map(sum, zip(*steps.values(), strict=True)))
    document = {
        "claim": CLAIM,
        "holds": seconds <= LIMIT,
        "seconds": round(seconds, 3),
        "seconds_of": {name: round(statistics.median(each), 3) for name, each in steps.items()},
        "repeats": REPEATS,
        "machine": {**machine(), "threads": 1},
        **stamp(),
    }
    (Path(__file__).parent / "results.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(json.dumps(document, indent=2))
    return 0 if document["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
