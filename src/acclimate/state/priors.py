"""How much likelier each item is now than when the model was fitted: its prior is swapped.

A model that was fitted with a softmax says ``p(item | history)`` of its own time. Where what users want of an
item given its popularity stays, and popularity moves, that of now is ``p(item | history) * q_now / q_then``,
up to a constant (the correction for a shifted prior; Saerens, Latinne and Decaestecker, "Adjusting the
outputs of a classifier to new a priori probabilities", Neural Computation 2002; Menon et al., "Long-tail
learning via logit adjustment", ICLR 2021). So ``log q_now - log q_then`` is added to the logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError
from acclimate.state.influence import DAY, Influence
from acclimate.types import Codes, Floats, State, Times

HALF_LIVES = (7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY)
"""Seconds in which what is counted as now fades to half."""
FAR = 500.0
"""Half-lives behind the reference, after which counts are put to a new one, so that they stay finite."""
_KEPT = ("since", "_now", "_before", "_all")


class LivePrior:
    """Fading counts of items, as logs of how they differ from what a model was fitted on.

    One event costs O(number of half-lives). It counts as `Influence` says: a flood from one account moves an
    item by one event. Times must not lie in the future: they would outweigh all others.

    Args:
        counts: How often each item was liked in what the model was fitted on, int64[n_items].
        half_lives: In seconds, each positive.

    Example:
        >>> prior = LivePrior(np.array([50, 50]), half_lives=(60.0,))
        >>> for n in range(40):
        ...     prior.learn(user=n, item=1, time=float(n))
        >>> [round(float(x), 1) for x in prior.shift(0)]  # seldomer, and oftener
        [-2.8, 0.7]
    """

    def __init__(self, counts: NDArray[np.int64], half_lives: Sequence[float] = HALF_LIVES) -> None:
        if not half_lives or min(half_lives) <= 0:
            raise InputError(f"half_lives must be positive seconds, got {list(half_lives)}")
        n = len(counts)
        self.half_lives = np.array(half_lives, np.float64)
        self.counts = np.array(counts, np.int64)
        self.since = np.zeros(len(half_lives))
        """Time that each row of counts refers to: an event then counts 1, a later one more."""
        self.until = -np.inf
        self._now = np.zeros((len(half_lives), n))
        self._before = np.full((len(half_lives), n), np.nan)
        """Of an item that was not fitted: all that had been counted when it came; else NaN."""
        self._all = np.zeros(len(half_lives))
        self._shifts: dict[int, Floats] = {}
        self.influence = Influence()

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.counts)

    def begin(self, items: Codes, times: Times) -> None:
        """Count what the model was fitted on: positive events, int32[n] and float64[n]."""
        if not len(items):
            return
        self.until = float(times.max())
        self.since[:] = self.until
        for row, half_life in enumerate(self.half_lives):
            worth = 0.5 ** ((self.until - times) / half_life)
            self._now[row] = np.bincount(items, weights=worth, minlength=self.n_items)
            self._all[row] = worth.sum()
        self._shifts.clear()

    def learn(self, user: int, item: int, time: float) -> None:
        """Count one event of positive weight; it may be earlier than others."""
        share = self.influence.share(user, item, time)
        if share <= 0:
            return
        if self.until == -np.inf:
            self.since[:] = time
        self.until = max(self.until, time)
        far = (self.until - self.since) / self.half_lives > FAR
        for row in np.flatnonzero(far) if far.any() else ():
            faded = 0.5 ** ((self.until - self.since[row]) / self.half_lives[row])
            for part in (self._now, self._before, self._all):
                part[row] *= faded
            self.since[row] = self.until
        if not self.counts[item] and np.isnan(self._before[0, item]):
            self._before[:, item] = self._all
        worth = share * 2.0 ** ((time - self.since) / self.half_lives)
        self._now[:, item] += worth
        self._all += worth
        self._shifts.clear()

    def shift(self, row: int) -> Floats:
        """Return ``log q_now - log q_then`` of each item by one of the half-lives, float32[n_items].

        Both are smoothed as if each item had been liked once more at its old rate. An item that was not
        fitted is taken to have been as popular as the mean, and what was counted before it came is not held
        against it; without an event it is 0.
        """
        if (known := self._shifts.get(row)) is not None:
            return known
        n, new = self.n_items, self.counts == 0
        then = np.where(new, 1 / max(n, 1), (self.counts + 1) / (self.counts.sum() + n))
        fresh = 0.5 ** ((self.until - self.since[row]) / self.half_lives[row]) if self._all[row] else 1.0
        before = np.where(np.isnan(self._before[row]), self._all[row], self._before[row])
        seen = (self._all[row] - np.where(new, before, 0.0)) * fresh
        out: Floats = np.log((self._now[row] * fresh + n * then) / ((seen + n) * then)).astype(np.float32)
        self._shifts[row] = out
        return out

    def grow(self, n_items: int) -> None:
        """Make room for new items."""
        more = n_items - self.n_items
        self._shifts.clear()
        self.counts = np.pad(self.counts, (0, more))
        self._now = np.pad(self._now, ((0, 0), (0, more)))
        self._before = np.pad(self._before, ((0, 0), (0, more)), constant_values=np.nan)

    def state(self) -> State:
        """Return counts, and who did what last."""
        names = ("half_lives", "counts", *_KEPT)
        arrays: dict[str, NDArray[Any]] = {name.strip("_"): getattr(self, name).copy() for name in names}
        return arrays | self.influence.state(), {"until": None if np.isinf(self.until) else self.until}

    @classmethod
    def restored(cls, state: State) -> LivePrior:
        """Return the prior whose `state` this is."""
        arrays, document = state
        made = cls(arrays["counts"], arrays["half_lives"].tolist())
        for name in _KEPT:
            setattr(made, name, np.array(arrays[name.strip("_")]))
        made.influence = Influence.restored(arrays)
        made.until = -np.inf if document["until"] is None else float(document["until"])
        return made
