"""Interactions, items and users as one immutable, time-ordered value."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.rows import columns_of
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.histories import Searched
from acclimate.types import Codes, Events, Floats, Histories, Item, Times, User
from acclimate.words import counted


def _ordered(array: NDArray[Any], order: NDArray[np.int64] | None, dtype: Any) -> NDArray[Any]:
    """Return the array in the given order or as it is; a copy of our own if anybody could write to it."""
    if order is not None:
        return _read_only(np.asarray(array)[order], dtype)
    return _read_only(array if _is_fixed(array) else np.array(array, dtype), dtype)


def _is_fixed(array: NDArray[Any]) -> bool:
    """Return whether neither the array nor one that it is a view of can be written to."""
    place: Any = array
    while isinstance(place, np.ndarray):
        if place.flags.writeable:
            return False
        place = place.base
    return place is not None


@dataclass(frozen=True)
class Searches:
    """What users searched for, oldest first: events with a query and without an item.

    Args:
        user: User code of each, int32[n].
        time: Seconds since 1970 UTC, float64[n].
        queries: What was searched for, n texts.
    """

    user: Codes = field(default_factory=lambda: np.empty(0, np.int32))
    time: Times = field(default_factory=lambda: np.empty(0))
    queries: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.user) == len(self.time) == len(self.queries):
            raise ValueError("user, time and queries must be equally long")
        order = np.argsort(self.time, kind="stable")
        object.__setattr__(self, "user", _ordered(self.user, order, np.int32))
        object.__setattr__(self, "time", _ordered(self.time, order, np.float64))
        object.__setattr__(self, "queries", tuple(self.queries[place] for place in order.tolist()))

    def __len__(self) -> int:
        return len(self.queries)

    def where(self, keep: NDArray[np.bool_]) -> Searches:
        """Return those for which ``keep`` bool[n] is true."""
        kept = tuple(itertools.compress(self.queries, keep.tolist()))
        return Searches(self.user[keep], self.time[keep], kept)

    def by_user(self, n_users: int) -> Searched:
        """Return those of the users ``0 .. n_users - 1`` side by side."""
        queries = np.empty(len(self), object)
        queries[:] = self.queries
        order = np.argsort(self.user, kind="stable")
        counts = np.bincount(self.user, minlength=n_users)
        return Searched(queries[order], self.time[order], np.concatenate([[0], np.cumsum(counts)]))


def _read_only(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    out = np.ascontiguousarray(array, dtype=dtype).view()
    out.flags.writeable = False
    return out


class Dataset:
    """What users did with items, oldest first; equal times keep the order in which they came.

    Args:
        users: Ids of the users; codes 0..n_users-1.
        items: Ids of the items; codes 0..n_items-1. Items without events are part of the catalogue.
        user: User code of each event, int32[n].
        item: Item code of each event, int32[n].
        time: Seconds since 1970 UTC, float64[n]; sorted here, stably.
        value: Rating or amount, float32[n], NaN where there is none; all NaN if not given.
        weight: What the event means, float32[n]: > 0 positive, < 0 disliked, 0 only seen; all 1 if not given.
        kind: What each event was, int8[n]: a place in `acclimate.config.EVENT_TYPES`, -1 where a table does
            not say; all -1 if not given.
        catalogue: One Item for each item code; bare ids if not given.
        people: One User for each user code; bare ids if not given.
        searches: What was searched for; nothing if not given.
        name: What a report calls it.
        until: Nothing later can be reached from here; the time of the last event or search if None.
        timed: Whether times are times; if not, they only stand for the order.

    Example:
        >>> data = Dataset.of([("ann", "heat", 2.0), ("ann", "alien", 1.0), ("bob", "heat", 3.0)])
        >>> data
        Dataset('made': 3 events, 2 users, 2 items)
        >>> [data.items.ids[i] for i in data.histories().items[:2]]
        ['alien', 'heat']
    """

    def __init__(
        self,
        users: Vocabulary,
        items: Vocabulary,
        user: NDArray[Any],
        item: NDArray[Any],
        time: NDArray[Any],
        *,
        value: NDArray[Any] | None = None,
        weight: NDArray[Any] | None = None,
        kind: NDArray[Any] | None = None,
        catalogue: Sequence[Item] | None = None,
        people: Sequence[User] | None = None,
        searches: Searches | None = None,
        name: str = "made",
        until: float | None = None,
        timed: bool = True,
    ) -> None:
        n = len(time)
        value = np.full(n, np.nan, np.float32) if value is None else value
        weight = np.ones(n, np.float32) if weight is None else weight
        kind = np.full(n, -1, np.int8) if kind is None else kind
        if not n == len(user) == len(item) == len(value) == len(weight) == len(kind):
            raise ValueError("user, item, time, value, weight and kind must be equally long")
        if catalogue is not None and len(catalogue) != len(items):
            raise ValueError(f"catalogue has {len(catalogue)} items, the vocabulary {len(items)}")
        if people is not None and len(people) != len(users):
            raise ValueError(f"people has {len(people)} users, the vocabulary {len(users)}")
        order = None if (np.diff(time) >= 0).all() else np.argsort(time, kind="stable")
        self.users, self.items, self.name, self.timed = users, items, name, timed
        self.searches = searches or Searches()
        self.user: Codes = _ordered(user, order, np.int32)
        self.item: Codes = _ordered(item, order, np.int32)
        self.time: Times = _ordered(time, order, np.float64)
        self.value: Floats = _ordered(value, order, np.float32)
        self.weight: Floats = _ordered(weight, order, np.float32)
        self.kind: NDArray[np.int8] = _ordered(kind, order, np.int8)
        self._catalogue = None if catalogue is None else tuple(catalogue)
        self._people = None if people is None else tuple(people)
        last = max([0.0, *self.time[-1:].tolist(), *self.searches.time[-1:].tolist()])
        self.until = last if until is None else float(until)
        if last > max(self.until, 0.0):
            raise ValueError(f"until is {self.until}, but there is an event at {last}")

    @classmethod
    def of(cls, rows: Sequence[tuple[str, str, float]], **options: Any) -> Dataset:
        """Build from (user_id, item_id, time) rows; ``options`` as in the constructor.

        Raises:
            InputError: A row is none, an id is no text or empty, or a time is no number of seconds.
        """
        user_ids, item_ids, time = columns_of(rows)
        order = np.argsort(time, kind="stable")
        users, items = Vocabulary(), Vocabulary()
        user = np.array([users.add(user_ids[at]) for at in order.tolist()], np.int32)
        item = np.array([items.add(item_ids[at]) for at in order.tolist()], np.int32)
        return cls(users, items, user, item, time[order], **options)

    @classmethod
    def from_tables(
        cls, interactions: str | Path, *, items: str | Path | None = None, **options: Any
    ) -> Dataset:
        """Read files as ``acclimate data import`` does; see `acclimate.data.tables.read_tables`."""
        from acclimate.data.tables import read_tables

        return read_tables(
            [Path(interactions)], items=None if items is None else Path(items), **options
        ).dataset

    def __repr__(self) -> str:
        sizes = {"event": len(self), "user": self.n_users, "item": self.n_items}
        return f"Dataset({self.name!r}: {', '.join(counted(size, name) for name, size in sizes.items())})"

    def __len__(self) -> int:
        return len(self.time)

    @property
    def n_users(self) -> int:
        """Number of users, with and without events."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.items)

    @cached_property
    def catalogue(self) -> tuple[Item, ...]:
        """One Item for each code."""
        return self._catalogue or tuple(Item(name) for name in self.items.ids)

    @cached_property
    def people(self) -> tuple[User, ...]:
        """One User for each code."""
        return self._people or tuple(User(name) for name in self.users.ids)

    @cached_property
    def texts(self) -> list[str]:
        """What a language model reads of each item; empty where nothing is known."""
        return [item.reading for item in self.catalogue]

    @cached_property
    def _histories(self) -> Histories:
        order = np.argsort(self.user, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(self.user, minlength=self.n_users))])
        return Histories(
            self.item[order],
            self.time[order],
            self.weight[order],
            offsets,
            values=self.value[order],
            users=np.arange(self.n_users),
            searches=self.searches.by_user(self.n_users) if len(self.searches) else None,
            kinds=self.kind[order] if (self.kind >= 0).any() else None,
        )

    def histories(self, users: Codes | None = None) -> Histories:
        """Return the events of each user oldest first, for ``users`` int32[m] or for all."""
        return self._histories if users is None else self._histories[users]

    @property
    def events(self) -> Events:
        """The events alone, by code."""
        return Events(self.user, self.item, self.time, self.weight, self.value)

    def where(self, keep: NDArray[np.bool_], *, until: float | None = None) -> Dataset:
        """Return the events for which ``keep`` bool[n] is true; codes and catalogue stay.

        Searches stay up to ``until``, or up to the last event that is kept if it is None.
        """
        last = float(self.time[keep].max(initial=0.0)) if until is None else until
        return self._part(keep, self.searches.time <= last, until)

    def _part(self, keep: NDArray[np.bool_], asked: NDArray[np.bool_], until: float | None) -> Dataset:
        return Dataset(
            self.users,
            self.items,
            self.user[keep],
            self.item[keep],
            self.time[keep],
            value=self.value[keep],
            weight=self.weight[keep],
            kind=self.kind[keep],
            catalogue=self._catalogue,
            people=self._people,
            searches=self.searches.where(asked),
            name=self.name,
            until=until,
            timed=self.timed,
        )

    def before(self, cutoff: float) -> Dataset:
        """Return the events strictly before ``cutoff`` seconds."""
        return self._part(self.time < cutoff, self.searches.time < cutoff, min(self.until, cutoff))

    def check_timed(self, what: str) -> None:
        """Raise InputError if the times only stand for the order; ``what`` needs them, as in "A replay"."""
        if not self.timed:
            raise InputError(
                f"{self.name!r} has no times: the order of its rows stands for them. {what} needs the time "
                "of each event; give a table with a timestamp column, or use the protocol 'last'",
                code="no_times",
                field="timestamp",
            )
