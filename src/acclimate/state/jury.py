"""Some users whose events judge: drawn by their codes, so that every process draws the same, and bounded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.types import Histories, State

MOST, EVENTS = 2_048, 200
"""Users of the jury at most, and newest events of each that are kept."""
Event = tuple[int, float, float, float]
"""Item, time, weight and value."""
_COLUMNS = ("item", "time", "weight", "value")
_EVENT = np.dtype([("item", np.int32), ("time", np.float64), ("weight", np.float32), ("value", np.float32)])
_NONE: NDArray[Any] = np.zeros(0, _EVENT)


class Jury:
    """Histories of a bounded number of users, drawn by a hash of their codes.

    When there are too many, half of them leave: those whose hash is in the upper half. Who is in it depends
    on the users alone, not on the order in which they came; and never on what they do.

    Args:
        most: Users at most.

    Example:
        >>> jury = Jury(most=10)
        >>> for user in range(100):
        ...     jury.learn(user, (7, 1.0, 1.0, np.nan))
        >>> 1 <= len(jury) <= 10
        True
    """

    def __init__(self, most: int = MOST) -> None:
        self.most, self.share = most, 1.0
        self._events: dict[int, NDArray[Any]] = {}

    @classmethod
    def of(cls, histories: Histories, most: int = MOST) -> Jury:
        """Return a jury of those users, by their row."""
        jury = cls(most)
        lengths = histories.lengths
        while sum(_drawn(user) < jury.share for user in np.flatnonzero(lengths).tolist()) > most:
            jury.share /= 2
        newest = histories.last(EVENTS)
        rows = np.empty(len(newest.items), _EVENT)
        rows["item"], rows["time"], rows["weight"] = newest.items, newest.times, newest.weights
        rows["value"] = np.nan if newest.values is None else newest.values
        for user in np.flatnonzero(lengths).tolist():
            if jury.holds(user):
                jury._events[user] = rows[newest.offsets[user] : newest.offsets[user + 1]].copy()
        return jury

    def __len__(self) -> int:
        return len(self._events)

    @property
    def codes(self) -> list[int]:
        """Codes of those who did something, rising."""
        return sorted(self._events)

    def holds(self, user: int) -> bool:
        """Return whether the user is, or would be, one of them."""
        return _drawn(user) < self.share

    def learn(self, user: int, event: Event) -> None:
        """Take in what a user did, if it is one of them."""
        if not self.holds(user):
            return
        events = self._events.get(user, _NONE)
        if len(events) < EVENTS:
            events = self._events[user] = np.append(events, np.zeros(1, _EVENT))
        else:
            events[:-1] = events[1:]
        events[-1] = event
        while len(self._events) > self.most:
            self.share /= 2
            self._events = {user: events for user, events in self._events.items() if self.holds(user)}

    def forget(self, user: int) -> None:
        """Forget what a user did."""
        self._events.pop(user, None)

    def history(self, user: int, now: float) -> Histories:
        """Return what one of them did, asked at ``now`` seconds."""
        rows = self._events.get(user, _NONE)
        told = [np.ascontiguousarray(rows[name]) for name in _COLUMNS]
        offsets, times, one = np.array([0, len(rows)]), np.array([now]), np.array([user])
        return Histories(told[0], told[1], told[2], offsets, times, values=told[3], users=one)

    def state(self) -> State:
        """Return their events."""
        users = sorted(self._events)
        rows = np.concatenate([_NONE, *(self._events[user] for user in users)])
        arrays: dict[str, NDArray[Any]] = {name: rows[name].copy() for name in _COLUMNS}
        arrays["users"] = np.array(users, np.int32)
        arrays["lengths"] = np.array([len(self._events[user]) for user in users], np.int64)
        return arrays, {"most": self.most, "share": self.share}

    @classmethod
    def restored(cls, state: State) -> Jury:
        """Return the jury whose `state` this is."""
        arrays, document = state
        jury = cls(document["most"])
        jury.share = document["share"]
        rows = np.empty(len(arrays["item"]), _EVENT)
        for name in _COLUMNS:
            rows[name] = arrays[name]
        parts = np.split(rows, np.cumsum(arrays["lengths"])[:-1])
        jury._events = {
            user: part.copy() for user, part in zip(arrays["users"].tolist(), parts, strict=False)
        }
        return jury


def _drawn(user: int) -> float:
    """Return a number for a user as if drawn from 0..1 (the finaliser of SplitMix64)."""
    x = (user + 1) * 0x9E3779B97F4A7C15 % 2**64
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return (x ^ (x >> 31)) / 2**64
