"""Which events a model may learn from, and which it has to foresee."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.errors import InputError
from acclimate.types import Codes, Histories, Offsets


@dataclass(frozen=True)
class Split:
    """A training part, and for m users what they did before and what they did next.

    A target is an item that the user chose (weight > 0) and had not chosen before. Codes are those of the
    whole Dataset, so that ``train`` has the full catalogue.

    Args:
        protocol: Name in `SPLITS`.
        train: What a model may be fitted on.
        users: Code of each evaluated user, int32[m], rising.
        histories: What each of them did before, m users; ``now`` is the time of the question.
        targets: Item codes int32[total], those of one user in order of time.
        target_offsets: int64[m + 1]; user i owns ``targets[target_offsets[i]:target_offsets[i + 1]]``.
        skipped: Why a user or an event is not in it, and how many.
    """

    protocol: str
    train: Dataset
    users: Codes
    histories: Histories
    targets: Codes
    target_offsets: Offsets
    skipped: dict[str, int]

    def __post_init__(self) -> None:
        for array in (self.users, self.targets, self.target_offsets):
            array.flags.writeable = False

    @property
    def n_targets(self) -> int:
        """Number of targets of all users."""
        return len(self.targets)

    @cached_property
    def targets_sha256(self) -> str:
        """Hash of the sorted lines ``user_id TAB item_id``: equal hashes, equal task."""
        user_ids, item_ids = self.train.users.ids, self.train.items.ids
        rows = np.repeat(self.users, np.diff(self.target_offsets))
        pairs = zip(rows.tolist(), self.targets.tolist(), strict=True)
        lines = sorted(f"{user_ids[user]}\t{item_ids[item]}\n" for user, item in pairs)
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def split_last(data: Dataset) -> Split:
    """Hold out the last positive event of each user who has two or more (leave-one-out).

    The target's item must be new to the user. The training part has nothing of an evaluated user from the
    target on; of the others it has everything, also what is later than some targets. Use `split_time` where
    that matters.

    Example:
        >>> data = Dataset.of([("ann", "heat", 1.0), ("ann", "alien", 2.0), ("bob", "heat", 3.0)])
        >>> split = split_last(data)
        >>> [data.items.ids[i] for i in split.targets], len(split.train), split.skipped
        (['alien'], 2, {'users with fewer than two positive events': 1, 'had before': 0})
    """
    by_user = np.argsort(data.user, kind="stable")
    liked = by_user[data.weight[by_user] > 0]
    is_last = np.diff(data.user[liked], append=-1) != 0
    last = liked[is_last]
    enough = np.bincount(data.user[liked], minlength=data.n_users)[data.user[last]] >= 2
    pairs = _pairs(data)
    fresh = ~np.isin(pairs[last], pairs[liked[~is_last]])
    target = last[enough & fresh]
    users = data.user[target]

    place = np.empty(len(data), np.int64)
    place[by_user] = np.arange(len(data))
    end = np.full(data.n_users, len(data))
    end[users] = place[target]
    train = data.where(place < end[data.user], until=data.until)
    skipped = {
        "users with fewer than two positive events": int(data.n_users - enough.sum()),
        "had before": int((enough & ~fresh).sum()),
    }
    histories = train.histories(users).replace(now=data.time[target])
    offsets = np.arange(len(users) + 1, dtype=np.int64)
    return Split("last", train, users, histories, data.item[target], offsets, skipped)


def split_time(data: Dataset, quantile: float = 0.9) -> Split:
    """Cut the time once, for all: train on what is before, foresee what is after.

    The cut is the time of the event at ``quantile`` of all events; events at the cut are after it. Targets
    are later positive events with items that are new to the user, each item once. Histories end at the cut.
    Users and items without a positive event before the cut are counted, not measured.

    Args:
        data: The whole.
        quantile: Share of the events before the cut, above 0 and below 1.

    Raises:
        InputError: ``quantile`` is out of range.

    Example:
        >>> rows = [("ann", "heat", 1.0), ("bob", "alien", 2.0), ("ann", "alien", 3.0), ("bob", "new", 4.0)]
        >>> split = split_time(Dataset.of(rows), quantile=0.5)
        >>> [split.train.items.ids[i] for i in split.targets], split.skipped["items unseen before the cut"]
        (['alien'], 1)
    """
    if not 0 < quantile < 1:
        raise InputError(f"quantile must be above 0 and below 1, got {quantile}", field="quantile")
    cut = float(data.time[int(quantile * len(data))]) if len(data) else 0.0
    train = data.before(cut)
    liked = data.weight > 0
    past, later = np.flatnonzero(liked & (data.time < cut)), np.flatnonzero(liked & (data.time >= cut))
    known_user = np.bincount(data.user[past], minlength=data.n_users) > 0
    known_item = np.bincount(data.item[past], minlength=data.n_items) > 0
    skipped = {"users unseen before the cut": len(np.unique(data.user[later][~known_user[data.user[later]]]))}
    later = later[known_user[data.user[later]]]
    pairs = _pairs(data)
    had = np.isin(pairs[later], pairs[past])
    first = np.zeros(len(later), bool)
    first[np.unique(pairs[later], return_index=True)[1]] = True
    skipped["had before"] = int((had | ~first).sum())
    later = later[~had & first]
    skipped["items unseen before the cut"] = int((~known_item[data.item[later]]).sum())
    later = later[known_item[data.item[later]]]

    later = later[np.argsort(data.user[later], kind="stable")]
    users, counts = np.unique(data.user[later], return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    histories = train.histories(users).replace(now=np.full(len(users), cut))
    return Split("time", train, users, histories, data.item[later], offsets, skipped)


SPLITS: dict[str, Callable[[Dataset], Split]] = {"last": split_last, "time": split_time}
"""Registered protocols."""


def _pairs(data: Dataset) -> NDArray[np.int64]:
    """One number for each event that is equal for equal (user, item): int64[n]."""
    return data.user.astype(np.int64) * data.n_items + data.item
