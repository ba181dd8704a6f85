"""What the models share that score an item by what it has to do with each item of the history."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acclimate.data.dataset import Dataset
from acclimate.models.common import grown, not_fitted
from acclimate.types import Codes, Encoder, Floats, Histories, Item, State

Weights = NDArray[np.float32] | csr_array


class ItemToItem(ABC):
    """Scores ``x W``: ``x`` is what a user liked, ``W`` says how each item speaks for each other item.

    ``W`` is [w, w] over the ``w`` items that somebody liked in ``fit``; the others cannot be scored. ``x``
    holds the strongest positive weight of the user's events with each item, so an event that comes twice
    counts once. A subclass gives `_learn`, ``state`` and ``restore``.
    """

    name = "item-to-item"
    new_user = "A user without history that the model knows cannot be scored; one liked item is enough."
    new_item = "An item that nobody had liked when the model was fitted cannot be scored until the next fit."

    def __init__(self) -> None:
        self.encoder: Encoder | None = None
        self.data: Dataset | None = None
        self.n_items = 0
        self.items: Codes = np.zeros(0, np.int32)
        self._weights: Weights | None = None

    def fit(self, data: Dataset) -> None:
        """Learn ``W`` from the positive events of all users."""
        self.items = np.unique(data.item[data.weight > 0])
        self.n_items, self.data = data.n_items, data
        x = self._matrix(data.histories())
        self._weights = self._learn(x[np.diff(x.indptr) > 0])

    def score(self, histories: Histories) -> Floats:
        """Return float32[len(histories), n_items].

        NaN stands in the columns of items that nobody liked in ``fit``, and in the whole row of a user who
        liked none of the others.
        """
        weights = self._fitted()
        out = np.full((len(histories), self.n_items), np.nan, np.float32)
        x = self._matrix(histories)
        rows = np.flatnonzero(np.diff(x.indptr))
        out[rows[:, None], self.items] = _dense(x[rows] @ weights)
        return out

    def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
        """Return float32[m, w], 1 for the item itself, NaN where one of the two is not known."""
        weights = self._fitted()
        out = np.full((len(items), self.n_items), np.nan, np.float32)
        place = self._places(items)
        known = np.flatnonzero(place >= 0)
        out[known[:, None], self.items] = self._near(weights, place[known])
        out[known, items[known]] = 1.0
        return out if others is None else out[:, others]

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Make room for new items; they are NaN."""
        self._fitted()
        self.n_items = grown(self.n_items, codes)

    @abstractmethod
    def _learn(self, x: csr_array) -> Weights:
        """Return ``W`` float32[w, w] from ``x`` float32[n, w], in which no row or column is empty."""

    def _near(self, weights: Weights, places: NDArray[np.int64]) -> Floats:
        """Return how near the items in ``places`` int64[m] of ``W`` are to all of ``W``: float32[m, w]."""
        return _dense(weights[places])

    def _matrix(self, histories: Histories) -> csr_array:
        """Return ``x`` float32[len(histories), w]."""
        liked = histories.liked()
        place = self._places(liked.items)
        keep = place >= 0
        width = max(len(self.items), 1)
        key, which = np.unique(liked.rows[keep] * width + place[keep], return_inverse=True)
        best = np.zeros(len(key), np.float32)
        np.maximum.at(best, which, liked.weights[keep])
        counts = np.bincount(key // width, minlength=len(histories))
        ends = np.concatenate([[0], np.cumsum(counts)])
        return csr_array((best, key % width, ends), shape=(len(histories), len(self.items)))

    def _places(self, codes: Codes) -> NDArray[np.int64]:
        """Return the row of each item in ``W``, -1 if it has none: int64[m]."""
        place = np.searchsorted(self.items, codes)
        return np.where(np.append(self.items, -1)[place] == codes, place, -1)

    def _restore(self, state: State, weights: Weights) -> None:
        arrays, document = state
        self.items, self.n_items = np.asarray(arrays["known"], np.int32), int(document["n_items"])
        self.data, self._weights = None, weights

    def _fitted(self) -> Weights:
        if self._weights is None:
            raise not_fitted(self.name)
        return self._weights


def _dense(matrix: Any) -> Floats:
    return np.asarray(matrix.toarray() if isinstance(matrix, csr_array) else matrix, np.float32)
