"""Losses that models share: over all items, and over some that were drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from acclimate.parallel import alike

TINY = torch.finfo(torch.float32).tiny
"""A chance below counts as this one."""
PAIRS_AT_ONCE = 65_536
"""Pairs whose vectors are held together."""


class Added(NamedTuple):
    """What is added to the scaled cosines of some users and items.

    Args:
        rows: User of each pair, int64[m], rising.
        items: Item of each pair, int64[m]; no pair stands twice.
        values: What is added, float32[m].
    """

    rows: Tensor
    items: Tensor
    values: Tensor


def pair_dots(left: Tensor, right: Tensor, rows: Tensor, items: Tensor) -> Tensor:
    """Return the dot product of each pair of a row of ``left`` and one of ``right``, float32[m].

    A part of the pairs at a time, also backwards: the vectors of all together may not fit in memory.

    Args:
        left: float32[n, d].
        right: float32[k, d].
        rows: Row of ``left`` of each pair, int64[m].
        items: Row of ``right`` of each pair, int64[m].
    """
    found: Tensor = _PairDots.apply(left, right, rows, items)  # type: ignore[no-untyped-call]
    return found


class _PairDots(torch.autograd.Function):
    """See `pair_dots`."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        ctx.save_for_backward(left, right, rows, items)
        parts = zip(torch.split(rows, PAIRS_AT_ONCE), torch.split(items, PAIRS_AT_ONCE), strict=True)
        return torch.cat([(left[row] * right[item]).sum(dim=1) for row, item in parts])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        left, right, *pairs = ctx.saved_tensors
        d_left, d_right = torch.zeros_like(left), torch.zeros_like(right)
        parts = (torch.split(each, PAIRS_AT_ONCE) for each in (*pairs, grads[0][:, None]))
        for row, item, grad in zip(*parts, strict=True):
            d_left.index_add_(0, row, grad * right[item])
            d_right.index_add_(0, item, grad * left[row])
        return d_left, d_right, None, None


class _SoftmaxLoss(torch.autograd.Function):
    """Forward makes loss and gradients together, a chunk of users at a time."""

    @staticmethod
    def forward(
        ctx: Any,
        users: Tensor,
        items: Tensor,
        scale: Tensor,
        targets: Tensor,
        rows: Tensor,
        weights: Tensor,
        bias: Tensor | None,
        added: Tensor | None,
        pairs: tuple[Tensor, Tensor] | None,
        chunk: int,
        dtype: torch.dtype,
        smoothing: float,
    ) -> Tensor:
        table, queries = items.to(dtype), (users * scale).to(dtype)
        d_users, d_items = torch.empty_like(users), torch.zeros_like(items)
        total, n = users.new_zeros(()), weights.sum().clamp(min=1e-12)
        room, grown = queries.new_empty(min(chunk, len(users)), len(items)), torch.empty_like(table)
        d_bias, d_added = (None if each is None else torch.zeros_like(each) for each in (bias, added))
        edges = torch.arange(0, len(users) + chunk, chunk, device=users.device)
        ends = torch.searchsorted(rows, edges).tolist()
        halves = None if pairs is None else torch.searchsorted(pairs[0], edges).tolist()
        for i, (start, low, high) in enumerate(zip(edges.tolist(), ends, ends[1:], strict=False)):
            part = slice(start, start + chunk)
            query, row = queries[part], rows[low:high] - start
            target, weight = targets[low:high], weights[low:high]
            mass = weight.new_zeros(len(query)).index_add_(0, row, weight)
            # all in one place: passes over memory cost, and fresh pages of it cost more
            p, level = torch.mm(query, table.T, out=room[: len(query)]), None
            if bias is not None:
                p.add_(bias.to(dtype))
            if pairs is not None and added is not None and halves is not None:
                level = slice(halves[i], halves[i + 1])
                had = pairs[0][level] - start, pairs[1][level]
                p.index_put_(had, added[level].to(dtype), accumulate=True)
            if smoothing:
                total += smoothing * (
                    weight @ p[row, target].float() - mass @ p.mean(dim=1, dtype=torch.float32)
                )
            torch.softmax(p, dim=1, out=p)
            total -= weight @ p[row, target].float().clamp(min=TINY).log()
            if smoothing:
                p.sub_(smoothing / len(table))
            share = weight / mass.clamp(min=1e-12)[row]
            p.index_put_((row, target), -((1 - smoothing) * share).to(dtype), accumulate=True)
            d_users[part] = (p @ table) * mass[:, None]
            d_items += torch.mm(p.T, query * mass.to(dtype)[:, None], out=grown)
            if d_bias is not None:
                d_bias += (p * mass[:, None]).sum(dim=0)
            if d_added is not None and level is not None:
                d_added[level] = p[had].float() * mass[had[0]]
        d_scale = (d_users * users).sum()
        ctx.has = d_bias is not None, d_added is not None
        more = [each.div_(n) for each in (d_bias, d_added) if each is not None]
        ctx.save_for_backward(d_users.mul_(scale / n), d_items.div_(n), d_scale / n, *more)
        return total / n

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        d_users, d_items, d_scale, *more = (each * grads[0] for each in ctx.saved_tensors)
        d_bias = more.pop(0) if ctx.has[0] else None
        d_added = more.pop(0) if ctx.has[1] else None
        return d_users, d_items, d_scale, None, None, None, d_bias, d_added, *[None] * 4


