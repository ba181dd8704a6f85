"""A linear autoencoder with a closed form; small data rarely rewards anything deeper."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import spotrf, spotri
from scipy.sparse import csr_array

from acclimate.errors import InputError
from acclimate.models.common import check_positive
from acclimate.models.item_to_item import ItemToItem, Weights
from acclimate.types import Floats, State

MAX_ITEMS = 45_000
BLOCK = 512


class EASE(ItemToItem):
    """Score items by the regression of each item on all others, which has a closed form.

    ``W = I - P / diag(P)`` with ``P = (X'X + l2 I)^-1`` (H. Steck, "Embarrassingly Shallow Autoencoders for
    Sparse Data", WWW 2019, eq. 8). It takes one array float32[w, w] for ``w`` items that somebody liked,
    inverted in place, and time that grows with w^3. ``similarity`` is the partial correlation of two items
    given all others.

    Args:
        l2: Ridge penalty in units of users; positive. More means smoother and more popular.

    Example:
        >>> from acclimate.data.dataset import Dataset
        >>> from acclimate.types import Histories
        >>> model = EASE(l2=1.0)
        >>> rows = [("ann", "heat", 1.0), ("ann", "alien", 2.0), ("bob", "heat", 3.0), ("bob", "alien", 4.0)]
        >>> model.fit(Dataset.of([*rows, ("eve", "emma", 5.0)]))
        >>> print(model.score(Histories.of([[0], []])).round(3))
        [[0.    0.667 0.   ]
         [  nan   nan   nan]]
    """

    name = "ease"

    def __init__(self, l2: float = 200.0) -> None:
        super().__init__()
        self.l2 = check_positive("l2", l2)
        self._diagonal: Floats = np.zeros(0, np.float32)

    def state(self) -> State:
        """Return the matrix and the diagonal of ``P``."""
        arrays = {"known": self.items, "weights": np.asarray(self._fitted()), "diagonal": self._diagonal}
        return arrays, {"params": {"l2": self.l2}, "n_items": self.n_items}

    def restore(self, state: State) -> None:
        """Take the matrix over."""
        arrays, document = state
        self._restore(state, np.asarray(arrays["weights"], np.float32))
        self.l2, self._diagonal = float(document["params"]["l2"]), np.asarray(arrays["diagonal"], np.float32)

    def _weigh(self, x: csr_array) -> Weights:
        width = x.shape[1]
        if width > MAX_ITEMS:
            raise InputError(
                f"ease holds a matrix of {width} x {width} items ({4e-9 * width**2:.0f} GB), "
                f"it takes up to {MAX_ITEMS} items: use item-knn",
                code="too_many_items",
                field="model",
            )
        matrix = _gram(x)
        matrix[np.diag_indices(width)] += np.float32(self.l2)
        self._invert(matrix)
        self._diagonal = matrix.diagonal().copy()
        matrix /= -self._diagonal
        np.fill_diagonal(matrix, 0.0)
        return matrix

    def _invert(self, matrix: Floats) -> None:
        """Invert a positive definite float32[w, w] in place."""
        if not len(matrix):
            return
        factor, failed = spotrf(matrix.T, lower=1, overwrite_a=1)
        if not failed:
            _, failed = spotri(factor, lower=1, overwrite_c=1)
        if failed:
            raise InputError(
                f"ease cannot invert its matrix with l2 = {self.l2}: give a larger l2", field="l2"
            )
        _mirror(matrix)

    def _near(self, places: NDArray[np.int64]) -> Floats:
        scale = np.sqrt(self._diagonal)
        near = np.asarray(self._fitted())[places] * (scale / scale[places, None])
        return near.astype(np.float32, copy=False)


def _gram(x: csr_array) -> Floats:
    """Return ``X'X`` dense, float32[w, w], a block of rows at a time."""
    across = x.T.tocsr()
    out = np.empty((x.shape[1], x.shape[1]), np.float32)
    for start in range(0, len(out), BLOCK):
        out[start : start + BLOCK] = (across[start : start + BLOCK] @ x).toarray()
    return out


def _mirror(matrix: Floats) -> None:
    """Copy the upper triangle onto the lower one, a block at a time."""
    for start in range(0, len(matrix), BLOCK):
        stop = min(start + BLOCK, len(matrix))
        corner = matrix[start:stop, start:stop]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
        matrix[stop:, start:stop] = matrix[start:stop, stop:].T
