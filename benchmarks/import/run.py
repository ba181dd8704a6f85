"""How long a million rows take to become a Dataset, from each format, and how much memory."""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from benchmarks.machine import machine, stamp

HERE = Path(__file__).parent
ROWS, USERS, ITEMS, TRIALS = 1_000_000, 50_000, 20_000, 5
BARS = {"csv": 5.0, "parquet": 2.0, "shuffled parquet": 2.0, "atomic": 6.0}
"""Format -> seconds."""
MEMORY_BAR = 6.0
"""Peak memory over the size of the same table in Arrow."""

Columns = dict[str, list[object]]


def made(seed: int = 0) -> Columns:
    """Return made ratings in order of time: ids are words, some items are much more popular than others."""
    rng = np.random.default_rng(seed)
    user = rng.integers(0, USERS, ROWS).tolist()
    item = (ITEMS * rng.random(ROWS) ** 3).astype(int).tolist()
    return {
        "user_id": [f"user-{code}" for code in user],
        "item_id": [f"item-{code}" for code in item],
        "rating": (rng.integers(1, 11, ROWS) / 2).tolist(),
        "timestamp": np.sort(rng.integers(1_000_000_000, 1_700_000_000, ROWS)).tolist(),
    }


def write_csv(path: Path, columns: Columns, quoting: int = csv.QUOTE_MINIMAL) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=quoting)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def write_quoted(path: Path, columns: Columns) -> None:
    write_csv(path, columns, csv.QUOTE_ALL)


def write_parquet(path: Path, columns: Columns) -> None:
    import polars as pl

    pl.DataFrame(columns).write_parquet(path)


def write_shuffled(path: Path, columns: Columns) -> None:
    import polars as pl

    pl.DataFrame(columns).sample(fraction=1.0, shuffle=True, seed=1).write_parquet(path)


def write_atomic(path: Path, columns: Columns) -> None:
    types = ("token", "token", "float", "float")
    header = (f"{name}:{kind}" for name, kind in zip(columns, types, strict=True))
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write("\t".join(header) + "\n")
        stream.writelines("\t".join(map(str, row)) + "\n" for row in zip(*columns.values(), strict=True))


FORMATS: dict[str, tuple[str, Callable[[Path, Columns], None]]] = {
    "csv": ("plain.csv", write_csv),
    "quoted csv": ("quoted.csv", write_quoted),
    "parquet": ("ratings.parquet", write_parquet),
    "shuffled parquet": ("shuffled.parquet", write_shuffled),
    "atomic": ("ratings.inter", write_atomic),
}


def arrow_mb(columns: Columns) -> float:
    """Return the size of the table in Arrow: texts with 32-bit offsets, numbers of 64 bits."""
    texts = sum(len(str(cell)) + 4 for name in ("user_id", "item_id") for cell in columns[name])
    return (texts + 16 * ROWS) / 1e6


def trial(path: str) -> None:
    """Read a table; print wall and CPU seconds, from the first import to the Dataset, and peak memory."""
    start, cpu = time.perf_counter(), time.process_time()
    from acclimate.data.tables import read_tables

    tables = read_tables(path)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    assert len(tables.dataset) + sum(dropped.count for dropped in tables.dropped) == ROWS
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_rss_mb": peak_mb()}))


def peak_mb() -> float:
    """Return the peak memory of this program; ``ru_maxrss`` would count what its parent had before it."""
    with open("/proc/self/status", encoding="ascii") as stream:
        (line,) = (line for line in stream if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def measure(path: Path, arrow: float) -> dict[str, object]:
    """Return the median of some trials, each in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.import.run", "--trial", str(path)]
    runs = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(TRIALS)
    ]
    peak = max(run["peak_rss_mb"] for run in runs)
    return {
        "seconds": round(statistics.median(run["seconds"] for run in runs), 2),
        "cpu_seconds": round(statistics.median(run["cpu_seconds"] for run in runs), 2),
        "peak_rss_mb": round(peak),
        "peak_over_arrow": round(peak / arrow, 1),
        "file_mb": round(path.stat().st_size / 1e6),
        "runs": [round(run["seconds"], 2) for run in runs],
    }


def main() -> int:
    columns = made()
    arrow = arrow_mb(columns)
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, (file, write) in FORMATS.items():
            write(path := Path(folder, file), columns)
            found[name] = measure(path, arrow)
    fast = all(float(str(found[name]["seconds"])) <= bar for name, bar in BARS.items())
    peaks = [float(str(found[name]["peak_over_arrow"])) for name in ("parquet", "shuffled parquet")]
    small = max(peaks) <= MEMORY_BAR
    bars = ", ".join(f"{name} {bar:g} s" for name, bar in BARS.items())
    document = {
        "claim": f"importing 1 million rows takes at most {bars}; from Parquet, in any order, the peak "
        f"memory is at most {MEMORY_BAR:g} times the size of the table in Arrow",
        **stamp(),
        "machine": machine(),
        "rows": ROWS,
        "arrow_mb": round(arrow),
        **found,
        "held": fast and small,
    }
    (HERE / "results.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(json.dumps(document, indent=2))
    return 0 if fast and small else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--trial"]:
        trial(sys.argv[2])
    else:
        sys.exit(main())
