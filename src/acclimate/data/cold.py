"""Protocols that hold out whole users or whole items: how well a model deals with what it never saw.

What is held out is drawn by a seed from the sorted ids, so that the order of the rows does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.data.held_out import Last, Part, Split, last_positive
from acclimate.errors import InputError, check_range
from acclimate.rng import generator
from acclimate.words import counted

FIRST = (1, 3, 10)
"""With how many first events a cold user asks."""
FEW = "users with fewer than two positive events"
HAD = "had before"
ALONE = "the only one who can be asked"


def split_kfold(data: Dataset, folds: int = 5, *, seed: int = 0, again: float = math.inf) -> list[Split]:
    """Cut the users into ``folds``; each fold is foreseen by a model that was fitted without its users.

    The target is a user's last positive event, as in `acclimate.data.split.split_last`; the model is asked
    with all that came before it (strong generalisation: B. Marlin, "Collaborative filtering: a machine
    learning perspective", 2004). There are fewer folds where fewer users can be asked, and one without any.

    Args:
        data: The whole.
        folds: How many, 2 or more.
        seed: Decides who is in which fold.
        again: Seconds after which an item may come again; infinite for never.

    Raises:
        InputError: ``folds`` is below 2.

    Example:
        >>> rows = [(user, item, n) for user in "abcd" for n, item in enumerate(["heat", "alien"])]
        >>> [(len(split.users), len(split.train)) for split in split_kfold(Dataset.of(rows), folds=2)]
        [(2, 4), (2, 4)]
    """
    check_range("folds", folds, 2, 1000)
    last = last_positive(data, again)
    skipped = {FEW: last.few, HAD: last.had}
    if len(last.users) < 2:
        last, skipped = last.part(np.zeros(0, np.int64)), skipped | {ALONE: len(last.users)}
    order = _drawn(data.users.ids, last.users, seed, "kfold")
    parts = np.array_split(order, max(1, min(folds, len(order))))
    return [
        _of_users("kfold", data, last.part(np.isin(last.users, part)), part, skipped if n == 0 else {}, again)
        for n, part in enumerate(parts)
    ]


def split_cold_user(data: Dataset, share: float = 0.2, *, seed: int = 0, again: float = math.inf) -> Split:
    """Hold out a part of the users, and ask for each of them with the first 1, 3 and 10 events alone.

    The target of all the questions of a user is the last positive event, so that they can be compared; what
    the user had before it stands in no ranking. A question is left out where fewer events came before.

    Args:
        data: The whole.
        share: Of the users that are held out, above 0 and below 1.
        seed: Decides who.
        again: Seconds after which an item may come again; infinite for never.

    Raises:
        InputError: ``share`` is out of range.

    Example:
        >>> rows = [(user, f"item {n}", n) for user in "abcde" for n in range(5)]
        >>> split = split_cold_user(Dataset.of(rows))
        >>> len(split.train), split.histories.lengths.tolist(), list(split.parts)
        (20, [1, 3], ['1 event', '3 events', '10 events'])
    """
    last = last_positive(data, again)
    skipped = {FEW: last.few, HAD: last.had}
    if len(last.users) < 2:
        last, skipped = last.part(np.zeros(0, np.int64)), skipped | {ALONE: len(last.users)}
    cold = _drawn(data.users.ids, last.users, seed, "cold-user")[: _size(len(last.users), share)]
    mine = last.part(np.isin(last.users, cold))
    known = np.minimum(mine.lengths[:, None], np.array(FIRST))
    asked, at = np.nonzero(known == np.array(FIRST))
    questions = mine.part(asked)
    whole = _of_users("cold-user", data, questions, cold, skipped, again)
    told = data.histories().first(questions.users, np.array(FIRST)[at])
    parts: dict[str, Part] = {
        f"{n} event{'s' * (n > 1)}": (
            f"asked with the first {n} event{'s' * (n > 1)} of a new user",
            at == place,
        )
        for place, n in enumerate(FIRST)
    }
    return Split(
        whole.protocol,
        whole.train,
        whole.users,
        told.replace(now=whole.histories.now),
        whole.targets,
        whole.target_offsets,
        skipped,
        again,
        whole.values,
        had=whole.histories,
        parts=parts,
    )


def split_cold_item(data: Dataset, share: float = 0.2, *, seed: int = 0, again: float = math.inf) -> Split:
    """Hold out a part of the items: of their events nothing is trained on, their texts are known.

    The target is a user's last positive event with such an item, after at least one event of any kind. As in
    `acclimate.data.split.split_last`, the training part has nothing of an evaluated user from the target on.
    Targets are ranked among all items, and among the cold ones alone.

    Args:
        data: The whole.
        share: Of the items with events that are held out, above 0 and below 1.
        seed: Decides which.
        again: Seconds after which an item may come again; infinite for never.

    Raises:
        InputError: ``share`` is out of range.

    Example:
        >>> rows = [(user, f"item {n}", n) for user in "ab" for n in range(5)]
        >>> split = split_cold_item(Dataset.of(rows), seed=1)
        >>> cold = set(split.train.items.codes([f"item {n}" for n in range(5)])) - set(split.train.item)
        >>> len(cold), set(split.targets) == cold
        (1, True)
    """
    seen = np.flatnonzero(np.bincount(data.item, minlength=data.n_items))
    chosen = _drawn(data.items.ids, seen, seed, "cold-item")[: _size(len(seen), share)]
    cold = np.zeros(data.n_items, np.bool_)
    cold[chosen] = True
    last = last_positive(data, again, cold)
    skipped = {FEW: last.few, HAD: last.had, "nothing before": int((last.lengths == 0).sum())}
    last = last.part(last.lengths > 0)
    train = data.where(last.before(data) & ~cold[data.item], until=data.until)
    return Split(
        "cold-item",
        train,
        last.users,
        last.histories(data),
        data.item[last.events],
        np.arange(len(last.users) + 1, dtype=np.int64),
        skipped,
        again,
        data.value[last.events],
        among={"among the cold": (f"ranked among the {counted(len(chosen), 'cold item')} alone", cold)},
    )


def _of_users(
    protocol: str, data: Dataset, asked: Last, out: NDArray[np.int32], skipped: dict[str, int], again: float
) -> Split:
    """Return a split that asks ``asked`` and trains on nothing of the users ``out``."""
    train = data.where(~np.isin(data.user, out), until=data.until)
    targets, offsets = data.item[asked.events], np.arange(len(asked.users) + 1, dtype=np.int64)
    told, values = asked.histories(data), data.value[asked.events]
    return Split(protocol, train, asked.users, told, targets, offsets, skipped, again, values)


def _drawn(ids: Sequence[str], codes: NDArray[np.integer], seed: int, what: str) -> NDArray[np.int32]:
    """Return ``codes`` in an order that depends on their ids and the seed alone."""
    by_id = sorted(codes.tolist(), key=lambda code: ids[code])
    return np.array(by_id, np.int32)[generator(seed, "split", what).permutation(len(by_id))]


def _size(n: int, share: float) -> int:
    if not 0 < share < 1:
        raise InputError(f"share must be above 0 and below 1, got {share}", field="share")
    return max(1, round(n * share))
