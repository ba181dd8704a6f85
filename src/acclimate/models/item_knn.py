"""Item neighbours: who liked this also liked that."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acclimate.data.dataset import Dataset
from acclimate.models.common import check_positive, check_whole
from acclimate.models.item_to_item import ItemToItem, Weights
from acclimate.models.likes import Likes, liked_one_by_one
from acclimate.models.live_neighbours import LiveNeighbours
from acclimate.types import Codes, Events, Floats, Histories, Item, State

BLOCK = 1024


class ItemKNN(ItemToItem):
    """Score items by how near they are to the items of the history.

    Two items are as near as the cosine of their likes, ``x_i . x_j / (|x_i| |x_j| + shrink)``; each
    item of the history speaks for its nearest neighbours only (M. Deshpande, G. Karypis, "Item-based top-N
    recommendation algorithms", TOIS 2004, section 4). Of each user the first 5,000 different items count.

    It learns from single events too: `learn` ends where a fit on all events would end.

    Args:
        neighbours: How many neighbours an item speaks for, 1..100,000.
        shrink: Pulls items with few likes towards 0; not negative.

    Example:
        >>> model = ItemKNN(neighbours=1, shrink=0.0)
        >>> rows = [("ann", "heat", 1.0), ("ann", "alien", 2.0), ("bob", "heat", 3.0), ("bob", "alien", 4.0)]
        >>> data = Dataset.of([*rows, ("eve", "emma", 5.0)])
        >>> model.fit(data)
        >>> print(model.score(Histories.of([[0], []])).round(3))
        [[ 0.  1.  0.]
         [nan nan nan]]
        >>> model.learn(data.where(data.item == 2).events._replace(user=np.zeros(1, np.int32)))  # ann too
        >>> print(model.score(Histories.of([[2]])).round(3))
        [[0.5 0.  0. ]]
    """

    name = "item-knn"
    new_item = "An item that nobody liked cannot be scored; the first like that is learned makes it known."

    def __init__(self, neighbours: int = 50, shrink: float = 5.0) -> None:
        super().__init__()
        self.neighbours = check_whole("neighbours", neighbours, 1, 100_000)
        self.shrink = check_positive("shrink", shrink, zero=True)
        self._likes = Likes.of(Histories.of([]))
        self._live: LiveNeighbours | None = None

    def fit(self, data: Dataset) -> None:
        """Find the neighbours of each item."""
        self._likes, self._live = Likes.of(data.histories()), None
        self.items, self.n_items, self.data = np.unique(self._likes.pairs[1]), data.n_items, data
        self._weights = self._weigh(self._likes.matrix(self.items))

    def learn(self, events: Events) -> None:
        """Take in single events: what is asked next equals a fit on all events so far."""
        self._fitted()
        for user, item, weight in liked_one_by_one(events):
            if self._live is None:
                self._live = LiveNeighbours(self._likes, self.n_items, self.neighbours, self.shrink)
            self._live.add(user, item, weight)
            self._know(item)

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Make room for new items; they are NaN until somebody likes them."""
        super().put_items(codes, items)
        if self._live:
            self._live.grow(self.n_items)

    def state(self) -> State:
        """Return the neighbours of each item, how near they are, and who liked what."""
        learned = self._live is not None
        near = csr_array(self._weigh(self._likes.matrix(self.items)) if learned else self._fitted())
        arrays = {"known": self.items, "near": near.data, "neighbours": near.indices, "ends": near.indptr}
        params = {"neighbours": self.neighbours, "shrink": self.shrink}
        return {**arrays, **self._likes.state()}, {"params": params, "n_items": self.n_items}

    def restore(self, state: State) -> None:
        """Take neighbours and likes over."""
        arrays, document = state
        shape = (len(arrays["known"]),) * 2
        self._restore(state, csr_array((arrays["near"], arrays["neighbours"], arrays["ends"]), shape=shape))
        self.neighbours, self.shrink = document["params"]["neighbours"], document["params"]["shrink"]
        self._likes, self._live = Likes.restored(arrays), None

    def _answer(self, x: csr_array) -> Floats:
        if self._live is None:
            return super()._answer(x)
        out = np.empty(x.shape, np.float32)
        for row, (start, end) in enumerate(pairwise(x.indptr.tolist())):
            part = slice(start, end)
            out[row] = self._live.score(self.items[x.indices[part]], x.data[part])[self.items]
        return out

    def _near(self, places: NDArray[np.int64]) -> Floats:
        if self._live is None:
            return super()._near(places)
        return self._live.near(self.items[places])[:, self.items]

    def _weigh(self, x: csr_array) -> Weights:
        across = x.T.tocsr()
        norms = np.sqrt(across.power(2).sum(axis=1)).astype(np.float32)
        near, neighbours, ends = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)], [0]
        for start in range(0, x.shape[1], BLOCK):
            block = (across[start : start + BLOCK] @ x).tocsr()
            block.sort_indices()
            for row in range(block.shape[0]):
                part = slice(block.indptr[row], block.indptr[row + 1])
                columns = block.indices[part]
                values = block.data[part] / (norms[start + row] * norms[columns] + self.shrink)
                values[columns == start + row] = 0.0
                best = np.argsort(-values, kind="stable")[: min(self.neighbours, len(values) - 1)]
                near.append(values[best])
                neighbours.append(columns[best])
                ends.append(ends[-1] + len(best))
        parts = np.concatenate(near), np.concatenate(neighbours), np.array(ends, np.int64)
        return csr_array(parts, shape=(x.shape[1], x.shape[1]))
