"""Items move towards those who choose them: the fast clock of item vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.adapt.around import Around
from acclimate.errors import InputError
from acclimate.evaluate.keeping import joined, part_of
from acclimate.models.going_on import user_states
from acclimate.models.sequence import SequenceModel
from acclimate.state.contest import Contest, earned
from acclimate.state.influence import DAY, Influence
from acclimate.state.panel import Panel
from acclimate.types import Codes, Events, Floats, Histories, Item, Model, State

MOST = 50_000
"""Users of whom events are kept, to know what they were when they chose."""
HOLD = 4.0
"""Events, times the root of those that were fitted on, as which an item's old place counts."""
AGAIN = 7 * DAY
"""Seconds after which the same user with the same item counts half as much as another: sums do not fade, and
by days a flood that lasts a week would count five."""
RATES = (0.3, 1.0, 2.0)
"""How far items may move, one of them or not at all."""
EVERY, AT_FIRST = 4, 10_000
"""Each so many-th event is a question; each one, up to so many of them."""


class Stepped(Around):
    """Adds to the score of an item how near a user is to those who chose it since the model was fitted.

    The user's vector u of norm 1, right before an event with an item, is added to the sum s of the item; the
    score of another user u' gains ``rate * u' @ s / (n + 4 * sqrt(N + 1))``, where n is how many there are in
    the sum, and N how often the item was chosen in what was fitted on. So an item that is new stops being its
    text alone, one without a text is found at all, and one that was fitted on 400 events counts these as 80
    of the newest. It is a step down the slope of the loss at the item's own vector, row by row, whose length
    falls with the root of the events as in row-wise Adagrad; bounded, and at no cost of a softmax. What one
    account may move is bounded by `Influence`.

    How far is chosen from what happens, as for the prior: events are foreseen in each way before they are
    taken in, and as long as none is clearly better than none, nothing moves.

    Args:
        base: A `SequenceModel` that does not read users, or a clock around one. It stays as it is.

    Raises:
        InputError: It is another model, or reads users.

    References:
        Duchi, Hazan, Singer, "Adaptive subgradient methods", JMLR 2011; Snell, Swersky, Zemel, "Prototypical
        networks for few-shot learning", NeurIPS 2017, for an item as the mean of what chose it.
    """

    def __init__(self, base: Model) -> None:
        inner = base.inner if isinstance(base, Around) else base
        if not isinstance(inner, SequenceModel):
            raise InputError(f"the items of {base.name} cannot be moved: take sequence", field="level")
        if inner.params["user_text"] != "off":
            raise InputError(
                "with user_text the items of sequence cannot be moved yet", field="train.params.user_text"
            )
        super().__init__(base)
        self.model = inner
        self.counts = np.zeros(0, np.int64)
        self.sums, self.taken = np.zeros((0, inner.params["width"]), np.float32), np.zeros(0)
        self.users, self.contest, self.influence = Panel(MOST), Contest(1 + len(RATES)), Influence(AGAIN)
        self._passed = 0

    @property
    def rate(self) -> float:
        """How far items move now; 0 for not at all."""
        return (0.0, *RATES)[self.contest.best]

    def _begin(self, counts: NDArray[np.int64], histories: Histories) -> None:
        self.counts, n = counts.astype(np.int64), len(counts)
        self.sums, self.taken = np.zeros((n, self.sums.shape[1]), np.float32), np.zeros(n)
        self.users, self.influence = Panel.of(histories, MOST), Influence(AGAIN)
        self.contest, self._passed = Contest(1 + len(RATES)), 0

    def learn(self, events: Events) -> None:
        """Take in the positive ones of ``events``, in order."""
        passed = 0
        for n, (user, item, time, weight, value) in enumerate(self.rows(events)):
            if weight > 0 and self.users.holds(user):
                passed = self.pass_on(events, passed, n)
                self._take(user, item, time)
            self.users.learn(user, (item, time, weight, value))
        self.pass_on(events, passed, len(events.time))

    def score(self, histories: Histories) -> Floats:
        """Return the scores of the model, float32[n, n_items], with what is added."""
        scores = self.base.score(histories)
        if self.rate:
            moved = self._moved(user_states(self.model, histories))
            scores = np.where(self._met & np.isnan(scores), 0, scores) + np.float32(self.rate) * moved
        return scores

    def forget(self, user: int) -> None:
        """Forget what a user did; where items are by now stays, as it is in what others are shown."""
        super().forget(user)
        self.users.forget(user)

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Take in new or changed items."""
        super().put_items(codes, items)
        more = self.base.n_items - len(self.counts)
        self.counts, self.taken = np.pad(self.counts, (0, more)), np.pad(self.taken, (0, more))
        self.sums = np.pad(self.sums, ((0, more), (0, 0)))

    def state(self) -> State:
        """Return that of the model, and what was taken in and judged."""
        parts = {"base": self.base.state(), "users": self.users.state(), "contest": self.contest.state()}
        arrays, document = joined({**parts, "influence": (self.influence.state(), {})})
        arrays |= {"counts": self.counts.copy(), "sums": self.sums.copy(), "taken": self.taken.copy()}
        return arrays, document | {"passed": self._passed}

    def restore(self, state: State) -> None:
        """Take it over."""
        arrays, document = state
        self.base.restore(part_of(state, "base"))
        self.counts, self.sums, self.taken = (np.array(arrays[name]) for name in ("counts", "sums", "taken"))
        self.users = Panel.restored(part_of(state, "users"))
        self.contest = Contest.restored(part_of(state, "contest"))
        self.influence = Influence.restored(part_of(state, "influence")[0], AGAIN)
        self._passed, self.data = document["passed"], None

    @property
    def _met(self) -> NDArray[np.bool_]:
        """Which items were chosen by somebody who was something by then."""
        return self.taken > 0

    def _moved(self, states: Floats) -> Floats:
        """Return what is added at a rate of 1, float32[n, n_items]."""
        held: Floats = (self.taken + HOLD * np.sqrt(self.counts + 1.0)).astype(np.float32)
        out: Floats = (states @ self.sums.T) / held
        return out

    def _take(self, user: int, item: int, time: float) -> None:
        """Let each way foresee an event, if it is a question, and move its item."""
        history = self.users.history(user, time)
        if not (history.weights > 0).any():
            return
        state = user_states(self.model, history)
        had = np.unique(history.items[history.weights > 0])
        if item not in had:
            self._passed += 1
            if self.contest.asked < AT_FIRST or self._passed % EVERY == 0:
                self._ask(history, state, had, item)
        share = self.influence.share(user, item, time)
        self.sums[item] += np.float32(share) * state[0]
        self.taken[item] += share

    def _ask(self, history: Histories, state: Floats, had: NDArray[np.int32], item: int) -> None:
        scores = self.base.score(history)[0]
        moved = self._moved(state)[0]
        known = np.where(self._met & np.isnan(scores), 0, scores)
        ways = np.stack([scores, *(known + np.float32(rate) * moved for rate in RATES)])
        ways[:, had] = np.nan
        self.contest.judge(earned(ways, item))
