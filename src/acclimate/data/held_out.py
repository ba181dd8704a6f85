"""What a protocol holds out: a training part, questions, and the right answers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.types import Codes, Floats, Histories, Offsets

Part = tuple[str, NDArray[np.bool_]]
"""What a part is, in words, and which targets or items belong to it."""


@dataclass(frozen=True)
class Split:
    """A training part, and for m questions what their users did before and what they did next.

    A target is an item that the user chose (weight > 0) and that may be listed: not had before, or not
    within ``again`` seconds. Codes are those of the whole Dataset, so that ``train`` has the full catalogue.

    Args:
        protocol: Name in `acclimate.data.split.SPLITS`.
        train: What a model may be fitted on.
        users: Code of the user who asks, int32[m], rising; one user may ask several times.
        histories: What a model is told of each of them, m users; ``now`` is the time of the question.
        targets: Item codes int32[total], those of one question in order of time.
        target_offsets: int64[m + 1]; question i owns ``targets[target_offsets[i]:target_offsets[i + 1]]``.
        skipped: Why a user or an event is not in it, and how many.
        again: Seconds after which an item may come again; infinite for never.
        values: Rating or amount of each target float32[total], NaN where there is none; None if not known.
        had: What each of them did before, where that is more than ``histories`` tell.
        parts: Targets that are reported apart as well, by name: bool[total].
        among: Items among which the targets are ranked as well, by name: bool[n_items].
        beside: Other questions to a model that was fitted on the same, by name, and in words what they are.
    """

    protocol: str
    train: Dataset
    users: Codes
    histories: Histories
    targets: Codes
    target_offsets: Offsets
    skipped: Mapping[str, int]
    again: float = math.inf
    values: Floats | None = None
    had: Histories | None = None
    parts: Mapping[str, Part] = field(default_factory=dict)
    among: Mapping[str, Part] = field(default_factory=dict)
    beside: Mapping[str, tuple[str, Split]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for array in (self.users, self.targets, self.target_offsets):
            array.flags.writeable = False

    @property
    def n_targets(self) -> int:
        """Number of targets of all questions."""
        return len(self.targets)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The question (0..m-1) of each target, int64[total]."""
        return np.repeat(np.arange(len(self.users)), np.diff(self.target_offsets))

    @cached_property
    def targets_sha256(self) -> str:
        """Hash of the sorted lines ``user_id TAB item_id``: equal hashes, equal task."""
        return targets_sha256([self])

    def closed(self) -> Histories:
        """Return the events whose items stand in no list: had and not to come again, or turned down."""
        had = (self.histories if self.had is None else self.had).closed(self.again)
        n = self.train.n_items
        return had.where(~np.isin(had.rows * n + had.items, self.rows * n + self.targets))


def targets_sha256(splits: Sequence[Split]) -> str:
    """Return the hash of the targets of several splits together; see `Split.targets_sha256`.

    Of several, each line ends with ``TAB number of the split``: who is asked with whom is part of the task.
    """
    lines: list[str] = []
    for number, split in enumerate(splits):
        end = f"\t{number}\n" if len(splits) > 1 else "\n"
        user_ids, item_ids = split.train.users.ids, split.train.items.ids
        pairs = zip(split.users[split.rows].tolist(), split.targets.tolist(), strict=True)
        lines += [f"{user_ids[user]}\t{item_ids[item]}{end}" for user, item in pairs]
    return hashlib.sha256("".join(sorted(lines)).encode("utf-8", "surrogatepass")).hexdigest()


class Last(NamedTuple):
    """The last positive event of each user of whom it can be asked, in order of their codes.

    Args:
        users: Their codes int32[m], rising.
        events: Place of each in the data, int64[m].
        lengths: How many events of the user stand before it, int64[m].
        few: Users with fewer than two positive events.
        had: Users of whom that item was had before.
    """

    users: Codes
    events: NDArray[np.int64]
    lengths: NDArray[np.int64]
    few: int
    had: int

    def part(self, keep: NDArray[Any]) -> Last:
        """Return those that are chosen by bool[m] or places; the counts stay."""
        return Last(self.users[keep], self.events[keep], self.lengths[keep], self.few, self.had)

    def before(self, data: Dataset) -> NDArray[np.bool_]:
        """Return which events of ``data`` are not of these users from their last positive one on, bool[n]."""
        end = np.full(data.n_users, len(data))
        end[self.users] = self.lengths
        return places(data) < end[data.user]

    def histories(self, data: Dataset) -> Histories:
        """Return what each of these users did before, m users, asked at the time of the event."""
        return data.histories().first(self.users, self.lengths).replace(now=data.time[self.events])


def last_positive(data: Dataset, again: float = math.inf, among: NDArray[np.bool_] | None = None) -> Last:
    """Return the last positive event of each user who has two or more, if its item may be listed then.

    Args:
        data: The whole.
        again: Seconds after which an item may come again; infinite for never.
        among: Items that count, bool[n_items]; all if None. An event with another one is never the last.
    """
    wait = since_last(data)
    positive = data.weight > 0
    n_positive = np.bincount(data.user[positive], minlength=data.n_users)
    counting = np.flatnonzero(positive if among is None else positive & among[data.item])
    by_user = counting[np.argsort(data.user[counting], kind="stable")]
    last = by_user[np.diff(data.user[by_user], append=-1) != 0]
    enough = n_positive[data.user[last]] >= 2
    fresh = wait[last] >= again
    events = last[enough & fresh]
    few = int((n_positive < 2).sum()) if among is None else int((~enough).sum())
    return Last(data.user[events], events, places(data)[events], few, int((enough & ~fresh).sum()))


def since_last(data: Dataset) -> NDArray[np.float64]:
    """Return the seconds since the user's last positive event with the same item, float64[n].

    Infinite if there is none, and for what is not positive.
    """
    out = np.full(len(data), np.inf)
    liked = np.flatnonzero(data.weight > 0)
    pairs = pair_codes(data)[liked]
    order = liked[np.argsort(pairs, kind="stable")]
    same = np.diff(pair_codes(data)[order], prepend=-1) == 0
    out[order] = np.where(same, np.diff(data.time[order], prepend=0.0), np.inf)
    return out


def places(data: Dataset) -> NDArray[np.int64]:
    """Return how many events of the same user stand before each event, int64[n]."""
    by_user = np.argsort(data.user, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(data.user, minlength=data.n_users))])
    out = np.empty(len(data), np.int64)
    out[by_user] = np.arange(len(data)) - starts[data.user[by_user]]
    return out


def pair_codes(data: Dataset) -> NDArray[np.int64]:
    """Return one number for each event that is equal for equal (user, item): int64[n]."""
    return data.user.astype(np.int64) * data.n_items + data.item
