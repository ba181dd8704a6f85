"""Tables of several files, checked one after the other and joined by kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from acclimate.config import EventsTable
from acclimate.data.catalogue import clean_items, clean_users, disagreements, merge
from acclimate.data.checks import EVENT_COLUMNS, SEARCH_COLUMNS, check_events
from acclimate.data.frames import Clean, Dropped, Part, Raw
from acclimate.data.kinds import EventWords
from acclimate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    Cleaner = Callable[[Raw], tuple[pl.DataFrame, list[Dropped], list[str]]]


class Gathering:
    """Takes in what sources have read, part by part; what was read is let go as soon as it is checked.

    Args:
        table: What each event type is worth; a row of another type is dropped.
        words: Reads the values of event types.

    Attributes:
        dropped: Rows that were not taken.
        notes: What was assumed about the files, in sentences.
    """

    def __init__(self, table: EventsTable, words: EventWords | None = None) -> None:
        self.dropped: list[Dropped] = []
        self.notes: list[str] = []
        self._types = frozenset(table.__struct_fields__)
        self._words = words or EventWords()
        self._raws: list[Raw] = []  # of events, without their rows
        self._timed: list[bool] = []
        self._rows = 0
        self._events: list[pl.DataFrame] = []
        self._others: dict[str, list[pl.DataFrame]] = {"items": [], "users": []}

    def take(self, part: Part) -> None:
        """Check the tables of one path and keep the rows that can be taken.

        Raises:
            InputError: A table of items or users is another kind of table.
        """
        self.notes += part.notes
        if part.events is not None:
            self._take_events(part.events)
        for kind, clean in (("items", clean_items), ("users", clean_users)):
            raw: Raw | None = getattr(part, kind)
            if raw is not None:
                self._others[kind].append(self._told(raw, clean))

    def _take_events(self, raw: Raw) -> None:
        self._rows += raw.frame.height + len(raw.dropped)
        self._timed.append(raw.timed)
        self._raws.append(replace(raw, frame=raw.frame.clear()))
        read = replace(raw, frame=self._words.read(raw.frame))
        self._events.append(self._told(read, lambda raw: check_events(raw, self._types)))

    def _told(self, raw: Raw, clean: Cleaner) -> pl.DataFrame:
        frame, lost, remarks = clean(raw)
        self.dropped += [*raw.dropped, *lost]
        self.notes += remarks
        return frame

    def clean(self) -> Clean:
        """Return all tables, joined by kind; what was taken is given away.

        Raises:
            InputError: There was no row of events at all, or only some of the files have times.
        """
        if not self._rows:
            names = ", ".join(str(raw.file) for raw in self._raws) or "what was given"
            raise InputError(
                f"{names}: a header and no rows; a table needs at least one row", code="empty_file"
            )
        self._words.check_used()
        self.notes += self._words.notes()
        joined = self._join()
        for kind, tables in self._others.items():
            self.notes += disagreements(tables, kind)
        searched = joined["item_id"].is_null()
        return Clean(
            (joined.filter(~searched) if searched.any() else joined).select(EVENT_COLUMNS),
            merge(self._others["items"], "items"),
            merge(self._others["users"], "users"),
            joined.filter(searched).select(SEARCH_COLUMNS),
            timed=all(self._timed),
        )

    def _join(self) -> pl.DataFrame:
        """Return the rows of all files without exact copies; where there is no time, their order is it."""
        import polars as pl

        if any(self._timed) and not all(self._timed):
            files = zip(self._raws, self._timed, strict=True)
            without = ", ".join(raw.file.name for raw, timed in files if not timed)
            raise InputError(
                f"some files have a timestamp and {without} has none; give all of them one or none",
                field="timestamp",
            )
        numbers = [pl.lit(number, pl.UInt32).alias("file") for number in range(len(self._events))]
        frames = [frame.with_columns(n) for frame, n in zip(self._events, numbers, strict=True)]
        self._events.clear()
        joined = pl.concat(frames)
        if not all(self._timed):
            place = pl.int_range(pl.len()).cast(pl.Float64)
            own = all(raw.by_user for raw in self._raws)
            return joined.with_columns((place.over("user_id") if own else place).alias("time"))
        first = _first_of_equals(joined.drop("file", "line"))
        if first.all():
            return joined
        copies = joined.filter(~first)
        for number, raw in enumerate(self._raws):
            lines = copies.filter(pl.col("file") == number)["line"]
            if lines.len():
                self.dropped.append(Dropped("exact duplicate", lines.len(), raw.examples(lines)))
        return joined.filter(first)


def _first_of_equals(frame: pl.DataFrame) -> NDArray[np.bool_]:
    """Return bool[n], false for a row that equals an earlier one; only rows of equal hash are compared."""
    import polars as pl

    first = np.ones(len(frame), bool)
    hashes = frame.hash_rows().to_numpy()
    ordered = np.sort(hashes)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        suspects = np.flatnonzero(np.isin(hashes, twice))
        rows = frame[suspects].select(pl.struct(pl.all()).is_first_distinct().alias("first"))
        first[suspects] = rows["first"].to_numpy()
    return first
