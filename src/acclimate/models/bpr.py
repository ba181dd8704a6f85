"""Matrix factorisation that learns to rank pairs: Bayesian personalised ranking."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acclimate.data.dataset import Dataset
from acclimate.errors import SEEDS
from acclimate.models.common import check_positive, check_whole, cosines, not_fitted
from acclimate.models.warm import WarmItems
from acclimate.rng import generator
from acclimate.types import Floats, State

Triples = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
BATCH = 4096
RIDGE = 100.0
"""Penalty of the map from liked items to a user; 1, 10 and 1,000 were no better on validation events."""


class BPR(WarmItems):
    """Score items by the product of a user's and an item's factors, which put what was liked first.

    Of a liked item and one drawn from the others, the liked one shall score higher (S. Rendle et al., "BPR:
    Bayesian personalized ranking from implicit feedback", UAI 2009). Stochastic gradients in mini-batches,
    with a step for each row that shrinks as the row has moved (row-wise AdaGrad); one seed, one result.

    Nothing is kept about single users. Who asks gets ``A s``: ``s`` is the sum of the factors of what was
    liked, divided by the root of its number, and ``A`` the linear map from ``s`` to the factors that the
    fit found, learned over its users by ridge regression. So a new event counts at once.

    Args:
        factors: Width of a factor, 1..10,000.
        l2: Ridge penalty for each pair; 0 or positive.
        learning_rate: First step; positive.
        epochs: Passes over the likes, 1..10,000.
        seed: Decides start, order and what is drawn.

    Example:
        >>> from acclimate.types import Histories
        >>> model = BPR(factors=4)
        >>> model.fit(Dataset.of([(f"u{n % 8}", f"i{n % 2 + 2 * (n // 8)}", float(n)) for n in range(32)]))
        >>> model.score(Histories.of([[0]]))[0].argsort()[-3:] % 2  # even items go together, and odd ones
        array([0, 0, 0])
    """

    name = "bpr"

    def __init__(
        self,
        factors: int = 64,
        l2: float = 0.001,
        learning_rate: float = 0.2,
        epochs: int = 30,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.factors = check_whole("factors", factors, 1, 10_000)
        self.l2 = check_positive("l2", l2, zero=True)
        self.learning_rate = check_positive("learning_rate", learning_rate)
        self.epochs = check_whole("epochs", epochs, 1, 10_000)
        self.seed = check_whole("seed", seed, 0, SEEDS)
        self._table: Floats | None = None
        self._bias: Floats = np.zeros(0, np.float32)
        self._map: Floats = np.zeros((0, 0), np.float32)

    def fit(self, data: Dataset) -> None:
        """Learn the factors, then the map from what was liked to them."""
        x = self._take(data)
        rng = generator(self.seed, "bpr")
        users, table = _Rows(x.shape[0], self.factors, rng), _Rows(x.shape[1], self.factors + 1, rng)
        table.values[:, -1] = 0.0  # the last column is the item's bias
        pairs = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr)) * x.shape[1] + x.indices
        for _ in range(self.epochs):
            for user, item, other in _triples(np.sort(pairs), x.shape[1], rng):
                self._step(users, table, user, item, other)
        self._table, self._bias = table.values[:, :-1].copy(), table.values[:, -1].copy()
        s = self._summed(x)
        square = s.T @ s + np.float32(RIDGE) * np.eye(self.factors, dtype=np.float32)
        self._map = np.linalg.solve(square, s.T @ users.values).astype(np.float32)

    def state(self) -> State:
        """Return the factors and biases of the items, and the map."""
        arrays = {"known": self.items, "table": self._fitted(), "bias": self._bias, "map": self._map}
        names = ("factors", "l2", "learning_rate", "epochs", "seed")
        params = {name: getattr(self, name) for name in names}
        return arrays, {"params": params, "n_items": self.n_items}

    def restore(self, state: State) -> None:
        """Take factors, biases and map over."""
        arrays, document = state
        self.items, self.n_items = np.asarray(arrays["known"], np.int32), int(document["n_items"])
        for name, value in document["params"].items():
            setattr(self, name, value)
        self._table, self._bias, self._map = arrays["table"], arrays["bias"], arrays["map"]
        self.data = None

    def _step(
        self,
        users: _Rows,
        table: _Rows,
        user: NDArray[np.int64],
        item: NDArray[np.int64],
        other: NDArray[np.int64],
    ) -> None:
        """Move along the gradient of ``log sigmoid(score(item) - score(other))``, summed over a batch."""
        p = np.pad(users.values[user], ((0, 0), (0, 1)), constant_values=1.0)  # 1 stands for the bias
        apart = table.values[item] - table.values[other]
        pull = 0.5 - 0.5 * np.tanh(0.5 * np.einsum("nf,nf->n", p, apart))  # sigmoid(-margin)
        users.move(user, pull, apart[:, :-1], self.learning_rate, self.l2)
        both, sign = np.concatenate([item, other]), np.concatenate([pull, -pull])
        table.move(both, sign, np.concatenate([p, p]), self.learning_rate, self.l2)

    def _summed(self, x: csr_array) -> Floats:
        """Return ``s`` float32[n, f] for rows of likes float32[n, w], none of them empty."""
        ones = csr_array((np.ones_like(x.data), x.indices, x.indptr), shape=x.shape)
        root = np.sqrt(np.diff(x.indptr)).astype(np.float32)[:, None]
        return np.asarray(ones @ self._fitted(), np.float32) / root

    def _answer(self, x: csr_array) -> Floats:
        return np.asarray(self._summed(x) @ self._map @ self._fitted().T + self._bias, np.float32)

    def _near(self, places: NDArray[np.int64]) -> Floats:
        return cosines(self._fitted(), places)

    def _fitted(self) -> Floats:
        if self._table is None:
            raise not_fitted(self.name)
        return self._table


class _Rows:
    """A table of factors under row-wise AdaGrad."""

    def __init__(self, n: int, width: int, rng: np.random.Generator) -> None:
        self.values: Floats = rng.normal(0.0, 0.1, (n, width)).astype(np.float32)
        self._moved = np.full((n, 1), 1e-8, np.float32)

    def move(self, rows: NDArray[np.int64], by: Floats, towards: Floats, rate: float, l2: float) -> None:
        """Add ``rate * (by * towards - l2 * row)`` [m, f], summed for each of ``rows`` int64[m]."""
        n, m = len(self.values), len(rows)
        gather = csr_array((by, rows, np.arange(m + 1)), shape=(m, n)).T
        counts = np.bincount(rows, minlength=n).astype(np.float32)[:, None]
        step = gather @ towards - np.float32(l2) * counts * self.values
        self._moved += (step**2).mean(axis=1, keepdims=True)
        self.values += np.float32(rate) * step / np.sqrt(self._moved)


def _triples(pairs: NDArray[np.int64], width: int, rng: np.random.Generator) -> Iterator[Triples]:
    """Yield user, liked item and another, int64[m] each, for each of ``pairs`` (user * width + item, rising).

    The other is drawn evenly, again up to four times where it is one that the user liked.
    """
    order = rng.permutation(pairs)
    user, item = np.divmod(order, max(width, 1))
    other = rng.integers(0, max(width, 1), len(order))
    for _ in range(4):
        drawn = user * width + other
        again = pairs[np.minimum(np.searchsorted(pairs, drawn), len(pairs) - 1)] == drawn
        other[again] = rng.integers(0, width, int(again.sum()))
    for start in range(0, len(order), BATCH):
        part = slice(start, start + BATCH)
        yield user[part], item[part], other[part]
