"""What stands around a fitted model and learns beside it: all else is asked of the model.

Clocks stand around each other: each takes in an event after it was foreseen by what it stands around, and
before the next one is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.errors import InputError
from acclimate.state.fold import LiveState
from acclimate.types import Codes, Encoder, Events, Habitual, Histories, Item, Model, Remembering


class Logits(Model, Protocol):
    """A model whose scores, times ``scale``, are the logits of a softmax over items."""

    @property
    def scale(self) -> float:
        """The inverse temperature, positive."""


class Around(ABC):
    """The parts of a `acclimate.types.Clocked` model that are those of ``base``.

    Args:
        base: Fitted or not; or another that stands around such a model, which then learns as well.
    """

    def __init__(self, base: Model) -> None:
        self.base = base
        self.name, self.new_user, self.new_item = base.name, base.new_user, base.new_item
        self.encoder: Encoder | None = base.encoder
        self.data: Dataset | None = base.data

    @property
    def n_items(self) -> int:
        """Size of the catalogue; 0 before ``fit``."""
        return self.base.n_items

    @property
    def inner(self) -> Model:
        """The model that is fitted."""
        return self.base.inner if isinstance(self.base, Around) else self.base

    @property
    def scale(self) -> float:
        """What makes logits of scores, where the model has some."""
        return cast("Logits", self.inner).scale

    def fit(self, data: Dataset) -> None:
        """Fit the model, and begin from there."""
        self.inner.fit(data)
        self.begin(data)

    def begin(self, data: Dataset) -> None:
        """Start anew from what the model was fitted on."""
        if isinstance(self.base, Around):
            self.base.begin(data)
        counts = np.bincount(data.item[data.weight > 0], minlength=data.n_items)
        self._begin(counts.astype(np.int64), data.histories())
        self.data = data

    def go_on(self, state: LiveState) -> None:
        """Start anew from what ``state`` holds, where what the model was fitted on is no longer there."""
        if isinstance(self.base, Around):
            self.base.go_on(state)
        self._begin(state.liked, state.histories(state.users.ids, 0.0))

    @abstractmethod
    def _begin(self, counts: NDArray[np.int64], histories: Histories) -> None:
        """Start anew: items were liked ``counts`` int64[n_items] times, users did ``histories``."""

    def forget(self, user: int) -> None:
        """Forget what a user did."""
        if isinstance(self.base, Around):
            self.base.forget(user)

    def similarity(self, items: Codes, others: Codes | None = None) -> NDArray[np.float32]:
        """Return what the model says, float32[m, w]."""
        return self.base.similarity(items, others)

    def remember(self, histories: Histories) -> None:
        """Read users before they ask, if the model does."""
        if isinstance(self.base, Remembering):
            self.base.remember(histories)

    def times_had(self, items: Codes, history: Histories) -> NDArray[np.int64]:
        """Return what the model says, int64[k]; 0 if it says nothing."""
        model: Any = self.base
        habitual = isinstance(model, Habitual)
        return model.times_had(items, history) if habitual else np.zeros(len(items), np.int64)

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Take in new or changed items."""
        self.base.put_items(codes, items)

    def pass_on(self, events: Events, first: int, last: int) -> int:
        """Let ``base`` learn a part of ``events``, if it does; return ``last``."""
        if isinstance(self.base, Around) and last > first:
            self.base.learn(events.part(slice(first, last)))
        return last

    @abstractmethod
    def learn(self, events: Events) -> None:
        """Take in ``events``, in order."""

    def rows(self, events: Events) -> zip[tuple[int, int, float, float, float]]:
        """Return events one by one: user, item, time, weight, value.

        Raises:
            InputError: It is not fitted.
        """
        if not self.n_items:
            raise InputError(f"{self.name} is not fitted: call fit(data) first", field="model")
        return zip(*(column.tolist() for column in events), strict=True)
