"""Text tables: which encoding, which delimiter, and where each row begins and ends.

Each row is either kept or counted with its line. A file without quotes is cut line by line by polars, at
once; a file with quotes, where a record may run over several lines, by the standard library's ``csv``.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.data.checks import DECIMAL_COMMA
from acclimate.data.columns import Columns
from acclimate.data.frames import MAX_EXAMPLES, Dropped, Raw, show_lines
from acclimate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
RAGGED = "wrong number of fields"
_CHUNK_ROWS = 50_000
_OTHERS = {"JSON": re.compile(rb"\s*(\{|\[\s*[\[{])"), "Parquet": re.compile(rb"PAR1")}
"""Format that is known and not read -> how a file of it begins."""
_NEVER = "\x1f"
"""A character that plain files do not have, so that polars gives whole lines."""


@dataclass(frozen=True)
class Layout:
    """How to cut a file.

    Args:
        file: The file.
        encoding: ``utf-8-sig`` or ``latin-1``.
        delimiter: What stands between fields; one character or more.
        width: Number of fields of a row.
        names: Index of a field -> name of its column, for those to keep.
        skip: Number of lines before the first row.
    """

    file: Path
    encoding: str
    delimiter: str
    width: int
    names: dict[int, str]
    skip: int = 0


def read_delimited(file: Path, kind: str, columns: Columns) -> Raw:
    """Read a table with a header line.

    Args:
        file: CSV with comma, tab, semicolon or bar; UTF-8 (with or without BOM) or Latin-1.
        kind: ``events``, ``items`` or ``users``. Of events only our columns are kept; of the others each
            further column becomes an attribute, under its name with ``@`` before it.
        columns: Finds our columns.

    Raises:
        InputError: The file is empty, not text, lacks a column or has it twice, or a quote is never closed.
    """
    encoding, plain = survey(file)
    delimiter, header, skip = _header(file, encoding, columns)
    names = {index: name for name, index in columns.find(header, kind, file).items()}
    if kind != "events":
        names |= {i: f"@{name}" for i, name in enumerate(header) if name and i not in names}
    if repeated := [header[i] for i in names if header.count(header[i]) > 1]:
        raise InputError(f"{file.name} has the column {repeated[0]!r} twice; rename or remove one")
    layout = Layout(file, encoding, delimiter, len(header), names, skip)
    raw = cut_lines(layout) if plain else _cut_records(layout)
    notes = list(raw.notes)
    if delimiter != "," and file.suffix != ".tsv":
        notes.append(f"{file.name}: columns are divided by {DELIMITERS[delimiter]}")
    frame = raw.frame
    if delimiter != "," and "value" in names.values() and _decimal_comma(frame["value"]):
        frame = frame.with_columns(frame["value"].str.replace(",", ".", literal=True))
        notes.append(f"{file.name}: ratings have a decimal comma, as in 4,5")
    return Raw(file, frame, raw.dropped, tuple(notes))


def _decimal_comma(values: pl.Series) -> bool:
    """Return whether some values have a decimal comma and the others are whole numbers."""
    commas = values.str.contains(DECIMAL_COMMA)
    whole = values.str.contains(r"^\s*[+-]?\d+\s*$")
    return bool(commas.any() and (commas | whole).all())


def survey(file: Path) -> tuple[str, bool]:
    """Return the encoding of a file, and whether each of its lines is a row: no quotes, usual line ends.

    Raises:
        InputError: It is empty or not text.
    """
    decoder, encoding, plain, blank = codecs.getincrementaldecoder("utf-8")(), "utf-8-sig", True, True
    with file.open("rb") as stream:
        _check_format(file, stream.read(1 << 10))
        stream.seek(0)
        while chunk := stream.read(1 << 20):
            if b"\0" in chunk or chunk.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise InputError(f"{file} is not a text table in UTF-8; save it as CSV in UTF-8")
            plain = plain and b'"' not in chunk and _NEVER.encode() not in chunk
            plain = plain and chunk.count(b"\r") == chunk.count(b"\r\n")
            blank = blank and not chunk.strip(b"\xef\xbb\xbf \t\r\n")
            encoding = encoding if _decodes(decoder, chunk) else "latin-1"
    if blank:
        raise InputError(f"{file} is empty; a table needs a header line and rows", code="empty_file")
    return encoding if _decodes(decoder, b"", final=True) else "latin-1", plain


def _check_format(file: Path, start: bytes) -> None:
    for name, begins in _OTHERS.items():
        if begins.match(start.removeprefix(codecs.BOM_UTF8)):
            raise InputError(
                f"{file} is {name}, which is not read yet; convert it to CSV with a header line",
                code="format_not_read",
            )


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _header(file: Path, encoding: str, columns: Columns) -> tuple[str, list[str], int]:
    """Return the delimiter that gives the header most meaning, the header, and its last line."""
    found = {}
    for delimiter in DELIMITERS:
        with file.open(encoding=encoding, newline="") as stream:
            reader = csv.reader(stream, delimiter=delimiter)
            row = next((row for row in reader if any(row)), [])
            found[delimiter] = [name.strip() for name in row], reader.line_num
    best = max(found, key=lambda d: (columns.recognised(found[d][0]), len(found[d][0])))
    return best, *found[best]


def cut_lines(layout: Layout) -> Raw:
    """Cut a file of which each line is a row; blank lines are none."""
    import polars as pl

    source: Path | io.BytesIO = layout.file
    if layout.encoding == "latin-1":
        source = io.BytesIO(layout.file.read_bytes().decode("latin-1").encode())
    lines = pl.read_csv(
        source,
        separator=_NEVER,
        quote_char=None,
        has_header=False,
        infer_schema=False,
        new_columns=["text"],
        glob=False,
    ).with_row_index("line", offset=1)
    lines = lines.filter((pl.col("line") > layout.skip) & (pl.col("text").str.strip_chars() != ""))
    text = pl.col("text")
    whole = text.str.count_matches(layout.delimiter, literal=True) == layout.width - 1
    ragged = lines.filter(~whole)["line"]
    fields = lines.filter(whole).select("line", text.str.split_exact(layout.delimiter, layout.width - 1))
    fields = fields.unnest("text")
    cells = [
        pl.when(pl.col(f"field_{index}") != "").then(f"field_{index}").alias(name)
        for index, name in layout.names.items()
    ]
    return _raw(layout, fields.select(*cells, "line"), ragged.len(), ragged[:MAX_EXAMPLES].to_list())


def _cut_records(layout: Layout) -> Raw:
    """Cut a file record by record, as quotes say."""
    import polars as pl

    frames: list[pl.DataFrame] = []
    ragged: list[int] = []
    cells: dict[str, list[str | None]] = {name: [] for name in layout.names.values()}
    starts: list[int] = []

    def flush() -> None:
        frame = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))
        frames.append(frame.with_columns(pl.Series("line", starts, dtype=pl.UInt32)))
        starts.clear()
        for column in cells.values():
            column.clear()

    for start, row in _records(layout):
        if len(row) != layout.width:
            ragged.append(start)
            continue
        starts.append(start)
        for index, name in layout.names.items():
            cells[name].append(row[index] or None)
        if len(starts) == _CHUNK_ROWS:
            flush()
    flush()
    return _raw(layout, pl.concat(frames), len(ragged), ragged[:MAX_EXAMPLES])


def _raw(layout: Layout, frame: pl.DataFrame, ragged: int, examples: list[int]) -> Raw:
    dropped = (Dropped(RAGGED, ragged, show_lines(layout.file, examples)),) if ragged else ()
    latin = (f"{layout.file.name} is not UTF-8: read as Latin-1",) if layout.encoding == "latin-1" else ()
    return Raw(layout.file, frame, dropped, latin)


def _records(layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Yield the line at which each record begins, and its fields; blank lines are none."""
    with layout.file.open(encoding=layout.encoding, newline="") as stream:
        reader, start = csv.reader(stream, delimiter=layout.delimiter, strict=True), 1
        try:
            for row in reader:
                if start > layout.skip and (len(row) > 1 or any(cell.strip() for cell in row)):
                    if reader.line_num > start and len(row) != layout.width:
                        raise csv.Error(
                            "a quoted field runs over several lines, and the row has a wrong width"
                        )
                    yield start, row
                start = reader.line_num + 1
        except csv.Error as error:
            raise InputError(
                f"{layout.file} line {start}: {error}. Each quote that is opened must be closed; "
                'inside a quoted field a quote is written twice, ""'
            ) from error
