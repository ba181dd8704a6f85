"""What the ranker reads of a user, an item and the moment; nothing of it looks ahead of the question.

Counts and ages of items are those at the time of the question. They are counted in events of the whole
shop, not in days: "the newest twentieth of all events" means the same where times are years, seconds or
only an order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acclimate.data.dataset import Dataset
from acclimate.data.features import DATE_PARTS, date_parts, hashed
from acclimate.models.common import likes_of, unit_rows
from acclimate.models.item_vectors import TextSpace
from acclimate.types import Codes, Encoder, Floats, Histories, Item, Times

LATELY = 20
"""The newest one in so many events counts as lately."""
HALF_LIFE = 20.0
"""Likes of the user after which an older one counts half in the user's taste."""
TEXT_WIDTH, HASHED = 16, 32
CONTENT_WIDTH = TEXT_WIDTH + HASHED
USER = ("likes", "hours since the last", "hours since the first", "popularity of the likes", "mean rating")
ITEM = ("likes so far", "likes lately", "trend", "age")
PAIR = ("text like the user's", "categories like the user's")
N_FEATURES = len(USER) + len(DATE_PARTS) + len(ITEM) + len(PAIR)


class ItemTimes:
    """How often each item had been liked at a given time, exactly.

    Args:
        times: Seconds of all n likes, float64[n], rising.
        items: Their item codes, int32[n].

    Example:
        >>> seen = ItemTimes(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 0], np.int32))
        >>> so_far, lately, age = seen.at(np.array([[0, 1]]), np.array([3.0]))
        >>> so_far.tolist(), age.tolist()
        ([[1, 1]], [[2, 1]])
    """

    def __init__(self, times: Times, items: Codes) -> None:
        self.times, self.items = times, items
        order = np.argsort(items, kind="stable")
        self._step = len(times) + 1
        self._keys = items[order].astype(np.int64) * self._step + order

    def at(self, items: NDArray[np.integer], now: Times) -> tuple[NDArray[np.int64], ...]:
        """Return likes before ``now``, those lately, and events since the first: int64[n, c] each.

        Args:
            items: Codes int[n, c].
            now: Seconds float64[n]; what happened then or later is not seen.
        """
        seen = np.searchsorted(self.times, now)[:, None]
        begin = items.astype(np.int64) * self._step
        start = np.searchsorted(self._keys, begin)
        until = np.searchsorted(self._keys, begin + seen)
        since = np.searchsorted(self._keys, begin + np.maximum(seen - len(self.times) // LATELY - 1, 0))
        if not len(self.times):
            return until - start, until - since, np.zeros_like(start)
        first = self._keys[np.minimum(start, len(self._keys) - 1)] - begin
        return until - start, until - since, np.where(until > start, seen - first, 0)


class Content:
    """A row for each item: its text in few directions, and its categories, hashed. Zero where unknown.

    Args:
        encoder: Reads the texts; None for categories alone.
    """

    def __init__(self, encoder: Encoder | None) -> None:
        self.encoder = encoder
        self.space: TextSpace | None = None
        self.rows: Floats = np.zeros((0, CONTENT_WIDTH), np.float32)

    def fit(self, data: Dataset, warm: Codes) -> None:
        """Learn the directions of the texts from the items ``warm``, and place the whole catalogue."""
        vectors = None
        if self.encoder:
            likes = likes_of(data.histories(), warm, data.n_items)
            self.encoder.fit([data.texts[item] for item in warm], likes)
            vectors = self.encoder.encode(data.texts)
            self.space = TextSpace.fit(vectors[warm], TEXT_WIDTH)
        self.rows = self._place(vectors, data.catalogue)

    def put(self, codes: Codes, items: Sequence[Item], n_items: int) -> None:
        """Place new and changed items."""
        self.rows = np.pad(self.rows, ((0, n_items - len(self.rows)), (0, 0)))
        vectors = (
            self.encoder.encode([item.reading for item in items]) if self.encoder and self.space else None
        )
        self.rows[codes] = self._place(vectors, items)

    def tastes(self, histories: Histories) -> Floats:
        """Return the mean row of what each user liked, newer likes heavier: float32[n, CONTENT_WIDTH]."""
        from_end = np.repeat(histories.offsets[1:], histories.lengths) - np.arange(len(histories.items)) - 1
        weights = (histories.weights * 0.5 ** (from_end / HALF_LIFE)).astype(np.float32)
        x = csr_array((weights, histories.items, histories.offsets), shape=(len(histories), len(self.rows)))
        size = np.bincount(histories.rows, weights, len(histories))[:, None]
        out: Floats = (x @ self.rows / np.maximum(size, 1e-9)).astype(np.float32)
        return out

    def _place(self, vectors: Floats | None, items: Sequence[Item]) -> Floats:
        out = np.zeros((len(items), CONTENT_WIDTH), np.float32)
        if vectors is not None and self.space:
            out[:, :TEXT_WIDTH] = unit_rows(self.space.place(vectors))
        if items:
            out[:, TEXT_WIDTH:] = unit_rows(hashed([item.categories for item in items], HASHED))
        return out


def features(histories: Histories, items: Codes, seen: ItemTimes, content: Content, tastes: Floats) -> Floats:
    """Return what is known of each user with each of the items, float32[n, c, N_FEATURES].

    Args:
        histories: What n users liked before the question, asked at ``histories.now``.
        items: Codes int32[n, c]; any code where there is none.
        seen: When items were liked.
        content: Rows of the items.
        tastes: `Content.tastes` of ``histories``.

    Returns:
        The columns ``USER + DATE_PARTS + ITEM + PAIR``, not scaled.
    """
    so_far, lately, age = seen.at(items, histories.now)
    size = max(len(seen.times), 1)
    item = [
        np.log1p(so_far),
        np.log1p(lately),
        np.log1p(lately * LATELY) - np.log1p(so_far),
        np.log1p(age) - np.log(size),
    ]
    rows = content.rows[items]
    pair = [
        np.einsum("ncd,nd->nc", rows[..., part], unit_rows(tastes[:, part]))
        for part in (slice(0, TEXT_WIDTH), slice(TEXT_WIDTH, None))
    ]
    of_user = np.concatenate([_user(histories, seen), date_parts(histories.now)], axis=1)
    out = np.concatenate(
        [np.repeat(of_user[:, None], items.shape[1], axis=1), np.stack([*item, *pair], axis=2)], axis=2
    )
    return out.astype(np.float32)


def _user(histories: Histories, seen: ItemTimes) -> NDArray[np.float64]:
    lengths, rows = histories.lengths, histories.rows
    has = lengths > 0
    ends = np.zeros((len(histories), 2))
    ends[has, 0] = histories.now[has] - histories.times[histories.offsets[1:][has] - 1]
    ends[has, 1] = histories.now[has] - histories.times[histories.offsets[:-1][has]]
    counts = seen.at(histories.items[:, None], histories.now[rows])[0][:, 0]
    popular = np.bincount(rows, np.log1p(counts), len(histories)) / np.maximum(lengths, 1)
    return np.column_stack(
        [np.log1p(lengths), np.log1p(np.maximum(ends, 0) / 3600), popular, _mean_value(histories)]
    )


def _mean_value(histories: Histories) -> NDArray[np.float64]:
    """Return the mean rating of each user, 0 where there is none."""
    if histories.values is None:
        return np.zeros(len(histories))
    told = ~np.isnan(histories.values)
    rows = histories.rows[told]
    total = np.bincount(rows, histories.values[told], len(histories))
    mean: NDArray[np.float64] = total / np.maximum(np.bincount(rows, minlength=len(histories)), 1)
    return mean
