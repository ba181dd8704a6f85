"""Interactions, items and users as one immutable, time-ordered value."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.vocab import Vocabulary
from acclimate.types import Codes, Events, Floats, Histories, Item, Times, User


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
        name: What a report calls it.
        until: Nothing later can be reached from here; the last event's time if None.

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
        name: str = "made",
        until: float | None = None,
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
        order = np.argsort(time, kind="stable")
        self.users, self.items, self.name = users, items, name
        self.user: Codes = _read_only(np.asarray(user)[order], np.int32)
        self.item: Codes = _read_only(np.asarray(item)[order], np.int32)
        self.time: Times = _read_only(np.asarray(time)[order], np.float64)
        self.value: Floats = _read_only(np.asarray(value)[order], np.float32)
        self.weight: Floats = _read_only(np.asarray(weight)[order], np.float32)
        self.kind: NDArray[np.int8] = _read_only(np.asarray(kind)[order], np.int8)
        self._catalogue = None if catalogue is None else tuple(catalogue)
        self._people = None if people is None else tuple(people)
        self.until = float(until) if until is not None else float(self.time[-1]) if n else 0.0
        if n and self.time[-1] > self.until:
            raise ValueError(f"until is {self.until}, but there is an event at {self.time[-1]}")

    @classmethod
    def of(cls, rows: Sequence[tuple[str, str, float]], **options: Any) -> Dataset:
        """Build from (user_id, item_id, time) rows; ``options`` as in the constructor."""
        ordered = sorted(rows, key=lambda row: row[2])
        users, items = Vocabulary(), Vocabulary()
        user = [users.add(row[0]) for row in ordered]
        item = [items.add(row[1]) for row in ordered]
        return cls(
            users, items, np.array(user), np.array(item), np.array([row[2] for row in ordered]), **options
        )

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
        return f"Dataset({self.name!r}: {len(self)} events, {self.n_users} users, {self.n_items} items)"

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
        )

    def histories(self, users: Codes | None = None) -> Histories:
        """Return the events of each user oldest first, for ``users`` int32[m] or for all."""
        return self._histories if users is None else self._histories[users]

    @property
    def events(self) -> Events:
        """The events alone, by code."""
        return Events(self.user, self.item, self.time, self.weight, self.value)

    def where(self, keep: NDArray[np.bool_], *, until: float | None = None) -> Dataset:
        """Return the events for which ``keep`` bool[n] is true; codes and catalogue stay."""
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
            name=self.name,
            until=until,
        )

    def before(self, cutoff: float) -> Dataset:
        """Return the events strictly before ``cutoff`` seconds."""
        return self.where(self.time < cutoff, until=min(self.until, cutoff))
