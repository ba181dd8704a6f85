"""How sure a figure is: 95 % intervals over users, and the difference of two models on the same users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.metrics import coverage
from acclimate.rng import generator
from acclimate.types import Codes

RESAMPLES = 2_000
FLIPS = 9_999
BLOCK = 200_000
"""Draws that are made together."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the bounds between which it lies with 95 % confidence."""

    mean: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 if the whole interval is above 0, -1 if it is below, 0 if it holds 0."""
        return int(self.low > 0) - int(self.high < 0)

    def document(self) -> dict[str, float]:
        """Return the JSON object."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def bootstrap(values: NDArray[np.float64], seed: int = 0) -> list[Interval]:
    """Return a percentile interval for the mean of each column of ``values`` float64[m, c], m >= 1.

    Users are drawn with replacement, 2,000 times (B. Efron, R. Tibshirani, "An Introduction to the
    Bootstrap", 1993, chapter 13). All columns share the draws, and so do all calls with the same ``seed``
    and m.

    Raises:
        ValueError: There is no user.

    Example:
        >>> few, many = np.tile([0.0, 1.0], 10), np.tile([0.0, 1.0], 1000)
        >>> bootstrap(many[:, None])[0].low > bootstrap(few[:, None])[0].low
        True
    """
    means = _resampled(values, seed)
    return _intervals(values.mean(axis=0), means)


def bootstrap_ratio(sums: NDArray[np.float64], counts: NDArray[Any], seed: int = 0) -> list[Interval]:
    """Return an interval for ``sums.sum(0) / counts.sum()`` where users, not their events, are drawn again.

    Events of one user are no independent witnesses; a user brings all of hers or none.

    Args:
        sums: What the events of each user add up to, float64[m, c].
        counts: How many events each user has, int64[m], above 0.
        seed: As for `bootstrap`.

    Example:
        >>> bootstrap_ratio(np.array([[1.0], [4.0]]), np.array([2.0, 4.0]))[0].mean
        0.8333333333333334
    """
    means = _resampled(np.column_stack([sums, counts]), seed)
    return _intervals(sums.sum(axis=0) / counts.sum(), means[:, :-1] / means[:, -1:])


def paired(a: NDArray[np.float64], b: NDArray[np.float64], seed: int = 0) -> Interval:
    """Return the interval of the mean of ``a - b``, both float64[m] of the same users in the same order.

    Much tighter than the two intervals side by side, since what is hard for one model is hard for the other.

    Raises:
        ValueError: The lengths differ, or there is no user.

    Example:
        >>> a = np.linspace(0, 1, 50)
        >>> paired(a + 0.01, a).sign
        1
    """
    if len(a) != len(b):
        raise ValueError(f"a and b must be of the same users, got {len(a)} and {len(b)}")
    return bootstrap((a - b)[:, None], seed)[0]


