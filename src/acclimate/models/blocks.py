"""Layers over many sequences of different length, with no padding computed.

A batch of sequences is packed: ``x`` float32[total, d] holds them one behind the other, and a
`Layout` says where each begins. Only attention sees a rectangle, and batches are made of
sequences of near length. A block mixes what came before into each event by a `Mixer` (see
`acclimate.models.mixers`); it gives the same called as a whole or for the ``last`` events alone.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acclimate.models.layers import Dropout, RMSNorm

BUCKETS = 64
"""Of time between two events, and of places between them."""
NEAR = 32
"""Distances below have a bucket each."""


class Layout(NamedTuple):
    """Where each of n packed sequences lies.

    Args:
        row: Sequence of each event, int64[total].
        position: Place of each event in its sequence, from 0, int64[total].
        last: Index of the last event of each sequence, int64[n].
        size: (n, longest), the rectangle of the batch.
        gaps: Bucket 0..63 of the time from event j to the question after event i, int64[n, longest, longest];
            None where times are not told.
    """

    row: Tensor
    position: Tensor
    last: Tensor
    size: tuple[int, int]
    gaps: Tensor | None = None

    @classmethod
    def of(cls, lengths: Tensor, times: Tensor | None = None, asked: Tensor | None = None) -> Layout:
        """Build from int64[n] lengths.

        Args:
            lengths: Events of each sequence, at least one.
            times: Seconds of each event, float64[total].
            asked: Seconds of the question that each event is asked for: when the next event happened, or
                for the last one the time of the request; float64[total].

        Example:
            >>> Layout.of(torch.tensor([2, 1])).position.tolist()
            [0, 1, 0]
        """
        size = (len(lengths), int(lengths.max()) if len(lengths) else 0)
        if size[0] == 1:  # a request
            position = torch.arange(size[1], device=lengths.device)
            layout = cls(torch.zeros_like(position), position, lengths - 1, size)
        else:
            row = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
            ends = torch.cumsum(lengths, 0)
            position = torch.arange(len(row), device=lengths.device) - (ends - lengths)[row]
            layout = cls(row, position, ends - 1, size)
        if times is None or asked is None:
            return layout
        began, ended = (layout.square(each[:, None])[..., 0] for each in (times, asked))
        return layout._replace(gaps=time_buckets(ended[:, :, None] - began[:, None, :]))

    def square(self, x: Tensor) -> Tensor:
        """Return packed rows float32[total, w] as a rectangle float32[n, longest, w], zero where empty."""
        if self.size[0] == 1:
            return x[None]
        out = x.new_zeros(*self.size, x.shape[1])
        out[self.row, self.position] = x
        return out

    def packed(self, square: Tensor) -> Tensor:
        """Return the rows float32[total, w] of a rectangle float32[n, longest, w], without what is empty."""
        return square[0] if self.size[0] == 1 else square[self.row, self.position]


def time_buckets(seconds: Tensor) -> Tensor:
    """Return ``floor(log(max(1, |seconds|)) / .301)``, at most 63 (HSTU, Zhai et al., ICML 2024).

    Example:
        >>> time_buckets(torch.tensor([0.0, 60.0, 86_400.0])).tolist()
        [0, 13, 37]
    """
    return (seconds.abs().clamp(min=1).log() / 0.301).long().clamp(max=BUCKETS - 1)


def place_buckets(longest: int, device: torch.device | None = None) -> Tensor:
    """Return the bucket of how far each event is behind another, int64[longest, longest], 0..63.

    Distances below 32 have a bucket each, further ones share 8 for each doubling.
    """
    places = torch.arange(longest, device=device)
    away = (places[:, None] - places).clamp(min=0)
    far = NEAR + (8 * torch.log2(away.clamp(min=NEAR) / NEAR)).long()
    return torch.where(away < NEAR, away, far).clamp(max=BUCKETS - 1)


class Mixer(Protocol):
    """Tells each event of what came before it in its sequence; never of what comes after."""

    def __call__(self, x: Tensor, layout: Layout) -> Tensor:
        """Return float32[total, d] from float32[total, d]."""

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        """Return the same for the last events alone, float32[n, d], at less cost where that is possible."""


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
        self.norm_mixer, self.norm_forward = RMSNorm(width), RMSNorm(width)
        self.mixer, self.forward_layer = mixer, SwiGLU(width, 2 * width)
        self.gate_mixer, self.gate_forward = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """Return float32[total, d] from float32[total, d]."""
        return self.add(x, self.mixer(self.norm_mixer(x), layout))

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        """Return what `forward` gives for the last events alone, float32[n, d]."""
        mixer: Mixer = self.mixer  # type: ignore[assignment]
        return self.add(x[layout.last], mixer.last(self.norm_mixer(x), layout))

    def add(self, x: Tensor, seen: Tensor) -> Tensor:
        """Return events float32[m, d] with what their mixer has ``seen``, thought over."""
        x = x + torch.sigmoid(self.gate_mixer(x)) * self.dropout(seen)
        thought = self.forward_layer(self.norm_forward(x))
        out: Tensor = x + torch.sigmoid(self.gate_forward(x)) * self.dropout(thought)
        return out
