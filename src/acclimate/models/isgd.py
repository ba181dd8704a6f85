"""Incremental matrix factorisation: one small step for each event, in the order in which they come."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acclimate.data.dataset import Dataset
from acclimate.errors import SEEDS
from acclimate.models.common import check_positive, check_whole, cosines, not_fitted
from acclimate.models.likes import liked_one_by_one
from acclimate.models.warm import WarmItems
from acclimate.rng import generator
from acclimate.types import Events, Floats, State

RIDGE = 1.0
"""Penalty when the factors of who asks are solved for; 0.1 and 10 were worse on validation events."""
TOGETHER = 1024
"""Rows that are drawn together; a row is the same whenever it is first needed."""


class ISGD(WarmItems):
    """Score items by the product of a user's and an item's factors, learned in one pass over the events.

    For each positive event, one stochastic gradient step moves the factors of its user and item towards a
    product of 1 (J. Vinagre, A. Jorge, J. Gama, "Fast incremental matrix factorization for recommendation
    with positive-only feedback", UMAP 2014). Before it, the user's product with the items that were liked
    longest ago by anybody moves towards 0, else all products would become 1 (by the same authors,
    "Collaborative filtering with recency-based negative feedback", SAC 2015). `fit` is `learn` from nothing:
    it ends in the same place however the events are cut.

    The factors of who asks are solved for from the history by ridge regression, so that an event counts
    before it is learned and a stranger is treated as anyone else.

    Args:
        factors: Width of a factor, 1..10,000.
        learning_rate: Length of a step; positive.
        l2: Ridge penalty of a step; 0 or positive.
        negatives: Items that are pushed away for each event, 0..100; 0 is ISGD as first published.
        seed: Decides the start.

    Example:
        >>> from acclimate.types import Histories
        >>> data = Dataset.of([("ann", "heat", 1.0), ("bob", "heat", 2.0), ("bob", "emma", 3.0)])
        >>> model = ISGD(factors=8)
        >>> model.fit(data.before(3.0))  # nobody liked emma
        >>> np.isnan(model.score(Histories.of([[0]])))
        array([[False,  True]])
        >>> model.learn(data.events.part(slice(2, 3)))
        >>> np.isnan(model.score(Histories.of([[0]])))
        array([[False, False]])
    """

    name = "isgd"
    new_item = "An item that nobody liked cannot be scored; the first like that is learned makes it known."

    def __init__(
        self,
        factors: int = 32,
        learning_rate: float = 0.05,
        l2: float = 0.01,
        negatives: int = 3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.factors = check_whole("factors", factors, 1, 10_000)
        self.learning_rate = check_positive("learning_rate", learning_rate)
        self.l2 = check_positive("l2", l2, zero=True)
        self.negatives = check_whole("negatives", negatives, 0, 100)
        self.seed = check_whole("seed", seed, 0, SEEDS)
        self._users, self._table = self._start("user"), self._start("item")
        self._queue: OrderedDict[int, None] | None = None
        """Known items, the one liked or pushed away longest ago first."""

    def fit(self, data: Dataset) -> None:
        """Start anew and learn from the events of ``data``, oldest first."""
        self._users, self._table = self._start("user"), self._start("item")
        self._queue, self.items = OrderedDict(), np.zeros(0, np.int32)
        self.n_items, self.data = data.n_items, data
        self.learn(data.events)

    def learn(self, events: Events) -> None:
        """Take one step for each positive event, in order."""
        queue = self._fitted()
        for user, item, _ in liked_one_by_one(events):
            for _ in range(min(self.negatives, len(queue))):
                other = next(iter(queue))
                queue.move_to_end(other)
                self._step(user, other, 0.0)
            if item not in queue:
                self._know(item)
            queue[item] = None
            queue.move_to_end(item)
            self._step(user, item, 1.0)

    def state(self) -> State:
        """Return the factors of users and items, and in which order the items were last liked."""
        queue = np.fromiter(self._fitted(), np.int32)
        arrays: dict[str, Any] = {"known": self.items, "queue": queue}
        arrays |= {"users": self._users.rows.copy(), "table": self._table.rows.copy()}
        names = ("factors", "learning_rate", "l2", "negatives", "seed")
        params = {name: getattr(self, name) for name in names}
        return arrays, {"params": params, "n_items": self.n_items}

    def restore(self, state: State) -> None:
        """Take factors and order over."""
        arrays, document = state
        for name, value in document["params"].items():
            setattr(self, name, value)
        self.items, self.n_items = np.asarray(arrays["known"], np.int32), int(document["n_items"])
        self._users, self._table = self._start("user"), self._start("item")
        self._users.rows, self._table.rows = np.array(arrays["users"]), np.array(arrays["table"])
        self._queue, self.data = OrderedDict.fromkeys(arrays["queue"].tolist()), None

    def _start(self, side: str) -> _Factors:
        return _Factors(self.factors, self.seed, side)

    def _step(self, user: int, item: int, aim: float) -> None:
        """Move the product of a user's and an item's factors towards ``aim``."""
        p, q = self._users.row(user), self._table.row(item)
        rate = np.float32(self.learning_rate)
        pull, keep = rate * np.float32(aim - p @ q), 1 - rate * np.float32(self.l2)
        p[:], q[:] = keep * p + pull * q, keep * q + pull * p

    def _answer(self, x: csr_array) -> Floats:
        table = self._table.rows[self.items]
        users = np.empty((x.shape[0], self.factors), np.float32)
        for row, (start, end) in enumerate(pairwise(x.indptr.tolist())):
            liked = table[x.indices[start:end]]
            left = liked.T @ liked + np.float32(RIDGE) * np.eye(self.factors, dtype=np.float32)
            users[row] = np.linalg.solve(left, liked.sum(axis=0))
        return users @ table.T

    def _near(self, places: NDArray[np.int64]) -> Floats:
        return cosines(self._table.rows[self.items], places)

    def _fitted(self) -> OrderedDict[int, None]:
        if self._queue is None:
            raise not_fitted(self.name)
        return self._queue


class _Factors:
    """A table that grows; what a row starts with depends on seed, side and code alone."""

    def __init__(self, width: int, seed: int, side: str) -> None:
        self._named: tuple[Any, ...] = (seed, "isgd", side)
        self.rows: Floats = np.zeros((0, width), np.float32)

    def row(self, code: int) -> Floats:
        """Return the factors of ``code``, to read and to write; good until the next new code."""
        if code >= len(self.rows):
            first, blocks = len(self.rows) // TOGETHER, code // TOGETHER + 1
            shape = TOGETHER, self.rows.shape[1]
            drawn = [generator(*self._named, block).normal(0.0, 0.1, shape) for block in range(first, blocks)]
            self.rows = np.concatenate([self.rows, *drawn]).astype(np.float32, copy=False)
        out: Floats = self.rows[code]
        return out
