"""A start for new users that was learned over users: one step of their own, at learned rates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from acclimate.adapt.around import Around
from acclimate.adapt.slow import PLAIN
from acclimate.errors import InputError
from acclimate.evaluate.keeping import joined, part_of
from acclimate.models.going_on import foreseeing, had_before
from acclimate.models.sequence import SequenceModel
from acclimate.models.sequence_net import Batch
from acclimate.rng import generator
from acclimate.state.contest import Contest, earned
from acclimate.state.panel import Panel
from acclimate.types import Events, Floats, Histories, Model, State

FIRST = 20
"""Events of a user, up to which it is new."""
USERS, BATCH, EPOCHS, RATE = 2_048, 64, 6, 0.01
"""Users over whom it is learned, how many at once, how often, and the rate of Adam."""
WAYS = ((0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (2.0, 0.0), (0.5, 0.5), (1.0, 1.0), (2.0, 2.0))
"""How much of the start, and of the step from there, may be taken: one of these ways; the first is none."""


class _Read(NamedTuple):
    """Events of some users but the first of each: the states before them float32[total, d], their items
    int64[total], pairs of an event and an item that the user had by then, and how many each user has.
    """

    states: Tensor
    then: Tensor
    had: tuple[Tensor, Tensor]
    lengths: list[int]


class Meta(Around):
    """Adds to the state of a user with few events a vector of its own: one step down the loss of these.

    The step goes from a start z, along the mean slope g of the loss of the user's own n events at z, as far
    as ``rates * g * n / (n + hold)``; the score of an item with the unit vector e gains ``(z + step) @ e``.
    Start, rates (one for each direction) and hold are learned over users, so that after the step what comes
    next is foreseen best: first-order MAML with learned rates, of what is a user's own alone. The net stays
    as it is. How much of it is taken, and whether of the start alone, is chosen from what happens, as for
    the prior; none, unless some is clearly better.

    Args:
        base: A `SequenceModel` of plain arguments, or a clock around one. It stays as it is.
        seed: Of the users over whom it is learned.

    Raises:
        InputError: It is another model, or reads users, feedback, baskets or repeats, or looks further ahead
            than to the next event.

    References:
        Finn, Abbeel, Levine, "Model-agnostic meta-learning", ICML 2017; Li et al., "Meta-SGD", 2017; Lee et
        al., "MeLU: meta-learned user preference estimator for cold-start recommendation", KDD 2019.
    """

    def __init__(self, base: Model, *, seed: int = 0) -> None:
        inner = base.inner if isinstance(base, Around) else base
        if not isinstance(inner, SequenceModel):
            raise InputError(f"{base.name} has no state to start from: take sequence", field="level")
        for name, off in PLAIN:
            if inner.params[name] != off:
                raise InputError(
                    f"with {name} a start for new users cannot be learned yet", field=f"train.params.{name}"
                )
        super().__init__(base)
        self.model, self.seed = inner, seed
        self.start, self.rates = np.zeros((2, inner.params["width"]), np.float32)
        self.hold = 1.0
        self.panel, self.contest = Panel(), Contest(len(WAYS))

    @property
    def way(self) -> tuple[float, float]:
        """How much of the start, and of the step, is taken now; 0 for none."""
        return WAYS[self.contest.best]

    def _begin(self, counts: NDArray[np.int64], histories: Histories) -> None:
        liked = histories.liked()
        able = np.flatnonzero(liked.lengths > 2)
        drawn = np.sort(generator(self.seed, "start", "users").permutation(able)[:USERS])
        self._learn_start(self.model._heard(_first(liked[drawn])))
        self.panel, self.contest = Panel.of(histories), Contest(len(WAYS))

    def learn(self, events: Events) -> None:
        """Let each way foresee the first events of users of a panel; the start stays as it was learned."""
        passed = 0
        for n, (user, item, time, weight, value) in enumerate(self.rows(events)):
            if weight > 0 and self._is_question(user, item):
                passed = self.pass_on(events, passed, n)
                self._ask(user, item, time)
            self.panel.learn(user, (item, time, weight, value))
        self.pass_on(events, passed, len(events.time))

    def score(self, histories: Histories) -> Floats:
        """Return the scores of the model, float32[n, n_items], with what is added for new users."""
        scores = self.base.score(histories)
        start, step = self.way
        if start or step:
            scores += self.steps(histories, start, step) @ self._aims.numpy().T
        return scores

    def steps(self, histories: Histories, start: float = 1.0, step: float = 1.0) -> Floats:
        """Return what is a user's own, float32[n, d]; 0 for who is not new, or did nothing.

        Args:
            histories: Of the users.
            start: How much of the start is taken, 0 or more.
            step: How much of the step from there, 0 or more.
        """
        liked = self.model._heard(histories)
        out = np.zeros((len(liked), len(self.start)), np.float32)
        new = np.flatnonzero((liked.lengths > 0) & (liked.lengths <= FIRST))
        many = new[liked.lengths[new] > 1]
        out[new] = np.float32(start) * self.start
        if step and len(many):
            read = self._read(liked[many])
            slopes = self._slopes(read, torch.from_numpy(self.start))
            sums = torch.stack([part.sum(dim=0) for part in torch.split(slopes, read.lengths)])
            n = torch.tensor(read.lengths, dtype=torch.float32)[:, None]
            out[many] += np.float32(step) * self.rates * (sums / (n + self.hold)).numpy()
        return out

    def forget(self, user: int) -> None:
        """Forget what a user did."""
        super().forget(user)
        self.panel.forget(user)

    def state(self) -> State:
        """Return that of the model, the start, and what was judged."""
        parts = {"base": self.base.state(), "panel": self.panel.state(), "contest": self.contest.state()}
        arrays, document = joined(parts)
        arrays |= {"start": self.start.copy(), "rates": self.rates.copy()}
        return arrays, document | {"hold": self.hold}

    def restore(self, state: State) -> None:
        """Take it over."""
        arrays, document = state
        self.base.restore(part_of(state, "base"))
        self.panel = Panel.restored(part_of(state, "panel"))
        self.contest = Contest.restored(part_of(state, "contest"))
        self.start, self.rates = np.array(arrays["start"]), np.array(arrays["rates"])
        self.hold, self.data = float(document["hold"]), None

    @property
    def _aims(self) -> Tensor:
        return self.model._items.aims

    @torch.no_grad()
    def _read(self, histories: Histories) -> _Read:
        """Return what is learned from users of two events or more."""
        steps, then = foreseeing(histories)
        states = self.model._fitted().read(self.model._items.vectors[steps.items], steps)
        had = had_before(Batch(steps, then, torch.ones(len(then))))
        return _Read(states, then, had, steps.lengths.tolist())

    @torch.no_grad()
    def _slopes(self, read: _Read, start: Tensor) -> Tensor:
        """Return where the loss of each event falls fastest, in cosines, float32[total, d]."""
        return self._aims[read.then] - torch.softmax(self._logits(read, start), dim=1) @ self._aims

    def _logits(self, read: _Read, own: Tensor) -> Tensor:
        """Return the logits of all items, without those that the user had, float32[total, n_items]."""
        logits = float(self.model._fitted().scale) * (read.states + own) @ self._aims.T
        again = read.had[1] == read.then[read.had[0]]  # what came nevertheless
        return logits.index_put((read.had[0][~again], read.had[1][~again]), torch.tensor(-torch.inf))

    def _learn_start(self, histories: Histories) -> None:
        """Learn start, rates and hold over users, by what comes next after their own step."""
        width = len(self.start)
        self.start, self.rates, self.hold = np.zeros(width, np.float32), np.zeros(width, np.float32), 1.0
        users = np.flatnonzero(histories.lengths > 1)
        if not len(users):
            return
        start, rates = (torch.zeros(width, requires_grad=True) for _ in range(2))
        hold = torch.zeros((), requires_grad=True)  # its logarithm
        optimiser = torch.optim.Adam([start, rates, hold], lr=RATE)
        for epoch in range(EPOCHS):
            order = generator(self.seed, "start", epoch).permutation(users)
            for part in np.array_split(order, -(-len(order) // BATCH)):
                read = self._read(histories[np.sort(part)])
                slopes = self._slopes(read, start.detach())
                before = torch.cat([each.cumsum(0) - each for each in torch.split(slopes, read.lengths)])
                n = torch.cat([torch.arange(each, dtype=torch.float32) for each in read.lengths])[:, None]
                own = start + rates * before / (n + hold.exp())
                loss = F.cross_entropy(self._logits(read, own), read.then)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
        self.start, self.rates = start.detach().numpy().copy(), rates.detach().numpy().copy()
        self.hold = float(hold.detach().exp())

    def _is_question(self, user: int, item: int) -> bool:
        """Return whether all ways shall foresee an event."""
        new = self.panel.holds(user) and 0 < self.panel.count(user) <= FIRST
        return new and not self.panel.had(user, item)

    def _ask(self, user: int, item: int, time: float) -> None:
        history = self.panel.history(user, time)
        if not (history.weights > 0).any():
            return
        scores, aims = self.base.score(history)[0], self._aims.numpy().T
        from_start, from_step = (self.steps(history, *way)[0] @ aims for way in ((1.0, 0.0), (0.0, 1.0)))
        ways = np.stack([scores + start * from_start + step * from_step for start, step in WAYS])
        ways[:, history.items[history.weights > 0]] = np.nan
        self.contest.judge(earned(ways, item))


def _first(histories: Histories) -> Histories:
    """Return the first events of each user."""
    place = np.arange(len(histories.items)) - histories.offsets[:-1][histories.rows]
    return histories.where(place <= FIRST)
