"""The table of the service: how long lists and events take, by model."""

from __future__ import annotations

from typing import Any

KINDS = {
    "list_ms": "a list",
    "acknowledged_event_ms": "an event, acknowledged",
    "list_after_event_ms": "the list after it",
}


def tables(found: dict[str, Any]) -> str:
    """Return medians and 99th percentiles in ms, and CPU ms of a list."""
    kinds = {name: told for name, told in KINDS.items() if all(name in each for each in found["models"])}
    rows = []
    for each in found["models"]:
        cells = [f"{each[name]['p50']:.1f} / {each[name]['p99']:.1f}" for name in kinds]
        rows.append(f"| {each['name']} | {' | '.join(cells)} | {each['cpu_ms_of_a_list']:.1f} |")
    return "\n".join(
        [
            f"{found['items']:,} items, {found['requests']:,} lists, load {found['load_average']}; median / "
            "99th percentile in ms.",
            "",
            f"| model | {' | '.join(kinds.values())} | CPU ms of a list |",
            f"|---|{'---|' * len(kinds)}---|",
            *rows,
        ]
    )
