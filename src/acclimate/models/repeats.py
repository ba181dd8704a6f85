"""What is known of an item apart from its vector: how popular it is, and how each user had it before.

Cosines say what goes with a history. They cannot say that milk is bought each week and a pan once, nor that
everybody buys milk. So a learned bias for each item is added to the cosines; and in the place of both stands,
for the items that a user has had, a learned function of how often, how long ago and how near.

In their place, not beside them: who has bought the rarest tea each week buys it again as surely as another
the milk. Where all were added, the function had to take back the others, which it could not where one was
left out in training, and what came of it was worse than to count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from acclimate.parallel import alike
from acclimate.types import Floats, Histories

FIGURES = 7
"""What is told of how a user had an item: see `Had`."""
HALF_LIFE = 90 * 86_400.0
"""Seconds in which an event fades to half, as in `acclimate.models.frequency`."""
ITS_OWN = ("bias", "again", "popular")
"""What `ItemTerms` holds of single items."""
OWN = len(ITS_OWN)
"""Figures of each item apart from its vector: see `ItemTerms.own`."""
HIDDEN = 32
"""Width of the layer that reads these figures."""
LEFT_OUT = 0.25
"""Share of the items of which nothing of their own is known in a training step, so that a new one fits in."""


class Had(NamedTuple):
    """Which items each of n users had, those of one user side by side.

    Args:
        rows: User of each pair, 0..n-1, int64[m], rising.
        items: Item of each pair, int64[m]; no pair stands twice.
        told: float32[m, 7]: the logs of one plus how often it was had, how many events ago, how many seconds
            ago (a tenth of it), how many seconds lay between two times on average (a tenth; 0 if it was had
            once), how many events the user has, and ten times how often it was had where an event fades to
            half in 90 days; and whether it was had more than once.

    Example:
        >>> had = Had.of(Histories.of([[7, 5, 7], [5]]))
        >>> had.rows.tolist(), had.items.tolist(), had.told[:, 0].exp().round().tolist()
        ([0, 0, 1], [5, 7, 5], [2.0, 3.0, 2.0])
    """

    rows: Tensor
    items: Tensor
    told: Tensor

    @classmethod
    def of(cls, histories: Histories) -> Had:
        """Build from liked events alone; ages are counted at ``histories.now``."""
        rows, n_items = histories.rows, int(histories.items.max(initial=0)) + 1
        pair = rows * n_items + histories.items
        order = np.argsort(pair, kind="stable")
        begin = np.flatnonzero(np.diff(pair[order], prepend=-1))
        counts = np.diff(begin, append=len(order))
        first, last = order[begin], order[begin + counts - 1]
        row, times = rows[last], histories.times
        fading = 0.5 ** ((times[histories.offsets[rows + 1] - 1] - times) / HALF_LIFE)[order]
        between = (times[last] - times[first]) / np.maximum(counts - 1, 1)
        logs = np.log1p(
            [
                counts,
                histories.offsets[row + 1] - 1 - last,
                np.maximum(histories.now[row] - times[last], 0),
                between,
                histories.lengths[row],
                10 * np.add.reduceat(fading, begin) if len(begin) else fading,
            ]
        )
        logs[2:4] /= 10
        told = np.stack([*logs, counts > 1], axis=1).astype(np.float32)
        parts = row, histories.items[last].astype(np.int64), told
        return cls(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts))


class Own(NamedTuple):
    """What stands beside the vector of each item: bias, own repeats, popularity, float32[n_items] each.

    What is off is None.
    """

    bias: Tensor | None
    again: Tensor | None
    popular: Tensor | None


class ItemTerms(nn.Module):
    """A bias for each item, added to the scaled cosines, and what stands for both where an item was had.

    How popular an item is has a say in what comes again as well: who buys milk twice is not as sure to buy
    it again as who buys the rarest tea twice.

    Args:
        counts: Events of each item int[n_items]; the bias starts from their logs.
        bias: Whether items have one.
        repeats: Whether items that were had are told apart.
        dropout: Share of the items that stand without bias, own repeats and popularity in a training step;
            what is known of no item is the mean of all, 0.
    """

    popular: Tensor

    def __init__(self, counts: NDArray[np.int64], *, bias: bool, repeats: bool, dropout: float) -> None:
        super().__init__()
        popular = torch.from_numpy(np.log1p(counts)).float()
        popular = popular - popular.mean() if len(popular) else popular
        self.register_buffer("popular", popular if repeats else None)
        self.bias = nn.Parameter(popular.clone()) if bias else None
        self.again = nn.Parameter(torch.zeros(len(counts))) if repeats else None
        self.reading = (
            nn.Sequential(nn.Linear(FIGURES + 2, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 1))
            if repeats
            else None
        )
        self.dropout = dropout

    @classmethod
    def of(cls, counts: NDArray[np.int64], params: Mapping[str, Any]) -> ItemTerms | None:
        """Return what the arguments of a `SequenceModel` ask for, None for nothing."""
        bias, repeats = params["item_bias"], params["repeats"]
        return cls(counts, bias=bias, repeats=repeats, dropout=LEFT_OUT) if bias or repeats else None

    def seen(self) -> Own:
        """Return what stands beside the items' vectors, in a training step without that of some items."""
        parts = self.bias, self.again, self.popular
        if not (self.training and self.dropout):
            return Own(*parts)
        like = next(part for part in parts if part is not None)
        keep = alike(torch.rand(len(like), device=like.device)) >= self.dropout
        return Own(*(None if part is None else part * keep for part in parts))

    def told(self, had: Had, own: Own, near: Tensor, scale: Tensor) -> Tensor:
        """Return what is added to the logit of each pair of a user and an item, float32[m].

        Args:
            had: The m pairs.
            own: As `seen` returns it.
            near: Cosine of each pair, float32[m].
            scale: Inverse temperature of the cosines.
        """
        assert own.again is not None
        assert own.popular is not None
        found = self._read(had.told, own.popular[had.items], near) + own.again[had.items]
        return found - scale * near - (0 if own.bias is None else own.bias[had.items])

    def _read(self, told: Tensor, popular: Tensor, near: Tensor) -> Tensor:
        """Return what is learned of float32[m, 7] figures, popularity and cosine float32[m], float32[m]."""
        assert self.reading is not None
        found: Tensor = self.reading(torch.cat([told, popular[:, None], near[:, None]], dim=1))[:, 0]
        return found

    @torch.inference_mode()
    def add(self, scores: Floats, histories: Histories, scale: float, own: Floats | None = None) -> None:
        """Add to cosines, in place, what stands beside them.

        Args:
            scores: float32[n, n_items].
            histories: Of the n users.
            scale: Inverse temperature of the cosines.
            own: As `own` returns it, for all items of the catalogue; what was learned if not given.
        """
        own = self.own() if own is None else own
        if self.bias is not None:
            scores += own[:, 0] / scale
        if self.reading is not None:
            had = Had.of(histories.liked())
            rows, items = had.rows.numpy(), had.items.numpy()
            device = next(self.parameters()).device
            near = scores[rows, items] - own[items, 0] / scale
            popular, near = (torch.from_numpy(part).to(device) for part in (own[items, 2], near))
            more = self._read(had.told.to(device), popular, near).cpu().numpy()
            scores[rows, items] = (more + own[items, 1]) / scale

    def own(self) -> Floats:
        """Return bias, own repeats and popularity of each item, float32[n_items, 3]; 0 for what is off."""
        parts = self.bias, self.again, self.popular
        out = np.zeros((max(len(part) for part in parts if part is not None), OWN), np.float32)
        for column, part in enumerate(parts):
            if part is not None:
                out[:, column] = part.detach().cpu().numpy()
        return out

    @torch.no_grad()
    def take(self, places: list[int], own: Floats) -> None:
        """Start at bias and own repeats of some items, float32[m, 3]; popularity is counted anew."""
        for column, part in enumerate((self.bias, self.again)):
            if part is not None:
                part[places] = torch.from_numpy(own[:, column].copy()).to(part.device)
