"""Counts that fade with time, and can be asked as of an earlier time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.types import Codes, Floats, State, Times

Columns = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

KEPT = 100_000
"""Newest events that are kept at least, so that an earlier time can be asked for."""


class FadingCounts:
    """What each item counts if an event of weight ``w`` counts ``w * 0.5 ** (age / half_life)``.

    Ages are counted from the last event before the question, so that what happened long ago does not fade
    to 0 while nothing happens. One more event costs O(n_items), and O(kept events) if it comes late. The
    newest events are kept, as many as it starts with but `KEPT` at least; older ones are one row of counts.

    Args:
        item: Item codes int32[n].
        time: Seconds float64[n], rising.
        weight: Positive, float32[n].
        n_items: Size of the catalogue.
        half_life: In seconds, positive.

    Example:
        >>> counts = FadingCounts(np.array([0]), np.array([60.0]), np.array([1.0]), n_items=2, half_life=60.0)
        >>> counts.add(1, 120.0, 1.0)
        >>> counts.at(np.array([60.0, 120.0, 1e9])).tolist()
        [[1.0, 0.0], [0.5, 1.0], [0.5, 1.0]]
    """

    def __init__(self, item: Codes, time: Times, weight: Floats, n_items: int, half_life: float) -> None:
        self._half_life, self._room = half_life, max(len(item), KEPT)
        columns = np.array(item, np.int32), np.array(time, np.float64), np.array(weight, np.float32)
        self._columns: Columns = columns
        self._first, self._end = 0, len(item)
        self._since, self._older = -np.inf, np.zeros(n_items)
        self._latest = self._count(self._first, self._end)

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self._latest)

    @property
    def until(self) -> float:
        """Time of the last event in seconds, ``-inf`` if there is none."""
        return float(self._columns[1][self._end - 1]) if self._end > self._first else -np.inf

    def add(self, item: int, time: float, weight: float) -> None:
        """Take in one event of positive weight; it may be earlier than others."""
        until = self.until
        if time >= until:
            self._latest *= self._faded(time - until)
            self._latest[item] += weight
        else:
            self._latest[item] += weight * self._faded(until - time)
        if time < self._since:
            self._older[item] += weight * self._faded(self._since - time)
            return
        self._insert(item, time, weight)
        if self._end - self._first > self._room:
            items, times, weights = self._columns
            oldest = float(times[self._first])
            self._older *= self._faded(oldest - self._since)
            self._older[items[self._first]] += weights[self._first]
            self._since, self._first = oldest, self._first + 1

    def at(self, moments: Times) -> Floats:
        """Return the counts as of ``moments`` float64[m], events at it included: float32[m, n_items].

        NaN for a time before the oldest event that is kept, if there were older ones.
        """
        out = np.empty((len(moments), self.n_items), np.float32)
        times = self._columns[1]
        stops = self._first + np.searchsorted(times[self._first : self._end], moments, side="right")
        counts, done, since = self._older, self._first, self._since
        for row in np.argsort(stops, kind="stable"):
            stop = int(stops[row])
            if done < stop < self._end:
                last = float(times[stop - 1])
                counts = counts * self._faded(last - since) + self._count(done, stop)
                done, since = stop, last
            out[row] = self._latest if stop == self._end else counts
        out[moments < self._since] = np.nan
        return out

    def grow(self, n_items: int) -> None:
        """Make room for new items, which count 0."""
        more = (0, n_items - self.n_items)
        self._latest, self._older = np.pad(self._latest, more), np.pad(self._older, more)

    def state(self) -> State:
        """Return the events that are kept, the counts of older ones and of all."""
        item, time, weight = (column[self._first : self._end].copy() for column in self._columns)
        since = None if np.isinf(self._since) else self._since
        counts = {"older": self._older.copy(), "latest": self._latest.copy()}
        return {"item": item, "time": time, "weight": weight, **counts}, {"room": self._room, "since": since}

    @classmethod
    def restored(cls, state: State, half_life: float) -> FadingCounts:
        """Return the counts whose `state` this is."""
        arrays, document = state
        n_items = len(arrays["latest"])
        made = cls(arrays["item"], arrays["time"], arrays["weight"], n_items, half_life)
        made._room, since = int(document["room"]), document["since"]
        made._since = -np.inf if since is None else float(since)
        made._older, made._latest = np.array(arrays["older"]), np.array(arrays["latest"])
        return made

    def _faded(self, age: float) -> float:
        return float(0.5 ** (age / self._half_life))

    def _count(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return what the events ``start..stop-1`` count at the time of the last: float64[n_items]."""
        item, time, weight = (column[start:stop] for column in self._columns)
        worth = weight * 0.5 ** ((time[-1:] - time) / self._half_life)
        return np.bincount(item, weights=worth, minlength=self._older.size).astype(np.float64)

    def _insert(self, item: int, time: float, weight: float) -> None:
        """Put an event behind all that are not later."""
        late = time < self.until
        if self._end == len(self._columns[0]):
            self._make_room()
        first, end = self._first, self._end
        at = first + int(np.searchsorted(self._columns[1][first:end], time, side="right")) if late else end
        for column, value in zip(self._columns, (item, time, weight), strict=True):
            if late:
                column[at + 1 : end + 1] = column[at:end].copy()
            column[at] = value
        self._end = end + 1

    def _make_room(self) -> None:
        """Drop what is no longer kept, and leave as much room again."""
        items, times, weights = (column[self._first : self._end] for column in self._columns)
        more = (0, max(16, len(items)))
        self._columns = np.pad(items, more), np.pad(times, more), np.pad(weights, more)
        self._first, self._end = 0, len(items)
