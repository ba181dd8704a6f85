"""What the tables of benchmarks in parts share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Table = Callable[[str, str, dict[str, Any], dict[str, Any]], str]
"""Text of part, name, how it was learned, and entries."""


def by_part(found: dict[str, Any], inner: str, table: Table) -> str:
    """Return ``table(part, name, how, entries)`` of each part and each of its sets or pairs."""
    return "\n\n".join(
        table(part, name, told["how"], entries)
        for part, told in found["parts"].items()
        for name, entries in told[inner].items()
    )
