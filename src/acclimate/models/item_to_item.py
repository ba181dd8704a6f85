"""What the models share that score an item by what it has to do with each item of the history."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acclimate.data.dataset import Dataset
from acclimate.models.common import not_fitted
from acclimate.models.warm import WarmItems
from acclimate.types import Floats, State

Weights = NDArray[np.float32] | csr_array


class ItemToItem(WarmItems):
    """Scores ``x W``: ``x`` is what a user liked, ``W`` says how each item speaks for each other item.

    ``W`` is [w, w] over the ``w`` items that somebody liked. A subclass gives `_weigh`, ``state`` and
    ``restore``.
    """

    name = "item-to-item"

    def __init__(self) -> None:
        super().__init__()
        self._weights: Weights | None = None

    def fit(self, data: Dataset) -> None:
        """Learn ``W`` from the positive events of all users."""
        self._weights = self._weigh(self._take(data))

    @abstractmethod
    def _weigh(self, x: csr_array) -> Weights:
        """Return ``W`` float32[w, w] from ``x`` float32[n, w], in which no row or column is empty."""

    def _answer(self, x: csr_array) -> Floats:
        return _dense(x @ self._fitted())

    def _near(self, places: NDArray[np.int64]) -> Floats:
        return _dense(self._fitted()[places])

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
