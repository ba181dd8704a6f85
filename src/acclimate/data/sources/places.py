"""What a user may name as a table: a file, a glob, a folder, or the URL of a database."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from acclimate.errors import InputError, NotFoundError

SUFFIXES = frozenset(
    {".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson", ".inter", ".item", ".user", ".kg", ".link"}
)
"""Files of a folder that are taken for tables."""
OTHERS = ("items", "users")
"""Names of files of a folder that say which table they are."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.]*://")


@dataclass(frozen=True)
class Asked:
    """What is asked of a database: one table, or the rows of a query.

    Args:
        query: One SELECT; None for a table.
        table: Name of a table; None if the URL or the query says it.
    """

    query: str | None = None
    table: str | None = None

    def check(self, places: Sequence[str | Path]) -> None:
        """Raise InputError if there is no database to ask, or both were given."""
        given = "query" if self.query is not None else "table" if self.table is not None else None
        if given and not any(map(is_database, places)):
            raise InputError(
                f"--{given} is for databases, and none was given; name one by its URL, as in "
                "sqlite:///shop.db or postgresql://me@host/shop",
                field=given,
            )
        if self.query is not None and self.table is not None:
            raise InputError("give --query or --table, not both", field="table")


def is_url(place: str | Path) -> bool:
    """Return whether a place is a URL, as ``sqlite:///shop.db``.

    Example:
        >>> is_url("sqlite:///shop.db"), is_url("C:/shop.db"), is_url(Path("shop.db"))
        (True, False, False)
    """
    return isinstance(place, str) and _URL.match(place) is not None


def is_database(place: str | Path) -> bool:
    """Return whether a place is a URL, or a file of SQLite."""
    return is_url(place) or begins(Path(place), b"SQLite format 3\0")


def begins(path: Path, mark: bytes) -> bool:
    """Return whether ``path`` is a file that begins with ``mark``."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(len(mark)) == mark
    except (OSError, ValueError):
        return False


def name_of(place: str | Path) -> str:
    """Return what a report calls a place: the name of the file, folder or database.

    Example:
        >>> name_of("postgresql://me:secret@host/shop?a=1#orders"), name_of("logs/2024-*.csv")
        ('shop', '2024-*')
    """
    if is_url(place):
        return Path(re.split(r"[?#]", str(place))[0]).stem
    path = Path(place)
    return path.resolve().name if path.is_dir() else path.stem


def files_of(place: str | Path, kind: str, *, whole: Callable[[Path], bool]) -> list[tuple[Path, str]]:
    """Return the files of a place in order of their names, and which table each is.

    In a folder, files called ``items`` and ``users`` are tables of these, others of ``kind``; names that
    begin with a point or an underscore are passed over.

    Args:
        place: A file, a folder, or a glob such as ``logs/*.csv``.
        kind: The table that is wanted.
        whole: Whether a folder is read as one.

    Raises:
        NotFoundError: A glob fits nothing.
    """
    path = Path(place)
    try:
        there, folder = path.exists(), path.is_dir()
    except (OSError, ValueError):
        return [(path, kind)]  # what is wrong is told when it is read
    if not there and glob.has_magic(str(place)):
        found = sorted(glob.glob(str(place), recursive=True))
        if not found:
            raise NotFoundError(f"no file fits {place}", code="no_such_file", field="path")
        return [each for name in found for each in files_of(name, kind, whole=whole)]
    if not folder or whole(path):
        return [(path, kind)]
    inside = sorted(file for file in path.rglob("*") if _is_table(file.relative_to(path)) and file.is_file())
    if kind != "events":
        return [(file, kind) for file in inside if file.stem == kind] or [(f, kind) for f in inside or [path]]
    return [(file, file.stem if file.stem in OTHERS else kind) for file in inside] or [(path, kind)]


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(part[0] in "._" for part in path.parts)
