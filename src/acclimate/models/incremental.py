"""One event more of a user is read without reading the others again: the instant clock.

Of each block is kept what a later event asks of the earlier ones: keys and values of attention, the state of
a recurrence, the last inputs of a convolution. So an event costs O(layers * width) beside a look at what is
kept, and the state is the one that the whole history gives.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from functools import singledispatch
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acclimate.models.blocks import GatedBlock, place_buckets
from acclimate.models.mixers import (
    KERNEL,
    Bias,
    CausalAttention,
    Convolution,
    Decay,
    PointwiseAttention,
    Recurrence,
)
from acclimate.models.remembered import Remembered
from acclimate.rng import scattered
from acclimate.types import Histories

Memory = tuple[Tensor, ...]
"""What one block keeps of what it has read."""
SLACK = 4
"""A window begins within the oldest quarter of the newest events that a net can read."""
MOST_BYTES = 256 * 2**20
"""Of memory for what blocks keep of users; those who acted last."""


def anchored(histories: Histories, longest: int) -> Histories:
    """Return the newest events of each user, at most ``longest``, whose beginning an event more moves seldom.

    A net tells events by their places from the beginning. If it were always the newest 200, each event would
    move all of them, and nothing that was read before could be kept. So who has more begins at that one of
    the oldest quarter of them which has the least hash: that depends on what was done alone, and stays where
    it is until it is out of reach, or a lesser one comes within (Schleimer, Wilkerson and Aiken,
    "Winnowing", SIGMOD 2003).

    Example:
        >>> newest = anchored(Histories.of([range(9), [5]]), longest=8)
        >>> newest.lengths.tolist() in ([8, 1], [7, 1]), int(newest.items[-2])
        (True, 8)
    """
    lengths = histories.lengths
    if lengths.max(initial=0) <= longest:
        return histories
    candidates = max(1, longest // SLACK)
    keep = np.ones(len(histories.items), np.bool_)
    for user in np.flatnonzero(lengths > longest):
        begin, first = histories.offsets[user], histories.offsets[user + 1] - longest
        some = slice(first, first + candidates)
        events = scattered(histories.items[some]) ^ histories.times[some].view(np.uint64)
        keep[begin : first + int(scattered(events).argmin())] = False
    return histories.where(keep)


class Kept(NamedTuple):
    """What the blocks of a net keep of one user.

    Args:
        n: Events that were read.
        blocks: Of each block.
    """

    n: int
    blocks: tuple[Memory, ...]

    @property
    def bytes(self) -> int:
        """Its size."""
        return sum(part.nbytes for block in self.blocks for part in block)


class States(Remembered):
    """States of users by what they did, and of some what the blocks keep, so that they go on.

    Args:
        most: States that are kept at most.
        most_bytes: Of what the blocks keep at most; who acted last stays.
    """

    def __init__(self, *args: int, most_bytes: int = MOST_BYTES) -> None:
        super().__init__(*args)
        self.most_bytes, self.bytes = most_bytes, 0
        self._going: OrderedDict[Hashable, Kept] = OrderedDict()

    @property
    def goes_on(self) -> int:
        """Of how many users what the blocks keep is there."""
        return len(self._going)

    def find(self, key: Hashable) -> Kept | None:
        """Return what the blocks keep of a history, or None."""
        return self._going.get(key)

    def keep(self, key: Hashable, kept: Kept, instead: Hashable = None) -> None:
        """Keep it, ``instead`` of that of the history before, if there is one."""
        for old in (key, instead):
            if (gone := self._going.pop(old, None)) is not None:
                self.bytes -= gone.bytes
        self._going[key] = kept
        self.bytes += kept.bytes
        while self.bytes > self.most_bytes:
            self.bytes -= self._going.popitem(last=False)[1].bytes


def read_on(blocks: nn.ModuleList, x: Tensor, kept: Kept | None) -> tuple[Tensor, Kept]:
    """Return what a stack of blocks says of the last of m events more of one user.

    Args:
        blocks: Each a `GatedBlock` whose mixer `grow` knows, and that is not told of times.
        x: The events, float32[m, d], m >= 1.
        kept: What they kept of the events before; None at the beginning.

    Returns:
        What ``last`` of the topmost gives for the whole sequence, float32[d], and what they keep now.
    """
    seen = 0 if kept is None else kept.n
    memories: list[Memory] = []
    for depth, block in enumerate(blocks):
        assert isinstance(block, GatedBlock)
        before = None if kept is None else kept.blocks[depth]
        mixed, memory = grow(block.mixer, block.norm_mixer(x), seen, before)
        memories.append(memory)
        x = block.add(x[-1:], mixed[-1:]) if depth == len(blocks) - 1 else block.add(x, mixed)
    return x[-1], Kept(seen + len(mixed), tuple(memories))


@singledispatch
def grow(mixer: nn.Module, x: Tensor, seen: int, before: Memory | None) -> tuple[Tensor, Memory]:
    """Return what a mixer gives for m events more of one sequence, float32[m, d], and what it keeps.

    Args:
        mixer: One of `acclimate.models.mixers.MIXERS`.
        x: The events, float32[m, d].
        seen: How many came before.
        before: What it kept of them; None if there were none.
    """
    raise TypeError(f"{type(mixer).__name__} cannot go on")


@grow.register
def _(mixer: CausalAttention, x: Tensor, seen: int, before: Memory | None) -> tuple[Tensor, Memory]:
    own, keys, values = mixer.qkv(x).chunk(3, dim=1)
    keys, values = _joined(before, keys, values)
    q, k, v = (_heads(part, mixer.heads) for part in (own, keys, values))
    near = _told(q @ k.mT * q.shape[-1] ** -0.5, mixer.bias, seen)
    mixed = near.masked_fill(_ahead(near, seen), -torch.inf).softmax(dim=-1) @ v
    return mixer.out(mixed.transpose(0, 1).flatten(1)), (keys, values)


@grow.register
def _(mixer: PointwiseAttention, x: Tensor, seen: int, before: Memory | None) -> tuple[Tensor, Memory]:
    own, values, queries, keys = F.silu(mixer.uvqk(x)).chunk(4, dim=1)
    keys, values = _joined(before, keys, values)
    q, k, v = (_heads(part, mixer.heads) for part in (queries, keys, values))
    near = _told(q @ k.mT * q.shape[-1] ** -0.5, mixer.bias, seen)
    counts = torch.arange(seen + 1, seen + len(x) + 1, device=x.device)[:, None]
    mixed = (F.silu(near).masked_fill(_ahead(near, seen), 0.0) / counts) @ v
    return mixer.gated(own, mixed.transpose(0, 1).flatten(1)), (keys, values)


@grow.register
def _(mixer: Decay, x: Tensor, seen: int, before: Memory | None) -> tuple[Tensor, Memory]:
    state = None if before is None else before[0]
    rows = []
    for at in range(len(x)):
        row, state = mixer.step(x[at : at + 1], state)
        rows.append(row)
    assert state is not None
    return torch.cat(rows), (state,)


@grow.register
def _(mixer: Recurrence, x: Tensor, seen: int, before: Memory | None) -> tuple[Tensor, Memory]:
    out, state = mixer.unit(x, None if before is None else before[0])
    return out, (state,)


@grow.register
def _(mixer: Convolution, x: Tensor, seen: int, before: Memory | None) -> tuple[Tensor, Memory]:
    sizes = [(KERNEL - 1) * step for step in mixer.steps]
    inputs, inner = before or (x.new_zeros(size, x.shape[1]) for size in sizes)
    inputs = torch.cat([inputs, x])
    made = F.relu(mixer.norm(mixer.first(_taps(inputs, len(x), mixer.steps[0]))))
    inner = torch.cat([inner, made])
    out = mixer.second(_taps(inner, len(x), mixer.steps[1]))
    return out, (inputs[-sizes[0] :].clone(), inner[-sizes[1] :].clone())


def _taps(x: Tensor, m: int, step: int) -> Tensor:
    """Return the last ``m`` rows of float32[k, d] and those some steps before, float32[m, KERNEL * d]."""
    ends = [len(x) - back * step for back in range(KERNEL)]
    return torch.cat([x[end - m : end] for end in ends], dim=1)


def _heads(x: Tensor, heads: int) -> Tensor:
    """Return float32[heads, m, d / heads] from float32[m, d]."""
    return x.view(len(x), heads, -1).transpose(0, 1)


def _joined(before: Memory | None, keys: Tensor, values: Tensor) -> Memory:
    return (
        (keys, values) if before is None else (torch.cat([before[0], keys]), torch.cat([before[1], values]))
    )


def _told(near: Tensor, bias: Bias | None, seen: int) -> Tensor:
    """Add to float32[heads, m, n] what the places between two events say."""
    if bias is None or bias.places is None:
        return near
    buckets = place_buckets(near.shape[2], near.device)[seen:]
    return near + F.embedding(buckets, bias.places).permute(2, 0, 1)


def _ahead(near: Tensor, seen: int) -> Tensor:
    """Return which of n events come after which of the last m, bool[m, n]."""
    places = torch.arange(near.shape[2], device=near.device)
    return places > places[seen:, None]
