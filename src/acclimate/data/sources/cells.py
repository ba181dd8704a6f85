"""Cells of formats that have types, as text; and rows that come one by one, as a table."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from acclimate.data.unused import SAMPLE

if TYPE_CHECKING:
    import polars as pl

NESTED, TRUTH = "is a list or an object", "is true or false"
"""What a cell may be that has to be one text or number."""
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


def oddity(value: Any) -> str | None:
    """Return `NESTED` or `TRUTH` if a cell is neither text nor a number.

    Example:
        >>> [oddity(value) for value in ("a", 7, None, ["a"], False)]
        [None, None, None, 'is a list or an object', 'is true or false']
    """
    if isinstance(value, list | tuple | dict):
        return NESTED
    return TRUTH if isinstance(value, bool) else None


class Rows:
    """A table of text that grows row by row.

    Args:
        keep: Whether a column is kept, by its name.

    Attributes:
        left: Column that is not kept -> the cells that it has in the first `SAMPLE` rows.

    Example:
        >>> rows = Rows(lambda name: name != "no")
        >>> rows.add(1, {"user": "ann", "no": 1})
        >>> rows.add(3, {"user": "bob", "item": 7})
        >>> rows.frame().rows(), rows.left
        ([(1, 'ann', None), (3, 'bob', '7')], {'no': ['1']})
    """

    def __init__(self, keep: Callable[[str], bool]) -> None:
        self._keep = keep
        self._kept: dict[str, bool] = {}
        self.left: dict[str, list[str | None]] = {}
        self._lines: list[int] = []
        self._chunk: list[Mapping[str, Any]] = []
        self._frames: list[pl.DataFrame] = []
        self._odd: dict[str, dict[str, list[int]]] = {}

    def add(self, line: int, row: Mapping[str, Any]) -> None:
        """Append a row, column -> cell."""
        for name in row.keys() - self._kept.keys():
            self._kept[name] = self._keep(name)
            if not self._kept[name]:
                self.left[name] = []
        self._lines.append(line)
        self._chunk.append(row)
        if len(self._chunk) == _CHUNK_ROWS:
            self._flush()

    def _flush(self) -> None:
        import polars as pl

        names = dict.fromkeys(name for row in self._chunk for name in row if self._kept[name])
        columns = [self._column(name) for name in names if name != "line"]
        if not self._frames:
            first = self._chunk[:SAMPLE]
            for row in first:
                for name in row.keys() & self.left.keys():
                    self.left[name].append(as_text(row[name]))
        self._frames.append(pl.DataFrame([pl.Series("line", self._lines, dtype=pl.UInt32), *columns]))
        self._lines, self._chunk = [], []

    def _column(self, name: str) -> pl.Series:
        """Return the cells of a column as text, and remember where one is no text or number."""
        import polars as pl

        cells = [row.get(name) for row in self._chunk]
        for line, cell in zip(self._lines, cells, strict=True):
            if (what := oddity(cell)) is not None:
                self._odd.setdefault(name, {}).setdefault(what, []).append(line)
        return pl.Series(name, [as_text(cell) for cell in cells], dtype=pl.String)

    def frame(self) -> pl.DataFrame:
        """Return all rows: ``line``, then the columns that were kept, in order of first appearance."""
        import polars as pl

        self._flush()
        return pl.concat(self._frames, how="diagonal")

    def odd(self, names: Mapping[str, str], kind: str) -> dict[str, list[int]]:
        """Return why rows cannot be taken -> their lines, each line once.

        An id has to be text or a number, and no cell of an event may be a list or an object.

        Args:
            names: Column -> our name.
            kind: ``events``, ``items`` or ``users``.
        """
        found: dict[str, list[int]] = {}
        seen: set[int] = set()
        for column, name in names.items():
            for what, lines in self._odd.get(column, {}).items():
                if name.endswith("_id") or (kind == "events" and what == NESTED):
                    word = "time" if name == "timestamp" else name.replace("_", " ")
                    if new := [line for line in lines if line not in seen]:
                        found.setdefault(f"{word} {what}", []).extend(new)
                        seen.update(new)
        return found
