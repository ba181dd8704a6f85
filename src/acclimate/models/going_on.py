"""A fitted sequence model is opened to learn on, and closed again as the same model with other weights."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from acclimate.models.item_vectors import ItemVectors
from acclimate.models.sequence_net import ITS_OWN, SequenceNet, Steps
from acclimate.types import Histories, Model, State


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