def softmax_loss(
    users: Tensor,
    items: Tensor,
    scale: Tensor,
    targets: Tensor,
    *,
    rows: Tensor | None = None,
    weights: Tensor | None = None,
    bias: Tensor | None = None,
    added: Added | None = None,
    chunk: int = 256,
    dtype: torch.dtype = torch.float32,
    smoothing: float = 0.0,
) -> Tensor:
    """Return the mean cross-entropy of ``scale * users @ items.T`` against all items.

    Scores and their gradient are made a chunk of users at a time, so that memory is ``chunk * n_items``
    and not ``n * n_items`` (Wijmans et al., "Cut your losses", 2024, section 4, on a CPU).

    Args:
        users: Unit vectors float32[n, d].
        items: Unit vectors float32[n_items, d].
        scale: float32[], the inverse temperature, 0..80.
        targets: int64[t], item codes; one for each user, unless ``rows`` says whose they are.
        rows: User of each target, int64[t], rising.
        weights: How much each target counts, float32[t]; all alike if not given.
        bias: What is added to the logits of each item, float32[n_items]; nothing if not given.
        added: What is added to those of single pairs of a user and an item.
        chunk: Users at a time.
        dtype: Precision of scores and products; sums are float32. In bfloat16 the loss of a catalogue of
            10,000 items is right to three digits, at a tenth of the time where a CPU has it.
        smoothing: Share of each target that is spread over all items, 0..1 (Szegedy et al., CVPR 2016).

    Example:
        >>> u, e = torch.eye(2), torch.eye(2)
        >>> round(float(softmax_loss(u, e, torch.tensor(1.0), torch.tensor([0, 1]))), 4)
        0.3133
    """
    rows = torch.arange(len(targets), device=users.device) if rows is None else rows
    weights = users.new_ones(len(targets)) if weights is None else weights
    values, pairs = (added.values, (added.rows, added.items)) if added else (None, None)
    loss: Tensor = _SoftmaxLoss.apply(  # type: ignore[no-untyped-call]
        users, items, scale, targets, rows, weights, bias, values, pairs, chunk, dtype, smoothing
    )
    return loss


class Drawn(NamedTuple):
    """Items drawn with replacement, the same for all users of a batch.

    Args:
        items: Their codes int64[s].
        log_expected: Log of how often each was to be expected among the s, float32[s].
        among: How many items they were drawn from.
    """

    items: Tensor
    log_expected: Tensor
    among: int

    @classmethod
    def by(cls, chances: Tensor, n: int) -> Drawn:
        """Draw ``n`` items by their chances float32[n_items], which sum to 1."""
        items = alike(torch.multinomial(chances, n, replacement=True))
        return cls(items, (n * chances[items]).log(), len(chances))


def sampled_softmax_loss(
    users: Tensor, items: Tensor, scale: Tensor, targets: Tensor, drawn: Drawn, bias: Tensor | None = None
) -> Tensor:
    """Return the mean of ``-[s+ - log(e^s+ + sum_j e^(s_j - log(S q_j)))]``, s the scaled cosines.

    The correction for how items were drawn leaves the right one out, since it is not drawn; an item that was
    drawn and is right counts once (Khrylchenko et al., "Correcting the logQ correction", RecSys 2025).

    Args:
        users: Unit vectors float32[n, d].
        items: Unit vectors float32[n_items, d].
        scale: float32[], the inverse temperature.
        targets: int64[n], item codes.
        drawn: The negatives.
        bias: What is added to the logits of each item, float32[n_items]; nothing if not given.
    """
    right, wrong = _drawn_scores(users, items, scale, targets, drawn, bias)
    wrong = wrong - drawn.log_expected
    return (torch.logsumexp(torch.cat([right[:, None], wrong], dim=1), dim=1) - right).mean()


