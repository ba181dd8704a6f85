"""What users did, as arrays: a stream of events, and the histories of many users side by side.

Outside ids and their records are in `acclimate.types`; here are codes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Offsets = NDArray[np.int64]
Times = NDArray[np.float64]
Floats = NDArray[np.float32]


def _frozen(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    out = np.ascontiguousarray(array, dtype=dtype)
    if out.flags.writeable:
        out = out.view()
        out.flags.writeable = False
    return out


class Events(NamedTuple):
    """What happened, oldest first: one array for each column, all equally long.

    Args:
        user: User codes int32[n].
        item: Item codes int32[n].
        time: Seconds float64[n].
        weight: What each event means, float32[n]: > 0 is liked, < 0 disliked, 0 only seen.
        value: Rating or amount float32[n], NaN where there is none.
    """

    user: Codes
    item: Codes
    time: Times
    weight: Floats
    value: Floats

    def part(self, which: slice | NDArray[Any]) -> Events:
        """Return the chosen events, in the order asked for."""
        return Events(
            self.user[which], self.item[which], self.time[which], self.weight[which], self.value[which]
        )


class Searched(NamedTuple):
    """What n users searched for, side by side, oldest first.

    Args:
        queries: Texts, object[total].
        times: Seconds float64[total].
        offsets: int64[n + 1]; user i owns ``offsets[i]:offsets[i + 1]``.

    Example:
        >>> told = Searched.of([[(1.0, "space"), (5.0, "cooking")], []])
        >>> told.take(np.array([1, 0])).before(np.array([9.0, 5.0])).of_user(1)
        ['space']
    """

    queries: NDArray[np.object_]
    times: Times
    offsets: Offsets

    @classmethod
    def of(cls, rows: Sequence[Sequence[tuple[float, str]]]) -> Searched:
        """Build from (time, query) pairs, a list for each user."""
        flat = [pair for row in rows for pair in row]
        queries = np.empty(len(flat), object)
        queries[:] = [query for _, query in flat]
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        return cls(queries, np.array([time for time, _ in flat], np.float64), offsets)

    def of_user(self, user: int) -> list[str]:
        """Return the queries of the user at that place, oldest first."""
        return list(self.queries[self.offsets[user] : self.offsets[user + 1]])

    def take(self, index: NDArray[Any]) -> Searched:
        """Return those of the users ``index`` int[m], in that order; a user may come twice."""
        lengths = np.diff(self.offsets)[index]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        at = np.repeat(self.offsets[index] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Searched(self.queries[at], self.times[at], offsets)

    def before(self, times: NDArray[Any]) -> Searched:
        """Return what each user searched for strictly before ``times`` float64[n]."""
        keep = self.times < np.repeat(times, np.diff(self.offsets))
        counts = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])[self.offsets]
        return Searched(self.queries[keep], self.times[keep], counts)


class Histories:
    """The histories of n users side by side: one jagged array, oldest event first.

    Args:
        items: Item codes int32[total].
        times: Seconds float64[total].
        weights: What each event means, float32[total]: > 0 is liked, < 0 disliked, 0 only seen.
        offsets: int64[n + 1]; user i owns ``offsets[i]:offsets[i + 1]``.
        now: Time of the question for each user, float64[n]; by default each user's last event, or 0.
        values: Ratings or amounts float32[total], NaN where there is none; None if nothing is known of them.
        users: Code of each user int32[n], -1 for a stranger; None if nobody is known.
        searches: What each of them searched for by then; None if nobody did.
        kinds: Type of each event int8[total], a place in `acclimate.config.EVENT_TYPES`, -1 where it is not
            known; None if it is of none.

    Example:
        >>> h = Histories.of([[3, 4], [], [5]])
        >>> len(h), h.lengths.tolist(), h[2].items.tolist(), h.rows.tolist()
        (3, [2, 0, 1], [5], [0, 0, 2])
    """

    __slots__ = ("items", "kinds", "now", "offsets", "searches", "times", "users", "values", "weights")

    def __init__(
        self,
        items: NDArray[Any],
        times: NDArray[Any],
        weights: NDArray[Any],
        offsets: NDArray[Any],
        now: NDArray[Any] | None = None,
        *,
        values: NDArray[Any] | None = None,
        users: NDArray[Any] | None = None,
        searches: Searched | None = None,
        kinds: NDArray[Any] | None = None,
    ) -> None:
        self.searches = searches
        self.kinds: NDArray[np.int8] | None = None if kinds is None else _frozen(kinds, np.int8)
        self.items: Codes = _frozen(items, np.int32)
        self.times: Times = _frozen(times, np.float64)
        self.weights: Floats = _frozen(weights, np.float32)
        self.offsets: Offsets = _frozen(offsets, np.int64)
        self.values: Floats | None = None if values is None else _frozen(values, np.float32)
        self.users: Codes | None = None if users is None else _frozen(users, np.int32)
        total = int(self.offsets[-1])
        if not len(self.items) == len(self.times) == len(self.weights) == total:
            raise ValueError(
                f"items ({len(self.items)}), times ({len(self.times)}) and weights ({len(self.weights)}) "
                f"must be as long as offsets says: {total}"
            )
        if now is None:
            now = np.zeros(len(self.offsets) - 1)
            has = self.lengths > 0
            now[has] = self.times[self.offsets[1:][has] - 1]
        self.now: Times = _frozen(now, np.float64)

    @classmethod
    def of(
        cls,
        items: Sequence[Sequence[int]],
        times: Sequence[Sequence[float]] | None = None,
        weights: Sequence[Sequence[float]] | None = None,
        now: Sequence[float] | None = None,
        *,
        values: Sequence[Sequence[float]] | None = None,
        users: Sequence[int] | None = None,
        kinds: Sequence[Sequence[int]] | None = None,
    ) -> Histories:
        """Build from lists of lists; times count 0, 1, 2, ... and weights are 1 unless given."""
        lengths = [len(row) for row in items]
        times = times if times is not None else [range(n) for n in lengths]
        weights = weights if weights is not None else [[1.0] * n for n in lengths]

        def flat(rows: Sequence[Sequence[float]]) -> NDArray[Any]:
            return np.array([value for row in rows for value in row], dtype=np.float64)

        return cls(
            flat(items),
            flat(times),
            flat(weights),
            np.concatenate([[0], np.cumsum(lengths)]),
            None if now is None else np.array(now),
            values=None if values is None else flat(values),
            users=None if users is None else np.array(users),
            kinds=None if kinds is None else flat(kinds),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[Histories]:
        return iter([self]) if len(self) == 1 else (self[i] for i in range(len(self)))

    def __getitem__(self, which: int | slice | NDArray[Any]) -> Histories:
        """Return the chosen users, in the order asked for; an int gives a batch of one."""
        index = np.atleast_1d(np.arange(len(self))[which])
        return self.first(index, self.lengths[index])

    def first(self, index: NDArray[Any], lengths: NDArray[Any]) -> Histories:
        """Return the oldest ``lengths`` int[m] events of the users ``index`` int[m], who may come twice.

        Where a later event is left out, so is what was searched for from then on.
        """
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        take = np.repeat(self.offsets[index] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Histories(
            self.items[take],
            self.times[take],
            self.weights[take],
            offsets,
            self.now[index],
            values=None if self.values is None else self.values[take],
            users=None if self.users is None else self.users[index],
            searches=self._searched(index, lengths),
            kinds=None if self.kinds is None else self.kinds[take],
        )

    def _searched(self, index: NDArray[Any], lengths: NDArray[Any]) -> Searched | None:
        if self.searches is None:
            return None
        end, shorter = np.full(len(index), np.inf), lengths < self.lengths[index]
        end[shorter] = self.times[(self.offsets[index] + lengths)[shorter]]
        found = self.searches.take(index)
        return found.before(end) if shorter.any() else found

    def replace(self, *, items: NDArray[Any] | None = None, now: NDArray[Any] | None = None) -> Histories:
        """Return the same with other item codes int32[total], or asked at other times float64[n].

        What was searched for at such a time or later is left out.
        """
        return Histories(
            self.items if items is None else items,
            self.times,
            self.weights,
            self.offsets,
            self.now if now is None else now,
            values=self.values,
            users=self.users,
            searches=self.searches if now is None or self.searches is None else self.searches.before(now),
            kinds=self.kinds,
        )

    @property
    def lengths(self) -> Offsets:
        """Events of each user, int64[n]."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Offsets:
        """The user (0..n-1) of each event, int64[total]."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def where(self, keep: NDArray[np.bool_]) -> Histories:
        """Return the events for which ``keep`` bool[total] is true; the users stay."""
        counts = np.bincount(self.rows[keep], minlength=len(self))
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return Histories(
            self.items[keep],
            self.times[keep],
            self.weights[keep],
            offsets,
            self.now,
            values=None if self.values is None else self.values[keep],
            users=self.users,
            searches=self.searches,
            kinds=None if self.kinds is None else self.kinds[keep],
        )

    def liked(self) -> Histories:
        """Return only the events of positive weight."""
        return self if bool((self.weights > 0).all()) else self.where(self.weights > 0)

    def closed(self, again: float) -> Histories:
        """Return the events whose items may not be listed: liked too lately, or turned down at last.

        What was only seen (weight 0) may be listed.

        Args:
            again: Seconds after which an item that was liked may come again; infinite for never.

        Example:
            >>> h = Histories.of([[3, 4, 5, 5, 6]], weights=[[1, 0, 1, -1, -1]], now=[9.0])
            >>> h.closed(np.inf).items.tolist(), h.closed(1.0).items.tolist()
            ([3, 5, 5, 6], [5, 6])
        """
        out = (self.weights > 0) & (self.now[self.rows] - self.times < again)
        if (self.weights < 0).any():
            signed = np.flatnonzero(self.weights)[::-1]
            pairs = self.rows[signed] * (int(self.items.max()) + 1) + self.items[signed]
            newest = signed[np.unique(pairs, return_index=True)[1]]
            out[newest] |= self.weights[newest] < 0
        return self.where(out)

    def last(self, n: int) -> Histories:
        """Return the newest ``n`` events of each user (``n`` >= 1)."""
        lengths = self.lengths
        if not len(lengths) or lengths.max(initial=0) <= n:
            return self
        from_end = np.repeat(self.offsets[1:], lengths) - np.arange(self.offsets[-1])
        return self.where(from_end <= n)
