"""What the models share that score an item by what it has to do with each item of the history."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acclimate.models.from_likes import FromLikes
from acclimate.types import Codes, Floats, State

Weights = NDArray[np.float32] | csr_array


class ItemToItem(FromLikes):
    """Scores ``x W``: ``x`` is what a user liked, ``W`` says how each item speaks for each other item.

    ``W`` is [w, w] over the ``w`` items that somebody liked. A subclass gives `_weigh`, ``state`` and
    ``restore``.
    """

    name = "item-to-item"

    def __init__(self) -> None:
        super().__init__()
        self._weights: Weights = np.zeros((0, 0), np.float32)

    @property
    def items(self) -> Codes:
        """The items of ``W``, in order: int32[w]."""
        return np.flatnonzero(self._asked()).astype(np.int32)

    @abstractmethod
    def _weigh(self, x: csr_array) -> Weights:
        """Return ``W`` float32[w, w] from ``x`` float32[n, w], in which no row or column is empty."""

    def _nearness(self, places: NDArray[np.int64]) -> Floats:
        """Return how near the items in ``places`` int64[m] of ``W`` are to all of ``W``: float32[m, w]."""
        return _dense(self._weights[places])

    def _learn(self, x: csr_array) -> None:
        x = self._compact(x)
        self._weights = self._weigh(x[np.diff(x.indptr) > 0])

    def _answer(self, x: csr_array) -> Floats:
        return self._spread(_dense(self._compact(x) @ self._weights))

    def _near(self, items: Codes) -> Floats:
        return self._spread(self._nearness(self._places[items]))

    @property
    def _places(self) -> NDArray[np.int64]:
        """The place of each item in ``W``; of no meaning for items that are not known."""
        return np.cumsum(self._asked()) - 1

    def _compact(self, x: csr_array) -> csr_array:
        """Return the columns of known items; the others are empty."""
        shape = (x.shape[0], len(self.items))
        return csr_array((x.data, self._places[x.indices], x.indptr), shape=shape)

    def _spread(self, columns: Floats) -> Floats:
        """Return float32[m, n_items] for ``columns`` float32[m, w]; what lies between is NaN."""
        if columns.shape[1] == self.n_items:
            return columns
        out = np.full((len(columns), self.n_items), np.nan, np.float32)
        out[:, self.items] = columns
        return out

    def _restore(self, state: State, weights: Weights) -> None:
        arrays, document = state
        self._known = np.zeros(int(document["n_items"]), bool)
        self._known[arrays["known"]] = True
        self.data, self._weights = None, weights


def _dense(matrix: Any) -> Floats:
    return np.asarray(matrix.toarray() if isinstance(matrix, csr_array) else matrix, np.float32)
