"""Which events a model may learn from, and which it has to foresee."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from acclimate.data.cold import FEW, HAD, split_cold_item, split_cold_user, split_kfold
from acclimate.data.dataset import Dataset
from acclimate.data.held_out import Split as Split
from acclimate.data.held_out import last_positive, pair_codes
from acclimate.errors import InputError
from acclimate.words import counted

NEW_USERS = "users unseen before the cut"
NEW_ITEMS = "items unseen before the cut"
APART = {NEW_USERS: "new users", NEW_ITEMS: "new items"}
"""What `split_time` leaves out of its targets -> the split ``beside`` in which it is measured."""


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
    told, values = last.histories(data), data.value[last.events]
    return Split("last", train, last.users, told, targets, offsets, skipped, again, values)


def split_time(data: Dataset, quantile: float = 0.9, *, again: float = math.inf) -> Split:
    """Cut the time once, for all: train on what is before, foresee everything after.

    The cut is the time of the event at ``quantile`` of all events; events at the cut are after it. Targets
    are all later positive events with items that are new to the user, each item once. Histories end at the
    cut. What users or items without a positive event before the cut have to foresee is counted, and a split
    of its own in ``beside``.

    Args:
        data: The whole.
        quantile: Share of the events before the cut, above 0 and below 1.
        again: Seconds after which an item may come again at the cut; infinite for never.

    Raises:
        InputError: ``quantile`` is out of range, or the data have no times.

    Example:
        >>> rows = [("ann", "heat", 1.0), ("bob", "alien", 2.0), ("ann", "alien", 3.0), ("bob", "new", 4.0)]
        >>> split = split_time(Dataset.of(rows), quantile=0.5)
        >>> [split.train.items.ids[i] for i in split.targets], split.beside["new items"][1].n_targets
        (['alien'], 1)
    """
    if not 0 < quantile < 1:
        raise InputError(f"quantile must be above 0 and below 1, got {quantile}", field="quantile")
    data.check_timed("The protocol 'time'")
    cut = float(data.time[int(quantile * len(data))]) if len(data) else 0.0
    liked, pairs = data.weight > 0, pair_codes(data)
    past, later = np.flatnonzero(liked & (data.time < cut)), np.flatnonzero(liked & (data.time >= cut))
    first = np.zeros(len(later), bool)
    first[np.unique(pairs[later], return_index=True)[1]] = True
    fresh = first & ~np.isin(pairs[later], pairs[past[cut - data.time[past] < again]])
    user = np.bincount(data.user[past], minlength=data.n_users)[data.user[later]] > 0
    item = np.bincount(data.item[past], minlength=data.n_items)[data.item[later]] > 0
    n_users = len(np.unique(data.user[later[~user]]))
    n_items = len(np.unique(data.item[later[fresh & user & ~item]]))
    train = data.before(cut)
    main = _after(data, train, cut, later[fresh & user & item], again)
    skipped = {
        NEW_USERS: n_users,
        HAD: int((user & ~fresh).sum()),
        NEW_ITEMS: int((fresh & user & ~item).sum()),
    }
    words = f"targets among {counted(n_items, 'item')} without a positive event before the cut"
    beside = {
        APART[NEW_USERS]: (
            "users without a positive event before the cut",
            _after(data, train, cut, later[fresh & ~user], again),
        ),
        APART[NEW_ITEMS]: (words, _after(data, train, cut, later[fresh & user & ~item], again)),
    }
    return replace(main, skipped=skipped, beside=beside)


def _after(data: Dataset, train: Dataset, cut: float, targets: NDArray[np.int64], again: float) -> Split:
    """Return the split that asks at ``cut`` for the events ``targets`` of ``data``."""
    targets = targets[np.argsort(data.user[targets], kind="stable")]
    users, counts = np.unique(data.user[targets], return_counts=True)
    histories = train.histories(users).replace(now=np.full(len(users), cut))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    values = data.value[targets]
    return Split("time", train, users, histories, data.item[targets], offsets, {}, again, values)


SPLITS: dict[str, Callable[[Dataset, int, float], list[Split]]] = {
    "last": lambda data, seed, again: [split_last(data, again=again)],
    "time": lambda data, seed, again: [split_time(data, again=again)],
    "kfold": lambda data, seed, again: split_kfold(data, seed=seed, again=again),
    "cold-item": lambda data, seed, again: [split_cold_item(data, seed=seed, again=again)],
    "cold-user": lambda data, seed, again: [split_cold_user(data, seed=seed, again=again)],
}
"""Registered protocols: (the whole, a seed, seconds after which an item may come again) -> a split a fit."""
