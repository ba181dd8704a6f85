"""The vectors of all items of a catalogue, warm and cold, as a fitted sequence model holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from acclimate.models.incremental import States
from acclimate.models.nearness import Nearness
from acclimate.models.repeats import OWN
from acclimate.models.sequence_net import SequenceNet
from acclimate.types import Codes, Floats


class ItemTable:
    """Text and id of each item in one vector; an item that has neither has the zero vector.

    Args:
        text: Placed texts float32[n_items, d]; zero for items without one.
        ids: Learned parts of the last ``id_d`` directions, float32[n_items, id_d].
        own: What else was learned of each, as `acclimate.models.repeats.ItemTerms.own` has it; nothing if not
            given.

    Attributes:
        vectors: float32[n_items, d].
        unit: The same, of length 1.
        aims: What states are compared with: the same, until `aim` says otherwise of some.
        blank: Which items have neither text nor id, bool[n_items].
        states: Of users who were read with these vectors.
    """

    def __init__(self, text: Floats, ids: Floats, own: Floats | None = None) -> None:
        self.text, self.ids = text, ids
        self.own = np.zeros((len(text), OWN), np.float32) if own is None else own
        self.states = States()
        self._index()

    @classmethod
    def learned(cls, text: Floats, warm: Codes, net: SequenceNet) -> ItemTable:
        """Return what ``net`` learned of ``warm`` int32[m]; the others stand by their texts alone."""
        ids = np.zeros((len(text), net.items.id_width), np.float32)
        ids[warm] = net.items.ids.numpy()
        own = np.zeros((len(text), OWN), np.float32)
        if net.terms:
            own[warm] = net.terms.own()
        return cls(text, ids, own)

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> ItemTable:
        """Build from what `state` gave."""
        own = arrays.get("own")
        text, ids = (np.array(arrays[name], np.float32) for name in ("text", "ids"))
        return cls(text, ids, None if own is None else np.array(own, np.float32))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return its arrays by name."""
        return {"text": self.text, "ids": self.ids} | ({"own": self.own} if self.own.any() else {})

    def __len__(self) -> int:
        return len(self.text)

    def put(self, n_items: int, codes: Codes, texts: Floats | None) -> None:
        """Grow to ``n_items``, and place the texts float32[m, d] of ``codes`` int32[m] anew if given."""
        if (codes < len(self)).any():
            self.states = States()
        more = ((0, n_items - len(self)), (0, 0))
        self.text, self.ids, self.own = (np.pad(part, more) for part in (self.text, self.ids, self.own))
        if texts is not None:
            self.text[codes] = texts
        self._index()

    def aim(self, near: Nearness | None, codes: Codes | None = None) -> None:
        """Let the items that were not learned be compared with states by what reads like them, too.

        Args:
            near: Knows all items; None for nothing.
            codes: Those of which that has to be found anew, int32[m].
        """
        if near is not None:
            unit = self.unit.numpy()
            if codes is not None:
                near.look(unit, codes)
            self.aims = torch.from_numpy(near.aims(unit))

    def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
        """Return cosines float32[m, w] of ``items`` int32[m] and ``others`` int32[w]; NaN for the blank."""
        unit, columns = self.unit.numpy(), slice(None) if others is None else others
        near: Floats = unit[items] @ unit[columns].T
        near[self.blank[items]] = np.nan
        near[:, self.blank[columns]] = np.nan
        return near

    def _index(self) -> None:
        vectors = self.text.copy()
        vectors[:, vectors.shape[1] - self.ids.shape[1] :] += self.ids
        self.vectors = torch.from_numpy(vectors)
        self.unit: Tensor = F.normalize(self.vectors, dim=1)
        self.aims = self.unit
        self.blank: NDArray[np.bool_] = np.abs(vectors).sum(axis=1) == 0
