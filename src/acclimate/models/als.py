"""Matrix factorisation for implicit feedback by alternating least squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acclimate.data.dataset import Dataset
from acclimate.errors import SEEDS
from acclimate.models.common import check_positive, check_whole, cosines, not_fitted
from acclimate.models.likes import Likes, liked_one_by_one
from acclimate.models.warm import WarmItems
from acclimate.types import Events, Floats, Histories, State

CROWD = 1_000
"""Of more users who liked an item, the newest stand for all when a single event is learned."""
Wide = NDArray[np.float64]


class ALS(WarmItems):
    """Score items by the product of a user's and an item's factors, which explain who liked what.

    Every pair of user and item is foreseen as 1 if it was liked and 0 if not; a like of weight ``w`` counts
    ``1 + alpha w`` times as much as a pair that is not there (Y. Hu, Y. Koren, C. Volinsky, "Collaborative
    filtering for implicit feedback datasets", ICDM 2008; fitted by the library ``implicit``). The factors of
    who asks are always solved for from the history, in closed form, so a new event counts at once.

    `learn` solves for the two sides that an event touches, the user's factors and then the item's, as He et
    al. do element by element ("Fast matrix factorization for online recommendation with implicit feedback",
    SIGIR 2016, section 4.4). The others stay, so it ends near a new fit, not at it.

    Args:
        factors: Width of a factor, 1..10,000.
        l2: Ridge penalty; positive.
        alpha: How much more a like of weight 1 counts than what is not there; positive.
        iterations: How often both sides are solved for, 1..10,000.
        seed: Decides the start.

    Example:
        >>> model = ALS(factors=2, l2=0.1)
        >>> rows = [(f"u{n % 4}", f"i{n % 4 % 2 + 2 * (n // 4)}", float(n)) for n in range(12)]
        >>> model.fit(Dataset.of(rows))
        >>> model.score(Histories.of([[0]]))[0] > 0.3  # even items go together, and odd ones
        array([ True, False,  True, False,  True, False])
    """

    name = "als"
    new_item = "An item that nobody liked cannot be scored; the first like that is learned makes it known."

    def __init__(
        self,
        factors: int = 128,
        l2: float = 10.0,
        alpha: float = 1.0,
        iterations: int = 15,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.factors = check_whole("factors", factors, 1, 10_000)
        self.l2, self.alpha = check_positive("l2", l2), check_positive("alpha", alpha)
        self.iterations = check_whole("iterations", iterations, 1, 10_000)
        self.seed = check_whole("seed", seed, 0, SEEDS)
        self._likes = Likes.of(Histories.of([]))
        self._table: Floats | None = None
        self._users: Floats = np.zeros((0, self.factors), np.float32)

    def fit(self, data: Dataset) -> None:
        """Solve for all factors."""
        self._likes = Likes.of(data.histories())
        self.items, self.n_items, self.data = np.unique(self._likes.pairs[1]), data.n_items, data
        x = self._likes.matrix(self.items)
        x.data = 1 + np.float32(self.alpha) * x.data
        self._users, self._table = _factorise(x, self.factors, self.l2, self.iterations, self.seed)
        self._sum_up()

    def learn(self, events: Events) -> None:
        """Take in single events: solve again for the user and the item of each one that is a new like."""
        self._fitted()
        for user, item, weight in liked_one_by_one(events):
            if self._likes.add(user, item, weight):
                self._make_room(user, item)
                self._solve_user(user)
                self._solve_item(item)

    def state(self) -> State:
        """Return the factors of items and users, and who liked what."""
        arrays = {"known": self.items, "table": self._fitted().copy(), "users": self._users.copy()}
        names = ("factors", "l2", "alpha", "iterations", "seed")
        params = {name: getattr(self, name) for name in names}
        return {**arrays, **self._likes.state()}, {"params": params, "n_items": self.n_items}

    def restore(self, state: State) -> None:
        """Take factors and likes over."""
        arrays, document = state
        self.items, self.n_items = np.asarray(arrays["known"], np.int32), int(document["n_items"])
        for name, value in document["params"].items():
            setattr(self, name, value)
        self._table, self._users = np.array(arrays["table"]), np.array(arrays["users"])
        self._likes, self.data = Likes.restored(arrays), None
        self._sum_up()

    def _answer(self, x: csr_array) -> Floats:
        table, ends = self._fitted(), x.indptr.tolist()
        users = np.empty((x.shape[0], self.factors), np.float32)
        for row in range(x.shape[0]):
            part = slice(ends[row], ends[row + 1])
            users[row] = self._solve(self._item_sum, table[x.indices[part]], x.data[part])
        return users @ table.T

    def _near(self, places: NDArray[np.int64]) -> Floats:
        return cosines(self._fitted(), places)

    def _solve(self, square: Wide, others: Floats, weights: Floats, times: float = 1.0) -> Wide:
        """Return the factors float64[f] of one side, given those ``others`` float32[m, f] that it goes with.

        ``square`` float64[f, f] is the sum over all of the other side; each of the m counts ``times``.
        """
        wide = others.astype(np.float64)
        more = times * self.alpha * weights.astype(np.float64)
        left: Wide = square + (wide.T * more) @ wide
        left[np.diag_indices(len(left))] += self.l2
        return np.asarray(np.linalg.solve(left, wide.T @ (times + more)), np.float64)

    def _solve_user(self, user: int) -> None:
        items, weights = self._likes.of_user(user)
        table, old = self._fitted(), self._users[user].astype(np.float64)
        self._users[user] = self._solve(self._item_sum, table[np.searchsorted(self.items, items)], weights)
        new = self._users[user].astype(np.float64)
        self._user_sum += np.outer(new, new) - np.outer(old, old)

    def _solve_item(self, item: int) -> None:
        users, weights = self._likes.of_item(item)
        times = max(len(users) / CROWD, 1.0)
        table, place = self._fitted(), int(np.searchsorted(self.items, item))
        old = table[place].astype(np.float64)
        table[place] = self._solve(self._user_sum, self._users[users[-CROWD:]], weights[-CROWD:], times)
        new = table[place].astype(np.float64)
        self._item_sum += np.outer(new, new) - np.outer(old, old)

    def _make_room(self, user: int, item: int) -> None:
        """Give a new user and a new item the factors 0."""
        known = len(self.items)
        place = self._know(item)
        if len(self.items) > known:
            self._table = np.insert(self._fitted(), place, 0.0, axis=0)
        if user >= len(self._users):
            more = max(user + 1 - len(self._users), len(self._users) // 4)
            self._users = np.pad(self._users, ((0, more), (0, 0)))

    def _sum_up(self) -> None:
        """Sum ``y y'`` over the factors of either side, float64[f, f]."""
        table, users = self._fitted().astype(np.float64), self._users.astype(np.float64)
        self._item_sum, self._user_sum = table.T @ table, users.T @ users

    def _fitted(self) -> Floats:
        if self._table is None:
            raise not_fitted(self.name)
        return self._table


def _factorise(x: csr_array, factors: int, l2: float, iterations: int, seed: int) -> tuple[Floats, Floats]:
    """Return the factors of users float32[n, f] and items float32[w, f] for confidences ``x``."""
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    if not x.nnz:
        return np.zeros((x.shape[0], factors), np.float32), np.zeros((x.shape[1], factors), np.float32)
    with threadpool_limits(1, "blas"):  # it has threads of its own
        solver = AlternatingLeastSquares(factors, l2, iterations=iterations, random_state=seed)
        solver.fit(csr_matrix(x), show_progress=False)
    return solver.user_factors, solver.item_factors
