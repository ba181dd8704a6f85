"""What was seen of events for which all items were ranked beforehand: what drift is found in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError
from acclimate.types import Offsets

Values = NDArray[np.float64]

COLUMNS = ("hit", "score", "item", "categories", "offsets")


@dataclass(frozen=True)
class Observed:
    """What was seen of n events for which all items were ranked beforehand, oldest first.

    Args:
        hit: How well the list foresaw each, as NDCG or whether it was in it: float64[n], 0..1 or NaN.
        score: Share of the items that the model scored below it, float64[n], 0..1; NaN if it had no score.
        item: Codes int[n], 0 or more.
        categories: Codes of the categories of all items one after another, int[total], 0 or more.
        offsets: Event i owns ``categories[offsets[i]:offsets[i + 1]]``, int64[n + 1].

    Raises:
        InputError: They are not equally long, or a number is out of range.

    Example:
        >>> Observed.of([1.0, 0.0], [0.99, 0.4], [3, 8], [[0, 2], []]).categories.tolist()
        [0, 2]
    """

    hit: Values
    score: Values
    item: NDArray[np.int64]
    categories: NDArray[np.int64]
    offsets: Offsets

    def __post_init__(self) -> None:
        n, owned = len(self.item), np.diff(self.offsets)
        if not len(self.hit) == len(self.score) == n == len(owned):
            raise InputError(
                f"hit, score and item must be equally long, got {len(self.hit)}, {len(self.score)}, {n}"
            )
        for name in ("hit", "score"):
            given = getattr(self, name)
            if (wrong := given[~(np.isnan(given) | ((given >= 0) & (given <= 1)))]).size:
                raise InputError(f"{name} must be 0..1, or NaN for unknown, got {wrong[0]}", field=name)
        for name in ("item", "categories"):
            if (given := getattr(self, name)).size and given.min() < 0:
                raise InputError(f"{name} must be codes from 0 on, got {given.min()}", field=name)
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.categories) or owned.min(initial=0) < 0:
            raise InputError("offsets must rise from 0 to the number of categories", field="offsets")

    @classmethod
    def of(
        cls,
        hit: Sequence[float],
        score: Sequence[float],
        item: Sequence[int],
        categories: Sequence[Sequence[int]],
    ) -> Observed:
        """Build from one entry for each event."""
        flat = np.array([code for codes in categories for code in codes], np.int64)
        offsets = np.cumsum([0, *(len(codes) for codes in categories)]).astype(np.int64)
        return cls(
            np.array(hit, np.float64), np.array(score, np.float64), np.array(item, np.int64), flat, offsets
        )

    @classmethod
    def joined(cls, parts: Sequence[Observed]) -> Observed:
        """Return what was seen in all of them, one after another."""
        if not parts:
            return cls.of([], [], [], [])
        hit, score = (np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS[:2])
        item, flat = (np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS[2:4])
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        return cls(hit, score, item, flat, np.append(0, np.cumsum(lengths)).astype(np.int64))

    def __len__(self) -> int:
        return len(self.item)

    def part(self, low: int, high: int) -> Observed:
        """Return the events ``low:high``."""
        first, last = self.offsets[low], self.offsets[high]
        return Observed(
            self.hit[low:high],
            self.score[low:high],
            self.item[low:high],
            self.categories[first:last],
            self.offsets[low : high + 1] - first,
        )
