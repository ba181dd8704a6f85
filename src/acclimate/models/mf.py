"""Matrix factorisation with biases: foresees the rating itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.errors import SEEDS, InputError
from acclimate.models.common import check_positive, check_whole, cosines, grown, not_fitted
from acclimate.rng import generator
from acclimate.types import Codes, Encoder, Floats, Histories, Item, State
from acclimate.words import counted

PRIOR = 100.0
"""A row of n ratings is pulled to 0 as strongly as if it had this many more."""
BIAS = 5.0
"""A user's or an item's bias is pulled to 0 as by so many ratings of the mean."""
Wide = NDArray[np.float64]


class MatrixFactorisation:
    """Foresees a rating as ``mean + user bias + item bias + p . q``, and ranks by that.

    Both sides are solved for in turn, in closed form (Y. Koren, R. Bell, C. Volinsky, "Matrix factorization
    techniques for recommender systems", IEEE Computer 2009; the penalty grows with a row's number of ratings
    as in Y. Zhou et al., "Large-scale parallel collaborative filtering for the Netflix prize", AAIM 2008). Of
    several ratings of one user for one item the newest counts. The scale is the range of the ratings in the
    data. Bias and factors of who asks are always solved for from the ratings in the history, so a new rating
    counts at once; events without a value say nothing. A good forecast of ratings makes no good list: use
    another model where lists are what counts.

    Args:
        factors: Width of ``p`` and ``q``, 1..10,000.
        l2: Ridge penalty for each rating; positive.
        iterations: How often both sides are solved for, 1..10,000.
        seed: Decides the start.

    Example:
        >>> rows = [("ann", "heat", 1.0), ("ann", "emma", 2.0), ("bob", "heat", 3.0), ("bob", "emma", 4.0)]
        >>> model = MatrixFactorisation(factors=1)
        >>> model.fit(Dataset.of(rows, value=np.array([5.0, 1.0, 4.0, 2.0])))
        >>> asked = Histories.of([[], [0]], values=[[], [4.0]])
        >>> model.predict_rating(asked).round(1)
        array([[3.4, 2.6],
               [3.5, 2.7]], dtype=float32)
    """

    name = "mf"
    new_user = "A user without ratings gets the items that are rated best."
    new_item = "An item that nobody had rated when the model was fitted cannot be scored until the next fit."

    def __init__(self, factors: int = 20, l2: float = 0.06, iterations: int = 15, seed: int = 0) -> None:
        self.factors = check_whole("factors", factors, 1, 10_000)
        self.l2 = check_positive("l2", l2)
        self.iterations = check_whole("iterations", iterations, 1, 10_000)
        self.seed = check_whole("seed", seed, 0, SEEDS)
        self.encoder: Encoder | None = None
        self.data: Dataset | None = None
        self.scale = (0.0, 0.0)
        """Lowest and highest rating of the data."""
        self._mean = 0.0
        self._table: Floats | None = None

    @property
    def n_items(self) -> int:
        """Size of the catalogue; 0 before ``fit``."""
        return 0 if self._table is None else len(self._table)

    def fit(self, data: Dataset) -> None:
        """Learn from the ratings of ``data``.

        Raises:
            InputError: No event has a value.
        """
        rated = _rated(data.histories())
        if rated is None or not len(rated.items):
            raise InputError(
                f"mf foresees ratings, but none of {counted(len(data), 'event')} has a value: import a "
                "column 'rating' or 'value', or use als, which needs none",
                code="no_ratings",
                field="data",
            )
        values = np.asarray(rated.values, np.float64)
        self.scale = float(values.min()), float(values.max())
        self._mean = float(values.mean())
        self._table = self._factorise(rated, values - self._mean, data.n_items)
        self.data = data

    def predict_rating(self, histories: Histories, items: Codes | None = None) -> Floats:
        """Return the rating that each user would give, float32[n, m], in the units and range of the data.

        Args:
            histories: n users, with ``values``.
            items: Item codes int32[m]; all if None. NaN for an item that nobody rated.
        """
        foreseen = self.score(histories)
        return np.clip(foreseen if items is None else foreseen[:, items], *self.scale)

    def score(self, histories: Histories) -> Floats:
        """Return the rating foreseen, float32[len(histories), n_items], beyond the ends of the scale too.

        NaN for items that nobody rated.
        """
        table = self._fitted()
        users = np.zeros((len(histories), self.factors + 1), np.float32)
        rated = _rated(histories)
        if rated is not None and len(rated.items):
            keep = ~np.isnan(np.append(table[:, -1], np.nan)[np.minimum(rated.items, len(table))])
            rated = rated.where(keep)
            values = np.asarray(rated.values, np.float64) - self._mean
            for row, (start, end) in enumerate(pairwise(rated.offsets.tolist())):
                if end > start:
                    own = table[rated.items[start:end]].astype(np.float64)
                    users[row] = self._solve(own, values[start:end])
        biases: Floats = np.float32(self._mean) + users[:, -1:] + table[:, -1]
        return users[:, :-1] @ table[:, :-1].T + biases

    def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
        """Return the cosines of the factors, float32[m, w]; NaN for an item that nobody rated."""
        table = self._fitted()
        near = cosines(table[:, :-1], items.astype(np.int64))
        near[np.isnan(table[items, -1])] = np.nan
        return near if others is None else near[:, others]

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Make room for new items; they are NaN."""
        table = self._fitted()
        more = grown(len(table), codes) - len(table)
        self._table = np.pad(table, ((0, more), (0, 0)), constant_values=np.nan)

    def state(self) -> State:
        """Return the factors and biases of the items, mean and scale, and nothing about users."""
        names = ("factors", "l2", "iterations", "seed")
        params = {name: getattr(self, name) for name in names}
        return {"table": self._fitted()}, {"params": params, "mean": self._mean, "scale": list(self.scale)}

    def restore(self, state: State) -> None:
        """Take factors, biases, mean and scale over."""
        arrays, document = state
        for name, value in document["params"].items():
            setattr(self, name, value)
        low, high = document["scale"]
        self._table, self._mean, self.scale = arrays["table"], float(document["mean"]), (low, high)
        self.data = None

    def _factorise(self, rated: Histories, apart: Wide, n_items: int) -> Floats:
        """Return factors and, last, bias of each item float32[n_items, f + 1], NaN where nobody rated it.

        ``apart`` float64[total] is how far each rating is from the mean.
        """
        by_item = np.argsort(rated.items, kind="stable")
        item_ends = np.concatenate([[0], np.cumsum(np.bincount(rated.items, minlength=n_items))])
        user, item = rated.rows, rated.items
        users = np.zeros((len(rated), self.factors + 1))
        table = generator(self.seed, self.name).normal(0.0, 0.1, (n_items, self.factors + 1))
        table[:, -1] = 0.0
        for _ in range(self.iterations):
            for row, (start, end) in enumerate(pairwise(rated.offsets.tolist())):
                if end > start:
                    users[row] = self._solve(table[item[start:end]], apart[start:end])
            for row, (start, end) in enumerate(pairwise(item_ends.tolist())):
                if end > start:
                    own = by_item[start:end]
                    table[row] = self._solve(users[user[own]], apart[own])
        table[np.diff(item_ends) == 0] = np.nan
        return table.astype(np.float32)

    def _solve(self, others: Wide, apart: Wide) -> Wide:
        """Return factors and bias float64[f + 1] of a row, given those ``others`` float64[m, f + 1]."""
        z = others.copy()
        z[:, -1] = 1.0
        left: Wide = z.T @ z
        left[np.diag_indices(self.factors)] += self.l2 * (len(z) + PRIOR)
        left[-1, -1] += BIAS
        return np.asarray(np.linalg.solve(left, z.T @ (apart - others[:, -1])), np.float64)

    def _fitted(self) -> Floats:
        if self._table is None:
            raise not_fitted(self.name)
        return self._table


def _rated(histories: Histories) -> Histories | None:
    """Return the newest rating of each user for each item; None if no values are known."""
    if histories.values is None:
        return None
    rated = histories.where(np.isfinite(histories.values))
    pair = rated.rows * (int(rated.items.max(initial=0)) + 1) + rated.items
    newest = np.zeros(len(pair), bool)
    newest[len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]] = True
    return rated.where(newest)
