"""Layers over many sequences of different length, with no padding computed.

A batch of sequences is packed: ``x`` float32[total, d] holds them one behind the other, and a
`Layout` says where each begins. Only attention sees a rectangle, and batches are made of
sequences of near length. A block mixes what came before into each event by attention, by a recurrent
net or by convolution (`MIXERS`); each gives the same called as a whole or for the ``last`` events alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

KERNEL = 3
"""Events that a convolution joins."""


class Layout(NamedTuple):
    """Where each of n packed sequences lies.

    Args:
        row: Sequence of each event, int64[total].
        position: Place of each event in its sequence, from 0, int64[total].
        last: Index of the last event of each sequence, int64[n].
        size: (n, longest), the rectangle of the batch.
    """

    row: Tensor
    position: Tensor
    last: Tensor
    size: tuple[int, int]

    @classmethod
    def of(cls, lengths: Tensor) -> Layout:
        """Build from int64[n] lengths.

        Example:
            >>> Layout.of(torch.tensor([2, 1])).position.tolist()
            [0, 1, 0]
        """
        row = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
        ends = torch.cumsum(lengths, 0)
        position = torch.arange(len(row), device=lengths.device) - (ends - lengths)[row]
        return cls(row, position, ends - 1, (len(lengths), int(lengths.max()) if len(lengths) else 0))

    def square(self, x: Tensor) -> Tensor:
        """Return packed rows float32[total, w] as a rectangle float32[n, longest, w], zero where empty."""
        out = x.new_zeros(*self.size, x.shape[1])
        out[self.row, self.position] = x
        return out


class Mixer(Protocol):
    """Tells each event of what came before it in its sequence; never of what comes after."""

    def __call__(self, x: Tensor, layout: Layout) -> Tensor:
        """Return float32[total, d] from float32[total, d]."""

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        """Return the same for the last events alone, float32[n, d], at less cost where that is possible."""


class CausalAttention(nn.Module):
    """Softmax attention in which an event sees itself and what came before it.

    The scores are float32 also under autocast: they are small beside the rest, and a CPU would keep a
    half-precision kernel for each size of a rectangle.

    Args:
        width: d, a multiple of ``heads``.
        heads: Number of heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """Return float32[total, d] from float32[total, d]."""
        q, k, v = map(self._split, layout.square(self.qkv(x).float()).chunk(3, dim=2))
        with torch.autocast(x.device.type, enabled=False):
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.out(seen.transpose(1, 2).flatten(2)[layout.row, layout.position])
        return out

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        """Return what `forward` gives for the last events alone, float32[n, d], without making the others."""
        width = x.shape[1]
        q = F.linear(x[layout.last], self.qkv.weight[:width])[:, None]
        k, v = layout.square(F.linear(x, self.qkv.weight[width:])).chunk(2, dim=2)
        places = torch.arange(layout.size[1], device=x.device)
        mask = (places <= layout.position[layout.last, None])[:, None, None]
        q, k, v = map(self._split, (q, k, v))
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.out(seen.flatten(1))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """Return float32[n, heads, longest, d / heads] from float32[n, longest, d]."""
        n, longest, _ = x.shape
        return x.view(n, longest, self.heads, -1).transpose(1, 2)


