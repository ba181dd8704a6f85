"""Databases: a table, or the rows of a query; SQLite by the standard library, PostgreSQL by psycopg."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.data.columns import Columns
from acclimate.data.frames import MAX_EXAMPLES, Dropped, Example, Part, Raw
from acclimate.data.sources.cells import Rows, as_text
from acclimate.data.sources.databases import Database, connect
from acclimate.data.sources.places import Asked, is_database, is_url
from acclimate.data.unused import SAMPLE
from acclimate.errors import InputError, NotFoundError, nearest

if TYPE_CHECKING:
    import polars as pl


class SQL:
    """A file of SQLite that holds one table; see `read_database` for everything else."""

    def detect(self, path: Path) -> bool:
        """Take files that begin as SQLite does."""
        return not is_url(str(path)) and is_database(path)

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read the only table of a file; ``encoding`` means nothing here."""
        return read_database(path, kind, columns, Asked())


def read_database(place: str | Path, kind: str, columns: Columns, asked: Asked) -> Part:
    """Read one table, or the rows of a query, in the order in which the database gives them.

    The database is only read from. Rows are counted from 1.

    Args:
        place: ``sqlite:///FILE``, ``postgresql://USER@HOST/NAME``, each with ``#TABLE`` behind it or not, or
            a file of SQLite.
        kind: ``events``, ``items`` or ``users``.
        columns: Chooses the columns to keep.
        asked: Of tables of events, what is asked for; else ``#TABLE`` or the only table.

    Raises:
        InputError: The URL or the query cannot be understood, or a column is missing.
        NotFoundError: No such file or table.
        MissingExtraError: The package for this database is not installed.
        AcclimateError: The database does not answer, or went away; nothing was taken.
    """
    with closing(connect(place)) as database:
        own = asked.query is not None
        query, notes = (str(asked.query), []) if own else _select(database, kind, columns, asked)
        header, cells = database.ask(query)
        label = Path(database.label)
        first = list(itertools.islice(cells, SAMPLE))
        names, more = columns.choose(header, kind, label, lambda few: _cells(first, few))
        rows = Rows(lambda name: True)
        for number, row in enumerate(itertools.chain(first, cells), start=1):
            rows.add(number, {name: row[index] for index, name in names.items()})
    frame = rows.frame()
    absent = [name for name in names.values() if name not in frame.columns]
    frame = frame.with_columns(_nothing(name) for name in absent)
    show = _show(database.label, frame)
    odd = rows.odd({name: name for name in names.values()}, kind)
    dropped = tuple(Dropped(why, len(lines), show(lines[:MAX_EXAMPLES])) for why, lines in odd.items())
    kept = frame.filter(~frame["line"].is_in([line for lines in odd.values() for line in lines]))
    return Part.of({kind: Raw(label, kept, dropped, tuple(dict.fromkeys([*notes, *more])), show=show)})


def _nothing(name: str) -> pl.Expr:
    import polars as pl

    return pl.lit(None, pl.String).alias(name)


def _cells(rows: Sequence[Sequence[Any]], indices: Sequence[int]) -> dict[int, list[str | None]]:
    return {index: [as_text(row[index]) for row in rows] for index in indices}


def _select(database: Database, kind: str, columns: Columns, asked: Asked) -> tuple[str, list[str]]:
    """Return a query for the columns of a table that are kept, and notes."""
    tables, wanted = database.tables(), asked.table or database.table
    if wanted is None and len(tables) == 1:
        (wanted,) = tables
    if wanted is None:
        listed = ", ".join(tables) or "none"
        raise InputError(
            f"{database.label} has the tables {listed}; say which one with --table NAME or #NAME behind the "
            'URL, or what to ask for with --query "select ..."',
            code="which_table",
            field="table",
        )
    if wanted not in tables:
        hint = nearest(wanted, tables) if tables else "it has none"
        message = f"{database.label} has no table {wanted!r}: {hint}"
        raise NotFoundError(message, code="unknown_table", field="table")
    table = ".".join(map(quoted, wanted.split(".", 1))) if tables[wanted] else quoted(wanted)
    header, _ = database.ask(f"SELECT * FROM {table} LIMIT 0")

    def query(indices: Iterable[int]) -> str:
        return f"SELECT {', '.join(quoted(header[index]) for index in indices)} FROM {table}"

    def sample(few: Sequence[int]) -> dict[int, list[str | None]]:
        rows = list(database.ask(f"{query(few)} LIMIT {SAMPLE}")[1])
        return dict(zip(few, _cells(rows, range(len(few))).values(), strict=True))

    names, notes = columns.choose(header, kind, Path(database.label), sample)
    return query(sorted(names)), notes


def quoted(name: str) -> str:
    """Return a name of SQL as it is written in a query.

    Example:
        >>> quoted('or"der')
        '"or""der"'
    """
    return '"' + name.replace('"', '""') + '"'


def _show(label: str, frame: pl.DataFrame) -> Callable[[Sequence[int]], list[Example]]:
    def show(lines: Sequence[int]) -> list[Example]:
        rows = (frame.row(line - 1) for line in lines)
        texts = [",".join(cell or "" for cell in row[1:])[:200] for row in rows]
        return [{"file": label, "line": line, "text": text} for line, text in zip(lines, texts, strict=True)]

    return show
