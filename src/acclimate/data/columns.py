"""Which column of a table is the user, the item, the time."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from acclimate.errors import InputError, nearest

ALIASES: dict[str, tuple[str, ...]] = {
    "user_id": ("userId", "user", "uid", "customer_id", "reviewerID"),
    "item_id": ("movieId", "item", "iid", "asin", "parent_asin", "product_id"),
    "timestamp": ("ts", "datetime", "time", "date", "unixReviewTime"),
    "value": ("rating", "weight", "score", "overall"),
    "event_type": ("event", "action", "behavior"),
    "title": ("name", "movie_title"),
    "text": ("description", "overview", "plot", "summary"),
    "query": ("search_query", "search_term", "keywords"),
    "categories": ("genres", "genre", "category", "class"),
    "created_at": (),
    "expires_at": (),
    "available": (),
}
"""Our name -> names that are taken without asking; case, ``_``, ``-`` and spaces do not matter."""

TABLES: dict[str, tuple[str, ...]] = {
    "events": ("user_id", "item_id", "timestamp", "value", "event_type", "query"),
    "items": ("item_id", "title", "text", "categories", "created_at", "expires_at", "available"),
    "users": ("user_id",),
}
"""Kind of table -> the columns with a meaning; what else an item or user table has is an attribute."""

REQUIRED = {"events": ("user_id", "item_id"), "items": ("item_id",), "users": ("user_id",)}


def plain(name: str) -> str:
    """Return a column name without case and punctuation.

    Example:
        >>> plain("User_ID ")
        'userid'
    """
    return "".join(char for char in name.casefold() if char.isalnum())


_MEANING = {plain(word): name for name, words in ALIASES.items() for word in (name, *words)}


class Columns:
    """Finds our columns in the headers of tables.

    Args:
        given: What the caller says, ``{"user": "uid"}``: our name or an alias -> the table's column.

    Raises:
        InputError: A key means nothing to us; names the nearest.

    Example:
        >>> Columns().find(["movieId", "userId", "stars"], "events", Path("r.csv"))
        {'user_id': 1, 'item_id': 0}
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given: dict[str, str] = {}
        self._used: set[str] = set()
        self._headers: dict[str, Sequence[str]] = {}
        for key, column in (given or {}).items():
            if plain(key) not in _MEANING:
                raise InputError(f"--map {key}={column}: {nearest(key, ALIASES)}", field="map")
            self._given[_MEANING[plain(key)]] = column

    def find(self, header: Sequence[str], kind: str, file: Path) -> dict[str, int]:
        """Return our name -> index in ``header`` for a table of ``kind`` ``events``, ``items``, ``users``.

        Raises:
            InputError: A required column is missing; names the columns found and the nearest.
        """
        self._headers[file.name] = header
        found: dict[str, int] = {}
        for name in TABLES[kind]:
            column = self._given.get(name)
            if column in header:
                self._used.add(name)
                found[name] = header.index(column)
            elif indices := _by_alias(header, _names(name, kind)):
                found[name] = indices[0]
                _check_spelling(header, indices, name, file)
        for name in REQUIRED[kind]:
            if name not in found and not (name == "item_id" and "query" in found):
                raise InputError(_missing(header, name, self._given.get(name), kind, file), field=name)
        self._check_kind(header, kind, file)
        return found

    def choose(self, header: Sequence[str], kind: str, file: Path) -> tuple[dict[int, str], list[str]]:
        """Return index in ``header`` -> name in our frames, for the columns to keep, and notes.

        Of events only our columns are kept; of the others each further column becomes an attribute, under
        its name with ``@`` before it.

        Raises:
            InputError: As `find`; or a column that is kept stands twice.
        """
        names = {index: name for name, index in self.find(header, kind, file).items()}
        if kind != "events":
            names |= {i: f"@{name}" for i, name in enumerate(header) if name and i not in names}
        if repeated := [header[i] for i in names if header.count(header[i]) > 1]:
            raise InputError(f"{file.name} has the column {repeated[0]!r} twice; rename or remove one")
        return names, self._passed_over(header, kind, file)

    def _passed_over(self, header: Sequence[str], kind: str, file: Path) -> list[str]:
        """Return a note for each of our columns that more than one column of ``header`` could be."""
        notes = []
        for name in TABLES[kind]:
            first, *others = _by_alias(header, _names(name, kind)) or [-1]
            if others and self._given.get(name) not in header:
                rest = " and ".join(repr(header[index]) for index in others)
                notes.append(
                    f"{file.name}: {header[first]!r} is read as {name}, and not {rest}; "
                    f"to change that: --map {name.removesuffix('_id')}={header[others[0]]}"
                )
        return notes

    def _check_kind(self, header: Sequence[str], kind: str, file: Path) -> None:
        """Raise InputError if a table of items or users has the columns of interactions."""
        if kind == "events":
            return
        told = {name: index for name in ALIASES if (index := self._index(header, name)) is not None}
        other = "user_id" if kind == "items" else "item_id"
        events = [name for name in ("value", "timestamp", "event_type") if name in told]
        if other in told and events and not told.keys() & {"title", "text", "categories"}:
            shown = " and ".join(repr(header[told[name]]) for name in (other, events[0]))
            raise InputError(
                f"{file.name} has the columns {shown}: it looks like a table of interactions, not of {kind}. "
                f"Interactions are named first: acclimate data import {file.name}. If it is a table of "
                f"{kind}, rename these columns",
                code="wrong_table",
                field=kind,
            )

    def _index(self, header: Sequence[str], name: str) -> int | None:
        given = self._given.get(name)
        if given in header:
            return header.index(given)
        return next(iter(_by_alias(header, (name, *ALIASES[name]))), None)

    def recognised(self, header: Sequence[str]) -> int:
        """Return how many columns of ``header`` mean something to us."""
        return sum(plain(name) in _MEANING or name in self._given.values() for name in header)

    def check_used(self) -> None:
        """Raise InputError if the caller named a column that no table had."""
        for name in self._given.keys() - self._used:
            column = self._given[name]
            found = "; ".join(f"{file} has {', '.join(header)}" for file, header in self._headers.items())
            raise InputError(f"--map {name}={column}: no table has a column {column!r}; {found}", field="map")


