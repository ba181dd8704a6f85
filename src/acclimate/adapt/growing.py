"""A model grows an adapter where drift lasts, and merges or drops it; and the ways to learn by name."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from acclimate.adapt.low_rank import LowRank
from acclimate.adapt.safeguards import contest_between
from acclimate.adapt.weights import Learning
from acclimate.errors import InputError, nearest
from acclimate.evaluate.keeping import joined, part_of
from acclimate.models.going_on import mixed
from acclimate.models.sequence_net import Batch, SequenceNet
from acclimate.state.contest import Contest
from acclimate.types import State

SHARES = (0.0, 0.5, 1.0)
"""Of the adapter in what is served; the first is the model without it."""
DECIDED = 1_000
"""New events that an adapter is judged by, before it is merged or dropped."""
SURE = 2.0
"""Standard errors by which a share has to be above none to be served."""

WEIGHTS = {
    "off": "all weights learn",
    "lora": "factors of each matrix learn, of as many ranks each",
    "adalora": "factors of each matrix learn, of as many ranks in all, which move between them",
    "drift": "all weights learn; while drift lasts, an adapter beside them, which is merged or dropped then",
}
"""Which weights learn, by name, and what that is."""


class Growing(Learning):
    """All weights learn; where drift lasts, they stand still and an adapter learns beside them.

    What is served has as much of the adapter as foresaw new events best, before they were learned: none,
    half or all of it. Judged by `DECIDED` new events it is dropped where none was best. It is merged when
    the drift is over. Another one is added when drift has been over and lasts again.

    Args:
        learning_rate: Of whole weights.
        rank: Of the adapter's matrices, on average; they move between them.
        seed: Of where its factors begin.
    """

    def __init__(self, learning_rate: float, *, rank: int, seed: int) -> None:
        super().__init__(learning_rate)
        self.low = LowRank(learning_rate, rank=rank, seed=seed)
        self.begin()

    def begin(self) -> None:
        """Start anew: no adapter is there."""
        self.grown = self.tried = self.lasting = False
        self.contest = Contest(len(SHARES), sure=SURE)
        self._whole: SequenceNet | None = None
        self.low.begin()
        super().begin()

    @property
    def share(self) -> float:
        """How much of the adapter is served."""
        return SHARES[self.contest.best]

    def hold_on(self) -> None:
        """Take what is learned by now for what is published."""
        self.low.hold_on()

    def open(self, net: SequenceNet) -> None:
        """Let all weights learn, or the adapter if there is one."""
        self._whole = net
        if self.grown:
            self.low.open(net)
        else:
            super().open(net)

    def judge(self, net: SequenceNet, recent: Batch) -> None:
        """Add an adapter if drift has come to last; if there is one, see how much of it foresees best."""
        if self.grown:
            contest_between(self.contest, net, self.low.base, SHARES, recent)
            self._decide(net)
        elif self.lasting and not self.tried:
            self.close()
            self.grown = self.tried = True
            self.contest = Contest(len(SHARES), sure=SURE)
            self.low.open(net)
            self.told.append("drift lasts: an adapter was added, and learns while the other weights rest")
        self.tried = self.tried and (self.lasting or self.grown)

    def step(self, rate: float) -> None:
        """Take a step."""
        if self.grown:
            self.low.step(rate)
        else:
            super().step(rate)

    def served(self, net: SequenceNet) -> AbstractContextManager[None]:
        """Let ``net`` have as much of the adapter as foresees best, for a while."""
        return mixed(net, self.low.base, self.share) if self.grown else nullcontext()

    def state(self) -> State:
        """Return all that the next step depends on."""
        parts = {"whole": super().state(), "low": self.low.state(), "contest": self.contest.state()}
        arrays, told = joined(parts)
        return arrays, told | {"grown": self.grown, "tried": self.tried, "lasting": self.lasting}

    def restore(self, state: State) -> None:
        """Take it over."""
        if not state[0]:
            super().restore(state)
            return
        self.grown, self.tried, self.lasting = (state[1][name] for name in ("grown", "tried", "lasting"))
        self.contest = Contest.restored(part_of(state, "contest"), sure=SURE)
        self.low.begin()
        if self.grown:
            self.low.restore(part_of(state, "low"))
        super().restore(part_of(state, "whole"))

    def _decide(self, net: SequenceNet) -> None:
        """Drop the adapter where it foresees no better, merge it where the drift is over."""
        if self.contest.asked < DECIDED or (self.share and self.lasting):
            return
        gain, share = self.contest.gain, self.share
        self.low.merged(net, share)
        self.grown = False
        net.requires_grad_(True)
        super().open(net)
        self.told.append(
            f"the adapter was merged with a share of {share}: new events were foreseen better by {gain:+.4f}"
            if share
            else "the adapter was dropped: new events were foreseen no better with it"
        )


def make_weights(name: str, learning_rate: float, rank: int, seed: int, safeguard: str) -> Learning:
    """Return a way to learn by name.

    Args:
        name: A key of `WEIGHTS`.
        learning_rate: Of whole weights, 0..1.
        rank: Of matrices of an adapter, on average, 1 or more.
        seed: Of where an adapter begins.
        safeguard: What holds the weights; an adapter goes with ``kl`` or ``none``.

    Raises:
        InputError: No such way, or it does not go with the safeguard.
    """
    if name not in WEIGHTS:
        raise InputError(f"no adapter {name!r}: {nearest(str(name), WEIGHTS)}", field="adapter")
    if name == "off":
        return Learning(learning_rate)
    if safeguard not in ("kl", "none"):
        message = f"with adapter {name} safeguard must be kl or none, got {safeguard!r}: it is held by itself"
        raise InputError(message, field="safeguard")
    if name == "drift":
        return Growing(learning_rate, rank=rank, seed=seed)
    return LowRank(learning_rate, rank=rank, moves=name == "adalora", seed=seed)
