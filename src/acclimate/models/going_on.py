"""A fitted sequence model is opened to learn on, and closed again as the same model with other weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from acclimate.models.item_vectors import ItemVectors
from acclimate.models.sequence_net import ITS_OWN, SequenceNet, Steps, told
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


def windows(histories: Sequence[Histories], longest: int) -> tuple[Steps, torch.Tensor, torch.Tensor]:
    """Return the events of users who did two things or more as a net reads them, each for the one behind it.

    Args:
        histories: Of one user each.
        longest: Steps of a user at most, the newest.

    Returns:
        The steps; what comes after each, int64[total]; and what that weighs, float32[total].
    """
    items, times, weights, values, kinds, lengths = [], [], [], [], [], []
    for one in histories:
        newest = one.last(longest + 1)
        items.append(newest.items)
        times.append(newest.times)
        weights.append(newest.weights)
        values.append(np.full(len(newest.items), np.nan) if newest.values is None else newest.values)
        kinds.append(np.full(len(newest.items), -1) if newest.kinds is None else newest.kinds)
        lengths.append(len(newest.items) - 1)
    ends = np.cumsum(np.array(lengths) + 1) - 1
    offsets = np.concatenate([[0], ends + 1])
    columns = (np.concatenate(part) for part in (items, times, weights))
    every = Histories(
        *columns,
        offsets,
        values=np.concatenate(values),
        kinds=np.concatenate(kinds),  # type: ignore[misc]
    )
    step = np.ones(len(every.items), np.bool_)
    step[ends] = False
    at = np.flatnonzero(step)
    steps = Steps(
        torch.from_numpy(every.items[at].astype(np.int64)),
        torch.tensor(lengths),
        torch.from_numpy(every.times[at]),
        torch.from_numpy(every.times[at + 1]),
        torch.from_numpy(told(every)[at]),
    )
    targets = torch.from_numpy(every.items[at + 1].astype(np.int64))
    return steps, targets, torch.from_numpy(np.array(every.weights[at + 1]))
