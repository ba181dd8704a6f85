"""Matrices learn by narrow factors beside them, among which a budget of ranks moves as the stream asks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from acclimate.adapt.weights import Learning
from acclimate.errors import InputError, shown
from acclimate.evaluate.keeping import joined, part_of
from acclimate.models.going_on import longer
from acclimate.models.sequence_net import SequenceNet
from acclimate.rng import generator
from acclimate.types import State

RANK, MOST = 8, 2
"""Ranks of a matrix: on average, and times that at most where they move."""
AGAIN = 8
"""Steps after which ranks are given out anew."""
SMOOTHED = 0.85
"""How much of what was known of the importance of a rank stays at each step."""
HOLD = 1.0
"""How strongly the factors are drawn to those that were published."""
RATE = 10.0
"""Learning rate of the factors, times that of whole weights."""


class LowRank(Learning):
    """Each matrix of the net is ``base + P diag(s) Q``; ``base`` and all other weights stay as they are.

    The slopes of the factors follow from that of the matrix by the chain rule, so that the net need not know
    of them. After each step they are drawn to the factors that were published last (the exact step down
    ``hold / 2 * (now - published)**2``). Where ranks move, each matrix begins with twice as many as are its
    due, and of all every few steps the least important ones are set to 0, until the budget is kept; one
    that is 0 goes on learning, and comes back where it becomes more important than another. How important
    one is: how much the loss would change without it, smoothed, times how much that has changed lately.

    Args:
        learning_rate: Of whole weights; factors learn `RATE` times as fast.
        rank: Of each matrix, on average, 1 or more; bounded by its shape.
        moves: Whether ranks move between matrices.
        hold: How strongly the published factors hold, 0 or more.
        seed: Of where the factors begin.

    Raises:
        InputError: The rank is no whole number of 1 or more.

    References:
        Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022; Zhang et al., "AdaLoRA:
        adaptive budget allocation for parameter-efficient fine-tuning", ICLR 2023, equations 8 to 12, with
        one sum for each rank in place of one for each weight of its factors.
    """

    def __init__(
        self,
        learning_rate: float,
        *,
        rank: int = RANK,
        moves: bool = True,
        hold: float = HOLD,
        seed: int = 0,
    ) -> None:
        if type(rank) is not int or rank < 1:
            raise InputError(f"rank must be a whole number of 1 or more, got {shown(rank)}", field="rank")
        super().__init__(learning_rate)
        self.rank, self.moves, self.hold, self.seed = rank, moves, hold, seed
        self.begin()

    def begin(self) -> None:
        """Start anew: nothing stands beside the matrices."""
        self.base = dict[str, Tensor]()
        self.factors, self.published = dict[str, Tensor](), dict[str, Tensor]()
        self.sense, self.doubt = dict[str, Tensor](), dict[str, Tensor]()
        self.steps = 0
        self._net: dict[str, Tensor] = {}
        super().begin()

    @property
    def ranks(self) -> dict[str, int]:
        """How many ranks of each matrix are not 0, by its name."""
        return {name: int((self.factors[f"s.{name}"] != 0).sum()) for name in self.base}

    def hold_on(self) -> None:
        """Take the factors as they are for what is published."""
        self.published = {name: part.detach().clone() for name, part in self.factors.items()}

    def open(self, net: SequenceNet) -> None:
        """Let the matrices of ``net`` learn from here on; they take up what was learned before."""
        net.requires_grad_(False)
        wide = {name: weight for name, weight in net.named_parameters() if weight.dim() == 2}
        self._net = {name: weight for name, weight in wide.items() if weight.numel()}
        for name, weight in self._net.items():
            weight.requires_grad_(True)
            self._grow(name, weight)
        for part in self.factors.values():
            part.requires_grad_(True)
        self.take(self.factors, 0.0)
        self._write()

    def step(self, rate: float) -> None:
        """Take a step down the slopes of the matrices, and give out ranks anew if it is time."""
        rate *= RATE
        self.steps += 1
        with torch.no_grad():
            for name, weight in self._net.items():
                left, size, right = self._parts(name)
                slope = weight.grad if weight.grad is not None else torch.zeros_like(weight)
                across, down = slope @ right.T, left.T @ slope
                left.grad, right.grad = across * size, down * size[:, None]
                size.grad = (left * across).sum(dim=0)
                self._weigh(name)
        super().step(rate)
        with torch.no_grad():
            for name, part in self.factors.items():
                part.lerp_(self.published[name], 1 - 1 / (1 + rate * self.hold))
            if self.moves and self.steps % AGAIN == 0:
                self._give_out()
            self._write()

    def state(self) -> State:
        """Return all that the next step depends on."""
        groups = {"base": self.base, "factors": self.factors, "published": self.published}
        groups |= {"sense": self.sense, "doubt": self.doubt}
        parts: dict[str, State] = {
            what: ({name: part.detach().numpy().copy() for name, part in group.items()}, {})
            for what, group in groups.items()
        }
        arrays, told = joined({**parts, "moments": super().state()})
        return arrays, told | {"steps": self.steps}

    def restore(self, state: State) -> None:
        """Take it over."""
        if not state[0]:
            return super().restore(state)
        self.base, self.factors, self.published, self.sense, self.doubt = (
            {name: torch.from_numpy(np.array(part)) for name, part in part_of(state, what)[0].items()}
            for what in ("base", "factors", "published", "sense", "doubt")
        )
        self.steps = state[1]["steps"]
        return super().restore(part_of(state, "moments"))

    def merged(self, net: SequenceNet, share: float = 1.0) -> None:
        """Let ``net`` have ``base`` and that share of what was learned beside it; the factors are gone."""
        with torch.no_grad():
            for name, weight in net.named_parameters():
                if name in self.base:
                    weight.copy_(self.base[name] + share * self._beside(name))
        self.begin()

    def _parts(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        return self.factors[f"P.{name}"], self.factors[f"s.{name}"], self.factors[f"Q.{name}"]

    def _beside(self, name: str) -> Tensor:
        left, size, right = (part.detach() for part in self._parts(name))
        return left * size @ right

    def _write(self) -> None:
        with torch.no_grad():
            for name, weight in self._net.items():
                weight.copy_(self.base[name] + self._beside(name))

    def _grow(self, name: str, weight: Tensor) -> None:
        """Begin with a matrix, or with its new rows: nothing stands beside them."""
        rows, columns = weight.shape
        if name not in self.base:
            self.base[name] = weight.detach().clone()
            rank = min(self.rank * (MOST if self.moves else 1), rows, columns)
            rng = generator(self.seed, "low rank", name)
            right = rng.normal(0, columns**-0.5, (rank, columns)).astype(np.float32)
            parts = torch.zeros(rows, rank), torch.ones(rank), torch.from_numpy(right)
            for kind, part in zip("PsQ", parts, strict=True):
                self.factors[f"{kind}.{name}"] = part
                self.published[f"{kind}.{name}"] = part.clone()
            self.sense[name], self.doubt[name] = torch.zeros(rank), torch.zeros(rank)
        elif (had := len(self.base[name])) < rows:
            self.base[name] = torch.cat([self.base[name], weight.detach()[had:]])
            for kept in (self.factors, self.published):
                kept[f"P.{name}"] = longer(kept[f"P.{name}"].detach(), weight)

    def _weigh(self, name: str) -> None:
        """Find how important each rank of a matrix is, from its slopes."""
        left, size, right = self._parts(name)
        of = [(part * part.grad).abs() for part in (left, size, right) if part.grad is not None]
        now = of[0].mean(dim=0) + of[1] + of[2].mean(dim=1)
        before = self.sense[name]
        self.sense[name] = SMOOTHED * before + (1 - SMOOTHED) * now
        self.doubt[name] = SMOOTHED * self.doubt[name] + (1 - SMOOTHED) * (now - self.sense[name]).abs()

    def _give_out(self) -> None:
        """Set all ranks to 0 but the most important ones that the budget has room for."""
        every = torch.cat([self.sense[name] * self.doubt[name] for name in self.base])
        budget = sum(min(self.rank, *part.shape) for part in self.base.values())
        stays = torch.zeros(len(every), dtype=torch.bool)
        stays[torch.argsort(every, descending=True, stable=True)[:budget]] = True
        for name, kept in zip(self.base, self._split(stays), strict=True):
            self.factors[f"s.{name}"] *= kept

    def _split(self, every: Tensor) -> Iterator[Tensor]:
        yield from torch.split(every, [len(self.sense[name]) for name in self.base])
