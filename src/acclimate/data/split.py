"""Which events a model may learn from, and which it has to foresee."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from acclimate.data.cold import FEW, HAD, split_cold_item, split_cold_user, split_kfold
from acclimate.data.dataset import Dataset
from acclimate.data.held_out import Part, last_positive, pair_codes
from acclimate.data.held_out import Split as Split
from acclimate.errors import InputError


def split_last(data: Dataset, *, again: float = math.inf) -> Split:
    """Hold out the last positive event of each user who has two or more (leave-one-out).

    The target's item must be new to the user. The training part has nothing of an evaluated user from the
    target on; of the others it has everything, also what is later than some targets. Use `split_time` where
    that matters.

    Args:
        data: The whole.
        again: Seconds after which an item may come again, and be a target; infinite for never.

    Example:
        >>> data = Dataset.of([("ann", "heat", 1.0), ("ann", "alien", 2.0), ("bob", "heat", 3.0)])
        >>> split = split_last(data)
        >>> [data.items.ids[i] for i in split.targets], len(split.train), split.skipped
        (['alien'], 2, {'users with fewer than two positive events': 1, 'had before': 0})
    """
    last = last_positive(data, again)
    train = data.where(last.before(data), until=data.until)
    targets, offsets = data.item[last.events], np.arange(len(last.users) + 1, dtype=np.int64)
    skipped = {FEW: last.few, HAD: last.had}
    return Split("last", train, last.users, last.histories(data), targets, offsets, skipped, again)


def split_time(data: Dataset, quantile: float = 0.9, *, again: float = math.inf) -> Split:
    """Cut the time once, for all: train on what is before, foresee what is after.

    The cut is the time of the event at ``quantile`` of all events; events at the cut are after it. Every
    later positive event is a target, with an item that is new to the user, each item once. Histories end at
    the cut. Users and items without a positive event before the cut are targets like the others, and parts
    of their own.

    Args:
        data: The whole.
        quantile: Share of the events before the cut, above 0 and below 1.
        again: Seconds after which an item may come again at the cut; infinite for never.

    Raises:
        InputError: ``quantile`` is out of range, or the data have no times.

    Example:
        >>> rows = [("ann", "heat", 1.0), ("bob", "alien", 2.0), ("ann", "alien", 3.0), ("bob", "new", 4.0)]
        >>> split = split_time(Dataset.of(rows), quantile=0.5)
        >>> [split.train.items.ids[i] for i in split.targets], split.parts["new items"][1].tolist()
        (['alien', 'new'], [False, True])
    """
    if not 0 < quantile < 1:
        raise InputError(f"quantile must be above 0 and below 1, got {quantile}", field="quantile")
    data.check_timed("The protocol 'time'")
    cut = float(data.time[int(quantile * len(data))]) if len(data) else 0.0
    liked, pairs = data.weight > 0, pair_codes(data)
    past, later = np.flatnonzero(liked & (data.time < cut)), np.flatnonzero(liked & (data.time >= cut))
    first = np.zeros(len(later), bool)
    first[np.unique(pairs[later], return_index=True)[1]] = True
    had = np.isin(pairs[later], pairs[past[cut - data.time[past] < again]])
    targets = later[first & ~had] if len(past) else later[:0]
    skipped = {HAD: len(later) - len(targets)} if len(past) else {"with nothing before the cut": len(later)}
    targets = targets[np.argsort(data.user[targets], kind="stable")]
    users, counts = np.unique(data.user[targets], return_counts=True)
    train = data.before(cut)
    return Split(
        "time",
        train,
        users,
        train.histories(users).replace(now=np.full(len(users), cut)),
        data.item[targets],
        np.concatenate([[0], np.cumsum(counts)]),
        skipped,
        again,
        parts=_known_and_new(data, past, targets),
    )


def _known_and_new(data: Dataset, past: NDArray[np.int64], targets: NDArray[np.int64]) -> dict[str, Part]:
    """Return the parts of ``targets`` by whether user and item have one of the events ``past``."""
    user = np.bincount(data.user[past], minlength=data.n_users)[data.user[targets]] > 0
    item = np.bincount(data.item[past], minlength=data.n_items)[data.item[targets]] > 0
    n_new = len(np.unique(data.item[targets][~item]))
    return {
        "known": ("users and items that have positive events before the cut", user & item),
        "new users": ("users without a positive event before the cut", ~user),
        "new items": (f"targets among {n_new:,} items without a positive event before the cut", ~item),
    }


SPLITS: dict[str, Callable[[Dataset, int, float], list[Split]]] = {
    "last": lambda data, seed, again: [split_last(data, again=again)],
    "time": lambda data, seed, again: [split_time(data, again=again)],
    "kfold": lambda data, seed, again: split_kfold(data, seed=seed, again=again),
    "cold-item": lambda data, seed, again: [split_cold_item(data, seed=seed, again=again)],
    "cold-user": lambda data, seed, again: [split_cold_user(data, seed=seed, again=again)],
}
"""Registered protocols: (the whole, a seed, seconds after which an item may come again) -> a split a fit."""