class Recurrence(nn.Module):
    """A gated recurrent unit, run over all sequences at once without padding.

    GRU4Rec (Hidasi et al., ICLR 2016) in the frame of a `GatedBlock`.

    Args:
        width: d.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.unit = nn.GRU(width, width)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """Return the state after each event, float32[total, d], from float32[total, d]."""
        longest_first = torch.argsort(layout.position[layout.last], descending=True, stable=True)
        rank = torch.empty_like(longest_first)
        rank[longest_first] = torch.arange(len(rank), device=x.device)
        by_step = torch.argsort(layout.position * len(rank) + rank[layout.row])
        running = torch.bincount(layout.position).cpu()
        with torch.autocast(x.device.type, enabled=False):
            states = self.unit(PackedSequence(x[by_step].float(), running))[0].data
        out = torch.empty_like(states)
        out[by_step] = states
        return out

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        """Return the state after the last events, float32[n, d]; all before them have to be made."""
        out: Tensor = self(x, layout)[layout.last]
        return out


class Convolution(nn.Module):
    """Two causal convolutions with holes, of dilation e and 2 e.

    NextItNet (Yuan et al., WSDM 2019, section 3) in the frame of a `GatedBlock`.

    Args:
        width: d.
        dilation: e, the distance of the events that the first one joins.
    """

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.steps = dilation, 2 * dilation
        self.first, self.second = nn.Linear(KERNEL * width, width), nn.Linear(KERNEL * width, width)
        self.norm = nn.RMSNorm(width)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """Return float32[total, d] from float32[total, d]."""
        everywhere = torch.arange(len(x), device=x.device)
        out: Tensor = self.second(
            _taps(self._inner(x, everywhere, layout.position), everywhere, layout.position, self.steps[1])
        )
        return out

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        """Return what `forward` gives for the last events alone, float32[n, d], at less cost."""
        back = self.steps[1] * torch.arange(KERNEL, device=x.device)
        places, positions = layout.last[:, None] - back, layout.position[layout.last, None] - back
        inner = self._inner(x, places.flatten(), positions.flatten())
        out: Tensor = self.second((inner * (positions.flatten() >= 0)[:, None]).view(len(places), -1))
        return out

    def _inner(self, x: Tensor, places: Tensor, positions: Tensor) -> Tensor:
        return F.relu(self.norm(self.first(_taps(x, places, positions, self.steps[0]))))


def _taps(x: Tensor, places: Tensor, positions: Tensor, step: int) -> Tensor:
    """Return the rows of ``x`` at int64[m] ``places`` and 1, 2, ... steps before, float32[m, KERNEL * d].

    ``positions`` int64[m] are those in the sequence; what is before its beginning is zero.
    """
    back = step * torch.arange(KERNEL, device=x.device)
    rows = x[(places[:, None] - back).clamp(min=0)]
    return (rows * (positions[:, None] >= back)[..., None]).flatten(1)


class SwiGLU(nn.Module):
    """Feed-forward layer ``W3(silu(W1 x) * W2 x)`` (Shazeer, 2020)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return float32[total, d] from float32[total, d]."""
        gate, up = self.gate_up(x).chunk(2, dim=1)
        out: Tensor = self.down(F.silu(gate) * up)
        return out


class GatedBlock(nn.Module):
    """``x + sigmoid(W x) * f(norm(x))`` for a mixer, then for the feed-forward layer.

    Pre-norm keeps deep stacks stable; the gate lets a layer do nothing (LiGR, Borisyuk et al., 2025,
    section 3.1; eSASRec, Tikhonovich et al., RecSys 2025).

    Args:
        mixer: A `Mixer`, d wide.
        width: d.
        dropout: Share of each branch's output that is dropped in training.
    """

    def __init__(self, mixer: nn.Module, width: int, dropout: float) -> None:
        super().__init__()
        self.norm_mixer, self.norm_forward = nn.RMSNorm(width), nn.RMSNorm(width)
        self.mixer, self.forward_layer = mixer, SwiGLU(width, 2 * width)
        self.gate_mixer, self.gate_forward = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """Return float32[total, d] from float32[total, d]."""
        return self._add(x, self.mixer(self.norm_mixer(x), layout))

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        """Return what `forward` gives for the last events alone, float32[n, d]."""
        mixer: Mixer = self.mixer  # type: ignore[assignment]
        return self._add(x[layout.last], mixer.last(self.norm_mixer(x), layout))

    def _add(self, x: Tensor, seen: Tensor) -> Tensor:
        x = x + torch.sigmoid(self.gate_mixer(x)) * self.dropout(seen)
        thought = self.forward_layer(self.norm_forward(x))
        out: Tensor = x + torch.sigmoid(self.gate_forward(x)) * self.dropout(thought)
        return out


MIXERS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "attention": lambda width, heads, depth: CausalAttention(width, heads),
    "gru": lambda width, heads, depth: Recurrence(width),
    "convolution": lambda width, heads, depth: Convolution(width, (KERNEL + 1) ** depth),
}
"""Name -> mixer for (width, attention heads, number of blocks below)."""


def make_block(name: str, width: int, heads: int, dropout: float, depth: int) -> GatedBlock:
    """Return the block that stands on ``depth`` others, with the mixer of that name in `MIXERS`."""
    return GatedBlock(MIXERS[name](width, heads, depth), width, dropout)
