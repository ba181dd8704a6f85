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
        size: (n, longest), the rectangle of the batch.
    """

    row: Tensor
    position: Tensor
    size: tuple[int, int]

    @classmethod
    def of(cls, lengths: Tensor) -> Layout:
        """Build from int64[n] lengths.

        Example:
            >>> Layout.of(torch.tensor([2, 1])).position.tolist()
            [0, 1, 0]
        """
        row = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
        start = torch.cumsum(lengths, 0) - lengths
        position = torch.arange(len(row), device=lengths.device) - start[row]
        return cls(row, position, (len(lengths), int(lengths.max()) if len(lengths) else 0))


class CausalAttention(nn.Module):
    """Softmax attention in which an event sees itself and what came before it.

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
        n, longest = layout.size
        qkv = self.qkv(x).float()  # small beside the rest; a CPU keeps a half-precision kernel for each size
        square = qkv.new_zeros(n, longest, qkv.shape[1])
        square[layout.row, layout.position] = qkv
        q, k, v = (
            part.view(n, longest, self.heads, -1).transpose(1, 2) for part in square.chunk(3, dim=2)
        )  # [n, heads, longest, d / heads]
        with torch.autocast(x.device.type, enabled=False):
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        packed = seen.transpose(1, 2).reshape(n, longest, -1)[layout.row, layout.position]
        out: Tensor = self.out(packed)
        return out


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
        seen = self.attention(self.norm_attention(x), layout)
        x = x + torch.sigmoid(self.gate_attention(x)) * self.dropout(seen)
        thought = self.forward_layer(self.norm_forward(x))
        out: Tensor = x + torch.sigmoid(self.gate_forward(x)) * self.dropout(thought)
        return out
