"""A model whose prior is swapped for that of now: the fast clock of popularity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.adapt.around import Around
from acclimate.errors import InputError
from acclimate.evaluate.keeping import joined, part_of
from acclimate.state.contest import Contest, earned
from acclimate.state.panel import Panel
from acclimate.state.priors import HALF_LIVES, LivePrior
from acclimate.state.waiting import BLOCK, Waiting
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


class Swapped(Around):
    """Adds to a model's scores how much likelier each item is now than when it was fitted.

    How fast the counts fade, and how much of the difference is added, is chosen from what happens: some users
    are a panel, whose events are foreseen in each way before they are counted (`acclimate.state.contest`);
    some at once, by counts before the first of them. As long as none is clearly better than to add nothing,
    nothing is added.

    Args:
        base: Fitted or not; it stays as it is.
        way: Half-life in seconds, one of `HALF_LIVES`, and share, 0..1, for good; None: chosen from what
            happens.

    Raises:
        InputError: Its scores are no logits, or there is no such way.
    """

    def __init__(self, base: Model, *, way: tuple[float, float] | None = None) -> None:
        if not hasattr(type(base.inner if isinstance(base, Around) else base), "scale"):
            raise InputError(
                f"the prior of {base.name} cannot be swapped, as its scores are no logits: take sequence",
                field="level",
            )
        super().__init__(base)
        if way is not None and (way[0] not in HALF_LIVES or not 0 <= way[1] <= 1):
            lives = ", ".join(f"{half_life:.0f}" for half_life in HALF_LIVES)
            raise InputError(f"way must be one of {lives} seconds and a share 0..1, got {way}", field="way")
        self.given = way
        self.prior = LivePrior(np.zeros(0, np.int64))
        self.block = 1 if isinstance(base, Around) else BLOCK  # it is asked before it learns the answer
        self.panel, self.contest, self.waiting = Panel(), Contest(1 + len(WAYS)), Waiting(self.block)
        self._passed, self._shifts = 0, _none(0)

    @property
    def way(self) -> tuple[float, float] | None:
        """Half-life in seconds and share of what is added now, or None for nothing."""
        if self.given is not None:
            return self.given
        if not (best := self.contest.best):
            return None
        row, share = WAYS[best - 1]
        return HALF_LIVES[row], share

    def _begin(self, counts: NDArray[np.int64], histories: Histories) -> None:
        liked = histories.liked()
        self.prior = LivePrior(counts)
        self.prior.begin(liked.items, liked.times)
        self.panel, self.contest, self.waiting = (
            Panel.of(histories),
            Contest(1 + len(WAYS)),
            Waiting(self.block),
        )
        self._passed, self._shifts = 0, _none(len(counts))

    def forget(self, user: int) -> None:
        """Forget what a user did; that it was counted stays, as it is in what others are shown."""
        super().forget(user)
        self.panel.forget(user)
        self.waiting.forget(user)

    def learn(self, events: Events) -> None:
        """Count the positive ones of ``events``, in order; those of the panel are foreseen before."""
        passed = 0
        for n, (user, item, time, weight, value) in enumerate(self.rows(events)):
            if weight > 0:
                if self._is_question(user, item):
                    passed = self.pass_on(events, passed, n)
                    self._ask(user, item, time)
                self.prior.learn(user, item, time)
            self.panel.learn(user, (item, time, weight, value))
        self.pass_on(events, passed, len(events.time))

    def score(self, histories: Histories) -> Floats:
        """Return the scores of the model, float32[n, n_items], with what is added."""
        scores = self.base.score(histories)
        if way := self.way:
            half_life, share = way
            scores += self.prior.shift(HALF_LIVES.index(half_life)) * np.float32(share / self.scale)
        return scores

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Take in new or changed items."""
        super().put_items(codes, items)
        self.prior.grow(self.base.n_items)
        self._shifts = np.pad(self._shifts, ((0, 0), (0, self.base.n_items - self._shifts.shape[1])))

    def state(self) -> State:
        """Return that of the model, and what was counted and judged."""
        parts = {
            "base": self.base.state(),
            "prior": self.prior.state(),
            "panel": self.panel.state(),
            "contest": self.contest.state(),
            "waiting": self.waiting.state(),
        }
        arrays, document = joined(parts)
        return arrays | {"shifts": self._shifts.copy()}, document | {"passed": self._passed}

    def restore(self, state: State) -> None:
        """Take it over."""
        arrays, document = state
        self.base.restore(part_of(state, "base"))
        self.prior = LivePrior.restored(part_of(state, "prior"))
        self.panel = Panel.restored(part_of(state, "panel"))
        self.contest = Contest.restored(part_of(state, "contest"))
        self.waiting = Waiting.restored(part_of(state, "waiting"))
        self._shifts, self._passed, self.data = np.array(arrays["shifts"]), document["passed"], None

    def _is_question(self, user: int, item: int) -> bool:
        """Return whether all ways shall foresee an event."""
        if self.given is not None or not self.panel.holds(user):
            return False
        self._passed += 1
        asked = self.contest.asked + len(self.waiting)
        return not (asked >= AT_FIRST and self._passed % EVERY) and self.panel.had(user, item) is False

    def _ask(self, user: int, item: int, time: float) -> None:
        """Let all ways foresee an event, with others."""
        if not len(self.waiting):
            self._shifts = np.stack([self.prior.shift(row) for row in range(len(HALF_LIVES))])
        self.waiting.put(self.panel, user, item, time)
        if self.waiting.full:
            self._judge()

    def _judge(self) -> None:
        """Let all ways foresee what waits."""
        histories, items = self.waiting.take()
        scores, liked = self.base.score(histories), histories.liked()
        scores[liked.rows, liked.items] = np.nan
        per_logit = np.float32(1 / self.scale)
        ways = [None, *(self._shifts[row] * (np.float32(share) * per_logit) for row, share in WAYS)]
        for each in np.stack([earned(scores if way is None else scores + way, items) for way in ways], 1):
            self.contest.judge(each)


def _none(n_items: int) -> Floats:
    """Return that nothing is added, by any half-life."""
    return np.zeros((len(HALF_LIVES), n_items), np.float32)
