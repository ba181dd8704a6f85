"""Numbers, categories and dates as a model can take them; what was fitted is a value of plain parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError, nearest
from acclimate.types import Codes, Floats, Times

SCALINGS = ("standard", "robust", "log", "quantile")
KNOTS = 101
"""Quantiles that are kept of each column."""
UNKNOWN = 0
"""Code of a category that was not met in fitting."""
DATE_PARTS = ("hour, sine", "hour, cosine", "weekday, sine", "weekday, cosine")
_HOUR, _DAY = 3_600.0, 86_400.0

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """Brings columns of numbers onto one scale. What is missing (NaN) comes to the middle, 0.

    Args:
        name: ``"standard"``: spreads from the mean. ``"robust"``: widths of the middle half from the median;
            spreads where that half is one value. ``"log"``: as standard, of sign(x) log(1 + abs(x)).
            ``"quantile"``: from -1 to 1, by place among the values met.
        table: What was fitted, float64[2, f] (middle and width) or float64[101, f] (quantiles).

    Example:
        >>> scaling = Scaling.fit("robust", np.array([[1.0], [2.0], [3.0], [4.0], [900.0]]))
        >>> scaling(np.array([[3.0], [5.0], [np.nan]])).ravel().tolist()
        [0.0, 1.0, 0.0]
    """

    name: str
    table: Numbers

    @classmethod
    def fit(cls, name: str, numbers: NDArray[Any]) -> Scaling:
        """Fit to the columns of ``numbers`` float[..., f]; NaN does not count, and a constant becomes 0.

        Raises:
            InputError: No such scaling; names the nearest.
        """
        check_scaling(name)
        told = np.asarray(numbers)
        rounding = 4 * float(np.finfo(told.dtype if told.dtype.kind == "f" else np.float64).eps)
        table = np.zeros((KNOTS if name == "quantile" else 2, told.shape[-1]))
        for at in range(told.shape[-1]):
            column = told[..., at].astype(np.float64)
            table[:, at] = _fit(name, column[np.isfinite(column)], rounding)
        return cls(name, table)

    def __call__(self, numbers: NDArray[Any]) -> Floats:
        """Return float32[..., f] for ``numbers`` float[..., f]."""
        told = np.asarray(numbers)
        scaled: Floats = np.empty(told.shape, np.float32)
        for at, fitted in enumerate(self.table.T):  # a column at a time: no second table in float64
            out = self._scale(told[..., at].astype(np.float64), fitted)
            scaled[..., at] = np.where(np.isfinite(out), out, 0.0)
        return scaled

    def _scale(self, column: Numbers, fitted: Numbers) -> Numbers:
        if self.name == "quantile":
            return _place(column, fitted)
        out: Numbers = ((_log(column) if self.name == "log" else column) - fitted[0]) / fitted[1]
        return out


def check_scaling(name: str) -> str:
    """Return ``name``, if there is such a scaling.

    Raises:
        InputError: There is none; names the nearest.
    """
    if not isinstance(name, str) or name not in SCALINGS:
        raise InputError(f"no scaling {name!r}: {nearest(str(name), SCALINGS)}", field="scaling")
    return name


def _fit(name: str, known: Numbers, rounding: float) -> Numbers:
    """Return what is fitted to the numbers ``known``; what varies by ``rounding`` of them is a constant."""
    known = _log(known) if name == "log" else known
    middle, width = (known.mean(), known.std()) if len(known) else (0.0, 0.0)
    constant = width <= rounding * max(1.0, abs(middle))
    if name == "quantile":
        return np.full(KNOTS, np.nan) if constant else np.quantile(known, np.linspace(0, 1, KNOTS))
    if name == "robust" and not constant:
        low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
        width = high - low or width
    return np.array([middle, np.inf if constant else width])


def _log(numbers: Numbers) -> Numbers:
    out: Numbers = np.sign(numbers) * np.log1p(np.abs(numbers))
    return out


def _place(column: Numbers, knots: Numbers) -> Numbers:
    """Return -1..1, the place of each number among ``knots``; of equal knots the middle place."""
    places = np.linspace(-1, 1, len(knots))
    upward = np.interp(column, knots, places)
    downward = -np.interp(-column, -knots[::-1], places)
    return (upward + downward) / 2


@dataclass(frozen=True)
class Coding:
    """Numbers the categories that were met, the most frequent first, from 1 on; 0 is any other.

    Args:
        names: The categories, by code less one.

    Example:
        >>> coding = Coding.fit(["tea", "pot", "tea"])
        >>> coding(["pot", "tea", "cup"]).tolist()
        [2, 1, 0]
    """

    names: tuple[str, ...]

    @classmethod
    def fit(cls, labels: Iterable[str], most: int | None = None) -> Coding:
        """Number the ``most`` frequent labels, or all; equally frequent ones in order of appearance."""
        return cls(tuple(name for name, _ in Counter(labels).most_common(most)))

    def __call__(self, labels: Sequence[str]) -> Codes:
        """Return the code of each label, int32[n]."""
        return np.array([self._codes.get(label, UNKNOWN) for label in labels], np.int32)

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.names, start=1)}


def hashed(labels: Sequence[Sequence[str]], width: int) -> Floats:
    """Return how often labels fall into each of ``width`` columns, float32[n, width]; nothing is fitted.

    Args:
        labels: The labels of n rows, each with none or many.
        width: Columns, 1 or more; labels that fall into one column count as one.

    Example:
        >>> hashed([["tea", "pot"], []], 4).sum(axis=1).tolist()
        [2.0, 0.0]

    References:
        K. Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009.
    """
    from sklearn.feature_extraction import FeatureHasher

    if not len(labels):
        return np.zeros((0, width), np.float32)
    hasher = FeatureHasher(width, input_type="string", alternate_sign=False, dtype=np.float32)
    out: Floats = hasher.transform([list(row) for row in labels]).toarray()
    return out


def date_parts(times: Times) -> Numbers:
    """Return the hour and the weekday in UTC as points on circles, float64[n, 4]: `DATE_PARTS`.

    Args:
        times: Seconds since 1970, float64[n].

    Example:
        >>> date_parts(np.array([6 * 3600.0]))[0, 0].item(), date_parts(np.array([0.0]))[0, 1].item()
        (1.0, 1.0)
    """
    day, week = 2 * np.pi * (times % _DAY) / _DAY, 2 * np.pi * (times // _DAY % 7) / 7
    return np.column_stack([np.sin(day), np.cos(day), np.sin(week), np.cos(week)])


def hours_and_days(times: Times) -> tuple[Codes, Codes]:
    """Return the hour 0..23 and the weekday (0 is Monday) of each time in UTC, int32[n] each.

    Example:
        >>> [codes.tolist() for codes in hours_and_days(np.array([0.0, 90_000.0]))]
        [[0, 1], [3, 4]]
    """
    hours = (times % _DAY // _HOUR).astype(np.int32)
    days = ((times // _DAY + 3) % 7).astype(np.int32)  # 1970 began on a Thursday
    return hours, days
