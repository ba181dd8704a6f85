"""Columns that say nothing, and columns that say what is to be foreseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset

LEAK = 0.9
"""Rank correlation with the number of events from which on an attribute is suspected."""
ENOUGH = 20
"""Items with a number below which nothing is said."""


def constant_columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of attributes that two rows or more have, and all with the same value.

    Example:
        >>> constant_columns([{"shop": "x", "size": 1}, {"shop": "x", "size": 2}])
        ['shop']
    """
    first: dict[str, Any] = {}
    counts: dict[str, int] = {}
    differ: set[str] = set()
    for row in rows:
        for name, value in row.items():
            counts[name] = counts.get(name, 0) + 1
            if first.setdefault(name, value) != value:
                differ.add(name)
    return [name for name, count in counts.items() if count > 1 and name not in differ]


def leaking_columns(data: Dataset) -> dict[str, float]:
    """Return numeric item attributes that follow the counts or the mean ratings of all events.

    A figure such as "reviews" that was counted on the very events which a model has to foresee tells it
    the answer. Spearman's rank correlation of at least `LEAK` over the items that have events is suspicious.

    Example:
        >>> from acclimate.types import Item
        >>> rows = [("u%d" % user, "i%d" % item, 1.0) for item in range(30) for user in range(item + 1)]
        >>> made = Dataset.of(rows)
        >>> items = [Item(name, attributes={"sold": 7 * int(name[1:])}) for name in made.items.ids]
        >>> leaking_columns(Dataset.of(rows, catalogue=items))
        {'sold': 1.0}
    """
    counts = np.bincount(data.item, minlength=data.n_items).astype(np.float64)
    known = np.isfinite(data.value)
    rated = np.bincount(data.item[known], minlength=data.n_items)
    sums = np.bincount(data.item[known], data.value[known], data.n_items)
    means = np.where(rated > 0, sums / np.maximum(rated, 1), np.nan)
    found = {}
    for name, values in _numbers(data).items():
        with_events = np.isfinite(values) & (counts > 0)
        alike = max(_spearman(values[with_events], target[with_events]) for target in (counts, means))
        if alike >= LEAK:
            found[name] = round(alike, 2)
    return found


def _numbers(data: Dataset) -> dict[str, NDArray[np.float64]]:
    """Return float64[n_items] for each attribute, NaN where it is no number; others are left out."""
    columns: dict[str, NDArray[np.float64]] = {}
    for code, item in enumerate(data.catalogue):
        for name, value in item.attributes.items():
            column = columns.setdefault(name, np.full(data.n_items, np.nan))
            try:
                column[code] = float(value)
            except (TypeError, ValueError):
                continue
    return {name: column for name, column in columns.items() if np.isfinite(column).sum() >= ENOUGH}


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    from scipy.stats import spearmanr

    both = np.isfinite(one) & np.isfinite(other)
    one, other = one[both], other[both]
    if len(one) < ENOUGH or len(np.unique(one)) < 3 or len(np.unique(other)) < 3:
        return 0.0
    return abs(float(spearmanr(one, other).statistic))
