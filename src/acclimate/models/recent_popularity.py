"""Popularity that forgets, asked at the time of the question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from acclimate.data.dataset import Dataset
from acclimate.errors import InputError, is_number, shown
from acclimate.models.common import grown, not_fitted, unknown
from acclimate.models.fading import FadingCounts
from acclimate.types import Codes, Encoder, Events, Floats, Histories, Item, State

DAY = 86_400.0


class RecentPopularity:
    """Score items by how much they were liked lately, whoever asks.

    A positive event of weight ``w`` that is ``age`` seconds old counts ``w * 0.5 ** (age / half_life)``.
    Events after the question (``histories.now``) do not count: asked in 1999, the model answers as it would
    have in 1999. Ages are counted from the last event before the question, so that a model that was fitted
    long ago does not fade to 0. A question at time 0 has no time; it is answered as of the last event.
    `learn` adds single events, also such that come late; it ends where a fit on all of them would. Earlier
    times can be asked for as far as events are kept: as many as were fitted, and 100,000 at least.

    Args:
        half_life: Age in seconds at which an event counts half; positive.

    Example:
        >>> model = RecentPopularity(half_life=60.0)
        >>> model.fit(Dataset.of([("ann", "heat", 60.0), ("bob", "alien", 120.0)]))
        >>> model.score(Histories.of([[], []], now=[60.0, 120.0])).tolist()
        [[1.0, 0.0], [0.5, 1.0]]
        >>> model.learn(Dataset.of([("eve", "heat", 180.0)]).events)
        >>> model.score(Histories.of([[]], now=[180.0])).tolist()
        [[1.25, 0.5]]
    """

    name = "recent-popularity"
    new_user = "A user without history gets what is chosen most at the moment, as everybody does."
    new_item = "An item without events scores 0, below every item that somebody chose."

    def __init__(self, half_life: float = 30 * DAY) -> None:
        if not is_number(half_life) or not 0 < half_life < np.inf:
            raise InputError(
                f"half_life must be a positive number of seconds, got {shown(half_life)}", field="half_life"
            )
        self.half_life = float(half_life)
        self.encoder: Encoder | None = None
        self.data: Dataset | None = None
        self.counts: FadingCounts | None = None

    @property
    def n_items(self) -> int:
        """Size of the catalogue; 0 before ``fit``."""
        return 0 if self.counts is None else self.counts.n_items

    def fit(self, data: Dataset) -> None:
        """Keep the positive events in time order, without who they were from."""
        liked = data.weight > 0
        events = data.events.part(liked)
        self.counts = FadingCounts(events.item, events.time, events.weight, data.n_items, self.half_life)
        self.data = data

    def learn(self, events: Events) -> None:
        """Count the positive ones of ``events``."""
        counts, liked = self._fitted(), events.part(events.weight > 0)
        columns = liked.item.tolist(), liked.time.tolist(), liked.weight.tolist()
        for item, time, weight in zip(*columns, strict=True):
            counts.add(item, time, weight)

    def score(self, histories: Histories) -> Floats:
        """Return float32[len(histories), n_items]; users who ask at one time get one row.

        NaN only for a time that is before all events that are still kept.
        """
        counts = self._fitted()
        return counts.at(np.where(histories.now == 0, max(counts.until, 0.0), histories.now))

    def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
        """Return NaN float32[m, w]: counts say nothing about nearness."""
        return unknown(items, others, self._fitted().n_items)

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Give new items the score 0."""
        counts = self._fitted()
        counts.grow(grown(counts.n_items, codes))

    def state(self) -> State:
        """Return the positive events: item, time and weight, and nothing about users."""
        arrays, document = self._fitted().state()
        return arrays, {**document, "params": {"half_life": self.half_life}}

    def restore(self, state: State) -> None:
        """Take the events and the half-life over."""
        self.half_life = float(state[1]["params"]["half_life"])
        self.counts, self.data = FadingCounts.restored(state, self.half_life), None

    def _fitted(self) -> FadingCounts:
        if self.counts is None:
            raise not_fitted(self.name)
        return self.counts
