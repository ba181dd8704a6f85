"""Cells of formats that have types, as text; and rows that come one by one, as a table."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

_CHUNK_ROWS = 50_000


def as_text(value: Any) -> str | None:
    """Return a cell as text; null for nothing.

    Whole numbers have no decimals, since a column of ids with gaps is often kept as floating point; lists
    are divided by ``|``; objects are JSON; times are ISO 8601.

    Example:
        >>> [as_text(value) for value in (7.0, 0.5, True, ["a", "b"], {"k": 1}, "", None)]
        ['7', '0.5', 'true', 'a|b', '{"k": 1}', None, None]
    """
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, list | tuple):
        return "|".join(text for each in value if (text := as_text(each))) or None
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=as_text)
    if isinstance(value, datetime.date):  # and datetime
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace") or None
    return str(value)


class Rows:
    """A table of text that grows row by row.

    Args:
        keep: Whether a column is kept, by its name.

    Example:
        >>> rows = Rows(lambda name: name != "no")
        >>> rows.add(1, {"user": "ann", "no": 1})
        >>> rows.add(3, {"user": "bob", "item": 7})
        >>> rows.frame().rows()
        [(1, 'ann', None), (3, 'bob', '7')]
    """

    def __init__(self, keep: Callable[[str], bool]) -> None:
        self._keep = keep
        self._kept: dict[str, bool] = {}
        self._lines: list[int] = []
        self._chunk: list[Mapping[str, Any]] = []
        self._frames: list[pl.DataFrame] = []

    def add(self, line: int, row: Mapping[str, Any]) -> None:
        """Append a row, column -> cell."""
        for name in row.keys() - self._kept.keys():
            self._kept[name] = self._keep(name)
        self._lines.append(line)
        self._chunk.append(row)
        if len(self._chunk) == _CHUNK_ROWS:
            self._flush()

    def _flush(self) -> None:
        import polars as pl

        names = dict.fromkeys(name for row in self._chunk for name in row if self._kept[name])
        columns = [
            pl.Series(name, [as_text(row.get(name)) for row in self._chunk], dtype=pl.String)
            for name in names
            if name != "line"
        ]
        self._frames.append(pl.DataFrame([pl.Series("line", self._lines, dtype=pl.UInt32), *columns]))
        self._lines, self._chunk = [], []

    def frame(self) -> pl.DataFrame:
        """Return all rows: ``line``, then the columns that were kept, in order of first appearance."""
        import polars as pl

        self._flush()
        return pl.concat(self._frames, how="diagonal")
