"""Tables and plots of replays: what each clock adds, where, and at what price."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from benchmarks.plots import picture

NDCG, HIT = "ndcg@10", "hr@10"
Run = dict[str, Any]


def sections(results: dict[str, Any], images: str) -> str:
    """Return for each set a plot, a table of the levels and a table of the segments."""
    return "\n\n".join(
        f"### {name}\n\n{_told(each)}\n\n![NDCG@10 by window of time, {name}]({images}/replay-{name}.svg)\n\n"
        f"{_levels(each)}\n\n{_segments(each)}"
        for name, each in ((name, list(found["runs"].values())) for name, found in results["sets"].items())
        if each
    )


def pictures(results: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield file name and text of the plot of each set: NDCG@10 by window, of the first seed."""
    for name, found in results["sets"].items():
        for run in list(found["runs"].values())[:1]:
            series = {
                level["name"]: [((w["start"] + w["end"]) / 2, w[NDCG]) for w in level["windows"]]
                for level in run["levels"]
            }
            yield f"replay-{name}.svg", picture(f"{name}: NDCG@10 by window of time", series)


def _told(runs: list[Run]) -> str:
    first, seeds = runs[0], len(runs)
    said = [
        f"{first['n_targets']:,} questions of {first['n_users']:,} users.",
        f"frozen, live and items: means of {seeds} seed{'s' if seeds > 1 else ''}; "
        "the others learn the same each time or ran with one.",
    ]
    if oracle := first.get("oracle"):
        said.append(
            f"Who knows the world reaches NDCG@10 {oracle[NDCG]:.4f} and a hit rate of {oracle[HIT]:.4f}."
        )
    if gain := first.get("frequency_live"):
        said.append(f"The user's own frequency, counted on, is {_interval([gain], '+')} better than frozen.")
    return " ".join(said)


def _levels(runs: list[Run]) -> str:
    head = (
        "level",
        "NDCG@10",
        "hit rate",
        "beyond frozen",
        "ms p50",
        "p99",
        "events a CPU s",
        "MB",
        "backward",
    )
    rows = []
    for name, each in _by_level(runs):
        gains = [gain for run in runs for gain in run["gains"] if gain["model"] == name]
        rows.append(
            (
                name,
                _interval([level[NDCG] for level in each]),
                f"{_mean([level[HIT]['mean'] for level in each]):.4f}",
                _interval(gains, "+") if gains else "",
                *(f"{median(level['latency_ms'][part] for level in each):.2f}" for part in ("p50", "p99")),
                f"{median(level['events_per_second'] for level in each):,.0f}",
                f"{median(level['memory_mb']['end'] for level in each):.1f}",
                _transfer([level["forgetting"]["backward_transfer"] for level in each]),
            )
        )
    return _table(head, rows, best=lambda row: row[1])


def _segments(runs: list[Run]) -> str:
    names = list(runs[0]["levels"][0]["segments"])
    counts = runs[0]["levels"][0]["segments"]
    head = ("NDCG@10", *(f"{name} ({counts[name]['n']:,})" for name in names))
    rows = [
        (name, *(f"{_mean([level['segments'][part][NDCG]['mean'] for level in each]):.4f}" for part in names))
        for name, each in _by_level(runs)
    ]
    return _table(head, rows)


def _by_level(runs: list[Run]) -> list[tuple[str, list[Run]]]:
    """Return each level's documents over the seeds, best NDCG first."""
    names = [level["name"] for level in runs[0]["levels"]]
    found = [
        (name, [level for run in runs for level in run["levels"] if level["name"] == name]) for name in names
    ]
    return sorted(found, key=lambda pair: -_mean([level[NDCG]["mean"] for level in pair[1]]))


def _interval(each: list[Run], sign: str = "") -> str:
    mean, low, high = (_mean([one[part] for one in each]) for part in ("mean", "low", "high"))
    return f"{mean:{sign}.4f} ({low:{sign}.4f} to {high:{sign}.4f})"


def _transfer(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{_mean(known):+.4f}" if known else ""


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _table(
    head: tuple[str, ...], rows: list[tuple[str, ...]], best: Callable[[tuple[str, ...]], str] | None = None
) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for number, row in enumerate(rows):
        cells = [f"**{cell}**" if best and number == 0 and cell == best(row) else cell for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
