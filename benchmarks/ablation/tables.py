"""The tables of the ablation: what each choice is worth, one table for each part and set."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import by_part


def tables(found: dict[str, Any]) -> str:
    """Return a table for each part and set, the best choice first."""
    return by_part(found, "sets", _table)


def _table(part: str, set_name: str, how: dict[str, Any], choices: dict[str, Any]) -> str:
    best_first = sorted(choices, key=lambda name: -choices[name]["ndcg@10"])
    rows = [f"| {name} | {_cells(choices[name], choices.get('base'))} |" for name in best_first]
    seeds = max(len(each["runs"]) for each in choices.values())
    run = next(iter(next(iter(choices.values()))["runs"].values()))
    asked = ", ".join(f"{name} {value}" for name, value in how.items())
    return "\n".join(
        [
            f"**{part}, {set_name}** ({asked}; seeds: {seeds})",
            "",
            "| choice | NDCG@10 | worth | CPU s | times the base |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"{run['n_targets']} validation targets, sha256 `{run['targets_sha256'][:16]}`.",
        ]
    )


def _cells(found: dict[str, Any], base: dict[str, Any] | None) -> str:
    worth = found.get("worth")
    apart = f"{worth[0]:+.4f} ({worth[1]:+.4f} to {worth[2]:+.4f})" if worth else "-"
    times = f"{found['cpu_seconds'] / base['cpu_seconds']:.1f}" if base else "-"
    return f"{found['ndcg@10']:.4f} | {apart} | {found['cpu_seconds']:.0f} | {times}"
