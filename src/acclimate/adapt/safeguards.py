"""What holds weights that go on learning to those that were published: one name, and how strongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acclimate.errors import InputError, is_number, nearest, shown
from acclimate.models.going_on import answers, had_before, longer, mixed, singles, thinned
from acclimate.models.losses import divergence
from acclimate.models.sequence_net import ITS_OWN, Batch, SequenceNet
from acclimate.state.contest import Contest, earned
from acclimate.types import State

STATES, ITEMS = 1_024, 4_096
"""States, of whole sequences, and items that are compared, about and at most: of more, so many are drawn."""
JUDGED = 64
"""Stretches that say how much each weight matters."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the learned weights in those that are served; the first is what was published."""


class Safeguard:
    """Nothing holds them: plain fine-tuning.

    Args:
        strength: How strongly they are held, 0 or more; what it means differs from safeguard to safeguard.
            At infinity they are those that were published, but for ``kl``, where it is finite.
    """

    usual = 0.0
    """The strength if none is given."""
    mixes = False
    """Whether what is served is a mix of published and learned weights."""

    def __init__(self, strength: float) -> None:
        self.strength = strength
        self.kept: dict[str, dict[str, Tensor]] = {}
        """What is kept of each weight since the first step, by what it is."""
        self.known: NDArray[np.bool_] = np.zeros(0, bool)
        """Which items had been had when the weights were published."""

    @property
    def then(self) -> dict[str, Tensor]:
        """The published weights; none before the first step."""
        return self.kept.get("then", {})

    def begin(self, known: NDArray[np.bool_]) -> None:
        """Start anew; ``known`` bool[n_items] are the items that the published model has seen chosen."""
        self.kept, self.known = {}, known

    def publish(self, net: SequenceNet, old: Batch | None) -> None:
        """Keep the weights as they were published."""
        self.kept["then"] = {name: weight.detach().clone() for name, weight in net.named_parameters()}

    def grow(self, net: SequenceNet) -> None:
        """Take in items that came since: nothing was published of them."""
        weights = dict(net.named_parameters())
        for kept in self.kept.values():
            kept.update({name: longer(part, weights[name]) for name, part in kept.items()})
        self.known = np.pad(self.known, (0, len(net.items.text) - len(self.known)))

    def judge(self, net: SequenceNet, recent: Batch) -> None:
        """Foresee new events before they are learned."""

    def term(self, net: SequenceNet, batches: Sequence[Batch], rng: np.random.Generator) -> Tensor | float:
        """Return what is added to the loss."""
        return 0.0

    def settle(self, net: SequenceNet, rate: float) -> None:
        """Change the weights after a step with that learning rate."""

    @property
    def share(self) -> float:
        """How much of the learned weights is served; the rest is of those that were published."""
        return 1.0

    def state(self) -> State:
        """Return what it keeps."""
        named = ((what, *each) for what, kept in self.kept.items() for each in kept.items())
        arrays: dict[str, Any] = {f"{what}.{name}": part.numpy().copy() for what, name, part in named}
        return {**arrays, "known": self.known.copy()}, {}

    def restore(self, state: State) -> None:
        """Take it over."""
        self.kept, self.known = {}, np.array(state[0]["known"])
        for key, part in state[0].items():
            what, _, name = key.partition(".")
            if name:
                self.kept.setdefault(what, {})[name] = torch.from_numpy(np.array(part))


class Distilled(Safeguard):
    """Adds ``strength * KL(published || now)``, over items at the states of the batch.

    Both are read without dropout, and compared over the items that the published model has seen chosen, so
    that new ones are free. Of many sequences and items some are drawn.

    References:
        Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network", 2015; Li and Hoiem, "Learning
        without forgetting", ECCV 2016, section 3.
    """

    usual = 0.3

    def __init__(self, strength: float) -> None:
        if strength == np.inf:  # a slope of which nothing could be said; it would never step
            raise InputError(
                "with kl strength must be finite, got inf: to change nothing, take another level",
                field="strength",
            )
        super().__init__(strength)

    def term(self, net: SequenceNet, batches: Sequence[Batch], rng: np.random.Generator) -> Tensor:
        """Return ``strength`` times the mean divergence of states that are asked; of many, some are drawn."""
        some = np.flatnonzero(self.known)
        if len(some) > ITEMS:
            some = rng.choice(some, ITEMS, replace=False)
        codes, found, count = torch.from_numpy(some), [], 0
        net.eval()
        for batch in thinned(batches, STATES, rng):
            asked = batch.weights > 0
            with torch.no_grad(), mixed(net, self.then, 0.0):
                states, items, bias = answers(net, batch.steps)
                aims = states[asked], items[codes], bias[codes], net.scale.clone()
            states, items, bias = answers(net, batch.steps)
            found.append(divergence(*aims, states[asked], items[codes], bias[codes], net.scale))
            count += int(asked.sum())
        net.train()
        return self.strength * torch.stack(found).sum() / count if count else torch.zeros(())


