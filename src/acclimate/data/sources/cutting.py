"""Where each row of a text table begins and ends. Each row is either kept or counted with its line.

A file without quotes is cut line by line by polars, at once; a file with quotes, where a record may run over
several lines, by the standard library's ``csv``. A quote that is not closed costs its own line, not the rest.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from acclimate.data.encodings import MARK, NEVER, Text, read_text
from acclimate.data.frames import MAX_EXAMPLES, Dropped, Raw, show_lines
from acclimate.data.unused import SAMPLE
from acclimate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

RAGGED = "wrong number of fields"
UNCLOSED = "a quote is not closed"
AFTER_QUOTE = "text after a closing quote"
MAX_BROKEN = 1_000
"""Rows with broken quotes after which a file is refused: its quotes mean something else."""
_CHUNK_ROWS = 50_000
_CLOSED_LATE = "closed by a quote of a later row"


@dataclass(frozen=True)
class Layout:
    """How to cut a file.

    Args:
        text: The file, and how it is read.
        delimiter: What stands between fields; one character or more.
        width: Number of fields of a row.
        names: Index of a field -> name of its column, for those to keep.
        skip: Number of lines before the first row.
    """

    text: Text
    delimiter: str
    width: int
    names: dict[int, str]
    skip: int = 0


class Lost:
    """Lines that are in no row, by reason: how many, and the first few."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, list[int]] = {}
        self.notes: list[str] = []

    def add(self, reason: str, lines: Iterable[int]) -> None:
        """Count ``lines`` under ``reason``."""
        first = self._first.setdefault(reason, [])
        for line in lines:
            self._counts[reason] = self._counts.get(reason, 0) + 1
            if len(first) < MAX_EXAMPLES:
                first.append(line)

    def raw(self, layout: Layout, frame: pl.DataFrame) -> Raw:
        """Return the rows of a file together with what was lost."""
        text = layout.text
        dropped = tuple(
            Dropped(reason, count, show_lines(text.file, self._first[reason], text.encoding))
            for reason, count in self._counts.items()
        )
        notes = [text.note] if text.note else []
        return Raw(text.file, frame, dropped, (*notes, *self.notes), text.encoding)


def cut(layout: Layout) -> Raw:
    """Cut a file in the way that its text allows."""
    return cut_lines(layout) if layout.text.plain else cut_records(layout)


def cut_named(
    file: Path,
    delimiter: str,
    names: Sequence[str],
    encoding: str | None = None,
    *,
    usual: str | None = None,
    skip: int = 0,
) -> Raw:
    """Cut a published file whose columns are known.

    Args:
        file: Lines of text without quotes.
        delimiter: What stands between fields.
        names: Of its columns; those with an empty name are left out.
        encoding: See `acclimate.data.encodings.read_text`, as for ``usual``.
        usual: What such a file is written in if it is not UTF-8.
        skip: Number of lines before the first row.
    """
    keep = {index: name for index, name in enumerate(names) if name}
    return cut_lines(Layout(read_text(file, encoding, usual=usual), delimiter, len(names), keep, skip))


def cut_lines(layout: Layout) -> Raw:
    """Cut a file of which each line is a row; blank lines are none."""
    import polars as pl

    recoded = layout.text.recoded
    lines = pl.read_csv(
        layout.text.file if recoded is None else io.BytesIO(recoded),
        separator=NEVER,
        quote_char=None,
        has_header=False,
        infer_schema=False,
        new_columns=["text"],
        glob=False,
    ).with_row_index("line", offset=1)
    lines = lines.filter((pl.col("line") > layout.skip) & (pl.col("text").str.strip_chars() != ""))
    text, lost = pl.col("text"), Lost()
    if recoded is not None:
        marked = text.str.contains(MARK, literal=True)
        lost.add(layout.text.unreadable, lines.filter(marked)["line"])
        lines = lines.filter(~marked)
    whole = text.str.count_matches(layout.delimiter, literal=True) == layout.width - 1
    lost.add(RAGGED, lines.filter(~whole)["line"])
    fields = lines.filter(whole).select("line", text.str.split_exact(layout.delimiter, layout.width - 1))
    fields = fields.unnest("text")
    cells = [
        pl.when(pl.col(f"field_{index}") != "").then(f"field_{index}").alias(name)
        for index, name in layout.names.items()
    ]
    return lost.raw(layout, fields.select(*cells, "line"))


def cut_records(layout: Layout) -> Raw:
    """Cut a file record by record, as quotes say."""
    import polars as pl

    frames: list[pl.DataFrame] = []
    cells: dict[str, list[str | None]] = {name: [] for name in layout.names.values()}
    starts: list[int] = []
    lost = Lost()

    def flush() -> None:
        frame = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))
        frames.append(frame.with_columns(pl.Series("line", starts, dtype=pl.UInt32)))
        starts.clear()
        for column in cells.values():
            column.clear()

    for start, row in _records(layout, lost):
        starts.append(start)
        for index, name in layout.names.items():
            cells[name].append(row[index] or None)
        if len(starts) == _CHUNK_ROWS:
            flush()
    flush()
    return lost.raw(layout, pl.concat(frames))


