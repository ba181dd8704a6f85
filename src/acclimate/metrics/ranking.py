"""How good a ranking is, as pure functions of scores and of the items that were the right ones.

**The tie rule.** Items of equal score stand in no order, so each metric is its expected value over all of
their orders, exactly. A constant scorer looks like chance. What cannot be scored is NaN and ranks last: the
items that are NaN are tied with one another, below everything that has a score.

Two steps, so that the wide matrix of scores is looked at once, a chunk of users at a time: `find_places`
says where each right item stands, `metrics_at` turns places into metrics for any ``k`` and any part of the
right items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.types import Codes, Floats, Offsets

BLOCK = 128
"""Users that are sorted together: some megabytes, which a cache holds."""


class Places(NamedTuple):
    """Where the right items of m users stand in their rankings.

    Args:
        above: Number of items ranked above each right item, int64[total].
        tied: Number of items with its score, itself included, int64[total].
        offsets: int64[m + 1]; user i owns ``offsets[i]:offsets[i + 1]``.
    """

    above: NDArray[np.int64]
    tied: NDArray[np.int64]
    offsets: Offsets

    @property
    def rows(self) -> NDArray[np.int64]:
        """The user (0..m-1) of each right item, int64[total]."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def where(self, keep: NDArray[np.bool_]) -> Places:
        """Return the right items for which ``keep`` bool[total] is true; users without any are left out."""
        counts = np.bincount(self.rows[keep], minlength=len(self.offsets) - 1)
        ends = np.cumsum(counts[counts > 0])
        return Places(self.above[keep], self.tied[keep], np.concatenate([[0], ends]))

    @classmethod
    def join(cls, parts: Sequence[Places]) -> Places:
        """Return the users of all ``parts``, one behind the other."""
        lengths = np.concatenate([np.zeros(0, np.int64), *(np.diff(part.offsets) for part in parts)])
        above = np.concatenate([np.zeros(0, np.int64), *(part.above for part in parts)])
        tied = np.concatenate([np.zeros(0, np.int64), *(part.tied for part in parts)])
        return cls(above, tied, np.concatenate([[0], np.cumsum(lengths)]))


def rank_metrics(
    scores: Floats,
    targets: Codes,
    target_offsets: Offsets,
    exclude_rows: NDArray[np.integer],
    exclude_cols: NDArray[np.integer],
    k: int = 10,
) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of each user; see `find_places` and `metrics_at`.

    Example:
        >>> none = np.zeros(0, np.int32)
        >>> constant = np.ones((1, 4), np.float32)
        >>> rank_metrics(constant, np.array([2]), np.array([0, 1]), none, none, k=1)["hr@1"]
        array([0.25])
    """
    return metrics_at(find_places(scores, targets, target_offsets, exclude_rows, exclude_cols), k)


def find_places(
    scores: Floats,
    targets: Codes,
    target_offsets: Offsets,
    exclude_rows: NDArray[np.integer],
    exclude_cols: NDArray[np.integer],
) -> Places:
    """Return where the right items stand among all items that are not excluded.

    Args:
        scores: float32[m, n], larger is better, NaN is "cannot say".
        targets: The right items, int32[total], those of one user side by side.
        target_offsets: int64[m + 1]; user i owns ``target_offsets[i]:target_offsets[i + 1]``.
        exclude_rows: Users whose ranking leaves an item out, int[e].
        exclude_cols: The items left out, int[e]; a pair may come twice.

    Raises:
        ValueError: A score is infinite, or a user's right item is excluded or comes twice.
    """
    m, n = scores.shape
    rows = np.repeat(np.arange(m), np.diff(target_offsets))
    pairs = rows * n + targets
    if len(np.unique(pairs)) < len(pairs):
        raise ValueError("a right item may stand only once for each user")
    above, tied = np.empty(len(targets), np.int64), np.empty(len(targets), np.int64)
    for start, keys in _blocks(scores, exclude_rows, exclude_cols):
        mine = slice(int(target_offsets[start]), int(target_offsets[start + len(keys)]))
        wanted = keys[rows[mine] - start, targets[mine]]
        if np.isnan(wanted).any():
            raise ValueError("a right item is excluded from its user's ranking")
        keys.sort(axis=1)
        for at, row, key in zip(range(mine.start, mine.stop), rows[mine] - start, wanted, strict=True):
            above[at] = keys[row].searchsorted(key, "left")
            tied[at] = keys[row].searchsorted(key, "right") - above[at]
    return Places(above, tied, np.asarray(target_offsets, np.int64))


def metrics_at(places: Places, k: int) -> dict[str, NDArray[np.float64]]:
    """Return hr, recall, precision, f1, ndcg, mrr and map at ``k``: ``{"hr@10": float64[m], ...}``.

    With R right items, of which H stand in the first k: hr is 1 if H > 0, recall H / R, precision H / k,
    f1 2 H / (k + R). The others count ranks from 1: ndcg is the sum of 1 / log2(rank + 1) over the best such
    sum, mrr is 1 / rank of the first right item, map is the sum of the precisions at each right rank over
    min(k, R). Each is 0 beyond k.

    Raises:
        ValueError: A user has no right item.
    """
    relevant = np.diff(places.offsets)
    if (relevant == 0).any():
        raise ValueError(f"user {int(np.argmin(relevant))} of {len(relevant)} has no right item")
    row, above, tied, count, before = _groups(places)
    inside = np.clip(k - above, 0, tied)
    share = inside / tied
    hits = np.bincount(row, weights=count * share, minlength=len(relevant))
    # Sums over the ranks 1..p: of 1 / rank, and of 1 / log2(rank + 1).
    ranks = np.arange(1, k + 1)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / ranks)])
    discount = np.concatenate([[0.0], np.cumsum(1 / np.log2(ranks + 1))])
    low = np.minimum(above, k)
    gained = count / tied * (discount[low + inside] - discount[low])
    # In place j of a group an item is right with chance count / tied, and then expects (j - 1) * others right
    # ones above it within the group, besides the `before` ones above the group.
    others = (count - 1) / np.maximum(tied - 1, 1)
    spread = (before + 1 - others * (above + 1)) * (harmonic[low + inside] - harmonic[low]) + others * inside
    averaged = np.bincount(row, weights=count / tied * spread, minlength=len(relevant))
    hit, reciprocal = _first_hit(above[before == 0], tied[before == 0], count[before == 0], k)
    return {
        f"hr@{k}": hit,
        f"recall@{k}": hits / relevant,
        f"precision@{k}": hits / k,
        f"f1@{k}": 2 * hits / (k + relevant),
        f"ndcg@{k}": np.bincount(row, weights=gained, minlength=len(relevant))
        / discount[np.minimum(relevant, k)],
        f"mrr@{k}": reciprocal,
        f"map@{k}": averaged / np.minimum(relevant, k),
    }


def ranking_auc(places: Places, ranked: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the chance that a right item stands above one that is not, for each user float64[m].

    Ties count half. It is 1 for a user of whom all items that are ranked are right.

    Args:
        places: Where the right items of m users stand.
        ranked: How many items the ranking of each of them holds, int64[m].

    Example:
        >>> none = np.zeros(0, np.int32)
        >>> scores = np.array([[0.9, 0.8, 0.7, 0.6]], np.float32)
        >>> places = find_places(scores, np.array([1]), np.array([0, 1]), none, none)
        >>> ranking_auc(places, np.array([4])).round(3)
        array([0.667])
    """
    relevant = np.diff(places.offsets)
    row, above, tied, count, before = _groups(places)
    worse = count * (above - before + (tied - count) / 2)
    pairs = relevant * (ranked - relevant)
    lost = np.bincount(row, weights=worse, minlength=len(relevant)) / np.maximum(pairs, 1)
    return 1.0 - lost


