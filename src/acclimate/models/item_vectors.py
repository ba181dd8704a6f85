"""Text vectors and learned ids in one space, and plainer ways.

The text is whitened, so that what is weak in it counts as much as what is strong, and frozen; beside it an id
is learned that begins small and may lead the item away from where its text put it. An item without events
has no id and stands where its text puts it. With ``"alphafuse"`` the id is held to the weak directions, which
carry little of the text's meaning (AlphaFuse, Hu et al., SIGIR 2025); so warm and cold items stay close, and
warm ones are told apart less well.

Or the text goes through a learned projection, alone or with an id added; or there are ids alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from acclimate.models.rows import Rows
from acclimate.parallel import Processes, alike
from acclimate.types import Floats

ITEM_VECTORS = ("fused", "alphafuse", "id", "sum", "text")
"""What an item vector is made of: frozen text with an id in all directions, or in its weak ones; ids alone; a
learned projection of the text plus an id in all directions, or that projection of the text alone."""

LENGTH = 3.0
"""Of a text beside its id, which begins at 1: so long that it says where an item begins, so short that what
is learned of the item can lead it away. As long as the root of the width, texts held their items."""


class TextSpace:
    """The whitening ``E = (text - mu) U[:, :d] S^-1/2``, learned from training items only.

    Args:
        mean: mu, float32[text_d].
        axes: ``U[:, :d] S^-1/2``, float32[text_d, d].
    """

    def __init__(self, mean: Floats, axes: Floats) -> None:
        self.mean, self.axes = mean, axes

    @classmethod
    def fit(cls, texts: Floats, width: int, power: float = 1.0, *, length: float | None = None) -> TextSpace:
        """Learn from the text vectors float32[n, text_d] of the training items; zero rows are left out.

        Directions that the texts do not span (fewer texts than ``width``) are zero. With a ``power`` below 1
        the whitening is S^(-power/2), so that strong directions stay stronger. A ``length``, if given, is
        the root of the mean squared length of what is placed; else that grows with the width.
        """
        known = texts[np.abs(texts).sum(axis=1) > 0].astype(np.float64)
        text_d = texts.shape[1]
        axes = np.zeros((text_d, width), np.float32)
        mean = known.mean(axis=0) if len(known) else np.zeros(text_d)
        if len(known) > 1:
            variance, directions = np.linalg.eigh(np.cov(known - mean, rowvar=False).reshape(text_d, text_d))
            strong = np.argsort(variance)[::-1][:width]
            strong = strong[variance[strong] > max(1e-6 * variance.max(), 1e-12)]
            axes[:, : len(strong)] = directions[:, strong] / variance[strong] ** (power / 2)
            if length is not None and len(strong):
                axes *= length / np.sqrt((variance[strong] ** (1 - power)).sum())
        return cls(mean.astype(np.float32), axes)

    def place(self, texts: Floats) -> Floats:
        """Return float32[n, width] for text vectors float32[n, text_d]; no text is the zero vector."""
        known = np.abs(texts).sum(axis=1) > 0
        out: Floats = np.where(known[:, None], (texts - self.mean) @ self.axes, 0).astype(np.float32)
        return out

    def projected(self, projection: Floats) -> TextSpace:
        """Return the space whose places are those of this one times the transposed float32[width, width]."""
        return TextSpace(self.mean, (self.axes @ projection.T).astype(np.float32))


class ItemVectors(nn.Module):
    """One vector for each item: text in all directions plus a learned id in the last ones.

    Args:
        text: Placed text vectors float32[n_items, d]; zero rows for items without text.
        id_width: The last ``id_width`` of d directions are learned; d for ids everywhere, 0 for none.
        id_dropout: Share of the items whose id part is zero in a training step, 0..1; an item without a text
            keeps its id, as it has nothing else.
        projected: Whether the text goes through a learned projection, which starts as no change; if not, it
            is frozen.
    """

    text: Tensor
    told: Tensor

    def __init__(self, text: Tensor, id_width: int, id_dropout: float, *, projected: bool = False) -> None:
        super().__init__()
        width = text.shape[1]
        self.id_width, self.id_dropout = id_width, id_dropout
        self.register_buffer("text", text)
        self.register_buffer("told", text.abs().sum(dim=1, keepdim=True) > 0, persistent=False)
        self.ids = nn.Parameter(torch.empty(len(text), id_width), requires_grad=id_width > 0)
        nn.init.normal_(self.ids, std=width**-0.5)
        self.projection = nn.Parameter(torch.eye(width)) if projected else None
        self.anew: tuple[Tensor, Tensor] | None = None
        """Places int64[m] and texts float32[m, d] that stand in for those in ``text``, with gradients."""
        self.rows: Rows | None = None
        """Which rows ``text`` and ``ids`` are of, while processes hold them apart."""
        self.whole: Tensor | None = None

    @classmethod
    def of(cls, text: Floats, params: Mapping[str, Any], *, reads: bool) -> ItemVectors:
        """Return those of a sequence model with these arguments; ids alone unless it ``reads`` texts."""
        kind, width = params["item_vector"] if reads else "id", params["width"]
        weak = max(1, round(width * params["id_share"]))
        ids = {"alphafuse": weak, "text": 0}.get(kind, width)
        own = torch.from_numpy(text)
        return cls(own, ids, params["id_dropout"], projected=kind in ("sum", "text"))

    def place(self, text: Tensor) -> Tensor:
        """Return placed texts float32[n, d] as they stand among the items."""
        return text if self.projection is None else text @ self.projection.T

    def forward(self) -> Tensor:
        """Return the table float32[n_items, d]."""
        if self.rows is not None:
            if self.whole is None:
                raise RuntimeError("the rows of the items are held apart: fetch those that are looked at")
            return self.whole
        text = self.text if self.anew is None else self.text.index_copy(0, *self.anew)
        return self._joined(text, self._kept(self.ids, None))

    def of_some(self, codes: Tensor) -> Tensor:
        """Return the rows float32[m, d] of the table for ``codes`` int64[m], at the cost of those.

        Where rows are held apart, all processes have to ask for the same ones, each of them once.
        """
        if self.anew is not None:
            some: Tensor = self()[codes]
            return some
        if self.rows is None:
            return self._joined(self.text[codes], self._kept(self.ids[codes], codes))
        here = self.rows.here(codes)
        known = codes[here]
        at = known - self.rows.low
        return self.rows.fetch(self._joined(self.text[at], self._kept(self.ids[at], known)), here)

    def part_rows(self, group: Processes) -> None:
        """Keep the rows of this process alone."""
        self.rows = Rows(group, len(self.text))
        self._become(self.rows.part(self.text), self.rows.part(self.ids))

    @torch.no_grad()
    def look_whole(self) -> None:
        """Let the first process have the whole table, until the next training step asks for some rows."""
        assert self.rows is not None
        whole = self.rows.collect(self._joined(self.text, self.ids))
        self.whole = whole if self.rows.group.first else None

    @torch.no_grad()
    def join_rows(self) -> None:
        """Let all processes have all rows again."""
        assert self.rows is not None
        text, ids = self.rows.join(self.text), self.rows.join(self.ids)
        self.rows = self.whole = None
        self._become(text, ids)

    def _become(self, text: Tensor, ids: Tensor) -> None:
        learned = self.ids.requires_grad
        self.text, self.ids = text, nn.Parameter(ids.detach(), requires_grad=learned)

    def _kept(self, ids: Tensor, codes: Tensor | None) -> Tensor:
        """Return the ids of all items, or of ``codes``, without those that are dropped in this step."""
        if not (self.training and self.id_dropout):
            return ids
        keep = alike(torch.rand(len(self.told), 1, device=ids.device)) >= self.id_dropout
        keep |= ~self.told
        return ids * (keep if codes is None else keep[codes])

    def _joined(self, text: Tensor, ids: Tensor) -> Tensor:
        wide: Tensor = nn.functional.pad(ids, (self.text.shape[1] - self.id_width, 0))
        joined: Tensor = self.place(text) + wide
        return joined
