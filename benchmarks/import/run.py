"""How long a million rows of CSV take to become a Dataset, and how much memory."""

from __future__ import annotations

import csv
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from benchmarks.machine import machine, stamp

HERE = Path(__file__).parent
ROWS, USERS, ITEMS, TRIALS = 1_000_000, 50_000, 20_000, 5
BAR = 5.0


def write_table(path: Path, *, quoted: bool, seed: int = 0) -> None:
    """Write made ratings in order of time: ids are words, some items are much more popular than others."""
    rng = np.random.default_rng(seed)
    user = rng.integers(0, USERS, ROWS)
    item = (ITEMS * rng.random(ROWS) ** 3).astype(int)
    rating = rng.integers(1, 11, ROWS) / 2
    moment = np.sort(rng.integers(1_000_000_000, 1_700_000_000, ROWS))
    columns = (column.tolist() for column in (user, item, rating, moment))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
        writer.writerow(("user_id", "item_id", "rating", "timestamp"))
        writer.writerows((f"user-{u}", f"item-{i}", r, t) for u, i, r, t in zip(*columns, strict=True))


def trial(path: str) -> None:
    """Read a table; print wall and CPU seconds, from the first import to the Dataset, and peak memory."""
    start, cpu = time.perf_counter(), time.process_time()
    from acclimate.data.tables import read_tables

    tables = read_tables(path)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    assert len(tables.dataset) + sum(dropped.count for dropped in tables.dropped) == ROWS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_rss_mb": peak}))


def measure(path: Path) -> dict[str, object]:
    """Return the median of some trials, each in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.import.run", "--trial", str(path)]
    runs = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(TRIALS)
    ]
    return {
        "seconds": round(statistics.median(run["seconds"] for run in runs), 2),
        "cpu_seconds": round(statistics.median(run["cpu_seconds"] for run in runs), 2),
        "peak_rss_mb": round(max(run["peak_rss_mb"] for run in runs)),
        "file_mb": round(path.stat().st_size / 1e6),
        "runs": [round(run["seconds"], 2) for run in runs],
    }


def main() -> int:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, quoted in (("plain", False), ("quoted", True)):
            path = Path(folder, f"{name}.csv")
            write_table(path, quoted=quoted)
            found[name] = measure(path)
    document = {
        "claim": f"importing 1 million rows of CSV takes at most {BAR:.0f} s",
        **stamp(),
        "machine": machine(),
        "rows": ROWS,
        **found["plain"],
        "quoted": found["quoted"],
    }
    (HERE / "results.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(json.dumps(document, indent=2))
    return 0 if float(str(found["plain"]["seconds"])) <= BAR else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--trial"]:
        trial(sys.argv[2])
    else:
        sys.exit(main())
