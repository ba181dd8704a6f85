"""Rows of the items that several processes hold apart: each has some, and fetches what a batch looks at.

What is learned of an item (its vector, its gradient, the moments of the optimiser) is several times as large
as the item. Held apart, each process has that for its part of the items; a step costs one sum over all
processes of the rows that any of them looks at, forward and backward. Rows are cut by code, near equal parts
in the order of the processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from acclimate.devices import choose_device, memory_left
from acclimate.errors import InputError
from acclimate.parallel import Processes, processes
from acclimate.training import Training

COPIES = 6
"""Vectors that a fit holds for each item: its text, its id, the gradient, two moments, a mean."""
SHARE = 0.5
"""Of the memory that is left, which the items may take before they are held apart."""


@dataclass(frozen=True)
class Rows:
    """Which rows of ``n`` this process holds.

    Args:
        group: All processes.
        n: Rows in all.
    """

    group: Processes
    n: int

    @property
    def size(self) -> int:
        """Rows of each process; the last ones may have fewer."""
        return -(-self.n // self.group.count)

    @property
    def low(self) -> int:
        """The first row that this process holds."""
        return min(self.n, self.group.mine * self.size)

    @property
    def high(self) -> int:
        """Where the rows of this process end."""
        return min(self.n, self.low + self.size)

    def part(self, whole: Tensor) -> Tensor:
        """Return a copy of the rows of this process."""
        return whole[self.low : self.high].clone()

    def here(self, codes: Tensor) -> Tensor:
        """Return which of ``codes`` int64[m] this process holds, bool[m]."""
        return (codes >= self.low) & (codes < self.high)

    def everyones(self, codes: Tensor) -> Tensor:
        """Return the codes of all processes, each once, rising: int64[k] of int64[m]; all have to ask."""
        from torch import distributed

        counts = [torch.zeros(1, dtype=torch.int64, device=codes.device) for _ in range(self.group.count)]
        distributed.all_gather(counts, codes.new_tensor([len(codes)]))
        most = int(max(counts))
        found = [codes.new_empty(most) for _ in counts]
        distributed.all_gather(found, torch.nn.functional.pad(codes, (0, most - len(codes))))
        ends = [int(count) for count in counts]
        every: Tensor = torch.unique(torch.cat([each[:end] for each, end in zip(found, ends, strict=True)]))
        return every

    def fetch(self, own: Tensor, here: Tensor) -> Tensor:
        """Return rows float32[m, d] of which this process has ``own`` float32[k, d], where ``here`` bool[m].

        The gradients of all processes come back to who holds a row. All have to ask for the same rows, and
        go backwards.
        """
        found: Tensor = _Fetch.apply(own, here)  # type: ignore[no-untyped-call]
        return found

    def collect(self, own: Tensor) -> Tensor:
        """Return all rows to the first process, nothing to the others; all have to ask."""
        from torch import distributed

        filled = self._filled(own)
        found = [torch.empty_like(filled) for _ in range(self.group.count)] if self.group.first else None
        distributed.gather(filled, found, dst=0)
        return torch.cat(found)[: self.n] if found else own[:0]

    def join(self, own: Tensor) -> Tensor:
        """Return all rows to all processes; all have to ask."""
        from torch import distributed

        filled = self._filled(own)
        found = [torch.empty_like(filled) for _ in range(self.group.count)]
        distributed.all_gather(found, filled)
        return torch.cat(found)[: self.n]

    def _filled(self, own: Tensor) -> Tensor:
        return torch.nn.functional.pad(own.detach(), (0, 0, 0, self.size - len(own))).contiguous()


class _Fetch(torch.autograd.Function):
    """See `Rows.fetch`."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, here: Tensor) -> Tensor:
        from torch import distributed

        ctx.save_for_backward(here)
        found = own.new_zeros(len(here), own.shape[1])
        found[here] = own
        distributed.all_reduce(found)
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        from torch import distributed

        (here,) = ctx.saved_tensors
        total = grads[0].contiguous().clone()
        distributed.all_reduce(total)
        return total[here], None


def held_apart(training: Training, params: Mapping[str, Any], n_items: int) -> bool:
    """Return whether the processes of a fit shall hold the rows of ``n_items`` apart.

    Raises:
        InputError: They shall, and the loss looks at all items.
    """
    group, how = processes(), training.item_rows
    if group.count == 1 or how == "whole":
        return False
    if how == "auto":
        needed = n_items * params["width"] * 4 * COPIES
        room = SHARE * memory_left(choose_device(training.device)) / group.of_machine
        return params["loss"] != "full" and any(group.all_told(needed > room))
    if params["loss"] == "full":
        raise InputError(
            "item_rows = apart wants a loss over items that are drawn, got loss = full, which looks at all: "
            "set train.params.loss=sampled, or train.item_rows=whole",
            field="train.item_rows",
        )
    return True
