"""The slow clock: the weights of a sequence model go on learning, a few hundred events at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from acclimate.adapt.around import Around
from acclimate.data.dataset import Dataset
from acclimate.errors import InputError
from acclimate.models.going_on import closed, opened, windows
from acclimate.models.sequence import SequenceModel
from acclimate.models.sequence_net import Batch, SequenceNet
from acclimate.rng import generator
from acclimate.state.jury import Jury
from acclimate.types import Codes, Events, Floats, Histories, Item, Model, State

MOST = 50_000
"""Users of whom events are kept to learn from."""
CONTEXT = 50
"""Events before a new one that are read with it."""
REPLAYED, STRETCHES = 4_096, 128
"""Old events that are learned again in each step, and users of whom they are."""


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

    Raises:
        InputError: It is no sequence model, or reads users, baskets or repeats.
    """

    def __init__(self, base: Model, *, every: int = 128, learning_rate: float = 1e-3, seed: int = 0) -> None:
        if not isinstance(base, SequenceModel):
            raise InputError(f"{base.name} cannot go on learning: take sequence", field="level")
        for name, off in (("user_text", "off"), ("repeats", False), ("baskets", False)):
            if base.params[name] != off:
                raise InputError(
                    f"with {name} sequence cannot go on learning yet", field=f"train.params.{name}"
                )
        super().__init__(base)
        self.every, self.learning_rate, self.seed = every, learning_rate, seed
        self.users, self.counts = Jury(MOST), np.zeros(0, np.int64)
        self.steps = self.failed = 0
        self._new: list[int] = []
        self._net: SequenceNet | None = None
        self._moments: dict[str, Any] = {}

    @property
    def scale(self) -> float:
        """What makes logits of scores."""
        return cast("SequenceModel", self.base).scale

    def begin(self, data: Dataset) -> None:
        """Start anew from what the model was fitted on."""
        liked = data.weight > 0
        self.counts = np.bincount(data.item[liked], minlength=data.n_items).astype(np.int64)
        self.users, self.data = Jury.of(data.histories().liked(), MOST), data
        self.steps, self.failed, self._new, self._net, self._moments = 0, 0, [], None, {}

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
        self.users.forget(user)
        self._new = [other for other in self._new if other != user]

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Take in new or changed items."""
        super().put_items(codes, items)
        self.counts = np.pad(self.counts, (0, self.base.n_items - len(self.counts)))
        self._net = None  # it is opened again, with their texts

    def state(self) -> State:
        """Return that of the model as it is now, and all that the next step depends on."""
        arrays, document = self.base.state()
        users, about = self.users.state()
        every = {f"base.{name}": part for name, part in arrays.items()}
        every |= {f"users.{name}": part for name, part in users.items()}
        every |= {f"moments.{name}": part for name, part in self._moments.items()}
        every |= {"counts": self.counts.copy(), "new": np.array(self._new, np.int64)}
        return every, {"base": document, "users": about, "steps": self.steps, "failed": self.failed}

    def restore(self, state: State) -> None:
        """Take it over."""
        arrays, document = state

        def part(name: str) -> dict[str, NDArray[Any]]:
            return {key[len(name) + 1 :]: each for key, each in arrays.items() if key.startswith(f"{name}.")}

        self.base.restore((part("base"), document["base"]))
        self.users = Jury.restored((part("users"), document["users"]))
        self._moments = {name: np.array(each) for name, each in part("moments").items()}
        self.counts, self._new = np.array(arrays["counts"]), arrays["new"].tolist()
        self.steps, self.failed = document["steps"], document["failed"]
        self._net = self.data = None

    def _step(self) -> None:
        """Learn from the new events once; where that comes to no number, all stays as it was."""
        users, fresh = np.unique(self._new, return_counts=True)
        self._new = []
        self.steps += 1
        rng = generator(self.seed, "slow", self.steps)
        if self._net is None:
            self._net = opened(self.base, self.counts)
        net, longest = self._net, self.base.params["max_length"]  # type: ignore[attr-defined]
        parts = [self._recent(users.tolist(), fresh.tolist(), longest), self._old(rng, min(longest, CONTEXT))]
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**31)))
            losses = [net.loss(part) for part in parts if part is not None]
        if not losses:
            return
        optimiser = torch.optim.AdamW(net.parameters(), lr=self.learning_rate, weight_decay=0.01)
        self._give_moments(optimiser, net)
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        whole = all(
            bool(torch.isfinite(weight.grad).all()) for weight in net.parameters() if weight.grad is not None
        )
        if not whole:
            self.failed, self._net = self.failed + 1, None
            return
        optimiser.step()
        optimiser.zero_grad()
        self._take_moments(optimiser, net)
        net.eval()
        self.base.restore(closed(net, self.base.state()))
        net.train()

    def _recent(self, users: list[int], fresh: list[int], longest: int) -> Batch | None:
        """Return the new events of each user behind what came before; what came before is not asked."""
        some, asked = [], []
        for user, new in zip(users, fresh, strict=True):
            history = self.users.history(user, 0.0).last(min(new + CONTEXT, longest) + 1)
            if len(history.items) > 1:
                some.append(history)
                asked.append(min(new, len(history.items) - 1))
        if not some:
            return None
        steps, targets, weights = windows(some, longest)
        weights = torch.zeros_like(weights)
        for end, new in zip(torch.cumsum(steps.lengths, 0).tolist(), asked, strict=True):
            weights[end - new : end] = 1
        return Batch(steps, targets, weights)

    def _old(self, rng: np.random.Generator, longest: int) -> Batch | None:
        """Return stretches of what users did, each user as likely as any other."""
        users, count = self.users.codes, 0
        some: list[Histories] = []
        while count < REPLAYED and len(some) < STRETCHES and users:
            history = self.users.history(users[int(rng.integers(len(users)))], 0.0)
            n = len(history.items)
            end = int(rng.integers(1, n + 1))
            if end > 1:
                some.append(history.first(np.array([0]), np.array([end])).last(longest + 1))
                count += len(some[-1].items) - 1
            elif n < 2:
                count += 1  # who did one thing is drawn as well, so that this ends
        if not some:
            return None
        steps, targets, weights = windows(some, longest)
        return Batch(steps, targets, (weights > 0).float())

    def _give_moments(self, optimiser: torch.optim.Optimizer, net: SequenceNet) -> None:
        """Let an optimiser go on; what is known of no item yet begins at 0."""
        if not self._moments:
            return
        for name, weight in net.named_parameters():
            own: dict[str, torch.Tensor] = {"step": torch.tensor(float(self._moments["step"]))}
            for kind in ("exp_avg", "exp_avg_sq"):
                kept = torch.from_numpy(np.array(self._moments[f"{kind}.{name}"]))
                if kept.shape != weight.shape:
                    kept = torch.nn.functional.pad(kept, (0, 0, 0, len(weight) - len(kept)))
                own[kind] = kept
            optimiser.state[weight] = own

    def _take_moments(self, optimiser: torch.optim.Optimizer, net: SequenceNet) -> None:
        for name, weight in net.named_parameters():
            own = optimiser.state.get(weight, {})
            for kind in ("exp_avg", "exp_avg_sq"):
                part = own.get(kind, torch.zeros_like(weight))
                self._moments[f"{kind}.{name}"] = part.numpy()
            if own:
                self._moments["step"] = np.array(float(own["step"]))
