"""Popularity that forgets, asked at the time of the question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.errors import InputError
from acclimate.models.common import grown, not_fitted, unknown
from acclimate.types import Codes, Encoder, Floats, Histories, Item, State, Times

DAY = 86_400.0


class RecentPopularity:
    """Score items by how much they were liked lately, whoever asks.

    A positive event of weight ``w`` that is ``age`` seconds old counts ``w * 0.5 ** (age / half_life)``.
    Events after the question (``histories.now``) do not count: asked in 1999, the model answers as it would
    have in 1999. Ages are counted from the last event before the question, so that a model that was fitted
    long ago does not fade to 0. A question at time 0 has no time; it is answered as of the last event.

    Args:
        half_life: Age in seconds at which an event counts half; positive.

    Example:
        >>> model = RecentPopularity(half_life=60.0)
        >>> model.fit(Dataset.of([("ann", "heat", 60.0), ("bob", "alien", 120.0)]))
        >>> model.score(Histories.of([[], []], now=[60.0, 120.0])).tolist()
        [[1.0, 0.0], [0.5, 1.0]]
    """

    name = "recent-popularity"
    new_user = "A user without history gets what is chosen most at the moment, as everybody does."
    new_item = "An item without events scores 0, below every item that somebody chose."

    def __init__(self, half_life: float = 30 * DAY) -> None:
        if not 0 < half_life < np.inf:
            raise InputError(
                f"half_life must be a positive number of seconds, got {half_life}", field="half_life"
            )
        self.half_life = float(half_life)
        self.encoder: Encoder | None = None
        self.data: Dataset | None = None
        self.n_items = 0
        self.items: Codes | None = None
        self.times: Times = np.zeros(0)
        self.weights: Floats = np.zeros(0, np.float32)
        self.until = 0.0
        self.latest: Times = np.zeros(0)

    def fit(self, data: Dataset) -> None:
        """Keep the positive events in time order, without who they were from."""
        liked = data.weight > 0
        self._keep(data.item[liked], data.time[liked], data.weight[liked], data.n_items)
        self.data = data

    def score(self, histories: Histories) -> Floats:
        """Return float32[len(histories), n_items], never NaN; users who ask at one time get one row."""
        self._fitted()
        at = np.where(histories.now == 0, self.until, histories.now)
        out = np.empty((len(at), self.n_items), np.float32)
        stops = np.searchsorted(self.times, at, side="right")
        counts, done = np.zeros(self.n_items), 0
        for row in np.argsort(stops, kind="stable"):
            stop = int(stops[row])
            if done < stop < len(self.times):
                faded = 0.5 ** ((self.times[stop - 1] - self.times[max(done - 1, 0)]) / self.half_life)
                counts, done = counts * faded + self._count(done, stop), stop
            out[row] = self.latest if stop == len(self.times) else counts
        return out

    def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
        """Return NaN float32[m, w]: counts say nothing about nearness."""
        self._fitted()
        return unknown(items, others, self.n_items)

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Give new items the score 0."""
        self._fitted()
        self.n_items = grown(self.n_items, codes)
        self.latest = np.pad(self.latest, (0, self.n_items - len(self.latest)))

    def state(self) -> State:
        """Return the positive events: item, time and weight, and nothing about users."""
        arrays: dict[str, Any] = {"items": self._fitted(), "times": self.times, "weights": self.weights}
        return arrays, {"params": {"half_life": self.half_life}, "n_items": self.n_items}

    def restore(self, state: State) -> None:
        """Take the events and the half-life over."""
        arrays, document = state
        self.half_life = float(document["params"]["half_life"])
        self._keep(arrays["items"], arrays["times"], arrays["weights"], int(document["n_items"]))
        self.data = None

    def _keep(self, items: Codes, times: Times, weights: Floats, n_items: int) -> None:
        self.items, self.times, self.weights, self.n_items = items, times, weights, n_items
        self.until = float(times[-1]) if len(times) else 0.0
        self.latest = self._count(0, len(times))

    def _count(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return what the events ``start..stop-1`` count at the time of the last: float64[n_items]."""
        part = slice(start, stop)
        ages = self.times[max(stop - 1, 0) : stop] - self.times[part]
        worth = self.weights[part] * 0.5 ** (ages / self.half_life)
        return np.bincount(self._fitted()[part], weights=worth, minlength=self.n_items).astype(np.float64)

    def _fitted(self) -> Codes:
        if self.items is None:
            raise not_fitted(self.name)
        return self.items
