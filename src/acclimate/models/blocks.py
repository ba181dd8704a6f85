"""Layers over many sequences of different length, with no padding computed.

A batch of sequences is packed: ``x`` float32[total, d] holds them one behind the other, and a
`Layout` says where each begins. Only attention sees a rectangle, and batches are made of
sequences of near length.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
    """``x + sigmoid(W x) * f(norm(x))`` for attention, then for the feed-forward layer.

    Pre-norm keeps deep stacks stable; the gate lets a layer do nothing (LiGR, Borisyuk et al., 2025,
    section 3.1; eSASRec, Tikhonovich et al., RecSys 2025).

    Args:
        width: d.
        heads: Attention heads.
        dropout: Share of each branch's output that is dropped in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention, self.norm_forward = nn.RMSNorm(width), nn.RMSNorm(width)
        self.attention, self.forward_layer = CausalAttention(width, heads), SwiGLU(width, 2 * width)
        self.gate_attention, self.gate_forward = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """Return float32[total, d] from float32[total, d]."""
        return self._add(x, self.attention(self.norm_attention(x), layout))

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        """Return what `forward` gives for the last events alone, float32[n, d]."""
        return self._add(x[layout.last], self.attention.last(self.norm_attention(x), layout))

    def _add(self, x: Tensor, seen: Tensor) -> Tensor:
        x = x + torch.sigmoid(self.gate_attention(x)) * self.dropout(seen)
        thought = self.forward_layer(self.norm_forward(x))
        out: Tensor = x + torch.sigmoid(self.gate_forward(x)) * self.dropout(thought)
        return out
