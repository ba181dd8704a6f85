"""Where tables come from. One format a file, one line here."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Protocol

from acclimate.data.columns import Columns
from acclimate.data.frames import Part
from acclimate.data.sources.places import Asked, files_of, is_database, name_of
from acclimate.errors import InputError, NotFoundError, nearest

__all__ = ["SOURCES", "Asked", "Source", "make_source", "name_of", "read_path", "read_place"]

SOURCES: dict[str, str] = {
    "movielens": "movielens:MovieLens",
    "amazon": "amazon:Amazon",
    "open-bandit": "open_bandit:OpenBandit",
    "lastfm": "lastfm:LastFM",
    "complete-journey": "complete_journey:CompleteJourney",
    "jester": "jester:Jester",
    "gowalla": "gowalla:Gowalla",
    "atomic": "atomic:Atomic",
    "parquet": "parquet:Parquet",
    "jsonl": "jsonl:JSONLines",
    "sql": "sql:SQL",
    "sequences": "sequences:Sequences",
    "tsv": "csv:TSV",
    "csv": "csv:CSV",
}
"""Registered format -> file and class. The first that detects a path reads it."""


class Source(Protocol):
    """Reads one format."""

    def detect(self, path: Path) -> bool:
        """Return whether ``path`` is in this format, by its name, its first bytes and the names beside it."""
        ...

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read the tables at ``path``; ``kind`` (``events items users``) is the one that is wanted.

        Files of text are written in ``encoding``; if it is None, that is found out.
        """
        ...


def make_source(name: str) -> Source:
    """Return the source of a registered format.

    Raises:
        NotFoundError: No such format; names the nearest.
    """
    if name not in SOURCES:
        raise NotFoundError(
            f"no format {name!r}: {nearest(name, SOURCES)}", code="unknown_format", field="format"
        )
    file, cls = SOURCES[name].split(":")
    source: Source = getattr(import_module(f"acclimate.data.sources.{file}"), cls)()
    return source


def read_place(
    place: str | Path,
    kind: str,
    columns: Columns,
    format: str | None = None,
    encoding: str | None = None,
    asked: Asked | None = None,
) -> Iterator[Part]:
    """Read what a user names: a file, a glob, a folder, or the URL of a database; one part after the other.

    A folder in a published layout is read whole; of another one each file is a table.

    Raises:
        NotFoundError: Nothing is there, or no such format.
        InputError: It cannot be read; see `read_path`.
        AcclimateError: A database does not answer.
    """
    sources = [make_source(name) for name in ([format] if format else SOURCES)]
    if is_database(place) and format in (None, "sql"):
        from acclimate.data.sources.sql import read_database

        yield read_database(place, kind, columns, asked or Asked())
        return
    for path, own in files_of(place, kind, whole=lambda folder: any(each.detect(folder) for each in sources)):
        yield read_path(path, own, columns, format, encoding)


def read_path(
    path: Path,
    kind: str,
    columns: Columns,
    format: str | None = None,
    encoding: str | None = None,
) -> Part:
    """Read what is at ``path``, in the named format or the one that fits.

    Raises:
        NotFoundError: Nothing is there, or no such format.
        InputError: It is a folder in no layout we know, a device or the like, or cannot be opened.
    """
    _check_kind(path)
    for name in [format] if format else SOURCES:
        source = make_source(name)
        if format or source.detect(path):
            try:
                return source.read(path, kind, columns, encoding)
            except OSError as error:
                raise InputError(f"cannot read {path}: {error.strerror}", field="path") from error
    raise InputError(
        f"{path} is a folder in no layout we know, and has no tables (.csv .tsv .parquet .jsonl .inter ...); "
        "give the tables one by one: acclimate data import ratings.csv --items items.csv",
        field="path",
    )


def _check_kind(path: Path) -> None:
    """Raise an error unless a file or a folder is at ``path``."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise NotFoundError(
            f"there is no file or folder {path}", code="no_such_file", field="path"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", field="path") from error
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return
    name = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
    raise InputError(
        f"{path} is {name}; tables are read more than once, so they have to be files: save it as one first",
        code="not_a_file",
        field="path",
    )
