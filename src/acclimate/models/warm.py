"""What the models share that know the items somebody liked in ``fit``, and no others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acclimate.data.dataset import Dataset
from acclimate.models.common import grown
from acclimate.types import Codes, Encoder, Floats, Histories, Item


class WarmItems(ABC):
    """Turns histories into rows over the ``w`` items that somebody liked, and scores back into codes.

    A row holds the strongest positive weight of the user's events with each item, so an event that comes
    twice counts once. A subclass learns from such rows, and gives `_answer`, `_near` and `_fitted`.
    """

    new_user = "A user without history that the model knows cannot be scored; one liked item is enough."
    new_item = "An item that nobody had liked when the model was fitted cannot be scored until the next fit."

    def __init__(self) -> None:
        self.encoder: Encoder | None = None
        self.data: Dataset | None = None
        self.n_items = 0
        self.items: Codes = np.zeros(0, np.int32)

    def score(self, histories: Histories) -> Floats:
        """Return float32[len(histories), n_items].

        NaN stands in the columns of items that nobody liked in ``fit``, and in the whole row of a user who
        liked none of the others.
        """
        self._fitted()
        out = np.full((len(histories), self.n_items), np.nan, np.float32)
        x = self._matrix(histories)
        rows = np.flatnonzero(np.diff(x.indptr))
        heard = x if len(rows) == len(histories) else x[rows]
        out[rows[:, None], self.items] = self._answer(heard)
        return out

    def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
        """Return float32[m, w], 1 for the item itself, NaN where one of the two is not known."""
        self._fitted()
        out = np.full((len(items), self.n_items), np.nan, np.float32)
        place = self._places(items)
        known = np.flatnonzero(place >= 0)
        out[known[:, None], self.items] = self._near(place[known])
        out[known, items[known]] = 1.0
        return out if others is None else out[:, others]

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Make room for new items; they are NaN."""
        self._fitted()
        self.n_items = grown(self.n_items, codes)

    @abstractmethod
    def _fitted(self) -> object:
        """Raise InputError before ``fit`` and ``restore``."""

    @abstractmethod
    def _answer(self, x: csr_array) -> Floats:
        """Return a score for each known item, float32[n, w], from rows float32[n, w], none of them empty."""

    @abstractmethod
    def _near(self, places: NDArray[np.int64]) -> Floats:
        """Return how near the items in ``places`` int64[m] are to all known ones: float32[m, w]."""

    def _take(self, data: Dataset) -> csr_array:
        """Note which items ``data`` knows, and return the rows of the users who liked any: float32[n, w]."""
        self.items = np.unique(data.item[data.weight > 0])
        self.n_items, self.data = data.n_items, data
        x = self._matrix(data.histories())
        return x[np.diff(x.indptr) > 0]

    def _know(self, item: int) -> int:
        """Return the place of ``item`` among the known ones; from now on it is one of them."""
        place = int(np.searchsorted(self.items, item))
        if place == len(self.items) or self.items[place] != item:
            self.items = np.insert(self.items, place, item)
        return place

    def _matrix(self, histories: Histories) -> csr_array:
        """Return ``x`` float32[len(histories), w]."""
        liked = histories.liked()
        place = self._places(liked.items)
        keep = place >= 0
        width = max(len(self.items), 1)
        key, which = np.unique(liked.rows[keep] * width + place[keep], return_inverse=True)
        best = np.zeros(len(key), np.float32)
        np.maximum.at(best, which, liked.weights[keep])
        counts = np.bincount(key // width, minlength=len(histories))
        ends = np.concatenate([[0], np.cumsum(counts)])
        return csr_array((best, key % width, ends), shape=(len(histories), len(self.items)))

    def _places(self, codes: Codes) -> NDArray[np.int64]:
        """Return the place of each item among the known ones, -1 if it has none: int64[m]."""
        place = np.searchsorted(self.items, codes)
        return np.where(np.append(self.items, -1)[place] == codes, place, -1)