def sign_flip(apart: NDArray[np.float64], seed: int = 0) -> NDArray[np.float64]:
    """Return how probable each mean difference is if either sign were as likely for each user, float64[c].

    The permutation test of paired differences (R. Fisher, 1935), two-sided, by 9,999 draws of the signs; a
    p-value is never 0 (B. Phipson, G. Smyth, "Permutation p-values should never be zero", 2010). Users on
    whom two models agree say nothing.

    Args:
        apart: Differences of the users, float64[m, c]; all columns share the draws.
        seed: Decides the draws.

    Example:
        >>> apart = np.column_stack([np.linspace(-1, 1, 40), np.full(40, 0.1)])
        >>> sign_flip(apart).tolist()
        [1.0, 0.0001]
    """
    m, rng = len(apart), generator(seed, "signs", len(apart))
    seen, reached = np.abs(apart.sum(axis=0)), np.zeros(apart.shape[1])
    seen -= 1e-12 * np.abs(apart).sum(axis=0)  # sums in another order are as large
    at_once = max(1, 4 * BLOCK // max(m, 1))
    for start in range(0, FLIPS, at_once):
        size = min(at_once, FLIPS - start)
        signs = rng.integers(0, 2, (size, m), dtype=np.int8).astype(np.float64) * 2 - 1
        reached += (np.abs(signs @ apart) >= seen).sum(axis=0)
    found: NDArray[np.float64] = (reached + 1) / (FLIPS + 1)
    return found


def holm(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values float64[c] that allow for their number: any below .05 is wrong in one of 20 reports.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics
    1979; valid however the models depend on each other.

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).round(2)
        array([0.03, 0.06, 0.06])
    """
    order = np.argsort(chances)
    steps = (len(chances) - np.arange(len(chances))) * chances[order]
    out = np.empty(len(chances))
    out[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return out


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return how probable it is that hits bool[n] of two models differ by chance so much, 0..1.

    Only questions on which they disagree count; the mid-p value of the exact test (M. Fagerland,
    S. Lydersen, P. Laake, "The McNemar test for binary matched-pairs data", 2013).

    Example:
        >>> hits = np.arange(20) < 10
        >>> mcnemar(hits, hits), round(mcnemar(hits, ~hits[:10].repeat(2)), 4)
        (1.0, 0.001)
    """
    from scipy.stats import binom

    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    few, n = min(only_a, only_b), only_a + only_b
    if only_a == only_b:
        return 1.0
    return float(2 * binom.cdf(few, n, 0.5) - binom.pmf(few, n, 0.5))


def coverage_interval(lists: Codes, n_items: int) -> Interval:
    """Return how much of the catalogue the lists int32[m, k] cover, with a jackknife interval.

    A bootstrap leaves out a third of the users each time, so its coverages are all too low. Leaving out one
    user loses just the items that stand in no other list (J. Heltshe, N. Forrester, "Estimating species
    richness using the jackknife procedure", Biometrics 1983).

    Example:
        >>> found = coverage_interval(np.array([[0, 1], [0, 1], [0, 2]]), n_items=4)
        >>> found.mean, round(found.low, 2), found.high
        (0.75, 0.42, 1.0)
    """
    mean, m = coverage(lists, n_items), len(lists)
    if not n_items or not m:
        return Interval(mean, mean, mean)
    held = np.bincount(lists[lists >= 0], minlength=n_items)
    lost = np.where(lists >= 0, held[lists] == 1, False).sum(axis=1) / n_items
    half = 1.96 * float(np.sqrt((m - 1) / m * ((lost - lost.mean()) ** 2).sum()))
    return Interval(mean, max(mean - half, 0.0), min(mean + half, 1.0))


def jackknife(
    lists: NDArray[Any], figure: Callable[[NDArray[Any]], float], groups: int = 20, *, high: float = 1.0
) -> Interval:
    """Return a ``figure`` of ``lists`` [m, ...] in 0..high, with an interval from leaving out groups of them.

    The delete-a-group jackknife (J. Shao, D. Tu, "The Jackknife and Bootstrap", 1995, section 2.3).

    Example:
        >>> found = jackknife(np.array([[0], [0], [1]]), lambda some: coverage(some, 4))
        >>> found.mean, found.low < 0.5 < found.high
        (0.5, True)
    """
    mean, m = figure(lists), len(lists)
    groups = min(groups, m)
    if groups < 2:
        return Interval(mean, mean, mean)
    group = np.arange(m) % groups
    left = np.array([figure(lists[group != each]) for each in range(groups)])
    half = 1.96 * float(np.sqrt((groups - 1) / groups * ((left - left.mean()) ** 2).sum()))
    return Interval(mean, max(mean - half, 0.0), min(mean + half, high))


def _resampled(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return the column means of each resample of the rows of ``values`` float64[m, c]: float64[2000, c]."""
    m = len(values)
    if not m:
        raise ValueError("an interval needs at least one user")
    rng = generator(seed, "bootstrap", m)
    means = []
    at_once = max(1, BLOCK // m)
    for start in range(0, RESAMPLES, at_once):
        size = min(at_once, RESAMPLES - start)
        drawn = rng.integers(0, m, (size, m), dtype=np.int32) + np.arange(size)[:, None] * m
        times_drawn = np.bincount(drawn.ravel(), minlength=size * m).reshape(size, m)
        means.append(times_drawn @ values / m)
    return np.concatenate(means)


def _intervals(whole: NDArray[np.float64], resampled: NDArray[np.float64]) -> list[Interval]:
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    return [Interval(*map(float, row)) for row in zip(whole, low, high, strict=True)]
