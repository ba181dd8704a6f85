"""Recommends what reads like what the user liked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from acclimate.data.dataset import Dataset
from acclimate.errors import InputError
from acclimate.models.common import check_positive, fading, grown, not_fitted, unit_rows
from acclimate.types import Codes, Encoder, Floats, Histories, Item, State


class Content:
    """Score items by how near their texts are to the texts of what the user liked.

    A user is the mean of the vectors of the items in the history, each by the weight of its event: likes
    pull, dislikes push away (J. Rocchio, "Relevance feedback in information retrieval", 1971), and what is
    new counts more. The mean of the catalogue's vectors is taken off first, so that what all texts share
    does not count. Other users do not count either: it works from the first event on, and lists nothing but
    more of the same.

    Args:
        encoder: Turns the items' texts into vectors.
        half_life: Number of later events after which an event counts half; positive.

    Example:
        >>> from acclimate.encode import make_encoder
        >>> films = [Item("1", "space war"), Item("2", "war in space"), Item("3", "garden of roses")]
        >>> data = Dataset.of([("ann", "1", 1.0), ("bob", "2", 2.0), ("eve", "3", 3.0)], catalogue=films)
        >>> model = Content(make_encoder("tfidf"))
        >>> model.fit(data)
        >>> near = model.score(Histories.of([[0]]))[0]
        >>> bool(near[1] > near[2])
        True
    """

    name = "content"
    new_user = "A user without likes cannot be scored; one liked item with a text is enough."
    new_item = "A new item is scored by its text at once; without a text it cannot be scored."

    def __init__(self, encoder: Encoder | None = None, half_life: float = 5.0) -> None:
        self.encoder = encoder
        self.half_life = check_positive("half_life", half_life)
        self.data: Dataset | None = None
        self._table: Floats | None = None
        self._mean: Floats = np.zeros(0, np.float32)

    @property
    def n_items(self) -> int:
        """Size of the catalogue; 0 before ``fit``."""
        return 0 if self._table is None else len(self._table)

    def fit(self, data: Dataset) -> None:
        """Read the texts of the catalogue.

        Raises:
            InputError: There is no encoder.
        """
        if self.encoder is None:
            raise InputError(
                "content reads texts and needs an encoder: give Content(encoder), as in "
                "Content(acclimate.TextEncoder('minilm'))",
                field="encoder",
            )
        self.encoder.fit(data.texts, data.histories().liked())
        vectors = self.encoder.encode(data.texts)
        blank = ~vectors.any(axis=1)
        self._mean = vectors[~blank].mean(axis=0) if not blank.all() else np.zeros_like(vectors[0])
        self._table, self.data = self._place(vectors), data

    def score(self, histories: Histories) -> Floats:
        """Return cosines, float32[len(histories), n_items].

        NaN for an item without a text, and for a user who liked none that has one.
        """
        table = self._fitted()
        blank = np.isnan(table[:, 0])
        keep = ~np.append(blank, True)[np.minimum(histories.items, len(table))]
        read = histories.where(keep & (histories.weights != 0))
        weights = read.weights * fading(read, self.half_life)
        shape = (len(read), len(table))
        users = csr_array((weights, read.items, read.offsets), shape=shape) @ np.nan_to_num(table)
        out: Floats = unit_rows(users) @ table.T
        out[np.diff(read.liked().offsets) == 0] = np.nan
        return out

    def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
        """Return cosines, float32[m, w]; NaN where an item has no text."""
        table = self._fitted()
        near: Floats = table[items] @ (table if others is None else table[others]).T
        return near

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Read the texts of new and changed items."""
        table = self._fitted()
        more = grown(len(table), codes) - len(table)
        table = np.pad(table, ((0, more), (0, 0)), constant_values=np.nan)
        if self.encoder is not None:
            table[codes] = self._place(self.encoder.encode([item.reading for item in items]))
        self._table = table

    def state(self) -> State:
        """Return the vectors of the items and their mean."""
        return {"table": self._fitted(), "mean": self._mean}, {"params": {"half_life": self.half_life}}

    def restore(self, state: State) -> None:
        """Take the vectors over; the encoder is the constructor's."""
        arrays, document = state
        self._table, self._mean, self.data = arrays["table"], arrays["mean"], None
        self.half_life = float(document["params"]["half_life"])

    def _place(self, vectors: Floats) -> Floats:
        """Return unit vectors without what all have in common, NaN where there is no text."""
        placed = unit_rows(vectors - self._mean)
        placed[~vectors.any(axis=1)] = np.nan
        return placed

    def _fitted(self) -> Floats:
        if self._table is None:
            raise not_fitted(self.name)
        return self._table
