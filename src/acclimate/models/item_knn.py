"""Item neighbours: who liked this also liked that."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from acclimate.errors import InputError, check_range
from acclimate.models.item_to_item import ItemToItem, Weights
from acclimate.types import State

BLOCK = 1024


class ItemKNN(ItemToItem):
    """Score items by how near they are to the items of the history.

    Two items are as near as the cosine of their likes, ``x_i . x_j / (|x_i| |x_j| + shrink)``; each
    item of the history speaks for its nearest neighbours only (M. Deshpande, G. Karypis, "Item-based top-N
    recommendation algorithms", TOIS 2004, section 4).

    Args:
        neighbours: How many neighbours an item speaks for, 1..100,000.
        shrink: Pulls items with few likes towards 0; not negative.

    Example:
        >>> from acclimate.data.dataset import Dataset
        >>> from acclimate.types import Histories
        >>> model = ItemKNN(neighbours=1, shrink=0.0)
        >>> rows = [("ann", "heat", 1.0), ("ann", "alien", 2.0), ("bob", "heat", 3.0), ("bob", "alien", 4.0)]
        >>> model.fit(Dataset.of([*rows, ("eve", "emma", 5.0)]))
        >>> print(model.score(Histories.of([[0], []])).round(3))
        [[ 0.  1.  0.]
         [nan nan nan]]
    """

    name = "item-knn"

    def __init__(self, neighbours: int = 50, shrink: float = 5.0) -> None:
        if not 0 <= shrink < np.inf:
            raise InputError(f"shrink must be 0 or a positive number, got {shrink}", field="shrink")
        super().__init__()
        self.neighbours = check_range("neighbours", neighbours, 1, 100_000)
        self.shrink = float(shrink)

    def state(self) -> State:
        """Return the neighbours of each item and how near they are."""
        weights = csr_array(self._fitted())
        arrays = {
            "known": self.items,
            "near": weights.data,
            "neighbours": weights.indices,
            "ends": weights.indptr,
        }
        return arrays, {
            "params": {"neighbours": self.neighbours, "shrink": self.shrink},
            "n_items": self.n_items,
        }

    def restore(self, state: State) -> None:
        """Take the neighbours over."""
        arrays, document = state
        shape = (len(arrays["known"]),) * 2
        self._restore(state, csr_array((arrays["near"], arrays["neighbours"], arrays["ends"]), shape=shape))
        self.neighbours, self.shrink = document["params"]["neighbours"], document["params"]["shrink"]

    def _learn(self, x: csr_array) -> Weights:
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