def first_cells(text: Text, delimiter: str, skip: int, indices: Sequence[int]) -> dict[int, list[str]]:
    """Return the cells of some columns in the first `SAMPLE` rows, as far as these can be cut."""
    cells: dict[int, list[str]] = {index: [] for index in indices}
    with text.open() as stream:
        lines = itertools.islice(stream, skip, skip + SAMPLE)
        quoting: Literal[0, 3] = csv.QUOTE_NONE if text.plain else csv.QUOTE_MINIMAL
        with suppress(csv.Error):
            for row in csv.reader(lines, delimiter=delimiter, quoting=quoting):
                for index in indices:
                    if index < len(row):
                        cells[index].append(row[index])
    return cells


class _Lines:
    """Lines of a stream; those of the record that is being read can come again.

    Args:
        stream: The lines.
        start: Number of the first one.
    """

    def __init__(self, stream: Iterator[str], start: int) -> None:
        self._stream, self.start = stream, start
        self._again: deque[str] = deque()
        self.record: list[str] = []

    def __iter__(self) -> Iterator[str]:
        while True:
            line = self._again.popleft() if self._again else next(self._stream, None)
            if line is None:
                return
            self.record.append(line)
            yield line

    def done(self, n: int) -> list[int]:
        """Be through with ``n`` lines of the record; return the numbers of those that are not blank."""
        numbers = [self.start + i for i, line in enumerate(self.record[:n]) if line.strip()]
        self._again.extendleft(reversed(self.record[n:]))
        self.start += n
        self.record.clear()
        return numbers


def _records(layout: Layout, lost: Lost) -> Iterator[tuple[int, list[str]]]:
    """Yield the line at which each good record begins, and its fields; blank lines are none."""
    recoded, broken = layout.text.recoded is not None, 0
    with layout.text.open() as stream:
        for _ in range(layout.skip):
            next(stream)
        lines = _Lines(stream, layout.skip + 1)
        while True:
            reader = csv.reader(lines, delimiter=layout.delimiter, strict=True)
            try:
                for row in reader:
                    if not any(map(str.strip, row)) and not any(map(str.strip, lines.record)):
                        lines.done(len(lines.record))
                    elif recoded and any(MARK in cell for cell in row):
                        lost.add(layout.text.unreadable, lines.done(len(lines.record)))
                    elif len(row) == layout.width:
                        yield lines.start, row
                        lines.start += len(lines.record)
                        lines.record.clear()
                    elif len(lines.record) == 1 or not _swallows(lines.record[1:-1], layout):
                        lost.add(RAGGED, lines.done(len(lines.record)))
                    else:
                        raise csv.Error(_CLOSED_LATE)
                return
            except csv.Error as error:
                broken += 1
                _drop(lines, str(error), layout, lost, broken)


def _drop(lines: _Lines, error: str, layout: Layout, lost: Lost, broken: int) -> None:
    """Leave out a record that cannot be read, or only its first line where rows follow that can."""
    file, start, n = layout.text.file, lines.start, len(lines.record)
    if broken > MAX_BROKEN:
        raise InputError(
            f"{file} line {start}: more than {MAX_BROKEN:,} rows have broken quotes up to here. Each quote "
            'that is opened must be closed; inside a quoted field a quote is written twice, ""'
        )
    if "limit" in error and n == 1:
        reason = f"field longer than {csv.field_size_limit():,} characters"
    else:
        reason = AFTER_QUOTE if n == 1 and "expected after" in error else UNCLOSED
    if error == _CLOSED_LATE or _swallows(lines.record[1:], layout):
        lost.add(reason, lines.done(1))
        return
    at_end = "unexpected end" in error
    numbers = lines.done(n if at_end else max(1, n - 1))
    lost.add(reason, numbers)
    if len(numbers) > 1 and len(lost.notes) < MAX_EXAMPLES:
        lost.notes.append(
            f"{file.name}: the quote opened in line {start} is not closed; "
            f"lines {start} to {numbers[-1]} are left out, as they do not look like rows"
        )


def _swallows(inside: list[str], layout: Layout) -> bool:
    """Return whether at least half of the lines inside a quoted field are rows by themselves."""
    texts = [line for line in inside if line.strip()]
    good = sum(_is_row(line, layout) for line in texts)
    return bool(texts) and 2 * good >= len(texts)


def _is_row(line: str, layout: Layout) -> bool:
    if line.count('"') % 2:
        return False
    try:
        return len(next(csv.reader([line], delimiter=layout.delimiter, strict=True))) == layout.width
    except csv.Error:
        return False
