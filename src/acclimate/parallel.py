"""Several processes fit one model: each takes its part of every batch, and the gradients are added up.

They are those that ``torchrun`` has started; without it there is one. Where a fit is shared, all processes
hold the same weights at every step, as one would have them. The first one measures, writes and speaks.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

ITEM_ROWS = ("auto", "whole", "apart")
"""How several processes may hold the rows of the items: all of them each, or each some; auto: apart where
they would not fit whole."""


@dataclass(frozen=True, slots=True)
class Processes:
    """How many processes work together, and which of them this is.

    Args:
        count: At least 1.
        mine: 0 for the first.
        local: Which one of its machine this is, 0 for the first: it takes the device of that number.
        of_machine: How many there are on this machine, at least 1.
    """

    count: int = 1
    mine: int = 0
    local: int = 0
    of_machine: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that measures, writes and speaks."""
        return self.mine == 0

    def connect(self) -> None:
        """Wait until all processes are there; done once, and nothing for a single one."""
        from torch import distributed

        if self.count > 1 and not distributed.is_initialized():
            import torch

            distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
            atexit.register(distributed.destroy_process_group)

    def told(self, value: Any) -> Any:
        """Return what the first process gave as ``value``; all have to ask."""
        if self.count == 1:
            return value
        from torch import distributed

        self.connect()
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def all_told(self, value: Any) -> list[Any]:
        """Return what each process gave as ``value``, the first one's first; all have to ask."""
        if self.count == 1:
            return [value]
        from torch import distributed

        self.connect()
        found = [None] * self.count
        distributed.all_gather_object(found, value)
        return found

    def copy_weights(self, module: nn.Module) -> None:
        """Give all processes the parameters and buffers that the first one has; ``module`` is on the CPU."""
        if self.count == 1:
            return
        from torch import distributed

        for value in module.state_dict().values():
            distributed.broadcast(value, src=0)

    def add_gradients(self, weights: Sequence[Tensor]) -> None:
        """Add up the gradients of all processes, in place; one that a process lacks is zero there."""
        import torch
        from torch import distributed

        there = torch.tensor([float(weight.grad is not None) for weight in weights])
        there = there.to(weights[0].device)
        distributed.all_reduce(there)
        for weight, has in zip(weights, there.tolist(), strict=True):
            if has:
                if weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
                distributed.all_reduce(weight.grad)

    def clip(self, alike: Sequence[Tensor], apart: Sequence[Tensor], most: float) -> None:
        """Shorten the gradient of all weights together to a norm of ``most``, in place.

        Args:
            alike: Weights that all processes hold, with the same gradients.
            apart: Weights of which each process holds rows of its own.
            most: Above 0.
        """

        def squares(weights: Sequence[Tensor]) -> Any:
            return sum(weight.grad.square().sum() for weight in weights if weight.grad is not None)

        norm = (squares(alike) + self.sum(alike[0].new_zeros(()) + squares(apart))).sqrt()
        for weight in (*alike, *apart):
            if weight.grad is not None:
                weight.grad.mul_((most / (norm + 1e-6)).clamp(max=1.0))

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""
        if self.count == 1:
            return value
        from torch import distributed

        out = value.detach().clone()
        distributed.all_reduce(out)
        return out


def processes() -> Processes:
    """Return what ``torchrun`` says of this process; without it, a single one.

    Example:
        >>> processes()
        Processes(count=1, mine=0, local=0, of_machine=1)
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Processes()
    names = ("WORLD_SIZE", "RANK", "LOCAL_RANK")
    count, mine, local = (int(os.environ[name]) for name in names)
    return Processes(count, mine, local, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def alike(drawn: Tensor) -> Tensor:
    """Return what the first process has drawn, where all must go on with the same; it may change ``drawn``.

    Example:
        >>> import torch
        >>> alike(torch.tensor([3, 1])).tolist()
        [3, 1]
    """
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized() and processes().count > 1:
        distributed.broadcast(drawn, src=0)
    return drawn
