"""What an event is worth, by the ``[events]`` table; nothing else knows event types."""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from acclimate.config import EventsTable, rating_scale
from acclimate.state.columns import Column
from acclimate.types import Event

PRIOR = 2.0
"""A user's mean rating starts as if there were two ratings of the middle."""
FAINT = 0.05
"""The least that a rating weighs, either way: who rates an item has had it."""


Scale = tuple[float, float]
"""The lowest and the highest rating."""


class Weights:
    """Weighs events; remembers each user's mean rating.

    A rating ``v`` weighs ``(v - mean) / 2`` in [-1, 1], where ``mean`` is that of the user's ratings so far,
    this one included, shrunk to the middle 3.0 of a 1..5 scale with the weight of two ratings. So a first
    5 weighs 0.67 and a first 1 -0.67, and a 3 weighs less from someone who gives 5s. At the mean itself it
    weighs a faint 0.05. What lies outside the scale counts as its nearer end; on another scale, as in
    ``rating="1..100"``, the middle and the 2, half its length, are those of the scale.

    Args:
        table: Weight of each event type. A type that is not in it weighs 0, as an exposure does.

    Example:
        >>> weights = Weights(EventsTable())
        >>> weights.add(0, Event("ann", "like", 1.0, item_id="heat"))
        2.0
        >>> [round(weights.add(0, Event("ann", "rating", 1.0, "heat", value=v)), 2) for v in (5, 5, 3, 4)]
        [0.67, 0.5, -0.4, 0.08]
    """

    def __init__(self, table: EventsTable) -> None:
        self.table = table
        self._fixed = {name: value for name, value in _types(table).items() if not isinstance(value, str)}
        self._scales = {
            name: rating_scale(value) for name, value in _types(table).items() if isinstance(value, str)
        }
        self.sums = Column(np.zeros(0), 0.0)
        self.counts = Column(np.zeros(0, np.int64), 0)

    def add(self, user: int, event: Event) -> float:
        """Return what ``event`` of the user with code ``user`` weighs, and remember its rating."""
        scale = self._scales.get(event.event_type)
        rating = _on_scale(event.value, scale)
        if scale and rating is not None:
            self.sums.grow(user + 1)
            self.counts.grow(user + 1)
            self.sums.values[user] += rating
            self.counts.values[user] += 1
            return _around(rating, self.sums.values[user], int(self.counts.values[user]), scale)
        return FAINT if scale else self._fixed.get(event.event_type, 0.0)

    def ask(self, user: int, event: Event) -> float:
        """Return what ``event`` would weigh; remembers nothing. ``user`` is -1 if unknown."""
        scale = self._scales.get(event.event_type)
        rating = _on_scale(event.value, scale)
        if scale and rating is not None:
            known = 0 <= user < len(self.counts.values)
            total = float(self.sums.values[user]) if known else 0.0
            count = int(self.counts.values[user]) if known else 0
            return _around(rating, total + rating, count + 1, scale)
        return FAINT if scale else self._fixed.get(event.event_type, 0.0)

    def scale(self, event_type: str) -> Scale | None:
        """Return the lowest and the highest rating of a type; None if its events are no ratings."""
        return self._scales.get(event_type)

    def seed(self, user: NDArray[np.int32], value: NDArray[np.float32], n_users: int) -> None:
        """Start from the ratings ``value`` [n] that users ``user`` int32[n] gave, if that is what they are.

        A set whose values leave the scale (and 0) holds amounts or ratings on another one, and says nothing
        about ratings to come.
        """
        lowest, highest = next(iter(self._scales.values()), (np.inf, -np.inf))
        given = np.isfinite(value)
        user, value = user[given], value[given]
        if not len(value) or value.min() < min(lowest, 0.0) or value.max() > highest:
            return
        value = np.clip(value, lowest, highest).astype(np.float64)
        self.sums = Column(np.bincount(user, weights=value, minlength=n_users), 0.0)
        self.counts = Column(np.bincount(user, minlength=n_users), 0)

    def forget(self, user: int) -> None:
        """Forget the ratings of a user."""
        if user < len(self.counts.values):
            self.sums.values[user] = self.counts.values[user] = 0


def _types(table: EventsTable) -> dict[str, float | str]:
    return {name: getattr(table, name) for name in table.__struct_fields__}


def _on_scale(value: float | None, scale: Scale | None) -> float | None:
    if scale is None or value is None or not isfinite(value):
        return None
    return min(max(float(value), scale[0]), scale[1])


def _around(rating: float, total: float, count: int, scale: Scale) -> float:
    middle = (scale[0] + scale[1]) / 2
    mean = (PRIOR * middle + float(total)) / (PRIOR + count)
    weight = min(max((rating - mean) / (scale[1] - middle), -1.0), 1.0)
    return weight if abs(weight) >= FAINT else FAINT
