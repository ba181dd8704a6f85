"""A window of a figure that is as long as its mean does not change: ADWIN."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from acclimate.adapt.detectors import Change, checked
from acclimate.errors import InputError
from acclimate.types import State

Values = NDArray[np.float64]

BUCKETS = 5
"""Buckets of one size that are held before the two oldest of them are joined."""


class Adwin:
    """A window of the newest observations that is as long as their mean does not change.

    Wherever the window can be cut into an older and a newer part whose means differ by more than chance,
    its oldest part is dropped, until no such cut is left. Cuts are tried where buckets meet: 5 of each size,
    the sizes double, so that n observations take O(log n) of memory.

    The bound of the paper is for independent observations. Those of one user stand beside each other and
    are alike; so where blocks differ from their neighbours by more than independent ones would, all counts
    are divided by that factor. (Not blocks from the mean: a change of the mean would hide itself.)

    Args:
        delta: How probable, at most, a cut is where nothing changed, 0..1; most streams stay far below.
        block: Observations of the smallest bucket, 1 or more; cuts are tried whenever so many have come.

    Raises:
        InputError: An observation is not in 0..1, or is NaN; nothing of that call is taken in.

    Example:
        >>> adwin = Adwin()
        >>> adwin.learn(np.arange(2000) % 2)
        >>> adwin.learn(np.zeros(200))
        >>> adwin.change.before, adwin.change.after, adwin.change.since
        (0.5, 0.0625, 1984)

    References:
        Bifet, Gavaldà, "Learning from time-changing data with adaptive windowing", SDM 2007, section 3.
    """

    def __init__(self, *, delta: float = 0.002, block: int = 32) -> None:
        if not 0 < delta < 1:
            raise InputError(f"delta must be between 0 and 1, got {delta}", field="delta")
        if block < 1:
            raise InputError(f"block must be 1 or more, got {block}", field="block")
        self.delta, self.block = delta, block
        self.taken = 0
        """Observations in whole blocks."""
        self.changes = 0
        self.change: Change | None = None
        """The newest one."""
        self._table = np.zeros((4, 64))
        """Of each bucket, oldest first: observations, sum, squares, and squared steps between blocks."""
        self._used = 0
        self._last: float | None = None
        self._waiting = np.zeros(0)

    @property
    def width(self) -> int:
        """Observations in the window."""
        return int(self._buckets[0].sum())

    @property
    def mean(self) -> float:
        """Mean of the window; NaN while it is empty."""
        n, total = self._buckets[:2].sum(axis=1)
        return float(total / n) if n else float("nan")

    def learn(self, values: ArrayLike) -> None:
        """Take in observations in 0..1, oldest first: float[n]."""
        values = np.append(self._waiting, checked(values, 0, 1))
        whole = len(values) // self.block * self.block
        blocks, self._waiting = values[:whole].reshape(-1, self.block), values[whole:].copy()
        for total, square in zip(blocks.sum(axis=1).tolist(), (blocks**2).sum(axis=1).tolist(), strict=True):
            mean = total / self.block
            step = 0.0 if self._last is None else (mean - self._last) ** 2
            self._last = mean
            self.taken += self.block
            self._put(total, square, step)
            self._cut()

    def state(self) -> State:
        """Return buckets and what waits for a whole block."""
        arrays = {"buckets": self._buckets.copy(), "waiting": self._waiting.copy()}
        numbers = {name: getattr(self, name) for name in ("delta", "block", "taken", "changes")}
        return arrays, {**numbers, "last": self._last, "change": self.change and asdict(self.change)}

    @classmethod
    def restored(cls, state: State) -> Adwin:
        """Return the one whose `state` this is."""
        arrays, document = state
        made = cls(delta=document["delta"], block=document["block"])
        made.taken, made.changes, made._last = document["taken"], document["changes"], document["last"]
        made.change = document["change"] and Change(**document["change"])
        made._table, made._used = np.array(arrays["buckets"]), arrays["buckets"].shape[1]
        made._waiting = np.array(arrays["waiting"])
        return made

    @property
    def _buckets(self) -> Values:
        return self._table[:, : self._used]

    def _put(self, total: float, square: float, step: float) -> None:
        """Add a bucket of one block; where there are too many of one size, the two oldest become one."""
        if self._used == self._table.shape[1]:
            self._table = np.pad(self._buckets, ((0, 0), (0, max(64, self._used))))
        self._table[:, self._used] = self.block, total, square, step
        self._used += 1
        size, end = self.block, self._used
        while True:
            sizes = self._table[0, :end]
            first = end - int((sizes[-BUCKETS - 1 :] == size).sum())
            if end - first <= BUCKETS:
                return
            self._table[:, first] += self._table[:, first + 1]
            self._table[:, first + 1 : self._used - 1] = self._table[:, first + 2 : self._used]
            self._used -= 1
            size, end = 2 * size, first + 1

    def _cut(self) -> None:
        """Drop the oldest bucket as long as some cut says that the mean has changed."""
        found = None
        while (cut := self._worst()) is not None:
            found = cut if found is None else found
            self._table[:, : self._used - 1] = self._table[:, 1 : self._used]
            self._used -= 1
        if found is not None:
            self.change, self.changes = found, self.changes + 1

    def _worst(self) -> Change | None:
        """Return the cut where the means differ by most beyond chance, if one does."""
        if self._used < 2:
            return None
        count, total = np.cumsum(self._buckets[:2], axis=1)
        n, whole = float(count[-1]), float(total[-1])
        square, steps = (float(each) for each in self._buckets[2:].sum(axis=1))
        variance = max(square / n - (whole / n) ** 2, 0.0)
        alike = 1.0
        if self.block > 1 and variance > 0:
            alike = max(1.0, self.block * (steps * self.block / n / 2) / variance)
        older, newer = count[:-1], n - count[:-1]
        before, after = total[:-1] / older, (whole - total[:-1]) / newer
        sure = np.log(2 * max(np.log(n), 1.0) / self.delta) * (1 / older + 1 / newer) * alike
        beyond = np.abs(before - after) / (np.sqrt(2 * variance * sure) + 2 / 3 * sure)
        at = int(beyond.argmax())
        if beyond[at] <= 1:
            return None
        since = self.taken - int(newer[at])
        return Change(float(before[at]), float(after[at]), since, self.taken, int(older[at]))
