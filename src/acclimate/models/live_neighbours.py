"""The neighbours of items, kept exact from one like to the next."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from acclimate.models.likes import Likes
from acclimate.types import Codes, Floats

CACHE = 256 * 2**20
"""Bytes of counts that are kept at hand; what is not is counted anew when it is asked for."""
FEWEST = 64
"""Items whose counts are at hand however large the catalogue is."""
TINY = np.float32(np.finfo(np.float32).tiny)


class LiveNeighbours:
    """Item neighbours under single likes: what is asked equals a fit on all that was liked so far.

    For items that were asked for, how much each other item was liked together with them is at hand, as one
    row of counts; a like adds to the rows of the items that its user liked before (Y. Huang et al.,
    "TencentRec: Real-time Stream Recommendation in Practice", SIGMOD 2015, section 4.1). Which items are the
    nearest of a row is looked up again only after some nearness crossed the edge of its neighbours. Rows
    come and go within `CACHE`, and nothing else grows with the events.

    Args:
        likes: What was liked so far; added to here.
        n_items: Size of the catalogue.
        neighbours: How many neighbours an item speaks for.
        shrink: As for `acclimate.models.item_knn.ItemKNN`.
    """

    def __init__(self, likes: Likes, n_items: int, neighbours: int, shrink: float) -> None:
        self.likes, self.neighbours, self.shrink = likes, neighbours, np.float32(shrink)
        _, item, weight = likes.pairs
        self._squares = np.bincount(item, weight.astype(np.float64) ** 2, n_items).astype(np.float64)
        self._slot = np.zeros(0, np.int64)
        self._clear(n_items)

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self._squares)

    def grow(self, n_items: int) -> None:
        """Make room for new items."""
        self._squares = np.pad(self._squares, (0, n_items - self.n_items))
        if n_items > self._counts.shape[1]:
            self._clear(n_items)
        self._slot = np.pad(self._slot, (0, n_items - len(self._slot)), constant_values=-1)
        self._norms = np.sqrt(self._squares).astype(np.float32)

    def add(self, user: int, item: int, weight: float) -> None:
        """Take in one like."""
        (slot,) = self._at_hand(np.array([item])).tolist()
        others, liked = self.likes.of_user(user)
        added = self.likes.add(user, item, weight)
        if added is None:
            return
        others, liked = others[others != item], liked[others != item]
        before = self._nearness_to(slot)
        self._squares[item] += added.after**2 - added.before**2
        self._norms[item] = np.sqrt(self._squares[item])
        gain = liked * np.float32(added.after - added.before)
        self._counts[slot, others] += gain
        at = self._slot[others]
        self._counts[at[at >= 0], item] += gain[at >= 0]
        after = self._nearness_to(slot)
        used = slice(0, self._used)
        self._fresh[used] &= (before >= self._edge[used]) == (after > self._edge[used])
        self._fresh[slot] = False

    def score(self, items: Codes, weights: Floats) -> Floats:
        """Return the scores float32[n_items] of who likes ``items`` int32[m] with ``weights`` float32[m]."""
        out = np.zeros(self.n_items)
        for part in self._parts(len(items)):
            slots = self._refreshed(items[part])
            found = self._members[slots]
            near = self._counts[slots[:, None], found]
            near = near / (self._norms[items[part], None] * self._norms[found] + self.shrink)
            out += np.bincount(found.ravel(), (near * weights[part, None]).ravel(), self.n_items)
        return out.astype(np.float32)

    def near(self, items: Codes) -> Floats:
        """Return the nearness of the neighbours of ``items`` int32[m], 0 elsewhere: float32[m, n_items]."""
        return np.array([self.score(items[[at]], np.ones(1, np.float32)) for at in range(len(items))])

    def _clear(self, n_items: int) -> None:
        """Forget all rows of counts; leave room for a catalogue that is a quarter larger."""
        width = n_items + n_items // 4 + 64
        self._room = min(max(CACHE // (4 * width), FEWEST), width)
        self._counts = np.zeros((self._room, width), np.float32)  # memory is taken when it is written to
        self._members = np.zeros((self._room, min(self.neighbours, width)), np.int32)
        self._edge = np.zeros(self._room, np.float32)
        self._fresh = np.zeros(self._room, bool)
        self._asked = np.zeros(self._room, np.int64)
        self._owner = np.zeros(self._room, np.int32)
        self._slot = np.full(n_items, -1, np.int64)
        self._used, self._tick = 0, 0
        self._norms = np.sqrt(self._squares).astype(np.float32)

    def _parts(self, n: int) -> Iterator[slice]:
        return (slice(start, start + self._room) for start in range(0, n, self._room))

    def _nearness_to(self, slot: int) -> Floats:
        """Return how near the item of ``slot`` is to that of each slot in use."""
        owners, own = self._owner[: self._used], self._norms[self._owner[slot]]
        near: Floats = self._counts[slot, owners] / (self._norms[owners] * own + self.shrink)
        return near

    def _at_hand(self, items: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the slots of ``items`` int[m], at most as many as there are slots, all different."""
        self._tick += 1
        slots: NDArray[np.int64] = self._slot[items]
        self._asked[slots[slots >= 0]] = self._tick
        missing = items[slots < 0]
        if len(missing):
            for slot, item in zip(self._freed(len(missing)), missing.tolist(), strict=True):
                self._counts[slot] = 0
                self._counts[slot, : self.n_items] = self.likes.together(item, self.n_items)
                self._counts[slot, item] = 0
                self._owner[slot], self._slot[item], self._fresh[slot] = item, slot, False
                self._asked[slot] = self._tick
            slots = self._slot[items]
        return slots

    def _freed(self, n: int) -> list[int]:
        """Return ``n`` slots to write to: unused ones, then those that were asked for longest ago."""
        new = min(n, self._room - self._used)
        taken = np.arange(self._used, self._used + new)
        old = np.argsort(self._asked[: self._used], kind="stable")[: n - new]
        self._slot[self._owner[old]] = -1
        self._used += new
        return [int(slot) for slot in (*taken, *old)]

    def _refreshed(self, items: Codes) -> NDArray[np.int64]:
        """Return the slots of ``items`` int32[m] with their neighbours looked up."""
        slots = self._at_hand(items)
        for slot in slots[~self._fresh[slots]].tolist():
            self._look_up(slot)
        return slots

    def _look_up(self, slot: int) -> None:
        """Find the nearest of a row; of equally near items the first codes, as a fit does."""
        owner, k = self._owner[slot], self.neighbours
        near = self._counts[slot, : self.n_items] / (self._norms[owner] * self._norms + self.shrink)
        edge = TINY
        if k < self.n_items:
            edge = max(edge, np.partition(near, self.n_items - k)[self.n_items - k])
        members = np.flatnonzero(near >= edge)
        tied = len(members) > k
        if tied:
            members = np.sort(members[np.argsort(-near[members], kind="stable")[:k]])
        self._members[slot] = owner  # a place that is left over counts 0
        self._members[slot, : len(members)] = members
        self._edge[slot], self._fresh[slot] = edge, not tied
