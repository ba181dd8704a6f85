"""What lists are like besides right: how much of the catalogue, how new, how varied, how popular.

Lists are int32[m, k], those of m users, -1 behind the last item of a list that is shorter, as from
`acclimate.metrics.ranking.top_lists`. What is said of each user is float64[m], and 0 for an empty list.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.types import Codes, Floats

PerItem = NDArray[np.float64]
PerUser = NDArray[np.float64]
BLOCK = 1024
"""Users whose item vectors are held together."""


def coverage(lists: Codes, n_items: int) -> float:
    """Return the share of the catalogue that stands in anyone's list.

    Example:
        >>> coverage(np.array([[0, 3], [3, -1]]), n_items=4)
        0.5
    """
    return len(np.unique(lists[lists >= 0])) / n_items if n_items else 0.0


def gini(lists: Codes, n_items: int) -> float:
    """Return how unequally the places of all lists are shared among the items of the catalogue.

    0 is each item equally often, nearly 1 is the same item always (C. Gini, 1912; as a measure of lists
    D. Fleder, K. Hosanagar, "Blockbuster culture's next rise or fall", Management Science 2009). 0 without
    any list.

    Example:
        >>> gini(np.array([[0, 1], [2, 3]]), n_items=4), gini(np.array([[0], [0]]), n_items=4)
        (0.0, 0.75)
    """
    counts = np.sort(np.bincount(lists[lists >= 0], minlength=n_items))
    total = counts.sum()
    if not total:
        return 0.0
    weights = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float((weights * counts).sum() / (n_items * total))


def mean_over_lists(lists: Codes, values: PerItem) -> PerUser:
    """Return the mean of ``values`` float64[n_items] over the items of each list.

    With `self_information` that is novelty, with the share of users who had an item it is popularity (ARP:
    H. Yin et al., "Challenging the long tail recommendation", VLDB 2012).

    Example:
        >>> mean_over_lists(np.array([[0, 2], [1, -1], [-1, -1]]), np.array([1.0, 2.0, 4.0]))
        array([2.5, 2. , 0. ])
    """
    there = lists >= 0
    sums = np.where(there, np.append(values, 0.0)[lists], 0.0).sum(axis=1)
    means: PerUser = sums / np.maximum(there.sum(axis=1), 1)
    return means


def self_information(counts: NDArray[np.integer], n_users: int) -> PerItem:
    """Return the bits of surprise of each item: ``-log2(counts / n_users)``, where a count is 1 or more.

    The mean over a list is its novelty (T. Zhou et al., "Solving the apparent diversity-accuracy dilemma of
    recommender systems", PNAS 2010).

    Args:
        counts: How many users had each item, int[n_items].
        n_users: How many users there are, 1 or more.

    Example:
        >>> self_information(np.array([8, 4, 1, 0]), n_users=8)
        array([0., 1., 3., 3.])
    """
    out: PerItem = np.log2(n_users / np.maximum(counts, 1))
    return out


def diversity(lists: Codes, vectors: Floats) -> PerUser:
    """Return how unlike the items of each list are: 1 minus the mean cosine of its pairs, 0..2.

    0 for a list of fewer than two items (C.-N. Ziegler et al., "Improving recommendation lists through topic
    diversification", WWW 2005). An item without a vector is unlike every other one.

    Args:
        lists: int32[m, k].
        vectors: What each item is like, float32[n_items, d], unit or zero.

    Example:
        >>> vectors = np.eye(2, dtype=np.float32)[[0, 0, 1]]
        >>> diversity(np.array([[0, 1, -1], [0, 2, -1], [0, 1, 2], [0, -1, -1]]), vectors).round(3)
        array([0.   , 1.   , 0.667, 0.   ])
    """
    out = np.zeros(len(lists))
    padded = np.concatenate([vectors, np.zeros((1, vectors.shape[1]), vectors.dtype)]).astype(np.float64)
    for start in range(0, len(lists), BLOCK):
        part = lists[start : start + BLOCK]
        own = padded[part]
        n = (part >= 0).sum(axis=1)
        pairs = n * (n - 1) / 2
        alike = ((own.sum(axis=1) ** 2).sum(axis=1) - (own**2).sum(axis=(1, 2))) / 2
        out[start : start + BLOCK] = np.where(n > 1, 1 - alike / np.maximum(pairs, 1), 0.0)
    return out


def serendipity(lists: Codes, right: NDArray[np.bool_], counts: NDArray[np.integer]) -> PerUser:
    """Return how often lists are right where popularity would not have been, 0..1.

    The mean over the k places of ``max(p - q, 0)`` where the item is right, else 0: ``p`` falls evenly from
    1 with the rank in the list, ``q`` with the rank by popularity, and is 0 for what nobody had; as RecTools
    defines it.

    Args:
        lists: int32[m, k].
        right: Whether the item in each place is a right one, bool[m, k].
        counts: How many users had each item, int[n_items].

    Example:
        >>> counts = np.array([3, 2, 0, 0])
        >>> serendipity(np.array([[0, 1], [1, 2]]), np.ones((2, 2), bool), counts)
        array([0. , 0.5])
    """
    from scipy.stats import rankdata

    n_items, k = len(counts), lists.shape[1]
    by_rank = (n_items + 1 - np.arange(1, k + 1)) / max(n_items, 1)
    by_popularity = (n_items + 1 - rankdata(-counts)) / max(n_items, 1)
    expected = np.append(np.where(counts > 0, by_popularity, 0.0), 0.0)[lists]
    gained = np.maximum(by_rank - expected, 0.0)
    found: PerUser = np.where(right & (lists >= 0), gained, 0.0).sum(axis=1) / k
    return found
