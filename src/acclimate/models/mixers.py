"""How an event hears of what came before it: attention, recurrence, convolution; one registry."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from acclimate.errors import InputError
from acclimate.models.blocks import BUCKETS, GatedBlock, Layout, place_buckets
from acclimate.models.common import check_choice
from acclimate.models.layers import RMSNorm

KERNEL = 3
"""Events that a convolution joins."""


class Bias(nn.Module):
    """What is added to the attention of one event for another, by the time and the places between them.

    Args:
        heads: Number of heads, each with its own.
        places: Whether the number of events between counts.
        time: Whether the time between counts; the layout must then know the times.
    """

    def __init__(self, heads: int, *, places: bool, time: bool) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.zeros(BUCKETS, heads)) if places else None
        self.time = nn.Parameter(torch.zeros(BUCKETS, heads)) if time else None

    def forward(self, layout: Layout) -> Tensor | None:
        """Return float32[n or 1, heads, longest, longest], or None if nothing counts."""
        found = []
        if self.places is not None:
            buckets = place_buckets(layout.size[1], layout.row.device)
            found.append(F.embedding(buckets, self.places).permute(2, 0, 1)[None])
        if self.time is not None:
            if layout.gaps is None:
                raise ValueError("this block wants the times of the events")
            found.append(F.embedding(layout.gaps, self.time).permute(0, 3, 1, 2))
        return sum(found[1:], found[0]) if found else None

    def last(self, layout: Layout) -> Tensor | None:
        """Return the same for the last event of each sequence, float32[n, heads, 1, longest]."""
        places = layout.position[layout.last]
        found = []
        if self.places is not None:
            buckets = place_buckets(layout.size[1], layout.row.device)[places]
            found.append(F.embedding(buckets, self.places).permute(0, 2, 1)[:, :, None])
        if self.time is not None:
            if layout.gaps is None:
                raise ValueError("this block wants the times of the events")
            gaps = layout.gaps[torch.arange(len(places), device=places.device), places]
            found.append(F.embedding(gaps, self.time).permute(0, 2, 1)[:, :, None])
        return sum(found[1:], found[0]) if found else None


class CausalAttention(nn.Module):
    """Softmax attention in which an event sees itself and what came before it.

    The scores are float32 also under autocast: they are small beside the rest, and a CPU would keep a
    half-precision kernel for each size of a rectangle.

    Args:
        width: d, a multiple of ``heads``.
        heads: Number of heads.
        places: Whether the number of events between two counts.
        time: Whether the time between two counts.
    """

    def __init__(self, width: int, heads: int, *, places: bool = False, time: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.bias = Bias(heads, places=places, time=time) if places or time else None

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """Return float32[total, d] from float32[total, d]."""
        q, k, v = (_heads(part, self.heads) for part in layout.square(self.qkv(x).float()).chunk(3, dim=2))
        with torch.autocast(x.device.type, enabled=False):
            if self.bias is None:
                seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                near = q @ k.mT * q.shape[-1] ** -0.5 + self.bias(layout)
                seen = near.masked_fill(_later(layout), -torch.inf).softmax(dim=-1) @ v
        out: Tensor = self.out(layout.packed(seen.transpose(1, 2).flatten(2)))
        return out

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        """Return what `forward` gives for the last events alone, float32[n, d], without making the others."""
        width = x.shape[1]
        q = F.linear(x[layout.last], self.qkv.weight[:width])[:, None]
        k, v = layout.square(F.linear(x, self.qkv.weight[width:])).chunk(2, dim=2)
        q, k, v = (_heads(part, self.heads) for part in (q, k, v))
        mask = _until_last(layout) if len(q) > 1 or self.bias else None
        if self.bias is not None and mask is not None:
            added = self.bias.last(layout)
            assert added is not None
            mask = added.masked_fill(~mask, -torch.inf).to(q.dtype)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.out(seen.transpose(1, 2).flatten(1))
        return out


class PointwiseAttention(nn.Module):
    """Attention by ``silu(q k + bias) / length`` in place of a softmax, gated by the event itself.

    How often something happened is not normalised away (HSTU, Zhai et al., ICML 2024, section 3.2; here the
    sum is divided by the true number of events seen, and what was padded is not among them).

    Args:
        width: d, a multiple of ``heads``.
        heads: Number of heads.
        places: Whether the number of events between two counts.
        time: Whether the time between two counts.
    """

    def __init__(self, width: int, heads: int, *, places: bool = False, time: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.uvqk = nn.Linear(width, 4 * width, bias=False)
        self.norm = RMSNorm(width)
        self.out = nn.Linear(width, width, bias=False)
        self.bias = Bias(heads, places=places, time=time) if places or time else None

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """Return float32[total, d] from float32[total, d]."""
        made = F.silu(self.uvqk(x).float())
        own = made[:, : x.shape[1]]
        v, q, k = (_heads(part, self.heads) for part in layout.square(made[:, x.shape[1] :]).chunk(3, dim=2))
        with torch.autocast(x.device.type, enabled=False):
            near = q @ k.mT * q.shape[-1] ** -0.5
            if self.bias is not None:
                near = near + self.bias(layout)
            counts = torch.arange(1, layout.size[1] + 1, device=x.device)[:, None]
            seen = (F.silu(near).masked_fill(_later(layout), 0.0) / counts) @ v
        return self.gated(own, layout.packed(seen.transpose(1, 2).flatten(2)))

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        """Return what `forward` gives for the last events alone, float32[n, d], without making the others."""
        width = x.shape[1]
        end = x[layout.last]
        own = F.silu(F.linear(end, self.uvqk.weight[:width]))
        q = F.silu(F.linear(end, self.uvqk.weight[2 * width : 3 * width]))[:, None]
        weights = torch.cat([self.uvqk.weight[width : 2 * width], self.uvqk.weight[3 * width :]])
        v, k = layout.square(F.silu(F.linear(x, weights))).chunk(2, dim=2)
        q, k, v = (_heads(part, self.heads) for part in (q, k, v))
        near = q @ k.mT * q.shape[-1] ** -0.5
        if self.bias is not None:
            near = near + self.bias.last(layout)
        counts = (layout.position[layout.last] + 1)[:, None, None, None]
        seen = (F.silu(near) * _until_last(layout) / counts) @ v
        return self.gated(own, seen.transpose(1, 2).flatten(1))

    def gated(self, own: Tensor, seen: Tensor) -> Tensor:
        """Return what was ``seen`` as each event itself lets it through, float32[m, d] all."""
        out: Tensor = self.out(self.norm(seen) * own)
        return out


class Decay(nn.Module):
    """Linear attention with a learned forgetting: its state takes in an event in O(1).

    For each head ``S_t = a_t S_t-1 + k_t v_t``, read as ``q_t S_t``, where the event itself says how much
    stays: ``a_t = sigmoid(w x_t)`` (Sun et al., "Retentive network", 2023; Dao and Gu, "Transformers are
    SSMs", ICML 2024). In training all events are made at once; `step` takes in one.

    Args:
        width: d, a multiple of ``heads``.
        heads: Number of heads, which begin with memories of 8 to 256 events.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.gate = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.stays = nn.Linear(width, heads)
        self.norm = RMSNorm(width // heads)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.stays.weight)
        with torch.no_grad():
            self.stays.bias.copy_(torch.logspace(3, 8, heads, base=2).sub(1).log())

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """Return float32[total, d] from float32[total, d]."""
        q, k, v = (_heads(part, self.heads) for part in layout.square(self.qkv(x).float()).chunk(3, dim=2))
        with torch.autocast(x.device.type, enabled=False):
            kept = self._kept(x, layout)
            fade = (kept[..., :, None] - kept[..., None, :]).masked_fill(_later(layout), -torch.inf).exp()
            seen = (q @ k.mT * fade) @ v
        return self._read(x, layout.packed(self.norm(seen).transpose(1, 2).flatten(2)))

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        """Return what `forward` gives for the last events alone, float32[n, d], without making the others."""
        width = x.shape[1]
        q = F.linear(x[layout.last], self.qkv.weight[:width])[:, None]
        k, v = layout.square(F.linear(x, self.qkv.weight[width:])).chunk(2, dim=2)
        q, k, v = (_heads(part, self.heads) for part in (q, k, v))
        kept = self._kept(x, layout)
        end = kept.gather(2, layout.position[layout.last][:, None, None].expand(-1, self.heads, 1))
        fade = (end - kept)[:, :, None].masked_fill(~_until_last(layout), -torch.inf).exp()
        seen = (q @ k.mT * fade) @ v
        return self._read(x[layout.last], self.norm(seen).transpose(1, 2).flatten(1))

    def step(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Take one event more of each of n users.

        Args:
            x: The events, float32[n, d].
            state: What is known of each user, float32[n, heads, d / heads, d / heads]; None at the beginning.

        Returns:
            What `forward` gives for these events, float32[n, d], and the new state.
        """
        q, k, v = (part.view(len(x), self.heads, 1, -1) for part in self.qkv(x).chunk(3, dim=1))
        grown = k.mT @ v
        if state is not None:
            grown = grown + torch.sigmoid(self.stays(x))[..., None, None] * state
        return self._read(x, self.norm(q @ grown).flatten(1)), grown

    def _kept(self, x: Tensor, layout: Layout) -> Tensor:
        """Return the log of what stays until each event, summed from the beginning, [n, heads, longest]."""
        return layout.square(F.logsigmoid(self.stays(x).float())).cumsum(dim=1).transpose(1, 2)

    def _read(self, x: Tensor, seen: Tensor) -> Tensor:
        out: Tensor = self.out(seen * F.silu(self.gate(x)))
        return out


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
        self.norm = RMSNorm(width)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """Return float32[total, d] from float32[total, d]."""
        inner = F.relu(self.norm(self.first(_all_taps(x, layout.position, self.steps[0]))))
        out: Tensor = self.second(_all_taps(inner, layout.position, self.steps[1]))
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


def _all_taps(x: Tensor, positions: Tensor, step: int) -> Tensor:
    """Return `_taps` of all rows: shifted, and not gathered, which goes back at less cost."""
    taps = [x]
    for back in range(step, KERNEL * step, step):
        before = F.pad(x, (0, 0, back, 0))[: len(x)]
        taps.append(before * (positions >= back).to(x.dtype)[:, None])
    return torch.cat(taps, dim=1)


def _heads(x: Tensor, heads: int) -> Tensor:
    """Return float32[n, heads, longest, d / heads] from float32[n, longest, d]."""
    n, longest, _ = x.shape
    return x.view(n, longest, heads, -1).transpose(1, 2)


def _later(layout: Layout) -> Tensor:
    """Return which events come after which, bool[longest, longest]."""
    places = torch.arange(layout.size[1], device=layout.row.device)
    return places > places[:, None]


def _until_last(layout: Layout) -> Tensor:
    """Return which places of the rectangle hold an event, bool[n, 1, 1, longest]."""
    places = torch.arange(layout.size[1], device=layout.row.device)
    return (places <= layout.position[layout.last, None])[:, None, None]


MIXERS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "attention": lambda width, heads, depth: CausalAttention(width, heads),
    "hstu": lambda width, heads, depth: PointwiseAttention(width, heads),
    "decay": lambda width, heads, depth: Decay(width, heads),
    "gru": lambda width, heads, depth: Recurrence(width),
    "convolution": lambda width, heads, depth: Convolution(width, (KERNEL + 1) ** depth),
}
"""Name -> mixer for (width, attention heads, number of blocks below)."""
BIASED: dict[str, type[CausalAttention | PointwiseAttention]] = {
    "attention": CausalAttention,
    "hstu": PointwiseAttention,
}
"""Mixers that can hear of the places and the time between two events."""


def kinds_of(block: str, layers: int) -> list[str]:
    """Return the name of the mixer of each of ``layers`` blocks, from the bottom up.

    Names joined by ``+`` take turns: recurrence or convolution for what is near beside attention for what is
    far (De et al., "Griffin", 2024).

    Raises:
        InputError: There is no such mixer.

    Example:
        >>> kinds_of("decay+attention", 3)
        ['decay', 'attention', 'decay']
    """
    kinds = block.split("+") if isinstance(block, str) else [block]
    for kind in kinds:
        if isinstance(kind, str) and not kind.isalpha():
            allowed = ", ".join(MIXERS)
            raise InputError(f"block takes {allowed}, or some joined by +, got {block!r}", field="block")
        check_choice("block", kind, MIXERS)
    return list(islice(cycle(kinds), layers))


def make_block(
    name: str, width: int, heads: int, dropout: float, depth: int, *, places: bool = False, time: bool = False
) -> GatedBlock:
    """Return the block that stands on ``depth`` others, with the mixer of that name in `MIXERS`.

    It hears of ``places`` and ``time`` if it is one of `BIASED`.
    """
    biased = (
        BIASED[name](width, heads, places=places, time=time) if name in BIASED and (places or time) else None
    )
    return GatedBlock(biased or MIXERS[name](width, heads, depth), width, dropout)
