"""How true the ratings and the chances are that a model foresees, where it foresees any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from acclimate.data.split import Split
from acclimate.evaluate.compare import Interval, jackknife
from acclimate.metrics import accuracy, calibration_error, grouped_auc, log_loss, mae, rmse
from acclimate.rng import generator
from acclimate.types import Codes, Floats, Histories, Model

AT_ONCE = 256
"""Users whose ratings of all items are held together."""
MOST = 500
"""Questions of which the chances are looked at, drawn at random where there are more."""

Measure = Callable[[NDArray[Any], NDArray[Any]], float]


@runtime_checkable
class Rates(Protocol):
    """A model that foresees ratings, in the units of the data."""

    def predict_rating(self, histories: Histories) -> Floats:
        """Return the rating that each of n users would give each item, float32[n, n_items] or NaN."""


@runtime_checkable
class Foretells(Protocol):
    """A model that foresees the chance of what comes next."""

    def predict(self, histories: Histories, items: Codes) -> Any:
        """Return what may happen between n users and m items: ``click`` and ``rating`` float32[n, m] or NaN.

        ``click`` is the chance that an item is chosen next.
        """


class Told(NamedTuple):
    """What was foreseen, and what happened.

    Args:
        rows: The question of each forecast, int64[n].
        happened: A rating, or 1 where the item was the target and 0 elsewhere, float64[n].
        foreseen: The rating or chance, float64[n].
    """

    rows: NDArray[np.int64]
    happened: NDArray[np.float64]
    foreseen: NDArray[np.float64]


def forecasts(model: Model, split: Split, lists: Codes) -> dict[str, Interval]:
    """Return how true the forecasts of a model are, with intervals over users; nothing for most models.

    Ratings are those of the targets: ``rmse`` and ``mae``. Chances are those that each item of a list is the
    target: ``log_loss``, ``accuracy``, ``calibration_error`` and ``grouped_auc``.

    Args:
        model: Fitted on ``split.train``.
        split: With the ratings of the targets, if there are any.
        lists: What the model lists for each question, int32[m, k].
    """
    found: dict[str, Interval] = {}
    if isinstance(model, Rates) and len((told := _ratings(model, split)).rows):
        found |= _measured(told, {"rmse": rmse, "mae": mae})
    if isinstance(model, Foretells):
        chances, ratings = _foretold(model, split, lists)
        if len(ratings.rows):
            found |= _measured(ratings, {"rmse": rmse, "mae": mae})
        if len(chances.rows):
            found |= _measured(
                chances, {"log_loss": log_loss, "accuracy": accuracy, "calibration_error": calibration_error}
            )
            found |= _by_list(chances)
    return found


def _ratings(model: Rates, split: Split) -> Told:
    true = np.full(split.n_targets, np.nan) if split.values is None else split.values.astype(np.float64)
    foreseen = np.full(split.n_targets, np.nan)
    if np.isfinite(true).any():
        for start in range(0, len(split.users), AT_ONCE):
            rated = model.predict_rating(split.histories[start : start + AT_ONCE])
            first, last = split.target_offsets[[start, min(start + AT_ONCE, len(split.users))]]
            mine = slice(int(first), int(last))
            foreseen[mine] = rated[split.rows[mine] - start, split.targets[mine]]
    known = np.isfinite(true) & np.isfinite(foreseen)
    return Told(split.rows[known], true[known], foreseen[known])


def _foretold(model: Foretells, split: Split, lists: Codes) -> tuple[Told, Told]:
    """Return the chances of what is listed, and the ratings of the targets."""
    asked = generator(0, "forecasts").permutation(len(split.users))[:MOST]
    n, right = split.train.n_items, split.rows * split.train.n_items + split.targets
    chances, ratings = [], []
    for row in np.sort(asked).tolist():
        items = lists[row][lists[row] >= 0]
        mine = slice(*split.target_offsets[row : row + 2].tolist())
        found = model.predict(split.histories[row], np.concatenate([items, split.targets[mine]]))
        happened = np.isin(row * n + items, right).astype(np.float64)
        chances.append(_known(row, happened, found.click[0, : len(items)]))
        if split.values is not None:
            ratings.append(_known(row, split.values[mine], found.rating[0, len(items) :]))
    return _joined(chances), _joined(ratings)


def _known(row: int, happened: NDArray[Any], foreseen: NDArray[Any]) -> Told:
    """Return the forecasts of one question, without those that were not made or cannot be checked."""
    told = np.asarray(happened, np.float64), np.asarray(foreseen, np.float64)
    known = np.isfinite(told[0]) & np.isfinite(told[1])
    return Told(np.full(int(known.sum()), row), told[0][known], told[1][known])


def _joined(parts: Sequence[Told]) -> Told:
    empty = Told(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    return Told(*(np.concatenate(column) for column in zip(empty, *parts, strict=True)))


def _by_list(told: Told) -> dict[str, Interval]:
    """Return ``grouped_auc`` with its interval; nothing if no list holds right and wrong items."""
    n = int(told.rows.max()) + 1
    right, size = np.bincount(told.rows, told.happened, n), np.bincount(told.rows, minlength=n)
    both = np.flatnonzero((right > 0) & (right < size))
    if not len(both):
        return {}

    def of(kept: NDArray[Any]) -> float:
        mine = np.isin(told.rows, kept)
        return grouped_auc(told.happened[mine], told.foreseen[mine], told.rows[mine])

    return {"grouped_auc": jackknife(both, of)}


def _measured(told: Told, measures: dict[str, Measure]) -> dict[str, Interval]:
    """Return each measure with an interval from leaving out groups of questions."""
    rows = np.unique(told.rows)

    def over(measure: Measure) -> Callable[[NDArray[Any]], float]:
        def of(kept: NDArray[Any]) -> float:
            mine = np.isin(told.rows, kept)
            return measure(told.happened[mine], told.foreseen[mine])

        return of

    return {name: jackknife(rows, over(measure), high=np.inf) for name, measure in measures.items()}
