"""Sequences told a little differently, so that a model learns what does not matter (CL4SRec, CoSeRec)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

AUGMENTATIONS = ("crop", "mask", "reorder", "substitute")
"""A piece alone; some items blank; a piece shuffled; some items replaced by what often stands beside them."""
CROPPED = REORDERED = 0.6
"""Share of a sequence that is the piece."""
MASKED = SUBSTITUTED = 0.3
"""Chance of each item."""
BLANK = -1
"""Stands for an item that is not told."""


class View(NamedTuple):
    """Another telling of packed sequences.

    Args:
        take: Place of each event that is left, int64[m], rising; its time and the like stay.
        items: Code of the item that stands there now, int64[m], or `BLANK`.
        lengths: Events of each sequence, int64[n], at least one.
    """

    take: NDArray[np.int64]
    items: NDArray[np.int64]
    lengths: NDArray[np.int64]


def view(
    items: NDArray[np.int64],
    lengths: NDArray[np.int64],
    ways: Sequence[str],
    neighbours: NDArray[np.int64],
    rng: np.random.Generator,
) -> View:
    """Change each sequence in one of ``ways``, drawn for each; something of it is always left.

    Args:
        items: Item codes int64[total], one sequence behind the other.
        lengths: Events of each sequence, int64[n], at least one.
        ways: Of `AUGMENTATIONS`, one or more.
        neighbours: What may stand for each item, int64[n_items]: see `beside`.
        rng: Decides.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> view(np.arange(5), np.array([5]), ["crop"], np.arange(5), rng).items.tolist()
        [2, 3, 4]

    References:
        Xie et al., "Contrastive learning for sequential recommendation", ICDE 2022, section 3.2; Liu et al.,
        "Contrastive self-supervised sequential recommendation with robust augmentation", 2021 (substitute).
    """
    row = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(items)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    chosen = np.array(ways)[rng.integers(len(ways), size=len(lengths))]
    size = np.ceil(np.where(chosen == "crop", CROPPED, REORDERED) * lengths).astype(np.int64)
    start = rng.integers(lengths - size + 1)
    inside = (place >= start[row]) & (place < (start + size)[row])
    way, chance = chosen[row], rng.random(len(items))

    key = np.where((way == "reorder") & inside, start[row] + size[row] * rng.random(len(items)), place)
    out = items[np.lexsort((key, row))]
    spared = place == rng.integers(lengths)[row]
    out[(way == "mask") & (chance < MASKED) & ~spared] = BLANK
    replaced = (way == "substitute") & (chance < SUBSTITUTED)
    out[replaced] = neighbours[out[replaced]]
    left = np.flatnonzero((way != "crop") | inside)
    return View(left, out[left], np.bincount(row[left], minlength=len(lengths)))


def beside(items: NDArray[np.integer], offsets: NDArray[np.int64], n_items: int) -> NDArray[np.int64]:
    """Return what stands most often directly beside each item, int64[n_items]; itself where nothing does.

    Args:
        items: Item codes int[total], one sequence behind the other.
        offsets: int64[n + 1]; sequence i owns ``offsets[i]:offsets[i + 1]``.
        n_items: Size of the catalogue.

    Example:
        >>> beside(np.array([0, 1, 0, 1, 2]), np.array([0, 5]), 4).tolist()
        [1, 0, 1, 3]
    """
    joined = np.ones(max(len(items) - 1, 0), bool)
    inner = offsets[1:-1]
    joined[inner[(inner > 0) & (inner < len(items))] - 1] = False
    one, other = items[:-1][joined], items[1:][joined]
    both = one != other
    pairs = np.concatenate([one[both], other[both]]), np.concatenate([other[both], one[both]])
    counts = csr_array((np.ones(len(pairs[0])), pairs), shape=(n_items, n_items))
    counts.sum_duplicates()
    found = np.arange(n_items)
    filled = np.flatnonzero(np.diff(counts.indptr))
    found[filled] = np.asarray(counts.argmax(axis=1)).ravel()[filled]
    return found
