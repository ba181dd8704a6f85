"""The net of the ranker: crossed features, and a head for each thing that may happen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acclimate.types import Floats

CLICK, PURCHASE, RATING = range(3)


class Table(NamedTuple):
    """What is known of n users with c candidates each.

    Args:
        features: Scaled, float32[n, c, f].
        content: Rows of the candidates' content, float32[n, c, w].
        tastes: The users' mean rows, float32[n, w].
        base: What the first stage says, float32[n, c]; -inf where there is no candidate.
    """

    features: Floats
    content: Floats
    tastes: Floats
    base: Floats


class Choices(NamedTuple):
    """What n users chose: a `Table` as tensors, whose first candidates were chosen, and what came of it.

    Args:
        features: As in `Table`.
        content: As in `Table`.
        tastes: As in `Table`.
        base: As in `Table`.
        bought: 1 if the choice was a purchase, else 0, float32[n].
        ratings: Scaled rating of what was chosen, float32[n], NaN where there is none.
    """

    features: Tensor
    content: Tensor
    tastes: Tensor
    base: Tensor
    bought: Tensor
    ratings: Tensor


class RankerNet(nn.Module):
    """A deep and cross network (DCN-v2) whose click head starts as the first stage and learns what to add.

    Args:
        n_features: f.
        content: Width w of an item's content.
        width: Of the two deep layers.
        cross: Number of cross layers.
        dropout: Share of the deep layers' outputs dropped in training.
    """

    def __init__(self, n_features: int, content: int, width: int, cross: int, dropout: float) -> None:
        super().__init__()
        self.read = nn.Linear(content, 8, bias=False)
        inputs = n_features + 16
        self.cross = nn.ModuleList(nn.Linear(inputs, inputs) for _ in range(cross))
        self.deep = nn.Sequential(
            nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU()
        )
        self.heads = nn.Linear(inputs + width, 3)
        nn.init.zeros_(self.heads.weight)
        nn.init.zeros_(self.heads.bias)

    def forward(self, features: Tensor, content: Tensor, tastes: Tensor) -> Tensor:
        """Return what is added to a click's logit, a purchase's logit, a scaled rating: [n, c, 3]."""
        taste = self.read(tastes)[:, None].expand(-1, content.shape[1], -1)
        start = torch.cat([features, self.read(content), taste], dim=2)
        x = start
        for layer in self.cross:
            x = start * layer(x) + x
        out: Tensor = self.heads(torch.cat([x, self.deep(start)], dim=2))
        return out

    def loss(self, batch: Choices) -> Tensor:
        """Return the mean cross-entropy of each choice among its candidates, plus those of the other heads.

        Whether it was a purchase, and the rating, are learned from what was chosen alone.
        """
        out = self(batch.features, batch.content, batch.tastes)
        total = -F.log_softmax(batch.base + out[..., CLICK], dim=1)[:, 0].mean()
        total = total + F.binary_cross_entropy_with_logits(out[:, 0, PURCHASE], batch.bought)
        rated = ~batch.ratings.isnan()
        if rated.any():
            total = total + F.mse_loss(out[:, 0, RATING][rated], batch.ratings[rated])
        return total

    @torch.inference_mode()
    def answer(self, table: Table) -> Floats:
        """Return a click's logit (-inf for no candidate), a purchase's, a scaled rating: [n, c, 3]."""
        device = self.heads.bias.device
        inner = (torch.from_numpy(part).to(device) for part in (table.features, table.content, table.tastes))
        out: Floats = self(*inner).cpu().numpy()
        out[..., CLICK] += table.base
        return out


def ndcg_of_first(logits: Floats, k: int = 10) -> float:
    """Return the mean NDCG at ``k`` of the first candidate among those of its row, float32[n, c].

    Example:
        >>> ndcg_of_first(np.array([[2.0, 1.0, 0.0]], np.float32)), ndcg_of_first(np.zeros((1, 2)), k=1)
        (1.0, 0.5)
    """
    above = (logits[:, 1:] > logits[:, :1]).sum(axis=1)
    tied = (logits[:, 1:] == logits[:, :1]).sum(axis=1)
    gains = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    low, high = np.minimum(above, k), np.minimum(above + tied + 1, k)
    return float(((gains[high] - gains[low]) / (tied + 1)).mean())
