"""The tables of the transfer: each start for each share of the target, one table for each part and pair."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import by_part


def tables(found: dict[str, Any]) -> str:
    """Return a table for each part and pair of catalogues."""
    return by_part(found, "pairs", _table)


def _table(part: str, pair: str, how: dict[str, Any], found: dict[str, Any]) -> str:
    source = next(iter(found["source"].values()))
    learned = "; ".join(
        f"{side}: " + ", ".join(f"{name} {value}" for name, value in how[side].items()) for side in how
    )
    rows = [
        f"| {share} | {start} | {_cells(entry)} |"
        for share, starts in found["shares"].items()
        for start, entry in starts.items()
    ]
    first = next(iter(next(iter(found["shares"].values())).values()))
    run = next(iter(first["runs"].values()))
    return "\n".join(
        [
            f"**{part}, {pair.replace(':', ' to ')}** ({learned}; seeds: {len(first['runs'])})",
            "",
            "| of the users | start | events | NDCG@10 | beyond scratch | epochs | CPU s |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"The source: {source['events']} events, {source['items']} items, {source['epochs']} epochs, "
            f"{source['cpu_seconds']:.0f} CPU seconds. {run['n_targets']} targets, sha256 "
            f"`{run['targets_sha256'][:16]}`.",
        ]
    )


def _cells(entry: dict[str, Any]) -> str:
    run = next(iter(entry["runs"].values()))
    mean, low, high = run["metrics"]["ndcg@10"]
    told = f"{mean:.4f} ({low:.4f} to {high:.4f})" if len(entry["runs"]) == 1 else f"{entry['ndcg@10']:.4f}"
    beyond = entry.get("beyond_scratch")
    apart = f"{beyond[0]:+.4f} ({beyond[1]:+.4f} to {beyond[2]:+.4f})" if beyond else "-"
    return f"{run['events']} | {told} | {apart} | {run['epochs']} | {run['fit_cpu_seconds']:.0f}"
