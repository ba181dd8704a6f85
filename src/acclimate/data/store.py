"""What was imported, in one folder: versions that are complete or not there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from acclimate.config import EventsTable
from acclimate.data.catalogue import KINDS, empty_clean, merge
from acclimate.data.checks import EVENT_COLUMNS, SEARCH_COLUMNS
from acclimate.data.cleaning import moment
from acclimate.data.dataset import Dataset
from acclimate.data.frames import Clean, Dropped
from acclimate.data.known import KNOWN
from acclimate.data.tables import Tables, make_dataset
from acclimate.data.versions import Versions, again
from acclimate.errors import AcclimateError, CorruptError, InputError, machine_error
from acclimate.words import counted

if TYPE_CHECKING:
    import polars as pl

FORMAT = 1


class Manifest(msgspec.Struct, frozen=True):
    """What a version holds: rows and sha256 of each file, the names of the sets, whether they have times."""

    format: int
    names: list[str]
    rows: dict[str, int]
    sha256: dict[str, str]
    timed: bool = True


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Args:
        interactions: New events.
        users: New users, with or without events.
        items: New items, with or without events.
        already_present: Events and searches that the store had before.
        dropped: Rows that were not taken.
        changed: Users and items of the given tables that were known, and of which more or other is known now.
        unchanged: Users and items of the given tables that were known as they are.
        total: Events, users and items in the store now.
        searches: New searches.
        notes: What looks as if it had been imported before, in sentences.
    """

    interactions: int
    users: int
    items: int
    already_present: int
    dropped: list[Dropped] = field(default_factory=list)
    changed: dict[str, int] = field(default_factory=dict)
    unchanged: dict[str, int] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)
    searches: int = 0
    notes: list[str] = field(default_factory=list)


