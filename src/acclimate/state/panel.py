"""A bounded number of users whose newest events are kept; every process draws the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from acclimate.rng import scattered, scattered_one
from acclimate.types import Histories, State, Times

MOST, EVENTS = 2_048, 200
"""Users of a panel at most, and newest events of each that are kept."""
Event = tuple[int, float, float, float]
"""Item, time, weight and value."""
_COLUMNS = ("item", "time", "weight", "value")
_EVENT = np.dtype([("item", np.int32), ("time", np.float64), ("weight", np.float32), ("value", np.float32)])
NO_EVENTS: NDArray[Any] = np.zeros(0, _EVENT)


class Panel:
    """Histories of a bounded number of users, drawn by a hash of their codes.

    When there are too many, half of them leave: those whose hash is in the upper half. Who is in it depends
    on the users alone, not on the order in which they came; and never on what they do.

    Args:
        most: Users at most.

    Example:
        >>> panel = Panel(most=10)
        >>> for user in range(100):
        ...     panel.learn(user, (7, 1.0, 1.0, np.nan))
        >>> 1 <= len(panel) <= 10
        True
    """

    def __init__(self, most: int = MOST) -> None:
        self.most, self.share = most, 1.0
        self._events: dict[int, NDArray[Any]] = {}

    @classmethod
    def of(cls, histories: Histories, most: int = MOST) -> Panel:
        """Return a panel of those users, by their row."""
        panel, some = cls(most), np.flatnonzero(histories.lengths)
        drawn = _drawn(some)
        while (drawn < panel.share).sum() > most:
            panel.share /= 2
        newest = histories.last(EVENTS)
        rows = np.empty(len(newest.items), _EVENT)
        rows["item"], rows["time"], rows["weight"] = newest.items, newest.times, newest.weights
        rows["value"] = np.nan if newest.values is None else newest.values
        for user in some[drawn < panel.share].tolist():
            panel._events[user] = rows[newest.offsets[user] : newest.offsets[user + 1]].copy()
        return panel

    def __len__(self) -> int:
        return len(self._events)

    @property
    def codes(self) -> list[int]:
        """Codes of those who did something, rising."""
        return sorted(self._events)

    def holds(self, user: int) -> bool:
        """Return whether the user is, or would be, one of them."""
        return user in self._events or scattered_one(user) / 2.0**64 < self.share

    def learn(self, user: int, event: Event) -> None:
        """Take in what a user did, if it is one of them."""
        if not self.holds(user):
            return
        events = self._events.get(user, NO_EVENTS)
        if len(events) < EVENTS:
            longer = np.empty(len(events) + 1, _EVENT)
            longer[:-1] = events
            events = self._events[user] = longer
        else:
            events[:-1] = events[1:]
        events[-1] = event
        while len(self._events) > self.most:
            self.share /= 2
            users = list(self._events)
            stay = np.flatnonzero(_drawn(users) < self.share).tolist()
            self._events = {users[n]: self._events[users[n]] for n in stay}

    def forget(self, user: int) -> None:
        """Forget what a user did."""
        self._events.pop(user, None)

    def count(self, user: int) -> int:
        """Return how many events of a user are kept."""
        return len(self._events.get(user, NO_EVENTS))

    def had(self, user: int, item: int) -> bool | None:
        """Return whether one of them liked ``item``; None if nothing is known of what they did."""
        events = self._events.get(user, NO_EVENTS)
        return bool((events["weight"][events["item"] == item] > 0).any()) if len(events) else None

    def newest(self, user: int) -> NDArray[Any]:
        """Return a copy of the events of one of them, one a row."""
        return self._events.get(user, NO_EVENTS).copy()

    def histories(self, users: Sequence[int], parts: Sequence[slice], now: float | None = None) -> Histories:
        """Return ``parts`` of what users did, side by side; asked ``now``, or at the last event of each."""
        some = [self._events.get(user, NO_EVENTS)[part] for user, part in zip(users, parts, strict=True)]
        return histories_of(some, users, None if now is None else np.full(len(some), now))

    def history(self, user: int, now: float) -> Histories:
        """Return what one of them did, asked at ``now`` seconds."""
        return self.histories([user], [slice(None)], now)

    def state(self) -> State:
        """Return their events."""
        users = sorted(self._events)
        rows = np.concatenate([NO_EVENTS, *(self._events[user] for user in users)])
        arrays = event_columns(rows)
        arrays["users"] = np.array(users, np.int32)
        arrays["lengths"] = np.array([len(self._events[user]) for user in users], np.int64)
        return arrays, {"most": self.most, "share": self.share}

    @classmethod
    def restored(cls, state: State) -> Panel:
        """Return the panel whose `state` this is."""
        arrays, document = state
        panel = cls(document["most"])
        panel.share = document["share"]
        parts = np.split(event_rows(arrays), np.cumsum(arrays["lengths"])[:-1])
        panel._events = {
            user: part.copy() for user, part in zip(arrays["users"].tolist(), parts, strict=False)
        }
        return panel


def histories_of(rows: Sequence[NDArray[Any]], users: Sequence[int], now: Times | None) -> Histories:
    """Return the events ``rows`` of some users side by side.

    They are asked at ``now`` float64[n], or at the last event of each.
    """
    every = np.concatenate([NO_EVENTS, *rows])
    told = [np.ascontiguousarray(every[name]) for name in _COLUMNS]
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in rows])]).astype(np.int64)
    codes = np.array(users, np.int32)
    return Histories(told[0], told[1], told[2], offsets, now, values=told[3], users=codes)


def event_columns(rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the columns of events."""
    return {name: rows[name].copy() for name in _COLUMNS}


def event_rows(arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Return the events whose columns these are."""
    rows = np.empty(len(arrays["item"]), _EVENT)
    for name in _COLUMNS:
        rows[name] = arrays[name]
    return rows


def _drawn(users: ArrayLike) -> NDArray[np.float64]:
    """Return a number for each user as if drawn from 0..1, float64[n]."""
    return scattered(users) / 2.0**64
