"""Which column of a table is the user, the item, the time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from acclimate.data.mapping import Given, key_of
from acclimate.data.roles import ALIASES, FAINT, MEANING, REQUIRED, TABLES, closest, plain
from acclimate.data.unused import Sample, unused_notes
from acclimate.errors import InputError


class Columns:
    """Finds our columns in the headers of tables.

    Args:
        given: What the caller says, ``{"user": "uid"}``; see `acclimate.data.mapping.Given`.

    Raises:
        InputError: A key means nothing to us; names the nearest.

    Example:
        >>> Columns().find(["movieId", "userId", "stars"], "events", Path("r.csv"))
        {'user_id': 1, 'item_id': 0}
    """

    def __init__(self, given: Mapping[str, str | Sequence[str]] | None = None) -> None:
        self._given = Given(given)
        self._told: set[frozenset[str]] = set()

    def find(self, header: Sequence[str], kind: str, file: Path) -> dict[str, int]:
        """Return our name -> index in ``header`` for a table of ``kind`` ``events``, ``items``, ``users``.

        Raises:
            InputError: A required column is missing; names the columns found and the nearest.
        """
        self._given.saw(header, file)
        found: dict[str, int] = {}
        for name in TABLES[kind]:
            column = self._given.pick(name, kind, header, file)
            if column is not None:
                found[name] = header.index(column)
            elif indices := _by_alias(header, _names(name, kind)):
                found[name] = indices[0]
                _check_spelling(header, indices, name, kind, file)
        for name in REQUIRED[kind]:
            if name not in found and not (name == "item_id" and "query" in found):
                asked = self._given.names(name, kind)
                raise InputError(_missing(header, name, asked, kind, file), field=name)
        self._check_kind(header, kind, file)
        return found

    def choose(
        self, header: Sequence[str], kind: str, file: Path, sample: Sample | None = None
    ) -> tuple[dict[int, str], list[str]]:
        """Return index in ``header`` -> name in our frames, for the columns to keep, and notes.

        Of events only our columns are kept; of the others each further column becomes an attribute, under
        its name with ``@`` before it.

        Args:
            header: All columns.
            kind: ``events``, ``items`` or ``users``.
            file: Whose they are.
            sample: Gives cells of columns of events that are not used, for a note; no note if None. Files
                with the same ones are told once.

        Raises:
            InputError: As `find`; or a column that is kept stands twice.
        """
        names = {index: name for name, index in self.find(header, kind, file).items()}
        if kind != "events":
            names |= {i: f"@{name}" for i, name in enumerate(header) if name and i not in names}
        if repeated := [header[i] for i in names if header.count(header[i]) > 1]:
            raise InputError(f"{file.name} has the column {repeated[0]!r} twice; rename or remove one")
        notes = self._passed_over(header, kind, file)
        if kind == "events" and sample:
            notes += self._unused(header, names, file, sample)
        return names, notes

    def _unused(
        self, header: Sequence[str], names: Mapping[int, str], file: Path, sample: Sample
    ) -> list[str]:
        others = {i: name for i, column in enumerate(header) if (name := MEANING.get(plain(column)))}
        known = {i: name for i, name in others.items() if name in names.values()} | dict(names)
        left = frozenset(name for index, name in enumerate(header) if index not in known)
        if left in self._told:
            return []
        self._told.add(left)
        return unused_notes(header, known, file, sample)

    def _passed_over(self, header: Sequence[str], kind: str, file: Path) -> list[str]:
        """Return a note for each of our columns that more than one column of ``header`` could be."""
        notes = []
        for name in TABLES[kind]:
            first, *others = _by_alias(header, _names(name, kind)) or [-1]
            if others and not self._given.among(name, kind, header):
                rest = " and ".join(repr(header[index]) for index in others)
                notes.append(
                    f"{file.name}: {header[first]!r} is read as {name}, and not {rest}; "
                    f"to change that: --map {key_of(name, kind)}={header[others[0]]}"
                )
        return notes

    def _check_kind(self, header: Sequence[str], kind: str, file: Path) -> None:
        """Raise InputError if a table of items or users has the columns of interactions."""
        if kind == "events":
            return
        found = {name: self._index(header, name, kind) for name in ALIASES}
        told = {name: index for name, index in found.items() if index is not None}
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

    def _index(self, header: Sequence[str], name: str, kind: str) -> int | None:
        if given := self._given.among(name, kind, header):
            return header.index(given[0])
        return next(iter(_by_alias(header, (name, *ALIASES[name]))), None)

    def recognised(self, header: Sequence[str]) -> int:
        """Return how many columns of ``header`` mean something to us."""
        return sum(plain(name) in MEANING or self._given.has(name) for name in header)

    def check_used(self) -> None:
        """Raise InputError if the caller named a column that no table had; names the nearest."""
        self._given.check_used()


def _names(name: str, kind: str) -> tuple[str, ...]:
    """Return what a column may be called; in a table of items or users ``id`` is enough."""
    own = ("id",) if kind != "events" and name in REQUIRED[kind] else ()
    faint = tuple(word for word in ALIASES[name] if word in FAINT)
    return (name, *(word for word in ALIASES[name] if word not in FAINT), *own, *faint)


def _by_alias(header: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return where columns with one of ``names`` are: the first name first, and spelt so before otherwise."""
    plains = [plain(word) for word in names]
    found = [index for index, column in enumerate(header) if plain(column) in plains]
    return sorted(found, key=lambda index: (plains.index(plain(header[index])), header[index] not in names))


def _check_spelling(header: Sequence[str], indices: list[int], name: str, kind: str, file: Path) -> None:
    """Raise InputError if two columns differ in case alone and neither is spelt as a name we know."""
    first, *others = (header[index] for index in indices)
    twins = [column for column in others if plain(column) == plain(first) and column != first]
    if twins and first not in (name, *ALIASES[name], "id"):
        raise InputError(
            f"{file.name} has the columns {first!r} and {twins[0]!r}, and each could be {name}: "
            f"rename one, or say --map {key_of(name, kind)}={first}",
            code="column_twice",
            field=name,
        )


def _missing(header: Sequence[str], name: str, asked: Sequence[str], kind: str, file: Path) -> str:
    """Say what is missing, what is there, and what to do."""
    shown = [column if len(column) <= 30 else f"{column[:29]}…" for column in header[:12]]
    there = ", ".join(repr(column) for column in shown) + (" ..." if len(header) > 12 else "")
    wanted = f"column {' or '.join(map(repr, asked))}" if asked else f"{name} column"
    if len(header) == 1:
        return (
            f"{file.name} has no {wanted}: its first line has one field only, {there}. A table has a header "
            "line, and columns divided by comma, semicolon, tab or |"
        )
    if not asked and any(re.fullmatch(r"[+-]?\d+(\.\d+)?", column) for column in header):
        line = {"events": "user_id,item_id,value,timestamp", "items": "item_id,title", "users": "user_id,age"}
        return (
            f"{file.name} has no {wanted}; its columns are {there}. If that is a row, write a header line "
            f"above it that names the columns, as in {line[kind]}"
        )
    free = [column for column in header if asked or MEANING.get(plain(column), name) == name]
    nearby = next(filter(None, (closest(word, free) for word in asked or [name])), "COLUMN")
    other = "" if kind != "events" else "; a table of items goes after --items, one of users after --users"
    known = ", ".join(_names(name, kind))
    return (
        f"{file.name} has no {wanted}; its columns are {there}. Known names are {known}; name another with "
        f"--map {key_of(name, kind, alone=not asked)}={nearby}{other}"
    )