class Store:
    """Imported tables in a folder.

    A version is a folder of Parquet files, written beside the others, made durable, and only then named in
    the file ``CURRENT``. So a reader sees the old one or the new one, and a kill at any time loses nothing.

    Args:
        folder: Made by the first import.

    Example:
        >>> import tempfile
        >>> from acclimate.data.tables import read_tables
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "r.csv").write_text("user,item,time\\nann,heat,1\\nbob,alien,2\\n")
        >>> store = Store(folder / "data")
        >>> store.add(read_tables(folder / "r.csv")).interactions
        2
        >>> store.add(read_tables(folder / "r.csv")).already_present
        2
        >>> store.load()
        Dataset('r': 2 events, 2 users, 2 items)
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._versions = Versions(self.folder)

    @property
    def empty(self) -> bool:
        """Whether nothing was imported yet."""
        return self._versions.current is None

    def add(self, tables: Tables) -> Imported:
        """Take in tables: events that are new; items and users by id, where later fields win.

        Raises:
            AcclimateError: The disk is full, or something like it.
            BusyError: Another process is importing.
            CorruptError: What is there cannot be read.
        """
        with self._versions.lock():
            new, manifest, imported = self._merged(tables)
            if new is not None:
                try:
                    self._versions.publish(lambda folder: _write(folder, new, manifest))
                except Exception as error:  # Polars wraps what the operating system says in its own
                    words = machine_error(error)
                    if words is None:
                        raise
                    message = f"cannot write {self.folder}: {words}; nothing was changed"
                    raise AcclimateError(message, code="cannot_write", field="home") from error
        return imported

    def check(self, tables: Tables) -> Imported:
        """Return what `add` would do; writes nothing."""
        return self._merged(tables)[2]

    def load(
        self, positive: str = "all", name: str | None = None, events: EventsTable | None = None
    ) -> Dataset:
        """Return everything that was imported.

        Args:
            positive: Which rows of a ratings set are positive: "all", or a threshold such as ">=4".
            name: What a report calls it; by default the names of the sets.
            events: What each event type is worth.

        Raises:
            InputError: Nothing was imported.
            CorruptError: A file is damaged.
        """
        if self.empty:
            message = "no data yet: acclimate data import ratings.csv, or acclimate demo"
            raise InputError(message, code="no_data", field="home")
        clean, names = self._read()
        label = name or (" + ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more")
        return make_dataset(clean, positive, events or EventsTable(), label)

    def _merged(self, tables: Tables) -> tuple[Clean | None, list[str], Imported]:
        """Return what `add` makes of it (None if nothing changes), the names of its sets, and the account."""
        import polars as pl

        old, names = (empty_clean(), list[str]()) if self.empty else self._read()
        given = tables.clean
        _check_times(old, given, tables.dataset.name)
        fresh, asked = (
            table.join(known, on=columns, how="anti", nulls_equal=True, maintain_order="left")
            for table, known, columns in (
                (given.events, old.events, EVENT_COLUMNS),
                (given.searches, old.searches, SEARCH_COLUMNS),
            )
        )
        new = Clean(
            pl.concat([old.events, fresh]),
            merge([old.items, given.items], "items"),
            merge([old.users, given.users], "users"),
            pl.concat([old.searches, asked]),
            timed=given.timed if len(given.events) else old.timed,
        )
        before, after = _count(old), _count(new)
        told = {kind: _told_again(old, given, new, kind) for kind in ("users", "items")}
        imported = Imported(
            interactions=len(fresh),
            users=after["users"] - before["users"],
            items=after["items"] - before["items"],
            already_present=len(given.events) + len(given.searches) - len(fresh) - len(asked),
            dropped=tables.dropped,
            changed={kind: changed for kind, (changed, _) in told.items()},
            unchanged={kind: unchanged for kind, (_, unchanged) in told.items()},
            total=after,
            searches=len(asked),
            notes=[
                *_strangers(old, given, names, tables.dataset.name),
                *(_repeats(old.events, fresh) if given.timed else []),
            ],
        )
        same = (
            not len(fresh) and not len(asked) and new.items.equals(old.items) and new.users.equals(old.users)
        )
        return None if same else new, list(dict.fromkeys([*names, tables.dataset.name])), imported

    @property
    def _mend(self) -> str:
        return again(self._versions.folder)

    def _read(self) -> tuple[Clean, list[str]]:
        """Return the tables of the current version and the names of its sets."""
        import polars as pl

        folder = self._versions.current
        assert folder is not None
        try:
            manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
            if manifest.format != FORMAT:
                raise CorruptError(
                    f"{folder} has format {manifest.format}, this release reads {FORMAT}; "
                    f"use the release that wrote it, or {self._mend}"
                )
            for file, expected in manifest.sha256.items():
                if _sha256(folder / file) != expected:
                    raise CorruptError(f"{folder / file} was altered; {self._mend}")
            tables = {
                kind: pl.read_parquet(folder / f"{kind}.parquet", glob=False)
                for kind in KINDS
                if f"{kind}.parquet" in manifest.sha256
            }
            return replace(empty_clean(), **tables, timed=manifest.timed), manifest.names
        except (OSError, msgspec.DecodeError, pl.exceptions.PolarsError) as error:
            raise CorruptError(f"{folder} is incomplete ({error}); {self._mend}") from error


def _write(folder: Path, clean: Clean, names: list[str]) -> None:
    tables: dict[str, pl.DataFrame] = {kind: getattr(clean, kind) for kind in KINDS}
    for kind, frame in tables.items():
        frame.write_parquet(folder / f"{kind}.parquet")
    digests = {f"{kind}.parquet": _sha256(folder / f"{kind}.parquet") for kind in KINDS}
    rows = {kind: len(frame) for kind, frame in tables.items()}
    manifest = Manifest(FORMAT, names, rows, digests, clean.timed)
    (folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))


def _check_times(old: Clean, given: Clean, name: str) -> None:
    """Raise InputError if events with times would come beside events without."""
    if len(old.events) and len(given.events) and old.timed != given.timed:
        has, there = ("no times", "has") if old.timed else ("times", "has none")
        raise InputError(
            f"{name} has {has}, and what was imported before {there}; use another --home for it",
            code="times_differ",
            field="timestamp",
        )


def _strangers(old: Clean, given: Clean, names: list[str], name: str) -> list[str]:
    """Return a note if a published set and something else come together: they become one shop."""
    import polars as pl

    known = [one for one in names if one in KNOWN] if name not in KNOWN else names
    if name in names or not known:
        return []
    users = [pl.concat([clean.events["user_id"], clean.users["user_id"]]).unique() for clean in (old, given)]
    both = int(users[1].is_in(users[0].implode()).sum())
    same = f", and {counted(both, 'user id')} of both are taken for the same users" if both else ""
    there = f"{' and '.join(known)} {'is' if len(known) == 1 else 'are'} in this home"
    return [
        f"{there}, and {name} is another set: together they are one catalogue{same}; "
        f"to keep them apart, import {name} into a home of its own, as in --home shop"
    ]


def _repeats(old: pl.DataFrame, fresh: pl.DataFrame) -> list[str]:
    """Return a note if new events equal old ones in all but their value."""
    key = [name for name in EVENT_COLUMNS if name != "value"]
    twice = fresh.join(old.select(key), on=key, how="semi", nulls_equal=True, maintain_order="left")
    if not len(twice):
        return []
    first = twice.row(0, named=True)
    shown = f"{first['user_id']}, {first['item_id']}, {moment(first['time'])}"
    events = counted(len(twice), "event equals one that was", "events equal others that were")
    return [
        f"{events} imported before but for the value (as {shown}), and both count; if they are the same, "
        "import all the files anew, in one call with --drop copies, into another --home"
    ]


def _count(clean: Clean) -> dict[str, int]:
    """Events, users and items of checked tables; users and items with and without events."""
    import polars as pl

    def distinct(name: str, table: pl.DataFrame) -> int:
        return pl.concat(
            [each[name] for each in (clean.events, table, clean.searches) if name in each]
        ).n_unique()

    return {
        "interactions": len(clean.events),
        "users": distinct("user_id", clean.users),
        "items": distinct("item_id", clean.items),
    }


def _told_again(old: Clean, given: Clean, new: Clean, kind: str) -> tuple[int, int]:
    """Return how many of the users or items that were given and known have changed, and how many have not."""
    import polars as pl

    tables: list[pl.DataFrame] = [getattr(clean, kind) for clean in (old, given, new)]
    before, told, after = tables
    name = f"{kind.removesuffix('s')}_id"
    known = pl.concat([old.events[name], before[name]]).unique()
    again = after.filter(pl.col(name).is_in(told[name].implode()) & pl.col(name).is_in(known.implode()))
    pairs = again.join(before, on=name, how="left", suffix=" before", maintain_order="left")
    others = [column for column in after.columns if column != name]
    differs = [pl.col(column).ne_missing(pl.col(f"{column} before")) for column in others]
    changed = pairs.filter(pl.any_horizontal(differs)).height
    return changed, pairs.height - changed


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
