"""What the measures of all models share: what is left out of rankings, what items are like, the segments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.data.features import UNKNOWN, Coding
from acclimate.data.split import Split
from acclimate.types import Floats, Histories
from acclimate.words import counted

HEAD = 0.8
"""Share of the training events that the head items hold."""
ENOUGH = 30
"""A value of a user attribute is a segment if so many users have it."""
MOST = 12
"""Values of one attribute that are segments at most, the most frequent ones; of more numbers, thirds."""
LABELS = 256
"""Categories that make up the vector of an item at most, the most frequent ones."""
USER = "user attribute"
Part = tuple[str, str, NDArray[np.bool_]]
"""Name of a part of the users, which ones in words, and who of those asked for is in it."""


class Portion(NamedTuple):
    """A part of the targets that is reported apart.

    Args:
        name: As in ``"tail items"``.
        group: What it is a part by: ``"protocol"``, ``"activity"``, ``"items"`` or ``"user attribute"``.
        what: Which part, in words.
        keep: Which targets are in it, bool[n_targets].
    """

    name: str
    group: str
    what: str
    keep: NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """A split, and what is computed once for all models that have to foresee it."""

    split: Split

    @cached_property
    def closed(self) -> Histories:
        """The events whose items are left out of each ranking."""
        return self.split.closed()

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many users of the training part chose each item, int64[n_items]."""
        train = self.split.train
        liked = train.weight > 0
        pairs = np.unique(train.item[liked].astype(np.int64) * train.n_users + train.user[liked])
        return np.bincount(pairs // max(train.n_users, 1), minlength=train.n_items)

    @cached_property
    def n_users(self) -> int:
        """How many users of the training part chose anything, at least 1."""
        train = self.split.train
        return max(len(np.unique(train.user[train.weight > 0])), 1)

    @cached_property
    def usual(self) -> NDArray[np.float64]:
        """The mean share of users who chose what is in each history, float64[m]; NaN for an empty one."""
        liked = self.split.histories.liked()
        sums = np.bincount(liked.rows, weights=self.counts[liked.items] / self.n_users, minlength=len(liked))
        return np.where(liked.lengths > 0, sums / np.maximum(liked.lengths, 1), np.nan)

    @cached_property
    def vectors(self) -> Floats | None:
        """What each item is like, float32[n_items, d] of length 1 or 0; None if nothing is known of them."""
        return item_vectors(self.split.train)

    @cached_property
    def beside(self) -> dict[str, tuple[str, Scene]]:
        """What is asked beside the split, with its words."""
        return {name: (what, Scene(other)) for name, (what, other) in self.split.beside.items()}

    @cached_property
    def portions(self) -> tuple[Portion, ...]:
        """The parts of the targets that are reported apart, those of the protocol first."""
        split = self.split
        own = [Portion(name, "protocol", *part) for name, part in split.parts.items()]
        return (*own, *_by_activity(split), *_by_popularity(split), *_by_attribute(split))

    def ranked(self, among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Return how many items the ranking of each question holds, int64[m]; of ``among`` bool[n_items]."""
        n, closed = self.split.train.n_items, self.closed
        pairs = np.unique(closed.rows * n + closed.items)
        within = pairs if among is None else pairs[among[pairs % n]]
        out = np.bincount(within // max(n, 1), minlength=len(self.split.users))
        return (n if among is None else int(among.sum())) - out


def item_vectors(data: Dataset) -> Floats | None:
    """Return unit vectors of the categories of the items, or of the words of their texts if few have any.

    Returns:
        float32[n_items, d]; zero for an item of which nothing is known, None if that is each of them.
    """
    if 2 * sum(bool(item.categories) for item in data.catalogue) >= data.n_items > 0:
        labels = (label for item in data.catalogue for label in dict.fromkeys(item.categories))
        coding = Coding.fit(labels, LABELS)
        out = np.zeros((data.n_items, len(coding.names) + 1), np.float32)
        for code, item in enumerate(data.catalogue):
            out[code, coding(item.categories)] = 1.0
        out[:, UNKNOWN] = 0.0
        out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1.0)
        return out
    if not any(data.texts):
        return None
    from acclimate.encode.tfidf import TfidfEncoder

    encoder = TfidfEncoder()
    encoder.fit(data.texts)
    return encoder.encode(data.texts)


def _by_activity(split: Split) -> Iterator[Portion]:
    """Thirds of the users by the length of their histories, unless that is what the protocol varies.

    Users with equally long histories stay together, so a third may be larger or missing; none is left if
    all histories are equally long.
    """
    if split.had is not None:
        return
    lengths = np.repeat(split.histories.lengths, np.diff(split.target_offsets))
    low, high = (int(np.quantile(split.histories.lengths, part)) for part in (1 / 3, 2 / 3))
    third = (lengths > low).astype(int) + (lengths > high)
    for at, name in enumerate(("few", "some", "many")):
        keep = third == at
        if keep.any() and not keep.all():
            bounds = _from_to(int(lengths[keep].min()), int(lengths[keep].max()))
            yield Portion(f"{name} events", "activity", f"users with {bounds} in their history", keep)


def _from_to(low: int, high: int) -> str:
    return counted(high, "event") if low == high else f"{low:,} to {counted(high, 'event')}"


def _by_popularity(split: Split) -> Iterator[Portion]:
    liked = split.train.item[split.train.weight > 0]
    counts = np.bincount(liked, minlength=split.train.n_items)
    order = np.argsort(-counts, kind="stable")
    size = int(np.searchsorted(np.cumsum(counts[order]), HEAD * len(liked))) + 1
    is_head = np.zeros(len(counts), bool)
    is_head[order[:size]] = True
    head = is_head[split.targets]
    most, others = counted(size, "item that holds", "items that hold"), counted(len(counts) - size, "item")
    words = f"targets among the {most} {100 * HEAD:.0f} % of the events"
    yield Portion("head items", "items", words, head)
    yield Portion("tail items", "items", f"targets among the other {others}", ~head)
    new = counts[split.targets] == 0
    if new.any() and not new.all():
        yield Portion("new items", "items", "targets of the tail that nobody liked in the training part", new)


def _by_attribute(split: Split) -> Iterator[Portion]:
    """Values of attributes that enough of the users have who are asked for; of many numbers the thirds."""
    people = [split.train.people[user] for user in split.users.tolist()]
    firsts = np.unique(split.users, return_index=True)[1]
    for attribute in sorted({name for user in people for name in user.attributes}):
        given = [user.attributes.get(attribute) for user in people]
        words = np.array([str(value) if isinstance(value, str | int | float) else "" for value in given])
        numbers = _numbers(words)
        parts = _values(words, firsts) if numbers is None else _thirds(numbers, firsts)
        for name, what, which in parts:
            if which[firsts].sum() >= ENOUGH:
                what = f"users whose {attribute} is {what}"
                yield Portion(f"{attribute}: {name}", USER, what, which[split.rows])


def _values(words: NDArray[np.str_], firsts: NDArray[np.int64]) -> Iterator[Part]:
    """Yield the most frequent values of the users, each of whom is asked for in one of the ``firsts``."""
    for value, _ in Counter(words[firsts][words[firsts] != ""].tolist()).most_common(MOST):
        yield value, value, words == value


def _thirds(numbers: NDArray[np.float64], firsts: NDArray[np.int64]) -> Iterator[Part]:
    """Yield the thirds of the users by a number, NaN where it is not known."""
    known = numbers[firsts][~np.isnan(numbers[firsts])]
    low, high = np.quantile(known, [1 / 3, 2 / 3], method="lower")
    yield f"up to {low:.6g}", f"up to {low:.6g}", numbers <= low
    middle = f"above {low:.6g} and up to {high:.6g}"
    yield f"{low:.6g} to {high:.6g}", middle, (numbers > low) & (numbers <= high)
    yield f"above {high:.6g}", f"above {high:.6g}", numbers > high


def _numbers(words: NDArray[np.str_]) -> NDArray[np.float64] | None:
    """Return the words as numbers, NaN for none; None if they are not numbers, or few enough to be values.

    A word such as "02139" is a code.
    """
    values = set(words[words != ""].tolist())
    if len(values) <= MOST or any(len(word) > 1 and word[0] == "0" and word[1].isdigit() for word in values):
        return None
    try:
        numbers = np.array([float(word) if word else np.nan for word in words.tolist()])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers[words != ""]).all() else None
