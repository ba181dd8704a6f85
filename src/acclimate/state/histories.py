"""The histories of all users, bounded, where one more event costs O(1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.config import EVENT_TYPES
from acclimate.types import Codes, Histories

EVENT = np.dtype(
    [
        ("item", np.int32),
        ("time", np.float64),
        ("weight", np.float32),
        ("value", np.float32),
        ("kind", np.int8),
    ]
)
"""One event of a history; value is NaN and kind -1 where they are not known."""
RATING = EVENT_TYPES.index("rating")
Events = NDArray[Any]
"""``EVENT[n]``, oldest first."""
_NONE: Events = np.zeros(0, EVENT)


class _Buffer:
    """The events of one user in a growing array; what no longer fits is kept in brief."""

    __slots__ = ("brief", "events", "n")

    def __init__(self, events: Events, brief: Events) -> None:
        self.events = np.empty(max(8, 2 * len(events)), EVENT)
        self.events[: len(events)] = events
        self.n, self.brief = len(events), brief

    def append(self, event: tuple[int, float, float, float, int], bound: int) -> None:
        if self.n == len(self.events):
            if self.n >= 2 * bound:
                old, kept = self.events[: self.n - bound], self.events[self.n - bound : self.n].copy()
                self.brief = _in_brief(np.concatenate([self.brief, old]))
                self.events[:bound], self.n = kept, bound
            else:
                larger = np.empty(min(2 * self.n, 2 * bound), EVENT)
                larger[: self.n] = self.events
                self.events = larger
        self.events[self.n] = event
        self.n += 1


class UserHistories:
    """Histories by user code: an immutable start, and a growing tail for who has acted since.

    ``newest`` events of a user can be asked for in full. Of older ones only what the rules need is kept:
    which items the user has had, and which were disliked last. Memory is bounded by
    ``2 * max_history`` events and two words for each item that the user has ever touched.

    Args:
        start: What each user did so far; users ``0 .. len(start) - 1``.
        max_history: How many events of a user `gather` returns at most, 1 or more.
        kinds: Type of each event of ``start``, int8[total]; -1 for all if not given.

    Example:
        >>> histories = UserHistories(Histories.of([[7, 8], [9]]), max_history=2)
        >>> histories.append(0, 5, 3.0, 1.0)
        >>> histories.append(2, 6, 3.0, -1.0)
        >>> [histories.of(user)["item"].tolist() for user in range(4)]
        [[8, 5], [9], [6], []]
        >>> [codes.tolist() for codes in histories.standing(0)]
        [[5, 7, 8], []]
    """

    def __init__(self, start: Histories, max_history: int, kinds: NDArray[np.int8] | None = None) -> None:
        self._start = np.empty(len(start.items), EVENT)
        self._start["item"], self._start["time"] = start.items, start.times
        self._start["weight"] = start.weights
        self._start["value"] = np.nan if start.values is None else start.values
        self._start["kind"] = -1 if kinds is None else kinds
        self._offsets = start.offsets
        self.max_history = max_history
        self._briefs: dict[int, Events] = {}
        self._buffers: dict[int, _Buffer] = {}

    def append(
        self, user: int, item: int, time: float, weight: float, value: float = np.nan, kind: int = -1
    ) -> None:
        """Add an event behind the user's others, whatever its time says."""
        buffer = self._buffers.get(user)
        if buffer is None:
            buffer = self._buffers[user] = _Buffer(self.of(user), self._older(user))
            self._briefs.pop(user, None)
        buffer.append((item, time, weight, value, kind), self.max_history)

    def of(self, user: int) -> Events:
        """Return the newest events of a user, EVENT[m] with ``m <= max_history``; -1 is nobody."""
        return self._all(user)[-self.max_history :]

    def counts(self, n_users: int) -> NDArray[np.int64]:
        """Return how many events `of` returns of users ``0 .. n_users - 1``, int64[n_users]."""
        lengths = np.zeros(max(n_users, len(self._offsets) - 1), np.int64)
        lengths[: len(self._offsets) - 1] = np.diff(self._offsets)
        for user, buffer in self._buffers.items():
            lengths[user] = buffer.n
        return np.minimum(lengths[:n_users], self.max_history)

    def newest(self, n: int) -> NDArray[np.int64]:
        """Return the ``n`` users with the newest last event, the newest first; not those without any."""
        has = np.diff(self._offsets) > 0
        last = np.full(max(len(has), max(self._buffers, default=-1) + 1), -np.inf)
        last[: len(has)][has] = self._start["time"][self._offsets[1:][has] - 1]
        for user, buffer in self._buffers.items():
            last[user] = buffer.events["time"][buffer.n - 1] if buffer.n else -np.inf  # was forgotten
        order = np.argsort(-last, kind="stable")[:n]
        return order[last[order] > -np.inf]

    def has_older(self, user: int) -> bool:
        """Return whether a user did more than `of` returns."""
        return len(self._older(user)) > 0

    def gather(self, users: list[int], extra: list[Events]) -> tuple[Events, NDArray[np.int64]]:
        """Return the newest events of ``users`` side by side, each with ``extra`` behind, and offsets."""
        parts: list[Events] = []
        for user, more in zip(users, extra, strict=True):
            own = self.of(user)
            parts.append(np.concatenate([own, more])[-self.max_history :] if len(more) else own)
        lengths = np.fromiter(map(len, parts), np.int64, len(parts))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return _joined(parts).copy(), offsets

    def standing(self, user: int, extra: Events = _NONE, since: float | None = None) -> tuple[Codes, Codes]:
        """Return the items that a user has had, and those whose last signed event was a dislike.

        Had is what a positive event was ever about. With ``since`` seconds it is what one of the events
        that `of` returns, or of ``extra``, was about later than that: all others were long ago.
        """
        brief = self._buffers[user].brief if user in self._buffers else self._briefs.get(user, _NONE)
        had, disliked = _standing(_joined([brief, self._all(user), extra]))
        if since is not None:
            newest = _joined([self.of(user), extra])
            had = np.unique(newest["item"][(newest["weight"] > 0) & (newest["time"] > since)])
        return had, disliked

    def forget(self, user: int) -> None:
        """Forget every event of a user, the bytes of the start included."""
        self._buffers.pop(user, None)
        self._briefs.pop(user, None)
        self._before(user)[:] = np.zeros((), EVENT)
        self._buffers[user] = _Buffer(_NONE, _NONE)

    def state(self, n_users: int) -> dict[str, NDArray[Any]]:
        """Return everything as arrays, for ``n_users`` users."""
        users = list(range(n_users))
        events, offsets = self.gather(users, [_NONE] * n_users)
        briefs = {user: self._older(user) for user in users}
        kept = [user for user in users if len(briefs[user])]
        older = np.concatenate([_NONE, *(briefs[user] for user in kept)])
        owners = np.repeat(np.array(kept, np.int64), [len(briefs[user]) for user in kept])
        return {
            "item": events["item"].copy(),
            "time": events["time"].copy(),
            "weight": events["weight"].copy(),
            "value": events["value"].copy(),
            "kind": events["kind"].copy(),
            "offsets": offsets,
            "older_user": owners,
            "older_item": older["item"].copy(),
            "older_weight": older["weight"].copy(),
        }

    @classmethod
    def restore(cls, arrays: dict[str, NDArray[Any]], max_history: int) -> UserHistories:
        """Return the histories whose `state` this is."""
        start = Histories(
            arrays["item"], arrays["time"], arrays["weight"], arrays["offsets"], values=arrays.get("value")
        )
        made = cls(start, max_history, arrays.get("kind"))
        older = np.zeros(len(arrays["older_user"]), EVENT)
        older["item"], older["weight"] = arrays["older_item"], arrays["older_weight"]
        users, begins = np.unique(arrays["older_user"], return_index=True)
        parts = np.split(older, begins[1:])
        made._briefs = {int(user): part for user, part in zip(users, parts, strict=False)}
        return made

    def _before(self, user: int) -> Events:
        if not 0 <= user < len(self._offsets) - 1:
            return _NONE
        return self._start[self._offsets[user] : self._offsets[user + 1]]

    def _all(self, user: int) -> Events:
        buffer = self._buffers.get(user)
        return self._before(user) if buffer is None else buffer.events[: buffer.n]

    def _older(self, user: int) -> Events:
        brief = self._buffers[user].brief if user in self._buffers else self._briefs.get(user, _NONE)
        events = self._all(user)
        if len(events) <= self.max_history:
            return brief
        return _in_brief(np.concatenate([brief, events[: -self.max_history]]))


def rated(kinds: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return whether the value of an event is a rating, bool[m]; others are amounts."""
    return np.equal(kinds, -1) | np.equal(kinds, RATING)


def _joined(parts: Sequence[Events]) -> Events:
    """Return events side by side; NumPy is slow at joining them, so that one part is given back as it is."""
    some = [part for part in parts if len(part)]
    return some[0] if len(some) == 1 else np.concatenate([_NONE, *some])


def _standing(events: Events) -> tuple[Codes, Codes]:
    items, weights = events["item"], events["weight"]
    had = np.unique(items[weights > 0])
    if not (weights < 0).any():
        return had, _NONE["item"]
    signed = weights != 0
    last, at = np.unique(items[signed][::-1], return_index=True)
    return had, last[weights[signed][::-1][at] < 0]


def _in_brief(events: Events) -> Events:
    """Return the fewest events that leave `_standing` as it is, with whatever may follow."""
    had, disliked = _standing(events)
    brief = np.zeros(len(had) + len(disliked), EVENT)
    brief["item"] = np.concatenate([had, disliked])
    brief["weight"] = np.repeat([1.0, -1.0], [len(had), len(disliked)])
    return brief
