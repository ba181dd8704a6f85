"""The slow clock: the weights of a sequence model go on learning, a few hundred events at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from acclimate.adapt.around import Around
from acclimate.adapt.growing import make_weights
from acclimate.adapt.low_rank import RANK
from acclimate.adapt.safeguards import make_safeguard
from acclimate.errors import InputError
from acclimate.evaluate.keeping import joined, part_of
from acclimate.models.going_on import closed, foreseeing, longer, mixed, opened
from acclimate.models.sequence import SequenceModel
from acclimate.models.sequence_net import Batch, SequenceNet
from acclimate.rng import generator
from acclimate.state.panel import Panel
from acclimate.types import Codes, Events, Floats, Histories, Item, Model, State

MOST = 50_000
"""Users of whom events are kept to learn from."""
CONTEXT = 50
"""Events before a new one that are read with it."""
REPLAYED, STRETCHES = 4_096, 128
"""Old events that are learned again in each step, and users of whom they are."""

PLAIN = (("user_text", "off"), ("feedback", False), ("repeats", False), ("baskets", False), ("ahead", 1))
"""Arguments of the model, and what they have to be."""


def adapted(base: Model) -> Slow:
    """Return the slow clock with an adapter whose ranks move."""
    return Slow(base, adapter="adalora")


class Slow(Around):
    """Takes one step on each ``every`` events, and on as many old ones as a step of the fit has.

    The loss is that of the fit, on what users did next; of a user's new events alone, read behind the 50
    before. Old events are replayed beside them: users are drawn alike, so that who is heard often is not
    learned more often, and of each a stretch that ends anywhere. Without that, what is not asked at the
    moment is forgotten (experience replay: Rolnick et al., NeurIPS 2019).

    Args:
        base: A `SequenceModel` of plain arguments. Its weights change.
        every: Events of positive weight that a step waits for, 1 or more.
        learning_rate: Of AdamW, 0..1.
        seed: Of what is replayed, and dropped.
        safeguard: What holds the weights to those that were published, a key of `SAFEGUARDS`.
        strength: How strongly, 0 or more; None: as is usual for the safeguard.
        adapter: Which weights learn, a key of `WEIGHTS`.
        rank: Of an adapter's matrices, on average, 1 or more.

    Raises:
        InputError: It is no sequence model, or reads users, feedback, baskets or repeats, or looks further
            ahead than to the next event; or an argument is out of range.
    """

    def __init__(
        self,
        base: Model,
        *,
        every: int = 128,
        learning_rate: float = 1e-3,
        seed: int = 0,
        safeguard: str = "kl",
        strength: float | None = None,
        adapter: str = "off",
        rank: int = RANK,
    ) -> None:
        if not isinstance(base, SequenceModel):
            raise InputError(f"{base.name} cannot go on learning: take sequence", field="level")
        for name, off in PLAIN:
            if base.params[name] != off:
                raise InputError(
                    f"with {name} sequence cannot go on learning yet", field=f"train.params.{name}"
                )
        super().__init__(base)
        self.every, self.learning_rate, self.seed = every, learning_rate, seed
        self.guard = make_safeguard(safeguard, strength)
        self.adapter, self.weights = adapter, make_weights(adapter, learning_rate, rank, seed, safeguard)
        self.users, self.counts = Panel(MOST), np.zeros(0, np.int64)
        self.rate = 1.0
        """What the learning rate is multiplied by from here on; whoever sets it keeps it."""
        self.steps = self.failed = 0
        self._new: list[int] = []
        self._open: SequenceNet | None = None
        self._learned: dict[str, Any] = {}
        """The learned weights, while nothing is open, where others are served."""

    def hold_on(self) -> None:
        """Take what is learned by now for what is published: the safeguard holds on to that."""
        self.guard.begin(self.counts > 0)
        self.weights.hold_on()

    def _begin(self, counts: NDArray[np.int64], histories: Histories) -> None:
        self.counts = counts.astype(np.int64)
        self.users, self.data = Panel.of(histories.liked(), MOST), None
        self.steps, self.failed, self._new, self._open, self._learned = 0, 0, [], None, {}
        self.weights.begin()
        self.hold_on()

    def learn(self, events: Events) -> None:
        """Take in the positive ones of ``events``, and a step whenever there are enough."""
        for user, item, time, weight, value in self.rows(events):
            if weight <= 0:
                continue
            self.counts[item] += 1
            self.users.learn(user, (item, time, weight, value))
            self._new.append(user)
            if len(self._new) >= self.every:
                self._step()

    def score(self, histories: Histories) -> Floats:
        """Return the scores of the model as it is now, float32[n, n_items]."""
        return self.base.score(histories)

    def forget(self, user: int) -> None:
        """Forget what a user did; the weights keep what they have learned."""
        super().forget(user)
        self.users.forget(user)
        self._new = [other for other in self._new if other != user]

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Take in new or changed items."""
        super().put_items(codes, items)
        self.counts = np.pad(self.counts, (0, self.base.n_items - len(self.counts)))
        self._set_down()
        self._open = None  # it is opened again, with their texts

    def state(self) -> State:
        """Return that of the model as it is now, and all that the next step depends on."""
        self._set_down()
        parts = {"base": self.base.state(), "users": self.users.state(), "guard": self.guard.state()}
        parts |= {"weights": self.weights.state(), "learned": (self._learned, {})}
        every, told = joined(parts)
        every |= {"counts": self.counts.copy(), "new": np.array(self._new, np.int64)}
        return every, told | {"steps": self.steps, "failed": self.failed, "adapter": self.adapter}

    def restore(self, state: State) -> None:
        """Take it over."""
        arrays, document = state
        self.base.restore(part_of(state, "base"))
        self.guard.restore(part_of(state, "guard"))
        self.users = Panel.restored(part_of(state, "users"))
        if document.get("adapter") == self.adapter:  # what another way of learning kept is of no use
            self.weights.restore(part_of(state, "weights"))
        else:
            self.weights.begin()
        self._learned = {name: np.array(each) for name, each in part_of(state, "learned")[0].items()}
        self.counts, self._new = np.array(arrays["counts"]), arrays["new"].tolist()
        self.steps, self.failed = document["steps"], document["failed"]
        self._open = self.data = None

    def _step(self) -> None:
        """Learn from the new events once; where that comes to no number, all stays as it was."""
        users, fresh = np.unique(self._new, return_counts=True)
        self._new = []
        self.steps += 1
        rng = generator(self.seed, "slow", self.steps)
        net = self._open = self._open or self._pick_up()
        longest = self.base.params["max_length"]  # type: ignore[attr-defined]
        recent, old = self._recent(users, fresh, longest), self._old(rng, min(longest, CONTEXT))
        batches = [batch for batch in (recent, old) if batch is not None]
        if not batches:
            return
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**31)))
            if first := not self.guard.then:
                with self.weights.served(net):
                    self.guard.publish(net, old)
            if recent is not None:
                self.guard.judge(net, recent)
                self.weights.judge(net, recent)
            loss = torch.stack([net.loss(batch) for batch in batches]).sum()
        loss = loss + self.guard.term(net, batches, rng)
        net.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        slopes = [weight.grad for weight in net.parameters() if weight.grad is not None]
        if not all(bool(torch.isfinite(slope).all()) for slope in slopes):
            self.failed += 1
            if first:
                self.guard.begin(self.guard.known)
            return
        self.weights.step(self.learning_rate * self.rate)
        self.guard.settle(net, self.learning_rate * self.rate)
        with mixed(net, self.guard.then, self.guard.share), self.weights.served(net):
            self.base.restore(closed(net, self.base.state()))

    def _recent(self, users: NDArray[np.int64], fresh: NDArray[np.int64], longest: int) -> Batch | None:
        """Return the new events of each user behind what came before; what came before is not asked."""
        many = np.array([self.users.count(user) for user in users.tolist()])
        users, fresh, many = (each[many > 1] for each in (users, fresh, many))
        if not len(users):
            return None
        read = np.minimum(np.minimum(fresh + CONTEXT, longest) + 1, many)
        parts = [slice(-n, None) for n in read.tolist()]
        steps, then = foreseeing(self.users.histories(users.tolist(), parts))
        ends = torch.repeat_interleave(torch.cumsum(steps.lengths, 0), steps.lengths)
        behind = ends - torch.arange(len(then))
        new = torch.repeat_interleave(torch.from_numpy(fresh), steps.lengths)
        return Batch(steps, then, (behind <= new).float())

    def _old(self, rng: np.random.Generator, longest: int) -> Batch | None:
        """Return stretches of what users did, each user as likely as any other."""
        known = self.users.codes
        some, parts, count = list[int](), list[slice](), 0
        for user in rng.integers(0, len(known), 4 * STRETCHES).tolist() if known else ():
            end = int(rng.integers(1, self.users.count(known[user]) + 1))
            if end > 1 and count < REPLAYED and len(some) < STRETCHES:
                some.append(known[user])
                parts.append(slice(max(0, end - longest - 1), end))
                count += min(end - 1, longest)
        if not some:
            return None
        steps, then = foreseeing(self.users.histories(some, parts))
        return Batch(steps, then, torch.ones(len(then)))

    def _pick_up(self) -> SequenceNet:
        """Open the model; what is known of its weights goes on, and begins at 0 with items that are new."""
        net = opened(self.base, self.counts)
        with torch.no_grad():
            for name, weight in net.named_parameters() if self._learned else ():
                weight.copy_(longer(torch.from_numpy(np.array(self._learned[name])), weight))
        self.guard.grow(net)
        self.weights.open(net)
        return net

    def _set_down(self) -> None:
        """Keep what is learned, where another mix of it is served."""
        if self._open is not None and self.guard.mixes:
            for name, weight in self._open.named_parameters():
                self._learned[name] = weight.detach().numpy().copy()
