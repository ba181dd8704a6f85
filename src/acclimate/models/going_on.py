"""A fitted sequence model is opened to learn on, and closed again as the same model with other weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from acclimate.models.item_vectors import ItemVectors
from acclimate.models.sequence import SequenceModel
from acclimate.models.sequence_net import ITS_OWN, Batch, SequenceNet, Steps
from acclimate.models.states import known_states
from acclimate.types import Floats, Histories, Model, State


def opened(model: Model, counts: NDArray[np.int64]) -> SequenceNet:
    """Return a net of all items of a fitted `SequenceModel`, with its weights, ready to learn.

    Args:
        model: Not changed.
        counts: Events of each item so far, int64[n_items]; for a loss over items that are drawn.
    """
    arrays, document = model.state()
    params, text, ids = document["params"], arrays["text"], arrays["ids"]
    items = ItemVectors(torch.from_numpy(np.array(text)), ids.shape[1], params["id_dropout"])
    net = SequenceNet(items, params, counts)
    weights = {
        name[4:]: torch.from_numpy(np.array(part)) for name, part in arrays.items() if name[:4] == "net."
    }
    net.load_state_dict(weights, strict=False)
    with torch.no_grad():
        items.ids.copy_(torch.from_numpy(np.array(ids)))
    if net.terms and "own" in arrays:
        net.terms.take(list(range(len(text))), arrays["own"])
    net.train().requires_grad_(True)
    items.ids.requires_grad_(ids.shape[1] > 0)
    return net


def closed(net: SequenceNet, state: State) -> State:
    """Return the ``state`` of the model that a net was opened from, with the weights of the net."""
    arrays, document = state
    learned = {
        f"net.{name}": part.detach().numpy().copy()
        for name, part in net.state_dict().items()
        if not name.startswith(ITS_OWN)
    }
    own = {"own": net.terms.own()} if net.terms else {}
    return {**arrays, **learned, **own, "ids": net.items.ids.detach().numpy().copy()}, document


def foreseeing(histories: Histories) -> tuple[Steps, torch.Tensor]:
    """Return what a net reads to foresee the event behind each, and these events, int64[total].

    Args:
        histories: Of users who did two things or more; their last event is foreseen and not read.
    """
    steps = Steps.of(histories)
    read = torch.ones(len(steps.items), dtype=torch.bool)
    read[torch.cumsum(steps.lengths, 0) - 1] = False
    then = torch.roll(steps.items, -1)[read]
    items, times, asked, about = (each[read] for each in (steps.items, steps.times, steps.asked, steps.told))
    return Steps(items, steps.lengths - 1, times, asked, about), then


@contextmanager
def mixed(net: SequenceNet, then: Mapping[str, Tensor], share: float) -> Iterator[None]:
    """Let a net have ``share`` of its own weights, and for the rest those of ``then``, for a while.

    Weights that are not in ``then`` stay as they are.

    Nothing is copied back, so what was computed before can still be learned from afterwards.
    """
    if share == 1:
        yield
        return
    own = [(weight, weight.data) for weight in net.parameters()]
    try:
        for name, weight in net.named_parameters():
            if name in then:
                weight.data = then[name].lerp(weight.data, share)
        yield
    finally:
        for weight, data in own:
            weight.data = data


def answers(net: SequenceNet, steps: Steps) -> tuple[Tensor, Tensor, Tensor]:
    """Return the state after each step, unit vectors of all items, and what is added to each."""
    table = net.items()
    own = net.terms.seen() if net.terms else None
    bias = table.new_zeros(len(table)) if own is None or own.bias is None else own.bias
    return net.read(table[steps.items], steps), F.normalize(table, dim=1), bias


def thinned(batches: Sequence[Batch], most: int, rng: np.random.Generator) -> list[Batch]:
    """Return whole sequences of ``batches``, drawn until they ask for ``most`` states or none is left."""
    lengths = [batch.steps.lengths for batch in batches]
    rows = torch.repeat_interleave(torch.arange(sum(len(each) for each in lengths)), torch.cat(lengths))
    asked = torch.bincount(rows, torch.cat([batch.weights > 0 for batch in batches]).double())
    order = torch.from_numpy(rng.permutation(len(asked)))
    before = torch.cumsum(asked[order], 0) - asked[order]
    chosen = torch.zeros(len(asked), dtype=torch.bool)
    chosen[order[before < most]] = True
    found = []
    for batch, keep in zip(batches, torch.split(chosen, [len(each) for each in lengths]), strict=True):
        each = torch.repeat_interleave(keep, batch.steps.lengths)
        others = (part[each] for part in (batch.steps.times, batch.steps.asked, batch.steps.told))
        steps = Steps(batch.steps.items[each], batch.steps.lengths[keep], *others)
        if keep.any():
            found.append(Batch(steps, batch.targets[each], batch.weights[each]))
    return found


def singles(batch: Batch, most: int) -> Iterator[Batch]:
    """Yield the first sequences of a batch one by one."""
    ends = torch.cumsum(batch.steps.lengths, 0).tolist()
    for low, high in list(zip([0, *ends], ends, strict=False))[:most]:
        items, _, *others = (part[low:high] for part in batch.steps)
        steps = Steps(items, torch.tensor([high - low]), *others)
        yield Batch(steps, batch.targets[low:high], batch.weights[low:high])


def had_before(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return what the user of each question of a batch had by then: pairs of its row and an item."""
    lengths = batch.steps.lengths
    first = torch.repeat_interleave(torch.cumsum(lengths, 0) - lengths, lengths)
    at = torch.arange(len(first))[batch.weights > 0]
    many = at - first[at] + 1
    rows = torch.repeat_interleave(torch.arange(len(at)), many)
    back = torch.arange(len(rows)) - torch.repeat_interleave(torch.cumsum(many, 0) - many, many)
    return rows, batch.steps.items[first[at][rows] + back]


def longer(part: Tensor, like: Tensor) -> Tensor:
    """Return ``part`` with zeros for the rows that ``like`` has more."""
    more = len(like) - len(part) if part.dim() else 0
    return F.pad(part, (*[0, 0] * (part.dim() - 1), 0, more)) if more else part


@torch.inference_mode()
def user_states(model: SequenceModel, histories: Histories) -> Floats:
    """Return the unit vectors that items are compared with, float32[n, d]; zero for who has no events."""
    net, table = model._fitted(), model._items
    read = model._heard(histories)
    out = np.zeros((len(read), table.vectors.shape[1]), np.float32)
    if (some := np.flatnonzero(read.lengths)).size:
        steps = Steps.of(read[some].last(len(net.positions)))
        found = (
            net.read(table.vectors[steps.items], steps, last=True)
            if net.timed
            else known_states(net, table.vectors, read[some], table.states)
        )
        out[some] = found.numpy()
    return out
