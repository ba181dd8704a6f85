"""The baseline that every other model has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.models.common import grown, not_fitted, unknown
from acclimate.types import Codes, Encoder, Events, Floats, Histories, Item, State


class Popularity:
    """Score items by how much they were liked, whoever asks.

    The score of an item is the sum of the weights of its positive events: with weights of 1, their number.
    `learn` adds single events; it ends where a fit on all of them would.

    Example:
        >>> model = Popularity()
        >>> model.fit(Dataset.of([("ann", "heat", 1.0), ("bob", "heat", 2.0), ("bob", "alien", 3.0)]))
        >>> model.score(Histories.of([[], [0]])).tolist()
        [[2.0, 1.0], [2.0, 1.0]]
        >>> model.learn(Dataset.of([("eve", "heat", 4.0)]).events)
        >>> model.score(Histories.of([[]])).tolist()
        [[3.0, 1.0]]
    """

    name = "popularity"
    new_user = "A user without history gets the items chosen most, as everybody does."
    new_item = "An item without events scores 0, below every item that somebody chose."

    def __init__(self) -> None:
        self.encoder: Encoder | None = None
        self.data: Dataset | None = None
        self.counts: NDArray[np.float64] | None = None

    @property
    def n_items(self) -> int:
        """Size of the catalogue; 0 before ``fit``."""
        return 0 if self.counts is None else len(self.counts)

    def fit(self, data: Dataset) -> None:
        """Count the positive events of each item."""
        liked = data.weight > 0
        counts = np.bincount(data.item[liked], weights=data.weight[liked], minlength=data.n_items)
        self.counts, self.data = counts.astype(np.float64), data

    def learn(self, events: Events) -> None:
        """Count the positive ones of ``events``."""
        counts, liked = self._fitted(), events.weight > 0
        np.add.at(counts, events.item[liked], events.weight[liked])

    def score(self, histories: Histories) -> Floats:
        """Return the same row float32[n_items] for each of the users, never NaN."""
        return np.tile(self._fitted().astype(np.float32), (len(histories), 1))

    def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
        """Return NaN float32[m, w]: counts say nothing about nearness."""
        return unknown(items, others, len(self._fitted()))

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Give new items the score 0."""
        counts = self._fitted()
        self.counts = np.pad(counts, (0, grown(len(counts), codes) - len(counts)))

    def state(self) -> State:
        """Return the counts."""
        return {"counts": self._fitted().copy()}, {"params": {}}

    def restore(self, state: State) -> None:
        """Take the counts over."""
        self.counts, self.data = np.array(state[0]["counts"], np.float64), None

    def _fitted(self) -> NDArray[np.float64]:
        if self.counts is None:
            raise not_fitted(self.name)
        return self.counts
