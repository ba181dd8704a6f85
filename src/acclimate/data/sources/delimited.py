"""Text tables with a header line: which delimiter, which columns."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.data.checks import DECIMAL_COMMA
from acclimate.data.columns import Columns
from acclimate.data.encodings import MARK, Text, read_text, refuse_others
from acclimate.data.frames import Raw
from acclimate.data.sources.cutting import Layout, cut, first_cells
from acclimate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}


def read_delimited(
    file: Path,
    kind: str,
    columns: Columns,
    encoding: str | None = None,
    delimiters: Sequence[str] = tuple(DELIMITERS),
    *,
    published: bool = False,
) -> Raw:
    """Read a table with a header line.

    Args:
        file: CSV with comma, tab, semicolon or bar.
        kind: ``events``, ``items`` or ``users``.
        columns: Chooses the columns to keep.
        encoding: See `acclimate.data.encodings.read_text`.
        delimiters: Keys of `DELIMITERS`, one of which divides the columns.
        published: Whether the layout is known; what is not used of it is then no news.

    Raises:
        InputError: The file is empty, not text, another kind of table, lacks a column or has it twice.
    """
    refuse_others(file)
    text = read_text(file, encoding)
    delimiter, header, skip = _header(text, columns, delimiters)
    sample = None if published else lambda few: first_cells(text, delimiter, skip, few)
    names, notes = columns.choose(header, kind, file, sample)
    raw = cut(Layout(text, delimiter, len(header), names, skip))
    if delimiter != "," and len(delimiters) > 1:
        notes.append(f"{file.name}: columns are divided by {DELIMITERS[delimiter]}")
    frame = raw.frame
    if delimiter != "," and "value" in names.values() and _decimal_comma(frame["value"]):
        frame = frame.with_columns(frame["value"].str.replace(",", ".", literal=True))
        notes.append(f"{file.name}: ratings have a decimal comma, as in 4,5")
    return replace(raw, frame=frame, notes=(*raw.notes, *notes))


def _decimal_comma(values: pl.Series) -> bool:
    """Return whether some values have a decimal comma and the others are whole numbers."""
    commas = values.str.contains(DECIMAL_COMMA)
    whole = values.str.contains(r"^\s*[+-]?\d+\s*$")
    return bool(commas.any() and (commas | whole).all())


def _header(text: Text, columns: Columns, delimiters: Sequence[str]) -> tuple[str, list[str], int]:
    """Return the delimiter that gives the header most meaning, the header, and its last line."""
    found, broken = {}, False
    for delimiter in delimiters:
        with text.open() as stream:
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            try:
                row = next((row for row in reader if any(row)), [])
            except csv.Error:
                row, broken = [], True
            found[delimiter] = [name.strip() for name in row], reader.line_num
    best = max(found, key=lambda d: (columns.recognised(found[d][0]), len(found[d][0])))
    header, last = found[best]
    if broken and len(header) < 2:
        raise InputError(f"{text.file}: its header line opens a quote that is not closed as it should be")
    if any(MARK in name for name in header):
        raise InputError(
            f"{text.file}: its header line is {text.unreadable}; give --encoding", field="encoding"
        )
    return best, header, last