def gbce_loss(
    users: Tensor, items: Tensor, scale: Tensor, targets: Tensor, drawn: Drawn, bias: Tensor | None = None
) -> Tensor:
    """Return binary cross-entropy with the right item's chance raised to beta, calibrated (t = 0.75).

    A loss over few negatives grows too sure of itself; beta takes that back (gSASRec, Petrov and Macdonald,
    RecSys 2023, section 5). Arguments as in `sampled_softmax_loss`; meant for negatives drawn alike.
    """
    right, wrong = _drawn_scores(users, items, scale, targets, drawn, bias)
    share = min(1.0, len(drawn.items) / max(drawn.among - 1, 1))
    beta = share * (0.75 * (1 - 1 / share) + 1 / share)
    return -(beta * F.logsigmoid(right) + F.logsigmoid(-wrong).sum(dim=1)).mean()


def bpr_loss(
    users: Tensor, items: Tensor, scale: Tensor, targets: Tensor, drawn: Drawn, bias: Tensor | None = None
) -> Tensor:
    """Return the mean of ``-log sigmoid(s+ - s_j)`` (BPR, Rendle et al., UAI 2009).

    Arguments as in `sampled_softmax_loss`.
    """
    right, wrong = _drawn_scores(users, items, scale, targets, drawn, bias)
    pairs = F.logsigmoid(right[:, None] - wrong)
    real = wrong.isfinite()
    return -pairs.where(real, pairs.new_zeros(())).sum() / real.sum().clamp(min=1)


def _drawn_scores(
    users: Tensor, items: Tensor, scale: Tensor, targets: Tensor, drawn: Drawn, bias: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the logits of the right items float32[n], and of those drawn float32[n, s].

    Where what was drawn is right, the score is -inf.
    """
    right = scale * (users * items[targets]).sum(dim=1)
    wrong = scale * users @ items[drawn.items].T
    if bias is not None:
        right, wrong = right + bias[targets], wrong + bias[drawn.items]
    return right, wrong.masked_fill(drawn.items == targets[:, None], -torch.inf)


def divergence(*parts: Tensor) -> Tensor:
    """Return the sum of KL(one || other) of two softmaxes over items, float32[].

    Args:
        parts: Of each: states float32[n, d], items float32[m, d], what is added to each item float32[m], and
            the inverse temperature float32[].
    """
    one, other = (
        F.log_softmax(scale * states @ items.T + bias, dim=1)
        for states, items, bias, scale in (parts[:4], parts[4:])
    )
    return F.kl_div(other, one, reduction="sum", log_target=True)


def contrast_loss(one: Tensor, other: Tensor, temperature: float = 0.1) -> Tensor:
    """Return InfoNCE of two views of the same sequences: each has to find its twin among all views.

    ``-log(e^(s+ / T) / sum_j e^(s_j / T))`` over the 2n - 1 others (Chen et al., "SimCLR", ICML 2020, (1)).

    Args:
        one: Unit vectors float32[n, d].
        other: The same sequences, told otherwise, float32[n, d].
        temperature: T, above 0.

    Example:
        >>> round(float(contrast_loss(torch.eye(2), torch.eye(2), temperature=1.0)), 4)
        0.5514
    """
    both = torch.cat([one, other])
    scores = both @ both.T / temperature
    scores = scores.masked_fill(torch.eye(len(both), dtype=torch.bool, device=both.device), -torch.inf)
    twin = torch.arange(len(both), device=both.device).roll(len(one))
    return F.cross_entropy(scores, twin)


def perturbed(table: Tensor, loss: Tensor, share: float) -> Tensor:
    """Return the table moved to where the loss rises fastest, each row by the same length (FGM).

    The move is no part of the graph: what is learned is to do well there as well.

    Args:
        table: float32[n, d], part of the graph of ``loss``, which stays usable.
        loss: float32[].
        share: Length of the move in mean lengths of a row.

    References:
        Miyato et al., ICLR 2017, section 3; He et al., "Adversarial personalized ranking", SIGIR 2018.
    """
    (slope,) = torch.autograd.grad(loss, table, retain_graph=True)
    length = share * table.detach().norm(dim=1).mean()
    moved: Tensor = table + length * F.normalize(slope.detach(), dim=1)
    return moved


SAMPLED: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor, Drawn, Tensor | None], Tensor]] = {
    "sampled": sampled_softmax_loss,
    "gbce": gbce_loss,
    "bpr": bpr_loss,
}
"""Losses over items that were drawn, by name."""
LOSSES = ("full", *SAMPLED)
"""Names of all: ``full`` is `softmax_loss` over all items."""
