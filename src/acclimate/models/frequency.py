"""What the user had most often; the baseline to beat where things are bought again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.models.common import check_positive, times_had
from acclimate.models.popularity import Popularity
from acclimate.types import Codes, Floats, Histories, State

DAY = 86_400.0
TIE = 1e-4
"""Of two items that the user had as often, the more popular one comes first; so near counts as the same."""


class Frequency(Popularity):
    """Score items by how often the user had them, lately more than long ago; then the others by popularity.

    A positive event of weight ``w`` counts ``w * 0.5 ** (age / half_life)``, with its age at the user's last
    one. Items that the user never had follow below 0, the most popular ones first. It needs histories in
    which items come again; where they do not, it has nothing to say but popularity.

    Args:
        half_life: Age in seconds at which an event counts half; positive.

    Example:
        >>> from acclimate.data.dataset import Dataset
        >>> model = Frequency(half_life=60.0)
        >>> model.fit(Dataset.of([("ann", "tea", 1.0), ("bob", "tea", 2.0), ("bob", "cup", 3.0)]))
        >>> model.score(Histories.of([[1, 0, 1]], [[0.0, 60.0, 60.0]])).round(1).tolist()
        [[1.0, 1.5]]
        >>> model.score(Histories.of([[]])).round(1)
        array([[-0.3, -0.7]], dtype=float32)
    """

    name = "frequency"
    new_user = "A user without history gets the items chosen most."
    new_item = "An item without events scores -1, below every item that somebody chose."

    def __init__(self, half_life: float = 90 * DAY) -> None:
        super().__init__()
        self.half_life = check_positive("half_life", half_life)

    def score(self, histories: Histories) -> Floats:
        """Return float32[len(histories), n_items], never NaN: above 0 what the user had, below 0 the rest."""
        counts = self._fitted()
        share = counts / (counts.max(initial=0.0) + 1)
        out = np.tile((share - 1).astype(np.float32), (len(histories), 1))
        liked = histories.liked()
        if len(liked.items):
            n, rows = len(counts), liked.rows
            ages = liked.times[liked.offsets[rows + 1] - 1] - liked.times
            cells, which = np.unique(rows * n + liked.items, return_inverse=True)
            own = np.bincount(which, liked.weights * 0.5 ** (ages / self.half_life))
            out.ravel()[cells] = own * (1 + TIE * share[cells % n])
        return out

    def times_had(self, items: Codes, history: Histories) -> NDArray[np.int64]:
        """Return how often the one user of ``history`` had each of ``items`` int32[k]: int64[k]."""
        return times_had(items, history)

    def state(self) -> State:
        """Return the counts, and nothing about users."""
        arrays, _ = super().state()
        return arrays, {"params": {"half_life": self.half_life}}

    def restore(self, state: State) -> None:
        """Take counts and half-life over."""
        super().restore(state)
        self.half_life = float(state[1]["params"]["half_life"])
