"""A model under the item codes of another catalogue."""

from __future__ import annotations

import numpy as np

from acclimate.errors import InputError
from acclimate.snapshot import Loaded
from acclimate.state.fold import LiveState
from acclimate.types import Codes, Floats, Histories, Model

COMMON = 0.5
"""Share of the items that two catalogues must have in common to be one at two times."""


class Renamed:
    """Scores the items of one catalogue with a model that numbers them otherwise.

    Args:
        model: Knows all of them.
        codes: Its code of each item, int32[n_items].
    """

    def __init__(self, model: Model, codes: Codes) -> None:
        self.model, self.codes = model, codes

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.codes)

    def score(self, histories: Histories) -> Floats:
        """Return float32[n, n_items]; items that the catalogue lacks are left out."""
        told = Histories(
            self.codes[histories.items],
            histories.times,
            histories.weights,
            histories.offsets,
            histories.now,
            values=histories.values,
            users=histories.users,
            searches=histories.searches,
            kinds=histories.kinds,
        )
        return np.ascontiguousarray(self.model.score(told)[:, self.codes])


def renamed(loaded: Loaded, state: LiveState) -> Renamed:
    """Return the model of a snapshot under the codes of ``state``; it takes in the items that it lacks.

    Raises:
        InputError: They have less than half of the items in common.
    """
    ids = state.items.ids
    codes = loaded.state.items.codes(ids)
    lacking = np.flatnonzero(codes < 0)
    if len(lacking) > (1 - COMMON) * len(ids):
        raise InputError(
            f"it knows {len(ids) - len(lacking):,} of the {len(ids):,} items: it was made for another "
            "catalogue",
            code="other_catalogue",
        )
    if len(lacking):
        codes[lacking] = np.arange(len(lacking), dtype=np.int32) + loaded.model.n_items
        loaded.model.put_items(codes[lacking], [state.item(code) for code in lacking.tolist()])
    return Renamed(loaded.model, codes)