def _names(name: str, kind: str) -> tuple[str, ...]:
    """Return what a column may be called; in a table of items or users ``id`` is enough."""
    own = ("id",) if kind != "events" and name in REQUIRED[kind] else ()
    return (name, *ALIASES[name], *own)


def _by_alias(header: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return where columns with one of ``names`` are: the first name first, and spelt so before otherwise."""
    plains = [plain(word) for word in names]
    found = [index for index, column in enumerate(header) if plain(column) in plains]
    return sorted(found, key=lambda index: (plains.index(plain(header[index])), header[index] not in names))


def _check_spelling(header: Sequence[str], indices: list[int], name: str, file: Path) -> None:
    """Raise InputError if two columns differ in case alone and neither is spelt as a name we know."""
    first, *others = (header[index] for index in indices)
    twins = [column for column in others if plain(column) == plain(first) and column != first]
    if twins and first not in (name, *ALIASES[name], "id"):
        raise InputError(
            f"{file.name} has the columns {first!r} and {twins[0]!r}, and each could be {name}: "
            f"rename one, or say --map {name.removesuffix('_id')}={first}",
            code="column_twice",
            field=name,
        )


def _missing(header: Sequence[str], name: str, asked: str | None, kind: str, file: Path) -> str:
    """Say what is missing, what is there, and what to do."""
    shown = [column if len(column) <= 30 else f"{column[:29]}…" for column in header[:12]]
    there = ", ".join(repr(column) for column in shown) + (" ..." if len(header) > 12 else "")
    wanted = f"column {asked!r}" if asked else f"{name} column"
    if len(header) == 1:
        return (
            f"{file.name} has no {wanted}: its first line has one field only, {there}. A table has a header "
            "line, and columns divided by comma, semicolon, tab or |"
        )
    close = difflib.get_close_matches(plain(asked or name), map(plain, header), n=1, cutoff=0.5)
    nearby = next((column for column in header if close and plain(column) == close[0]), "COLUMN")
    other = "" if kind != "events" else "; a table of items goes after --items, one of users after --users"
    known = ", ".join(_names(name, kind))
    return (
        f"{file.name} has no {wanted}; its columns are {there}. Known names are {known}; name another with "
        f"--map {name.removesuffix('_id')}={nearby}{other}"
    )
