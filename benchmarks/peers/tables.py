"""The tables of the peers: each set with the models of other libraries and ours, the best first."""

from __future__ import annotations

from statistics import median
from typing import Any


def tables(found: dict[str, Any], ours: dict[str, Any]) -> str:
    """Return a table for each set.

    Args:
        found: Results of this benchmark.
        ours: Sets of the benchmark `accuracy`, with the runs of our models.
    """
    return "\n\n".join(
        _table(name, each, ours.get(name, {}).get("sequence"))
        for name, each in found["sets"].items()
        if any(entry["runs"] for entry in each.get("peers", {}).values())
    )


def _table(name: str, found: dict[str, Any], ours: dict[str, Any] | None) -> str:
    entries = {f"{peer}": entry for peer, entry in found["peers"].items() if entry["runs"]}
    if ours and ours["runs"]:
        entries["**sequence, ours**"] = ours
    curve = found.get("reached", {}).get("curve", [])
    rows = [
        _row(label, entries[label], curve)
        for label in sorted(entries, key=lambda each: -_mean(entries[each]))
    ]
    run = next(iter(next(iter(entries.values()))["runs"].values()))
    return "\n".join(
        [
            f"**{name}**",
            "",
            "| model | seeds | NDCG@10 | HR@10 | ours beyond | fit, CPU s | peak MB | as good: ours after |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"{run['n_targets']} targets, sha256 `{run['targets_sha256'][:16]}`.",
        ]
    )


def _mean(entry: dict[str, Any], metric: str = "ndcg@10", at: int = 0) -> float:
    values = [run["metrics"][metric][at] for run in entry["runs"].values()]
    return float(sum(values) / len(values))


def _row(label: str, entry: dict[str, Any], curve: list[dict[str, Any]]) -> str:
    runs = list(entry["runs"].values())
    told = "{:.4f} ({:.4f} to {:.4f})".format(*(_mean(entry, at=at) for at in range(3)))
    beyond = entry.get("ours_beyond")
    apart = "{:+.4f} ({:+.4f} to {:+.4f})".format(*beyond) if beyond else ""
    memory = [run["peak_rss_mb"] for run in runs if "peak_rss_mb" in run]
    seconds = median(run["fit_cpu_seconds"] for run in runs)
    soon = next((point for point in curve if point["ndcg@10"] >= _mean(entry)), None)
    after = f"{soon['fit_cpu_seconds']:,.0f} CPU s, epochs: {soon['epochs']}" if soon and beyond else ""
    size = f"{max(memory):,.0f}" if memory else ""
    cells = [
        label,
        str(len(runs)),
        told,
        f"{_mean(entry, 'hr@10'):.4f}",
        apart,
        f"{seconds:,.0f}",
        size,
        after,
    ]
    return f"| {' | '.join(cells)} |"
