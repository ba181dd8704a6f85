"""Which weights of an opened net learn, and what the optimiser knows of them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from acclimate.models.going_on import longer
from acclimate.models.sequence_net import Batch, SequenceNet
from acclimate.types import State

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW knows of each weight."""


class Moving:
    """AdamW over named tensors, whose moments can be kept and taken over.

    Args:
        learning_rate: At most; a step may be smaller.
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self._moments: dict[str, Any] = {}
        """What the optimiser knows of each weight, while nothing is open."""
        self._open: tuple[dict[str, Tensor], torch.optim.Optimizer] | None = None

    def take(self, weights: dict[str, Tensor], decay: float) -> None:
        """Let ``weights`` learn; what is known of them goes on, and begins at 0 with rows that are new."""
        self.close()
        optimiser = torch.optim.AdamW(weights.values(), lr=self.learning_rate, weight_decay=decay)
        for name, weight in weights.items() if self._moments else ():
            parts = {kind: torch.from_numpy(np.array(self._moments[f"{kind}.{name}"])) for kind in MOMENTS}
            kept = {kind: longer(part, weight) for kind, part in parts.items()}
            optimiser.state[weight] = {"step": torch.tensor(float(self._moments["step"])), **kept}
        self._open = weights, optimiser

    def step(self, rate: float) -> None:
        """Take a step down the slopes of the weights."""
        assert self._open is not None
        for group in self._open[1].param_groups:
            group["lr"] = rate
        self._open[1].step()

    def state(self) -> State:
        """Return what the optimiser knows."""
        if self._open is not None and self._open[1].state:  # else no step was taken
            weights, optimiser = self._open
            for name, weight in weights.items():
                own = optimiser.state.get(weight, {})
                for kind in MOMENTS:
                    part = own.get(kind, torch.zeros_like(weight))
                    self._moments[f"{kind}.{name}"] = part.detach().numpy().copy()
                if own:
                    self._moments["step"] = np.array(float(own["step"]))
        return dict(self._moments), {}

    def restore(self, state: State) -> None:
        """Take it over."""
        self._moments, self._open = {name: np.array(each) for name, each in state[0].items()}, None

    def close(self) -> None:
        """Keep what is known, until weights are taken again."""
        self.state()
        self._open = None


class Learning(Moving):
    """Which weights of the net of the slow clock learn, and how: by default all of them.

    Args:
        learning_rate: At most, of weights that learn whole.
    """

    lasting = False
    """Whether what was learned has not held for long now; whoever sees that sets it."""

    def __init__(self, learning_rate: float) -> None:
        super().__init__(learning_rate)
        self.told = list[str]()
        """What happened to the structure of the model, a line for each."""

    def heard(self) -> list[str]:
        """Return what happened to the structure since this was asked last."""
        heard, self.told = self.told, []
        return heard

    def begin(self) -> None:
        """Start anew, from what a model was fitted on."""
        self.restore(({}, {}))

    def hold_on(self) -> None:
        """Take what is learned by now for what is published."""

    def open(self, net: SequenceNet) -> None:
        """Let weights of ``net`` learn from here on."""
        self.take(dict(net.named_parameters()), 0.01)

    def judge(self, net: SequenceNet, recent: Batch) -> None:
        """Foresee new events before they are learned."""

    def served(self, net: SequenceNet) -> AbstractContextManager[None]:
        """Let ``net`` have the weights that are served, for a while."""
        return nullcontext()
