"""Who liked what, in a store that takes in one like after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acclimate.types import Codes, Events, Floats, Histories

MOST = 5_000
"""Different items of one user that are kept, the first ones: who likes more is hardly a person."""


def liked_one_by_one(events: Events) -> Iterator[tuple[int, int, float]]:
    """Yield user, item and weight of each positive event, in order."""
    liked = events.weight > 0
    columns = (column[liked].tolist() for column in (events.user, events.item, events.weight))
    return zip(*columns, strict=True)


class Added(NamedTuple):
    """What one like changed: the weight of the pair before (0 if it is new) and after."""

    before: float
    after: float


class Likes:
    """Pairs of user and item with the strongest positive weight, where one more costs O(1).

    Memory is bounded by the number of different pairs, of which each user has at most `MOST`. Pairs keep
    the order in which they came, so that the arrays alone rebuild an equal store.

    Args:
        user: User codes int32[n], in the order in which the pairs came.
        item: Item codes int32[n]; no pair comes twice.
        weight: Positive, float32[n].

    Example:
        >>> likes = Likes.of(Histories.of([[3, 4], [3]]))
        >>> likes.add(user=9, item=4, weight=1.0), likes.add(user=9, item=4, weight=0.5)
        (Added(before=0.0, after=1.0), None)
        >>> [codes.tolist() for codes, _ in (likes.of_user(9), likes.of_item(4), likes.of_item(77))]
        [[4], [0, 9], []]
    """

    def __init__(self, user: Codes, item: Codes, weight: Floats) -> None:
        self._n = len(user)
        self._user, self._item = np.array(user, np.int32), np.array(item, np.int32)
        self._weight = np.array(weight, np.float32)
        self._by_user, self._by_item = _Index(self._user), _Index(self._item)

    @classmethod
    def of(cls, histories: Histories) -> Likes:
        """Return the likes of ``histories``; user codes are their ``users``, or their places."""
        liked = histories.liked()
        users = np.arange(len(histories)) if histories.users is None else histories.users
        n = int(liked.items.max(initial=0)) + 1
        pair, first, which = np.unique(liked.rows * n + liked.items, return_index=True, return_inverse=True)
        best = np.zeros(len(pair), np.float32)
        np.maximum.at(best, which, liked.weights)
        by_user = np.argsort(first)  # events lie user by user, oldest first
        rows = pair[by_user] // n
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        by_user = by_user[place < MOST]
        came = by_user[np.argsort(liked.times[first[by_user]], kind="stable")]
        return cls(users[pair[came] // n].astype(np.int32), (pair[came] % n).astype(np.int32), best[came])

    @classmethod
    def restored(cls, arrays: dict[str, NDArray[Any]]) -> Likes:
        """Return the likes that a model's state holds."""
        return cls(arrays["like_user"], arrays["like_item"], arrays["like_weight"])

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what `restored` needs: the pairs."""
        return dict(zip(("like_user", "like_item", "like_weight"), map(np.copy, self.pairs), strict=True))

    @property
    def pairs(self) -> tuple[Codes, Codes, Floats]:
        """User int32[n], item int32[n] and weight float32[n] of all pairs, in the order they came."""
        return self._user[: self._n], self._item[: self._n], self._weight[: self._n]

    def matrix(self, items: Codes) -> csr_array:
        """Return the weights of all users with ``items`` int32[w], rising: float32[n_users, w]."""
        user, item, weight = self.pairs
        shape = (int(user.max(initial=-1)) + 1, len(items))
        return csr_array((weight, (user, np.searchsorted(items, item))), shape=shape)

    def of_user(self, user: int) -> tuple[Codes, Floats]:
        """Return the items that a user liked, and how much, in the order they came."""
        pairs = self._by_user.row(user)
        return self._item[pairs], self._weight[pairs]

    def of_item(self, item: int) -> tuple[Codes, Floats]:
        """Return the users who liked an item, and how much, in the order they came."""
        pairs = self._by_item.row(item)
        return self._user[pairs], self._weight[pairs]

    def add(self, user: int, item: int, weight: float) -> Added | None:
        """Take in one event; return what it changed, None if it changed nothing."""
        pairs = self._by_user.row(user)
        same = pairs[self._item[pairs] == item]
        if len(same):
            at = int(same[0])
            before = float(self._weight[at])
            if weight <= before:
                return None
            self._weight[at] = weight
            return Added(before, float(self._weight[at]))
        if weight <= 0 or len(pairs) >= MOST:
            return None
        at, self._n = self._n, self._n + 1
        if at == len(self._user):
            more = (0, max(16, at))
            self._user, self._item = np.pad(self._user, more), np.pad(self._item, more)
            self._weight = np.pad(self._weight, more)
        self._user[at], self._item[at], self._weight[at] = user, item, weight
        self._by_user.append(user, at)
        self._by_item.append(item, at)
        return Added(0.0, float(self._weight[at]))

    def together(self, item: int, n_items: int) -> Floats:
        """Return for each item the summed product of its and ``item``'s weights: float32[n_items]."""
        pairs = self._by_item.row(item)
        rows = [self._by_user.row(user) for user in self._user[pairs].tolist()]
        if not rows:
            return np.zeros(n_items, np.float32)
        others = np.concatenate(rows)
        weights = np.repeat(self._weight[pairs], [len(row) for row in rows]) * self._weight[others]
        return np.bincount(self._item[others], weights, n_items).astype(np.float32)


class _Index:
    """The numbers 0, 1, 2, ... by the key they belong to, each key's in rising order."""

    def __init__(self, keys: Codes) -> None:
        self._order = np.argsort(keys, kind="stable").astype(np.int32)
        self._ends = np.cumsum(np.bincount(keys)) if len(keys) else np.zeros(0, np.int64)
        self._grown: dict[int, tuple[Codes, int]] = {}

    def row(self, key: int) -> Codes:
        grown = self._grown.get(key)
        if grown is not None:
            return grown[0][: grown[1]]
        if not 0 <= key < len(self._ends):
            return self._order[:0]
        return self._order[self._ends[key - 1] if key else 0 : self._ends[key]]

    def append(self, key: int, number: int) -> None:
        row = self.row(key)
        buffer, n = self._grown.get(key, (row, len(row)))
        if n == len(buffer) or key not in self._grown:
            buffer = np.zeros(max(8, 2 * n), np.int32)
            buffer[:n] = row
        buffer[n] = number
        self._grown[key] = buffer, n + 1
