"""What the sequence model can foresee beside the next item: the rating, and whether what is seen is liked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor, nn
from torch.nn import functional as F

from acclimate.errors import InputError, nearest
from acclimate.types import Codes, Floats, Histories

if TYPE_CHECKING:
    from acclimate.models.sequence_net import SequenceNet

RATINGS = ("off", "mse", "mae")
"""What a rating may be learned by: not at all, its squared error, or its distance."""
AT_ONCE = 1_000_000
"""Pairs of user and item that are looked at together."""


class Foreseen(NamedTuple):
    """What may happen between n users and m items, float32[n, m] each; NaN where nothing was learned.

    Args:
        click: Chance that the item is the next one that is liked: the softmax of the scores.
        liked: Chance that it is liked if the user meets it.
        rating: How the user would rate it, in the units and range of the data.
    """

    click: Floats
    liked: Floats
    rating: Floats


class Answers(NamedTuple):
    """What came of the next event of each step.

    Args:
        items: Its item, int64[total].
        values: Its rating, float32[total]; NaN where there is none.
        liked: Whether it was liked, bool[total].
    """

    items: Tensor
    values: Tensor
    liked: Tensor


def wanted(params: Mapping[str, Any]) -> bool:
    """Return whether a sequence model with these arguments has a head.

    Example:
        >>> wanted({"rating": "off", "click": True}), wanted({"rating": "off", "click": False})
        (True, False)
    """
    return bool(params["click"] or params["rating"] != "off")


def check(params: Mapping[str, Any]) -> None:
    """Raise InputError if ``rating`` is none of `RATINGS`, or a head cannot read what was not liked."""
    if params["rating"] not in RATINGS:
        given = params["rating"]
        raise InputError(f"no rating loss {given!r}: {nearest(str(given), RATINGS)}", field="rating")
    if wanted(params) and not params["feedback"]:
        name = "click" if params["click"] else "rating"
        raise InputError(
            f"{name} is learned from what was not liked as well: set feedback = true, got false", field=name
        )


class Heads(nn.Module):
    """A small net over the state before an event, the item's vector, and their product.

    Ratings are learned from their mean, in units of their spread, so that either loss weighs about as much as
    that of the next item. Both are unit vectors, so what is said of a new item follows from its text.

    Args:
        width: d, of states and item vectors.
        params: Arguments of the sequence model; ``rating`` and ``click`` are used.
    """

    scale: Tensor

    def __init__(self, width: int, params: Mapping[str, Any]) -> None:
        super().__init__()
        self.rating, self.click, self.width = str(params["rating"]), bool(params["click"]), width
        self.inner, self.out = nn.Linear(3 * width, width), nn.Linear(width, 2)
        self.register_buffer("scale", torch.full((4,), torch.nan))  # until `look`

    def forward(self, states: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Return scaled rating and logit of a like, float32[...], of unit vectors float32[..., d]."""
        root = self.width**0.5
        both = torch.cat([states * root, items * root, states * items * self.width], dim=-1)
        rating, liked = self.out(F.silu(self.inner(both))).unbind(dim=-1)
        return rating, liked

    def look(self, train: Histories) -> None:
        """Take over mean, spread and range of the ratings that teach.

        Raises:
            InputError: There is nothing to learn from.
        """
        values = np.zeros(0) if train.values is None else train.values[np.isfinite(train.values)]
        if self.rating != "off" and not len(values):
            raise InputError(
                f"rating = {self.rating!r} needs events with a value, the data has none: import a column "
                "'rating' or 'value', or set rating = off",
                code="no_ratings",
                field="rating",
            )
        if self.click and not (train.weights <= 0).any():
            raise InputError(
                "click needs events that are not liked (of weight 0 or below), the data has none: import "
                "what was shown or disliked as well, or set click = false",
                code="no_dislikes",
                field="click",
            )
        told = [0.0, 1.0, -np.inf, np.inf]
        if len(values):
            told = [values.mean(), max(float(values.std()), 1e-3), values.min(), values.max()]
        self.scale.copy_(torch.tensor(told, dtype=torch.float32))

    def loss(self, states: Tensor, items: Tensor, answers: Answers) -> Tensor:
        """Return the mean losses of what was rated and of what was met, of float32[total, d] both."""
        rating, liked = self(states, items)
        loss: Tensor = 0 * rating.sum() + 0 * liked.sum()
        known = answers.values.isfinite()
        if self.rating != "off" and known.any():
            aim = (answers.values[known] - self.scale[0]) / self.scale[1]
            measure = F.mse_loss if self.rating == "mse" else F.l1_loss
            loss = loss + measure(rating[known], aim)
        if self.click:
            loss = loss + F.binary_cross_entropy_with_logits(liked, answers.liked.float())
        return loss

    def answer(self, states: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Return ratings and chances of a like float32[n, m] of n states and m items; NaN if not learned."""
        n, m = len(states), len(items)
        rating, liked = self(states[:, None].expand(n, m, -1), items[None].expand(n, m, -1))
        mean, spread, low, high = self.scale
        rating = (mean + spread * rating).clamp(low, high)
        blank = torch.full_like(rating, torch.nan)
        taught = bool(spread.isfinite())
        rated = rating if taught and self.rating != "off" else blank
        return rated, liked.sigmoid() if taught and self.click else blank


def blank(n: int, m: int) -> Foreseen:
    """Return what is foreseen where nothing was learned: NaN, [n, m].

    Example:
        >>> blank(1, 2).click
        array([[nan, nan]], dtype=float32)
    """
    return Foreseen(*(np.full((n, m), np.nan, np.float32) for _ in Foreseen._fields))


def next_chances(scores: Floats, sharpness: float, items: Codes) -> Floats:
    """Return the chance of each of ``items`` int32[m] to come next, float32[n, m].

    Args:
        scores: Of all items, float32[n, n_items]; NaN cannot come.
        sharpness: What the cosines are multiplied by in the loss.
        items: Item codes int32[m].

    Example:
        >>> next_chances(np.array([[0.0, 0.0, np.nan]], np.float32), 10.0, np.array([0, 2]))
        array([[0.5, nan]], dtype=float32)
    """
    out = np.full((len(scores), len(items)), np.nan, np.float32)
    some = np.isfinite(scores).any(axis=1)
    logits = np.where(np.isnan(scores[some]), -np.inf, sharpness * scores[some].astype(np.float64))
    out[some] = softmax(logits, axis=1)[:, items]
    out[np.isnan(scores[:, items])] = np.nan
    return out


@torch.inference_mode()
def foresee(
    net: SequenceNet,
    table: Tensor,
    unit: Tensor,
    histories: Histories,
    items: Codes,
    users: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Return ratings and chances of a like float32[n, m], a few users at a time; NaN without events.

    Args:
        net: With heads.
        table: Item vectors as they are read, float32[n_items, d].
        unit: The same, of length 1.
        histories: Of n users, as the net reads them.
        items: Item codes int32[m].
        users: Placed readings of the users float32[n, d]; None if they are not read.
    """
    from acclimate.models.incremental import anchored
    from acclimate.models.sequence_net import Steps
    from acclimate.models.user_text import Read

    assert net.foretells is not None
    rating, liked = (np.full((len(histories), len(items)), np.nan, np.float32) for _ in range(2))
    known: NDArray[np.int64] = np.flatnonzero(histories.lengths > 0)
    wanted_items = unit[torch.from_numpy(items.astype(np.int64))]
    size = max(1, min(256, AT_ONCE // max(1, len(items))))
    for start in range(0, len(known), size):
        part = known[start : start + size]
        steps = Steps.of(anchored(histories[part], len(net.positions)), table.device)
        read = None if users is None else Read.now(users[part], table.device)
        states = net.read(table[steps.items], steps, last=True, users=read)
        found = net.foretells.answer(states, wanted_items)
        rating[part], liked[part] = (each.cpu().numpy() for each in found)
    return rating, liked
