"""A model whose prior is swapped for that of now: the fast clock of popularity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from acclimate.adapt.around import Around
from acclimate.errors import InputError
from acclimate.state.contest import Contest, earned
from acclimate.state.panel import Panel
from acclimate.state.priors import HALF_LIVES, LivePrior
from acclimate.types import (
    Codes,
    Events,
    Floats,
    Histories,
    Item,
    Model,
    State,
)

SHARES = (0.5, 1.0)
"""How much of the difference may be added to the logits."""
WAYS = [(row, share) for row in range(len(HALF_LIVES)) for share in SHARES]
"""Half-life and share of each way but the first, which adds nothing."""
EVERY, AT_FIRST = 4, 10_000
"""Each so many-th event of the panel is a question; each one, up to so many of them."""


class Logits(Model, Protocol):
    """A model whose scores, times ``scale``, are the logits of a softmax over items."""

    @property
    def scale(self) -> float:
        """The inverse temperature, positive."""


class Swapped(Around):
    """Adds to a model's scores how much likelier each item is now than when it was fitted.

    How fast the counts fade, and how much of the difference is added, is chosen from what happens: some users
    are a panel, whose events are foreseen in each way before they are learned (`acclimate.state.contest`).
    As long as none is clearly better than to add nothing, nothing is added.

    Args:
        base: Fitted or not; it stays as it is.

    Raises:
        InputError: Its scores are no logits.
    """

    def __init__(self, base: Model) -> None:
        if not hasattr(type(base), "scale"):
            raise InputError(
                f"the prior of {base.name} cannot be swapped, as its scores are no logits: take sequence",
                field="level",
            )
        super().__init__(base)
        self.prior = LivePrior(np.zeros(0, np.int64))
        self.panel, self.contest = Panel(), Contest(1 + len(WAYS))
        self._passed = 0

    @property
    def scale(self) -> float:
        """What makes logits of scores."""
        return cast("Logits", self.base).scale

    @property
    def way(self) -> tuple[float, float] | None:
        """Half-life in seconds and share of what is added now, or None for nothing."""
        if not (best := self.contest.best):
            return None
        row, share = WAYS[best - 1]
        return HALF_LIVES[row], share

    def _begin(self, counts: NDArray[np.int64], histories: Histories) -> None:
        liked = histories.liked()
        self.prior = LivePrior(counts)
        self.prior.begin(liked.items, liked.times)
        self.panel, self.contest, self._passed = Panel.of(histories), Contest(1 + len(WAYS)), 0

    def forget(self, user: int) -> None:
        """Forget what a user did; that it was counted stays, as it is in what others are shown."""
        self.panel.forget(user)

    def learn(self, events: Events) -> None:
        """Count the positive ones of ``events``, in order; those of the panel are foreseen before."""
        for user, item, time, weight, value in self.rows(events):
            if weight > 0:
                if self.panel.holds(user):
                    self._ask(user, item, time)
                self.prior.learn(user, item, time)
            self.panel.learn(user, (item, time, weight, value))

    def score(self, histories: Histories) -> Floats:
        """Return the scores of the model, float32[n, n_items], with what is added."""
        scores = self.base.score(histories)
        if best := self.contest.best:
            row, share = WAYS[best - 1]
            scores += self.prior.shift(row) * np.float32(share / self.scale)
        return scores

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Take in new or changed items."""
        super().put_items(codes, items)
        self.prior.grow(self.base.n_items)

    def state(self) -> State:
        """Return that of the model, and what was counted and judged."""
        parts = {
            "base": self.base.state(),
            "prior": self.prior.state(),
            "panel": self.panel.state(),
            "contest": self.contest.state(),
        }
        arrays = {f"{part}.{name}": array for part, (own, _) in parts.items() for name, array in own.items()}
        return arrays, {part: document for part, (_, document) in parts.items()} | {"passed": self._passed}

    def restore(self, state: State) -> None:
        """Take it over."""
        arrays, document = state

        def part(name: str) -> State:
            own = {key[len(name) + 1 :]: each for key, each in arrays.items() if key.startswith(f"{name}.")}
            return own, cast("dict[str, Any]", document[name])

        self.base.restore(part("base"))
        self.prior, self.panel = LivePrior.restored(part("prior")), Panel.restored(part("panel"))
        self.contest, self._passed, self.data = Contest.restored(part("contest")), document["passed"], None

    def _ask(self, user: int, item: int, time: float) -> None:
        """Let all ways foresee an event."""
        self._passed += 1
        history = self.panel.history(user, time)
        if (self.contest.asked >= AT_FIRST and self._passed % EVERY) or not len(history.items):
            return
        had = np.unique(history.items[history.weights > 0])
        if item in had:
            return
        scores = self.base.score(history)[0]
        scores[had] = np.nan
        shifts = [self.prior.shift(row) for row in range(len(HALF_LIVES))]
        ways = [np.zeros_like(scores), *(shifts[row] * np.float32(share) for row, share in WAYS)]
        self.contest.judge(earned(scores + np.stack(ways) / np.float32(self.scale), item))
