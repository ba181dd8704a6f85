"""Parquet, read lazily: of interactions only the columns that are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.data.columns import Columns
from acclimate.data.frames import Example, Part, Raw
from acclimate.data.mapping import key_of
from acclimate.data.sources.cells import as_text
from acclimate.data.sources.places import begins
from acclimate.data.unused import SAMPLE
from acclimate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

_MARK = b"PAR1"
"""With what a whole file begins and ends."""


class Parquet:
    """A Parquet file. Parts of its path such as ``day=2024-05-01`` are columns."""

    def detect(self, path: Path) -> bool:
        """Take ``.parquet`` and ``.pq``, and files that begin as Parquet does."""
        return (path.suffix.lower() in (".parquet", ".pq") and path.is_file()) or begins(path, _MARK)

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read one table; ``encoding`` means nothing here.

        Raises:
            InputError: The file is cut short or damaged, or lacks a column.
        """
        with opened(path) as table:
            schema = table.collect_schema()
            header = schema.names()
            names, notes = columns.choose(header, kind, path, lambda few: _first_cells(table, few))
            for index, name in names.items():
                _check_type(path, header[index], schema.dtypes()[index], name, kind)
            cells = [cell(header[index], schema.dtypes()[index], name) for index, name in names.items()]
            frame = table.select(cells).with_row_index("line", offset=1).collect()
        ids = [index for index, name in names.items() if name.endswith("_id")]
        notes += [
            f"{path.name}: {header[index]!r} has numbers with a point: 7.0 is read as 7"
            for index in ids
            if schema.dtypes()[index].is_float()
        ]
        return Part.of(
            {kind: Raw(path, frame, notes=tuple(notes), show=lambda lines: show_rows(path, lines))}
        )


@contextmanager
def opened(path: Path) -> Iterator[pl.LazyFrame]:
    """Give a lazy table of a file; what goes wrong while it is read is said in one sentence.

    Raises:
        InputError: The file is cut short, or damaged.
    """
    import polars as pl

    with path.open("rb") as stream:
        first = stream.read(20)
        size = stream.seek(0, 2)
        stream.seek(max(0, size - len(_MARK)))
        whole = stream.read() == _MARK and size >= 12
    if size and not first.startswith(_MARK):
        raise InputError(
            f"{path} is no Parquet file: it begins with {first.decode('utf-8', 'replace')!r}; if it is "
            "another format, give it the name of that, as in .csv, or say --format csv",
            code="damaged_file",
            field="path",
        )
    if not whole:
        raise InputError(
            f"{path} is no whole Parquet file: its end is missing ({size:,} bytes are there); copy it again",
            code="damaged_file",
            field="path",
        )
    try:
        yield pl.scan_parquet(path, glob=False, hive_partitioning=True)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).splitlines()[0][:200]
        message = f"{path} cannot be read as Parquet: {reason}; copy it again, or write it anew"
        raise InputError(message, code="damaged_file", field="path") from error


def _first_cells(table: pl.LazyFrame, indices: Sequence[int]) -> dict[int, list[str | None]]:
    """Return the cells of some columns in the first `SAMPLE` rows as text; nothing of what has many types."""
    import polars as pl

    schema = table.collect_schema()
    named = {index: schema.names()[index] for index in indices}
    simple = (pl.String, pl.Categorical, pl.Enum, pl.Boolean)
    kept = {i: name for i, name in named.items() if schema[name] in simple or schema[name].is_integer()}
    first = table.select(pl.col(name).cast(pl.String) for name in kept.values()).head(SAMPLE).collect()
    return {index: first[name].to_list() for index, name in kept.items()}


def _check_type(path: Path, column: str, dtype: pl.DataType, name: str, kind: str) -> None:
    """Raise InputError if a column of ids is no text and no number, or one of events is nested."""
    import polars as pl

    if name == "timestamp" and dtype in (pl.Duration, pl.Time):
        raise InputError(
            f"{path.name}: the column {column!r} has {dtype}, and a time is a date with or without an hour "
            "or a number of seconds since 1970; name another with --map timestamp=COLUMN, or write it anew",
            code="wrong_type",
            field=name,
        )
    nested = dtype.is_nested() or dtype == pl.Object
    if (name.endswith("_id") and (nested or dtype == pl.Boolean)) or (kind == "events" and nested):
        what = "lists or objects" if nested else "true and false"
        wanted = "an id is text or a number" if name.endswith("_id") else f"{name} is one text or number"
        raise InputError(
            f"{path.name}: the column {column!r} has {what} ({dtype}), and {wanted}; name another with "
            f"--map {key_of(name, kind)}=COLUMN, or write it anew as text",
            code="wrong_type",
            field=name,
        )


def cell(column: str, dtype: pl.DataType, name: str) -> pl.Expr:
    """Return a column under our name: times in seconds, values as numbers, everything else as text."""
    import polars as pl

    found = pl.col(column)
    if name == "timestamp" and dtype.is_temporal():
        return (found.cast(pl.Datetime("us")).dt.timestamp("us") / 1e6).alias(name)
    if name in ("timestamp", "value") and (dtype.is_numeric() or dtype == pl.Boolean):
        return found.cast(pl.Float64).alias(name)
    text = _text(found, dtype)
    return (text if name.endswith("_id") else text.replace("", None)).alias(name)


def _text(found: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    import polars as pl

    if dtype == pl.String:
        return found
    if dtype.is_float():
        whole = found.cast(pl.Int64, strict=False)
        other = found.fill_nan(None).cast(pl.String)
        return pl.when(found == whole).then(whole.cast(pl.String)).otherwise(other)
    if isinstance(dtype, pl.List | pl.Array):
        inner = dtype.inner
        assert isinstance(inner, pl.DataType)
        texts = found.cast(pl.List(inner)).list.eval(_text(pl.element(), inner))
        return texts.list.join("|", ignore_nulls=True)
    if isinstance(dtype, pl.Struct):
        return found.struct.json_encode()
    if isinstance(dtype, pl.Date | pl.Datetime | pl.Time):
        return found.dt.to_string("iso")
    return found.cast(pl.String, strict=False)


def show_rows(path: Path, lines: Sequence[int]) -> list[Example]:
    """Return examples of some rows, their cells divided by commas."""
    with opened(path) as table:
        rows = [table.slice(line - 1, 1).collect().row(0) for line in lines]
    texts = [",".join(as_text(value) or "" for value in row)[:200] for row in rows]
    return [{"file": str(path), "line": line, "text": text} for line, text in zip(lines, texts, strict=True)]
