"""User neighbours: what those liked who liked the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acclimate.data.dataset import Dataset
from acclimate.models.common import check_positive, check_whole, not_fitted
from acclimate.models.warm import WarmItems
from acclimate.types import Floats, State

BLOCK = 256
"""Users that are asked for together."""


class UserKNN(WarmItems):
    """Score items by how much the users liked them whose likes are nearest to those of the history.

    Two users are as near as the cosine of their likes, ``x_u . x_v / (|x_u| |x_v| + shrink)``; a score is the
    sum of the likes of the nearest, each by its nearness (J. Herlocker et al., "An algorithmic framework for
    performing collaborative filtering", SIGIR 1999, section 5). Who asks is known by the history alone, so a
    new event counts at once. Two items are as near as the cosine of their likes.

    Args:
        neighbours: How many of the nearest users speak, 1..100,000.
        shrink: Pulls users with few likes towards 0; not negative.

    Example:
        >>> from acclimate.types import Histories
        >>> rows = [("ann", "heat", 1.0), ("ann", "alien", 2.0), ("bob", "heat", 3.0), ("eve", "emma", 4.0)]
        >>> model = UserKNN(neighbours=2, shrink=0.0)
        >>> model.fit(Dataset.of(rows))
        >>> print(model.score(Histories.of([[0], []])).round(3))  # bob is as near as can be, ann comes next
        [[1.707 0.707 0.   ]
         [  nan   nan   nan]]
    """

    name = "user-knn"

    def __init__(self, neighbours: int = 50, shrink: float = 20.0) -> None:
        super().__init__()
        self.neighbours = check_whole("neighbours", neighbours, 1, 100_000)
        self.shrink = check_positive("shrink", shrink, zero=True)
        self._likes: csr_array | None = None

    def fit(self, data: Dataset) -> None:
        """Keep what each user liked, without who it was."""
        self._likes = self._take(data)

    def state(self) -> State:
        """Return the likes as a sparse matrix, and nothing about who a row is."""
        likes = self._fitted()
        arrays = {"known": self.items, "likes": likes.data, "columns": likes.indices, "ends": likes.indptr}
        params = {"neighbours": self.neighbours, "shrink": self.shrink}
        return arrays, {"params": params, "n_items": self.n_items}

    def restore(self, state: State) -> None:
        """Take the likes over."""
        arrays, document = state
        self.items, self.n_items = np.asarray(arrays["known"], np.int32), int(document["n_items"])
        shape = (len(arrays["ends"]) - 1, len(self.items))
        self._likes = csr_array((arrays["likes"], arrays["columns"], arrays["ends"]), shape=shape)
        self.neighbours, self.shrink = document["params"]["neighbours"], document["params"]["shrink"]
        self.data = None

    def _answer(self, x: csr_array) -> Floats:
        likes = self._fitted()
        out = np.empty(x.shape, np.float32)
        norms = _lengths(likes)
        for start in range(0, x.shape[0], BLOCK):
            part = x[start : start + BLOCK]
            near = (part @ likes.T).toarray()
            near /= _lengths(part)[:, None] * norms + np.float32(self.shrink)
            out[start : start + BLOCK] = (self._nearest(near) @ likes).toarray()
        return out

    def _nearest(self, near: Floats) -> csr_array:
        """Return the largest values of each row of ``near`` float32[m, n_users]; of equal ones, any."""
        m, n = near.shape
        k = min(self.neighbours, n)
        best = np.argpartition(near, n - k, axis=1)[:, n - k :]
        ends = np.arange(0, m * k + 1, k)
        return csr_array((np.take_along_axis(near, best, axis=1).ravel(), best.ravel(), ends), shape=(m, n))

    def _near(self, places: NDArray[np.int64]) -> Floats:
        across = self._fitted().T.tocsr()
        norms = _lengths(across)
        near: Floats = (across[places] @ across.T).toarray() / (norms[places, None] * norms)
        return near

    def _fitted(self) -> csr_array:
        if self._likes is None:
            raise not_fitted(self.name)
        return self._likes


def _lengths(rows: csr_array) -> Floats:
    """Return the Euclidean length of each row, float32[n]."""
    return np.sqrt(rows.power(2).sum(axis=1)).astype(np.float32)
