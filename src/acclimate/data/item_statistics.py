"""What is known of items at a time: how often, how lately, rising or falling, rated how."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.types import Codes, Events

DAY = 86_400.0
SHORT, LONG = 7 * DAY, 28 * DAY
"""Half-lives in seconds whose difference is the trend."""
TOP = 100
"""Items that are compared between two times, or a tenth of the catalogue if that is less."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class ItemFigures:
    """Figures of n items as of one time; arrays are float64[n], and NaN where nothing is known.

    Args:
        now: Seconds since 1970.
        likes: Events of positive weight so far.
        since_first: Seconds since the first of them.
        since_last: Seconds since the last.
        trend: Share of the likes lately over that in the longer run: above 1 it rises, below 1 it falls.
        mean_value: Mean rating.
    """

    now: float
    likes: Numbers
    since_first: Numbers
    since_last: Numbers
    trend: Numbers
    mean_value: Numbers


class ItemStatistics:
    """Counts what happened to items, event by event; nothing later than the last event told is in it.

    Any chunking of the same events ends in the same figures.

    Args:
        n_items: Size of the catalogue.

    Example:
        >>> statistics = ItemStatistics.of(Dataset.of([("a", "x", 0.0), ("b", "x", 5.0), ("b", "y", 9.0)]))
        >>> figures = statistics.at(now=10.0)
        >>> figures.likes.tolist(), figures.since_last.tolist()
        ([2.0, 1.0], [5.0, 1.0])
    """

    def __init__(self, n_items: int) -> None:
        self._now = -np.inf
        self._likes, self._short, self._long = np.zeros((3, n_items))
        self._first, self._last = np.full(n_items, np.inf), np.full(n_items, -np.inf)
        self._sum, self._rated = np.zeros((2, n_items))

    @classmethod
    def of(cls, data: Dataset) -> ItemStatistics:
        """Return the statistics of all events of ``data``; of ``data.before(t)`` they are those as of t."""
        statistics = cls(data.n_items)
        statistics.learn(data.events)
        return statistics

    def learn(self, events: Events) -> None:
        """Take in events, in any order."""
        rated = np.isfinite(events.value)
        np.add.at(self._sum, events.item[rated], events.value[rated])
        np.add.at(self._rated, events.item[rated], 1)
        liked = events.weight > 0
        items, times = events.item[liked], events.time[liked]
        if not len(items):
            return
        now = max(self._now, float(times.max()))
        for sums, half_life in ((self._short, SHORT), (self._long, LONG)):
            if np.isfinite(self._now):
                sums *= 0.5 ** ((now - self._now) / half_life)
            np.add.at(sums, items, 0.5 ** ((now - times) / half_life))
        self._now = now
        np.add.at(self._likes, items, 1)
        np.minimum.at(self._first, items, times)
        np.maximum.at(self._last, items, times)

    def at(self, now: float) -> ItemFigures:
        """Return the figures at ``now`` seconds, which is not before the last event that was told.

        Raises:
            ValueError: ``now`` is earlier: what happened later is in the counts already.
        """
        if now < self._now:
            raise ValueError(
                f"now is {now}, but events up to {self._now} are counted; count data.before(now)"
            )
        return ItemFigures(
            now,
            self._likes.copy(),
            _known(now - self._first),
            _known(now - self._last),
            _ratio(_ratio(self._short, self._short.sum()), _ratio(self._long, self._long.sum())),
            _ratio(self._sum, self._rated),
        )

    def top(self, n: int) -> Codes:
        """Return the codes of the ``n`` items with the most likes, int32[n]; equal ones by code."""
        return np.argsort(-self._likes, kind="stable")[:n].astype(np.int32)


def shift(data: Dataset) -> tuple[float, float]:
    """Return which share of the items chosen most in the first half of the events are so in the second.

    The other number is the same of the events with even and with odd places: how alike two halves are that
    differ by chance alone.
    """
    half = len(data) // 2
    n = min(TOP, max(1, len(np.unique(data.item)) // 10))
    shares = []
    for parts in ((slice(half), slice(half, None)), (slice(0, None, 2), slice(1, None, 2))):
        tops = []
        for part in parts:
            statistics = ItemStatistics(data.n_items)
            statistics.learn(data.events.part(part))
            tops.append(statistics.top(n))
        shares.append(len(np.intersect1d(tops[0], tops[1])) / n)
    return shares[0], shares[1]


def _known(seconds: Numbers) -> Numbers:
    return np.where(np.isfinite(seconds), seconds, np.nan)


def _ratio(part: Numbers, whole: Numbers | np.float64) -> Numbers:
    """Return ``part / whole``, NaN where whole is 0."""
    out = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=out, where=np.asarray(whole) > 0)
    return out
