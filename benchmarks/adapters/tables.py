"""The tables of the adapters: each way to read the items, one table for each part and set."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import by_part

GROUPS = ("warm", "cold", "cold among the cold")


def tables(found: dict[str, Any]) -> str:
    """Return a table for each part and set."""
    return by_part(found, "sets", _table)


def _table(part: str, set_name: str, how: dict[str, Any], ways: dict[str, Any]) -> str:
    learned = "; ".join(
        f"{side}: " + ", ".join(f"{name} {value}" for name, value in how[side].items()) for side in how
    )
    run = next(iter(next(iter(ways.values()))["runs"].values()))
    counts, hashes = run["n_targets"], run["targets_sha256"]
    seeds = ", ".join(dict.fromkeys(str(len(way["runs"])) for way in ways.values()))
    return "\n".join(
        [
            f"**{part}, {set_name}** ({learned}; seeds: {seeds})",
            "",
            "| model | warm | cold | cold among the cold | MB learned | minutes of tuning | CPU s |",
            "|---|---|---|---|---|---|---|",
            *(f"| {name} | {_cells(way)} |" for name, way in ways.items()),
            "",
            f"Seed 0: {counts['warm']} warm targets, sha256 `{hashes['warm'][:16]}`; "
            f"{counts['cold']} cold ones, `{hashes['cold'][:16]}`.",
        ]
    )


def _cells(way: dict[str, Any]) -> str:
    told = " | ".join(_figure(way, group) for group in GROUPS)
    minutes = way["tuning_seconds"] / 60
    return f"{told} | {way['megabytes']:.1f} | {minutes:.1f} | {way['fit_cpu_seconds']:.0f}"


def _figure(way: dict[str, Any], group: str) -> str:
    """Return the mean, its spread over seeds, and how far it is from what is not tuned."""
    mean, spread, beyond = way["ndcg@10"][group], way["spread"][group], way.get("beyond")
    told = f"{mean:.4f}" + (f" ± {spread:.4f}" if spread is not None else "")
    if beyond:
        off, low, high = beyond[group]
        told += f" ({off:+.4f}, {low:+.4f} to {high:+.4f})"
    return told
