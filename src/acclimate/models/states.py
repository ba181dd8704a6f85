"""What users did becomes states, and states become scores: all that is asked of a fitted net."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from acclimate.models.incremental import States, anchored, read_on
from acclimate.models.remembered import keys_of
from acclimate.models.sequence_net import SequenceNet, Steps, told
from acclimate.models.user_text import Read
from acclimate.types import Floats, Histories

FEW = 64
"""Users of one call, up to which it is a request and not an evaluation of everybody."""
FOLLOWED = 4
"""Users that are read before they ask at one time, up to which each is followed event by event."""
LATELY = 8
"""Events since a user was read, up to which what the blocks kept is gone on from."""


@torch.inference_mode()
def heard(net: SequenceNet, unit: Tensor, users: Floats) -> Floats:
    """Return the cosines of users with items ``unit`` by their placed readings float32[n, d] alone."""
    found: Floats = (net.hear(Read.now(users)) @ unit.T).numpy()
    return found


@torch.inference_mode()
def known_states(
    net: SequenceNet, table: Tensor, histories: Histories, states: States, *, keep: bool = False
) -> Tensor:
    """Return the states of users, float32[n, d]: what is known, and of the others what they did.

    Who did a few things since what the blocks say was kept is read from there on. What comes of it is as near
    to a reading of the whole history as two batches are to each other.

    Args:
        net: Not told of times.
        table: Item vectors as they are read, float32[n_items, d].
        histories: Of n users, of at least one event each.
        states: What was made with these weights and vectors.
        keep: Whether what the blocks say of a user is kept, as more will follow; not of more than `FOLLOWED`.
    """
    if not len(histories):
        return table[:0]
    read = anchored(histories, len(net.positions))
    keep = keep and len(read) <= FOLLOWED

    def make(places: list[int]) -> Floats:
        out = np.empty((len(places), table.shape[1]), np.float32)
        rest = []
        for row, place in enumerate(places):
            state = _gone_on(net, table, read[place], states, keep=keep)
            if state is None:
                rest.append(row)
            else:
                out[row] = state.cpu().numpy()
        if rest:
            out[rest] = _states(net, table, read[np.array(places)[rest]]).cpu().numpy()
        return out

    keys = keys_of(read.offsets, _columns(net, read))
    return torch.from_numpy(states.of(keys, make)).to(table.device)


def _gone_on(
    net: SequenceNet, table: Tensor, history: Histories, states: States, *, keep: bool
) -> Tensor | None:
    """Return the state of one user float32[d], read on from what was kept, or from the beginning if ``keep``.

    None if nothing was kept and nothing shall be.
    """
    columns, n = _columns(net, history), len(history.items)
    kept, before = None, b""
    for done in range(n - 1, max(0, n - 1 - LATELY), -1):
        before = keys_of(np.array([0, done]), columns)[0]
        if kept := states.find(before):
            break
    if kept is None and not keep:
        return None
    steps, first = Steps.of(history, table.device), 0 if kept is None else kept.n
    positions = torch.arange(first, n, device=table.device)
    x = net.placed(table[steps.items[first:]], steps.told[first:], positions)
    state, grown = read_on(net.blocks, x, kept)
    if keep:
        states.keep(keys_of(history.offsets, columns)[0], grown, instead=before)
    return F.normalize(net.norm_out(state).float(), dim=0)


def _columns(net: SequenceNet, histories: Histories) -> list[NDArray[Any]]:
    """Return all that a state is made of, a row for each event."""
    return [histories.items, told(histories)] if net.feedback is not None else [histories.items]


def _states(net: SequenceNet, table: Tensor, histories: Histories, users: Read | None = None) -> Tensor:
    steps = Steps.of(histories, table.device)
    return net.read(table[steps.items], steps, last=True, users=users)


@torch.inference_mode()
def cosines(
    net: SequenceNet,
    table: Tensor,
    unit: Tensor,
    histories: Histories,
    tokens: int = 16_384,
    users: Floats | None = None,
    remembered: States | None = None,
) -> Floats:
    """Return float32[n, len(table)] for histories of at least one event each, a few at a time.

    Args:
        net: The net.
        table: Item vectors as they are read, float32[n_items, d].
        unit: The same as they are compared with, of length 1.
        histories: Of n users.
        tokens: Events at a time.
        users: Placed readings of the users float32[n, d]; None if they are not read.
        remembered: States that were made with these weights and vectors; not used if the time of the request
            counts, or users are read.
    """
    if remembered is not None and users is None and len(histories) <= FEW and not net.timed:
        return (known_states(net, table, histories, remembered) @ unit.T).cpu().numpy()
    histories = anchored(histories, len(net.positions))
    scores = np.empty((len(histories), len(table)), np.float32)
    few = histories.lengths.sum() <= tokens
    order = np.arange(len(histories)) if few else np.argsort(histories.lengths, kind="stable")
    part_of = np.cumsum(histories.lengths[order]) // tokens
    for part in np.split(order, np.flatnonzero(np.diff(part_of)) + 1) if len(order) else []:
        chosen = histories[part] if len(part) < len(order) else histories
        of_them = None if users is None else Read.now(users[part], table.device)
        scores[part] = (_states(net, table, chosen, of_them) @ unit.T).cpu().numpy()
    return scores


def scored(
    net: SequenceNet,
    table: Tensor,
    aims: Tensor,
    histories: Histories,
    users: Floats | None = None,
    remembered: States | None = None,
) -> Floats:
    """Return `cosines`, float32[n, len(table)], also for users without events.

    They stand by what was read of them alone if it was, as all do where ``user_text`` is ``"alone"``; else
    theirs are NaN.
    """
    known, only = histories.lengths > 0, net.params["user_text"] == "alone"
    if known.all() and not only:
        return cosines(net, table, aims, histories, users=users, remembered=remembered)
    scores = np.full((len(histories), len(table)), np.nan, np.float32)
    read = np.zeros(len(histories), bool) if users is None else users.any(axis=1)
    alone = read if only else read & ~known
    both = known & ~alone & (not only)
    some = None if users is None else users[both]
    scores[both] = cosines(net, table, aims, histories[both], users=some, remembered=remembered)
    if users is not None and alone.any():
        scores[alone] = heard(net, aims, users[alone])
    return scores
