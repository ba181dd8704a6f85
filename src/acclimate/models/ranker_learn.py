"""How the ranker learns: what the first stage found and the user chose, and what the answers mean."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from acclimate.models.calibrate import calibration_error, platt, temperature
from acclimate.models.ranker_net import CLICK, PURCHASE, RATING, Choices, RankerNet, Table, ndcg_of_first
from acclimate.rng import generator
from acclimate.training import Fitted, Recipe, Training, fit
from acclimate.types import Floats

Pair = tuple[float, float]


class Lessons(NamedTuple):
    """Choices among candidates, of which the first was chosen.

    Args:
        table: What is known of m users with their candidates.
        bought: Whether the choice was a purchase, bool[m].
        ratings: How it was rated, float32[m], NaN where it was not.
    """

    table: Table
    bought: NDArray[np.bool_]
    ratings: Floats

    def part(self, which: NDArray[Any]) -> Lessons:
        """Return the chosen ones."""
        return Lessons(Table(*(part[which] for part in self.table)), self.bought[which], self.ratings[which])

    @classmethod
    def join(cls, parts: list[Lessons]) -> Lessons:
        """Return all ``parts``, one behind the other; those with fewer candidates are filled up."""
        width = max(part.table.base.shape[1] for part in parts)
        tables = zip(*(_filled(part.table, width) for part in parts), strict=True)
        bought, ratings = (np.concatenate([part[at] for part in parts]) for at in (1, 2))
        return cls(Table(*(np.concatenate(column) for column in tables)), bought, ratings)


class Meaning(NamedTuple):
    """What turns the net's answers into chances and ratings.

    Args:
        temperature: Of the softmax over the candidates.
        reach: Share of choices that the first stage has among its candidates.
        purchase: a and b of Platt's sigmoid; None if nobody bought.
        rating: Mean and spread of the ratings; None if nobody rated.
    """

    temperature: float
    reach: float
    purchase: Pair | None
    rating: Pair | None


def learn(
    net: RankerNet,
    taught: Lessons,
    watched: Lessons,
    rating: Pair,
    params: dict[str, Any],
    training: Training,
) -> Fitted:
    """Fit ``net`` to ``taught``, until its NDCG@10 on ``watched`` rises no more."""
    mean, spread = rating
    ratings = ((taught.ratings - mean) / spread).astype(np.float32)
    columns = (*taught.table, taught.bought.astype(np.float32), ratings)

    def batches(epoch: int) -> Iterator[Choices]:
        order = generator(params["seed"], "choices", epoch).permutation(len(ratings))
        for start in range(0, len(order), params["batch_size"]):
            part = order[start : start + params["batch_size"]]
            yield Choices(*(torch.from_numpy(column[part]) for column in columns))

    recipe = Recipe(
        params["epochs"], params["learning_rate"], patience=params["patience"], seed=params["seed"]
    )
    told = repr(params).encode() + b"".join(column.tobytes() for column in columns)
    return fit(
        net,
        batches,
        recipe,
        training,
        figure=lambda: ndcg_of_first(net.answer(watched.table)[..., CLICK]),
        name="ranker",
        key=hashlib.sha256(told).hexdigest(),
    )


def understand(
    net: RankerNet, watched: Lessons, rating: Pair | None, reach: float
) -> tuple[Meaning, dict[str, float]]:
    """Return what the answers mean, learned from one half of ``watched``, and how good they are on the other.

    With one choice, it is both halves.
    """
    out = net.answer(watched.table)
    half = len(out) // 2
    teach, test = slice(0, max(half, 1)), slice(half, None)
    t = temperature(out[teach, :, CLICK])
    sigmoid = platt(out[teach, 0, PURCHASE], watched.bought[teach]) if watched.bought.any() else None
    clicks = softmax(out[test, :, CLICK] / t, axis=1)
    chosen = np.zeros(clicks.shape, bool)
    chosen[:, 0] = True
    there = np.isfinite(watched.table.base[test])
    report = {
        "ndcg@10 of the first stage": ndcg_of_first(watched.table.base),
        "ndcg@10": ndcg_of_first(out[..., CLICK]),
        "calibration error of clicks": calibration_error(clicks[there], chosen[there]),
    }
    if sigmoid:
        chances = 1 / (1 + np.exp(-(sigmoid[0] * out[test, 0, PURCHASE] + sigmoid[1])))
        report["calibration error of purchases"] = calibration_error(chances, watched.bought[test])
    rated = ~np.isnan(watched.ratings)
    if rating and rated.any():
        said = rating[0] + rating[1] * out[rated, 0, RATING]
        report["rmse of ratings"] = float(np.sqrt(np.square(said - watched.ratings[rated]).mean()))
    return Meaning(t, reach, sigmoid, rating), report


def _filled(table: Table, width: int) -> Table:
    """Return the table with so many candidates; those added are none."""
    room = ((0, 0), (0, width - table.base.shape[1]))
    wide, content = (np.pad(part, (*room, (0, 0))) for part in (table.features, table.content))
    return Table(wide, content, table.tastes, np.pad(table.base, room, constant_values=-np.inf))