def top_lists(
    scores: Floats, exclude_rows: NDArray[np.integer], exclude_cols: NDArray[np.integer], k: int
) -> Codes:
    """Return the first ``k`` items of each user int32[m, k], -1 behind the last that has a score.

    Here equal scores rank by code, as they do in a list that is shown.

    Example:
        >>> scores = np.array([[0.5, np.nan, 0.9, 0.5]], np.float32)
        >>> top_lists(scores, np.array([0]), np.array([2]), k=3).tolist()
        [[0, 3, -1]]
    """
    m, n = scores.shape
    out = np.full((m, k), -1, np.int32)
    for start, keys in _blocks(scores, exclude_rows, exclude_cols):
        bits = (np.where(np.isnan(keys), np.inf, keys) + np.float32(0)).view(np.int32)
        order = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int64) << 32 | np.arange(n)
        best = np.sort(np.partition(order, min(k, n) - 1, axis=1)[:, :k], axis=1) & 0xFFFFFFFF
        scored = np.isfinite(np.take_along_axis(keys, best, axis=1))
        out[start : start + len(keys), : best.shape[1]] = np.where(scored, best, -1)
    return out


def _blocks(
    scores: Floats, exclude_rows: NDArray[np.integer], exclude_cols: NDArray[np.integer]
) -> Iterator[tuple[int, Floats]]:
    """Yield (first user, keys float32[b, n]): smaller is better, inf is "cannot say", NaN is excluded."""
    order = np.argsort(exclude_rows, kind="stable")
    rows, columns = np.asarray(exclude_rows)[order], np.asarray(exclude_cols)[order]
    for start in range(0, len(scores), BLOCK):
        keys = -np.asarray(scores[start : start + BLOCK], np.float32)
        if np.isinf(keys).any():
            raise ValueError("scores must be finite, or NaN for what cannot be scored")
        keys[np.isnan(keys)] = np.inf
        low, high = np.searchsorted(rows, [start, start + BLOCK])
        keys[rows[low:high] - start, columns[low:high]] = np.nan
        yield start, keys


def _groups(places: Places) -> tuple[NDArray[np.int64], ...]:
    """Merge right items of equal score: row, above, tied, their number, number of right ones above."""
    rows = places.rows
    order = np.lexsort((places.above, rows))
    row, above, tied = rows[order], places.above[order], places.tied[order]
    first = np.flatnonzero(np.diff(row, prepend=-1) | np.diff(above, prepend=-1))
    count = np.diff(first, append=len(row))
    return row[first], above[first], tied[first], count, first - places.offsets[row[first]]


def _first_hit(
    above: NDArray[np.int64], tied: NDArray[np.int64], count: NDArray[np.int64], k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the chance of a hit in the first k, and the expected 1 / rank of the first hit: float64[m] each.

    Place by place through the best group that has a right item: if none stood above place j, it is right
    with chance count / (tied - j + 1).
    """
    none_yet, reciprocal = np.ones(len(above)), np.zeros(len(above))
    for j in range(1, min(k, int(tied.max(initial=0))) + 1):
        open_ = (j <= tied) & (above + j <= k)
        here = np.where(open_, none_yet * np.minimum(count / np.maximum(tied - j + 1, 1), 1.0), 0.0)
        none_yet -= here
        reciprocal += here / (above + j)
    return 1.0 - none_yet, reciprocal