class Anchored(Safeguard):
    """Draws each weight back to where it was published, after each step.

    It is the exact step down ``strength / 2 * (now - published)**2`` that begins where Adam's step ended: as
    a term of the loss Adam would scale it, and how strongly it draws would depend on the loss.

    References:
        Li, Grandvalet, Davoine, "Explicit inductive bias for transfer learning", ICML 2018 (L2-SP).
    """

    usual = 10.0

    def matters(self, name: str) -> Tensor | float:
        """Return how much each weight counts: all alike, but those of items that were not published."""
        if not name.startswith(ITS_OWN):
            return 1.0
        known = torch.from_numpy(self.known.astype(np.float32))
        return known[:, None] if name == "items.ids" else known

    def settle(self, net: SequenceNet, rate: float) -> None:
        """Draw the weights back."""
        with torch.no_grad():
            for name, weight in net.named_parameters():
                force = rate * self.strength * torch.as_tensor(self.matters(name))
                weight.lerp_(self.then[name], 1 - 1 / (1 + force).expand_as(weight).nan_to_num(1.0))


class Elastic(Anchored):
    """The same, each weight as strongly as old events depend on it (diagonal Fisher information).

    It is the mean square of the slopes of single stretches of what users did, over its mean over all weights.

    References:
        Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks", PNAS 2017, equation 3.
    """

    usual = 10.0

    def publish(self, net: SequenceNet, old: Batch | None) -> None:
        """Find how much each weight matters."""
        super().publish(net, old)
        squares = {name: torch.zeros_like(part) for name, part in self.then.items()}
        net.eval()
        for one in () if old is None else singles(old, JUDGED):
            net.zero_grad()
            net.loss(one).backward()  # type: ignore[no-untyped-call]
            for name, weight in net.named_parameters():
                if weight.grad is not None:
                    squares[name] += weight.grad**2
        net.zero_grad()
        net.train()
        total = sum(float(part.sum()) for part in squares.values())
        mean = total / sum(part.numel() for part in squares.values())
        self.kept["fisher"] = {name: part / max(mean, 1e-30) for name, part in squares.items()}

    def matters(self, name: str) -> Tensor | float:
        """Return how much each weight counts."""
        return self.kept["fisher"][name] * super().matters(name)


def contest_between(
    contest: Contest, net: SequenceNet, then: Mapping[str, Tensor], shares: Sequence[float], recent: Batch
) -> None:
    """Let mixes of ``shares`` of the weights of a net and else ``then`` foresee new events.

    Of what the user did not have before.
    """
    rows, had = had_before(recent)
    targets = recent.targets[recent.weights > 0]
    places = []
    net.eval()
    for share in shares:
        with torch.no_grad(), mixed(net, then, share):
            states, items, bias = answers(net, recent.steps)
            scores = net.scale * states[recent.weights > 0] @ items.T + bias
        scores[:, items.abs().sum(dim=1) == 0] = torch.nan
        scores[rows, had] = torch.nan
        places.append(scores.numpy())
    net.train()
    every = np.stack(places, axis=1)
    again = set(zip(rows.tolist(), had.tolist(), strict=True))
    for row, item in enumerate(targets.tolist()):
        if (row, item) not in again:
            contest.judge(earned(every[row], item))


class Gated(Safeguard):
    """Serves a mix of published and learned weights, whose share is chosen by what foresaw new events best.

    Before new events are learned, mixes of `SHARES` foresee them; as long as none is ``strength`` standard
    errors above the published weights, those are served (`acclimate.state.contest`).

    References:
        Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, section 3 (WiSE-FT).
    """

    usual, mixes = 3.0, True

    def __init__(self, strength: float) -> None:
        super().__init__(strength)
        self.contest = Contest(len(SHARES), sure=strength)

    def begin(self, known: NDArray[np.bool_]) -> None:
        """Start anew."""
        super().begin(known)
        self.contest = Contest(len(SHARES), sure=self.strength)

    def judge(self, net: SequenceNet, recent: Batch) -> None:
        """Let all mixes foresee new events, of what the user did not have before."""
        contest_between(self.contest, net, self.then, SHARES, recent)

    @property
    def share(self) -> float:
        """What foresaw best, if it did so clearly."""
        return SHARES[self.contest.best]

    def state(self) -> State:
        """Return what it keeps."""
        (arrays, document), (own, numbers) = super().state(), self.contest.state()
        return arrays | {f"contest.{name}": part for name, part in own.items()}, {**document, **numbers}

    def restore(self, state: State) -> None:
        """Take it over."""
        own = {name[8:]: part for name, part in state[0].items() if name[:8] == "contest."}
        self.contest = Contest.restored((own, state[1]), sure=self.strength)
        super().restore(({name: part for name, part in state[0].items() if name[:8] != "contest."}, {}))


SAFEGUARDS: dict[str, type[Safeguard]] = {
    "none": Safeguard,
    "kl": Distilled,
    "ewc": Elastic,
    "l2": Anchored,
    "gated": Gated,
}
"""Safeguards by name."""


def make_safeguard(name: str, strength: float | None = None) -> Safeguard:
    """Return a safeguard by name, of the usual strength if none is given.

    Raises:
        InputError: No such safeguard, or the strength is below 0, no number, or infinite with ``kl``.
    """
    if name not in SAFEGUARDS:
        raise InputError(f"no safeguard {name!r}: {nearest(str(name), SAFEGUARDS)}", field="safeguard")
    if strength is not None and not (is_number(strength) and strength >= 0):
        raise InputError(f"strength must be 0 or more, got {shown(strength)}", field="strength")
    made = SAFEGUARDS[name]
    return made(made.usual if strength is None else strength)
