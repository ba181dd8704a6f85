"""Connections that only read: SQLite by the standard library, PostgreSQL by psycopg."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from acclimate.data.sources.places import is_url
from acclimate.errors import AcclimateError, InputError, MissingExtraError, NotFoundError, nearest

_CHUNK_ROWS = 50_000


class Database(Protocol):
    """An open connection.

    Attributes:
        label: What a report calls it; without a password.
        table: The table that its URL names, if one.
    """

    label: str
    table: str | None

    def tables(self) -> dict[str, bool]:
        """Return the tables and views -> whether the name has a schema before it."""
        ...

    def ask(self, query: str) -> tuple[list[str], Iterator[Sequence[Any]]]:
        """Return the header of a query, and its rows as they come."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


def connect(place: str | Path) -> Database:
    """Open a database for reading.

    Raises:
        InputError: The URL cannot be understood; names what can.
        NotFoundError: There is no such file.
        MissingExtraError: The package for this database is not installed.
        AcclimateError: The database does not answer.
    """
    if not is_url(place):
        return SQLite(Path(place), None)
    url, _, table = str(place).partition("#")
    scheme = url.partition("://")[0].lower()
    if scheme == "sqlite":
        path = unquote(url.partition("://")[2].partition("?")[0])
        if not path.startswith("/") or path == "/":
            raise InputError(
                f"{url} has no file: three slashes and a path, as in sqlite:///shop.db, or four for one that "
                "begins at the root, as in sqlite:////srv/shop.db",
                code="bad_url",
                field="path",
            )
        return SQLite(Path(path[1:]), unquote(table) or None)
    if scheme in ("postgresql", "postgres"):
        return PostgreSQL(url, unquote(table) or None)
    hint = nearest(scheme, ["sqlite", "postgresql"])
    raise InputError(f"no database {scheme}://: {hint}", code="unknown_database", field="path")


class SQLite:
    """A file of SQLite, opened read-only."""

    def __init__(self, path: Path, table: str | None) -> None:
        self.label, self.table = str(path), table
        if not path.is_file():
            message = f"there is no file {path}"
            raise NotFoundError(message, code="no_such_file", field="path")
        _check_whole(path)
        with self._told():
            self._connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
        self._connection.text_factory = lambda text: text.decode("utf-8", "backslashreplace")

    def tables(self) -> dict[str, bool]:
        """Return the tables and views."""
        names = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
        return {str(name): False for (name,) in self.ask(f"{names} ORDER BY name")[1]}

    def ask(self, query: str) -> tuple[list[str], Iterator[Sequence[Any]]]:
        """Return the header of a query, and its rows as they come."""
        with self._told():
            cursor = self._connection.execute(query)
        return _header(cursor.description), self._rows(cursor)

    def _rows(self, cursor: sqlite3.Cursor) -> Iterator[Sequence[Any]]:
        with self._told():
            while rows := cursor.fetchmany(_CHUNK_ROWS):
                yield from rows

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            lost = re.search("disk I/O|unable to open|locked|busy", str(error))
            raise _gone(self.label, error) if lost else _refused(self.label, error) from error
        except (sqlite3.Error, sqlite3.Warning) as error:
            if re.search("not a database|malformed", str(error)):
                message = f"{self.label} cannot be read as a database of SQLite: {error}"
                raise InputError(message, code="damaged_file", field="path") from error
            raise _refused(self.label, error) from error

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def _check_whole(path: Path) -> None:
    """Raise InputError if a file of SQLite is shorter than it says; SQLite reads what is missing as blanks.

    See https://www.sqlite.org/fileformat.html, 1.3: the size stands in the header, and holds if the two
    counters of changes beside it agree.
    """
    header = b""
    with suppress(OSError), path.open("rb") as stream:
        header = stream.read(100)
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        return  # SQLite says what that is
    page = int.from_bytes(header[16:18], "big")
    size = (65_536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    if header[24:28] == header[92:96] and (found := path.stat().st_size) < size:
        message = f"{path} is cut: it has {found:,} of {size:,} bytes; copy it again, or export it anew"
        raise InputError(message, code="damaged_file", field="path")


class PostgreSQL:
    """A database of PostgreSQL in a transaction that only reads, so that all rows are of one moment."""

    def __init__(self, url: str, table: str | None) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise MissingExtraError(
                'PostgreSQL needs a package: pip install "acclimate[postgres]"', field="path"
            ) from error
        try:
            parts = urlsplit(url)
            name, host = parts.path.strip("/"), parts.hostname or "localhost"
        except ValueError as error:
            raise InputError(
                f"the URL cannot be understood: {error}", code="bad_url", field="path"
            ) from error
        self.label, self.table, self._errors = f"{host}/{name}", table, psycopg
        with self._told():
            self._connection = psycopg.connect(url, connect_timeout=10)
            self._connection.read_only = True
        self._cursors: list[Any] = []

    def tables(self) -> dict[str, bool]:
        """Return the tables and views; those outside the schema ``public`` with their schema."""
        names = (
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
        )
        rows = list(self.ask(names)[1])
        return {
            name if schema == "public" else f"{schema}.{name}": schema != "public" for schema, name in rows
        }

    def ask(self, query: str) -> tuple[list[str], Iterator[Sequence[Any]]]:
        """Return the header of a query, and its rows as they come."""
        with self._told():
            cursor = self._connection.cursor(name=f"acclimate_{len(self._cursors)}")
            self._cursors.append(cursor)
            cursor.itersize = _CHUNK_ROWS
            cursor.execute(query)
            return _header(cursor.description), self._rows(cursor)

    def _rows(self, cursor: Any) -> Iterator[Sequence[Any]]:
        with self._told():
            yield from cursor

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._errors.OperationalError as error:
            raise _gone(self.label, error) from error
        except self._errors.Error as error:
            raise _refused(self.label, error) from error

    def close(self) -> None:
        """Hang up."""
        for cursor in self._cursors:
            with suppress(self._errors.Error):
                cursor.close()
        self._connection.close()


def _header(description: Sequence[Sequence[Any]] | None) -> list[str]:
    if not description:
        message = 'the query gives no rows; ask for some, as in --query "select user_id, item_id from orders"'
        raise InputError(message, code="no_rows", field="query")
    return [str(column[0]) for column in description]


def _gone(label: str, error: Exception) -> AcclimateError:
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    message = f"{label} does not answer: {reason}. Nothing was imported; try again when it is there"
    return AcclimateError(message, code="database_gone", field="path")


def _refused(label: str, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:300]
    return InputError(f"{label} refuses the query: {reason}", code="bad_query", field="query")
