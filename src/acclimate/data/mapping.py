"""What a caller says of the columns: ``--map OURS=COLUMN``, and ``--map TABLE.OURS=COLUMN`` for one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from acclimate.data.roles import ALIASES, MEANING, TABLES, closest, plain
from acclimate.errors import InputError, nearest

WORDS = {"interactions": "events", "items": "items", "users": "users"}
"""What a caller calls a table -> kind of table."""


def key_of(name: str, kind: str, *, alone: bool = True) -> str:
    """Return what stands before the ``=`` of a ``--map`` for our ``name`` in one kind of table.

    Args:
        name: As in ``item_id``.
        kind: ``events``, ``items`` or ``users``.
        alone: Whether nothing else was said of the name; what holds for interactions may then hold for all.

    Example:
        >>> key_of("item_id", "events"), key_of("item_id", "items"), key_of("title", "items")
        ('item', 'items.item', 'title')
    """
    word = name.removesuffix("_id")
    several = sum(name in names for names in TABLES.values()) > 1
    return f"{_word(kind)}.{word}" if several and (kind != "events" or not alone) else word


def _word(kind: str) -> str:
    return next(word for word, own in WORDS.items() if own == kind)


class Given:
    """The columns that a caller has named, and whether a table had them.

    Args:
        given: Our name or an alias, with or without a table before it -> the column, or several of them, of
            which each table has one: ``{"user": "uid", "item": ["sku", "code"], "items.title": "label"}``.
            What is said of one table goes before what is said of all.

    Raises:
        InputError: A key means nothing to us; names the nearest.

    Example:
        >>> given = Given({"item": "sku", "items.item": "code"})
        >>> given.names("item_id", "events"), given.names("item_id", "items")
        (['sku'], ['code'])
    """

    def __init__(self, given: Mapping[str, str | Sequence[str]] | None = None) -> None:
        self._keys: dict[tuple[str | None, str], str] = {}
        self._columns: dict[tuple[str | None, str], list[str]] = {}
        self._used: set[tuple[str | None, str, str]] = set()
        self._headers: dict[str, Sequence[str]] = {}
        for key, columns in (given or {}).items():
            named = [columns] if isinstance(columns, str) else list(columns)
            place = _meant(key, ", ".join(named))
            known = self._columns.setdefault(place, [])
            known += [column for column in named if column not in known]
            self._keys.setdefault(place, key)

    def saw(self, header: Sequence[str], file: Path) -> None:
        """Remember the columns of a table, for `check_used`."""
        self._headers[file.name] = header

    def has(self, column: str) -> bool:
        """Return whether a column is named, for whatever."""
        return any(column in columns for columns in self._columns.values())

    def names(self, name: str, kind: str) -> list[str]:
        """Return the columns of a kind of table that are said to be our ``name``."""
        return self._columns.get(self._place(name, kind), [])

    def among(self, name: str, kind: str, header: Sequence[str]) -> list[str]:
        """Return those of `names` that are in ``header``."""
        return [column for column in self.names(name, kind) if column in header]

    def pick(self, name: str, kind: str, header: Sequence[str], file: Path) -> str | None:
        """Return the column of a table that is said to be our ``name``, None if it is not there; it is used.

        Raises:
            InputError: Several of those that are named are there.
        """
        there = self.among(name, kind, header)
        for own in (kind, None):  # what was said of all is not wrong where more is said of this one
            self._used |= {(own, name, column) for column in header}
        if len(there) > 1:
            said = " and ".join(map(repr, there))
            raise InputError(
                f"{file.name} has the columns {said}, and --map names both for {name}; say which it is in "
                f"the table of {_word(kind)}: --map {key_of(name, kind, alone=False)}={there[0]}",
                code="column_twice",
                field="map",
            )
        return there[0] if there else None

    def _place(self, name: str, kind: str) -> tuple[str | None, str]:
        return (kind, name) if (kind, name) in self._columns else (None, name)

    def check_used(self) -> None:
        """Raise InputError if the caller named a column that no table had; names the nearest."""
        for place, columns in self._columns.items():
            for column in columns:
                if (*place, column) not in self._used:
                    raise InputError(self._unused(self._keys[place], column, place[0]), field="map")

    def _unused(self, key: str, column: str, kind: str | None) -> str:
        every = list(dict.fromkeys(name for header in self._headers.values() for name in header))
        guess = closest(column, every)
        hint = f"did you mean {guess!r}? " if guess else ""
        found = "; ".join(f"{file} has {', '.join(header)}" for file, header in self._headers.items())
        table = f"no table of {_word(kind)}" if kind else "no table"
        return f"--map {key}={column}: {table} has a column {column!r}; {hint}{found}"


def _meant(key: str, column: str) -> tuple[str | None, str]:
    """Return the kind of table that a key is about, None for all, and our name.

    Raises:
        InputError: There is no such table or name, or such a table has no such column.
    """
    table, point, ours = key.rpartition(".")
    if point and table not in WORDS:
        message = f"--map {key}={column}: no table {table!r}: {nearest(table, WORDS)}"
        raise InputError(message, code="unknown_table", field="map")
    if plain(ours) not in MEANING:
        allowed = TABLES[WORDS[table]] if point else ALIASES
        raise InputError(f"--map {key}={column}: {nearest(ours, allowed)}", field="map")
    name = MEANING[plain(ours)]
    if point and name not in TABLES[WORDS[table]]:
        listed = ", ".join(TABLES[WORDS[table]])
        message = f"--map {key}={column}: a table of {table} has no {name}; it may have {listed}"
        raise InputError(message, field="map")
    return (WORDS[table] if point else None), name
