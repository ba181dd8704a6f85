"""Tables of what was measured, from ``benchmarks/*/results.json``; `scripts/docs.py` puts them on pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_TOLD = ("claim", "date", "machine")


def results() -> dict[str, dict[str, Any]]:
    """Return the results of each benchmark that was run, by the name of its folder."""
    return {
        path.parent.name: json.loads(path.read_text("utf-8")) for path in sorted(HERE.glob("*/results.json"))
    }


def figures(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield name and text of each figure in a document, in its order; long lists are left out.

    Example:
        >>> list(figures({"p50_ms": {"ease": 1.25}, "held": True, "runs": [1, 2]}))
        [('p50_ms ease', '1.25'), ('held', 'yes'), ('runs', '1, 2')]
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from figures(inner, f"{name} {key}".strip())
    elif isinstance(value, bool):
        yield name, "yes" if value else "no"
    elif isinstance(value, list):
        if value and len(value) <= 8 and all(isinstance(entry, int | float | str) for entry in value):
            yield name, ", ".join(map(str, value))
        elif all(isinstance(entry, dict) for entry in value):
            for entry in value:
                label = entry.get("name") or entry.get("model") or ""
                rest = {key: inner for key, inner in entry.items() if inner != label}
                yield from figures(rest, f"{name} {label}".strip())
    elif value is not None:
        yield name, str(value)


def page() -> str:
    """Return one section for each benchmark: claim, figures, machine and date."""
    sections = []
    for name, found in results().items():
        machine = ", ".join(f"{key} {text}".strip() for key, text in figures(found.get("machine", "")))
        rows = [(key, text) for key, text in figures(found) if key.split()[0] not in _TOLD]
        table = "\n".join(f"| {key.replace('_', ' ')} | {text} |" for key, text in rows)
        claim = found.get("claim", "").strip(".")
        sections.append(
            f"## {name}\n\n{claim[:1].upper()}{claim[1:]}.\n\n| figure | value |\n|---|---|\n{table}\n\n"
            f"Measured {found.get('date', 'on an unknown day')}; {machine or 'machine not told'}. "
            f"Run it again with `make bench-{name}`."
        )
    return "\n\n".join(sections)
