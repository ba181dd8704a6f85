"""How true foreseen ratings, and foreseen chances of a click, are.

Ratings and forecasts are float[n] side by side; labels are bool[n] or 0 and 1. Everything raises ValueError
if there is nothing to measure, or if the arrays are not equally long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Wide = NDArray[np.float64]


def rmse(true: NDArray[Any], foreseen: NDArray[Any]) -> float:
    """Return the root of the mean squared error, in the units of the ratings.

    Example:
        >>> rmse(np.array([1.0, 5.0]), np.array([1.0, 3.0])).__round__(4)
        1.4142
    """
    a, b = _side_by_side(true, foreseen)
    return float(np.sqrt(np.mean((a - b) ** 2)))


def mae(true: NDArray[Any], foreseen: NDArray[Any]) -> float:
    """Return the mean absolute error, in the units of the ratings.

    Example:
        >>> mae(np.array([1.0, 5.0]), np.array([1.0, 3.0]))
        1.0
    """
    a, b = _side_by_side(true, foreseen)
    return float(np.mean(np.abs(a - b)))


def log_loss(labels: NDArray[Any], chances: NDArray[Any]) -> float:
    """Return the mean of ``-log`` of the chance that was given to what happened, in nats.

    A chance of 0 or 1 counts as the nearest number to it that is not, as scikit-learn has it.

    Example:
        >>> log_loss(np.array([1, 0]), np.array([0.5, 0.5])).__round__(4)
        0.6931
    """
    a, b = _side_by_side(labels, chances)
    near = np.clip(b, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
    return float(-np.mean(np.where(a > 0, np.log(near), np.log1p(-near))))


def accuracy(labels: NDArray[Any], chances: NDArray[Any]) -> float:
    """Return the share of labels on whose side of one half the chance was; one half itself says yes.

    Example:
        >>> accuracy(np.array([1, 0, 1, 0]), np.array([0.9, 0.2, 0.4, 0.1]))
        0.75
    """
    a, b = _side_by_side(labels, chances)
    return float(np.mean((a > 0) == (b >= 0.5)))


def calibration_error(labels: NDArray[Any], chances: NDArray[Any], bins: int = 10) -> float:
    """Return how far chances are from what happens, on average (ECE).

    Forecasts are cut into ``bins`` of equal number, those of equal chance together; in each the mean chance
    is compared with the share that happened (M. Naeini, G. Cooper, M. Hauskrecht, "Obtaining well calibrated
    probabilities using Bayesian binning", AAAI 2015; bins of equal number, for chances of clicks are small).

    Example:
        >>> calibration_error(np.array([1, 0, 0, 0]), np.full(4, 0.25))
        0.0
    """
    from scipy.stats import rankdata

    a, b = _side_by_side(labels, chances)
    at = np.minimum((rankdata(b, "min") - 1) * bins // len(b), bins - 1).astype(np.int64)
    apart = np.bincount(at, weights=(a > 0) - b, minlength=bins)
    return float(np.abs(apart).sum() / len(b))


def auc(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    """Return the chance that what happened has a higher score than what did not; ties count half.

    Raises:
        ValueError: All labels are equal.

    Example:
        >>> auc(np.array([1, 0, 0, 1]), np.array([0.9, 0.1, 0.5, 0.5]))
        0.875
    """
    from scipy.stats import rankdata

    a, b = _side_by_side(labels, scores)
    right = a > 0
    n, others = int(right.sum()), int((~right).sum())
    if not n or not others:
        raise ValueError("auc needs labels of both kinds")
    return float((rankdata(b)[right].sum() - n * (n + 1) / 2) / (n * others))


def grouped_auc(labels: NDArray[Any], scores: NDArray[Any], groups: NDArray[Any]) -> float:
    """Return the mean `auc` within each group, weighted by its size (H. Zhu et al., "OCPC", KDD 2017).

    A user whose scores are all high gains nothing by that. Groups with one kind of label are left out.

    Args:
        labels: What happened, [n].
        scores: float[n].
        groups: Whose each is, as a user code, int[n].

    Raises:
        ValueError: No group has labels of both kinds.

    Example:
        >>> users = np.array([0, 0, 1, 1, 2])
        >>> grouped_auc(np.array([1, 0, 1, 0, 1]), np.array([0.2, 0.1, 0.8, 0.9, 0.5]), users)
        0.5
    """
    a, b = _side_by_side(labels, scores)
    owners, group = np.unique(groups, return_inverse=True)
    right = np.bincount(group[a > 0], minlength=len(owners))
    size = np.bincount(group, minlength=len(owners))
    both = (right > 0) & (right < size)
    if not both.any():
        raise ValueError("grouped auc needs a group with labels of both kinds")
    order = np.lexsort((b, group))
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    found = [auc(a[own], b[own]) for own in np.split(order, starts[1:]) if both[group[own[0]]]]
    return float(np.average(found, weights=size[both]))


def _side_by_side(a: NDArray[Any], b: NDArray[Any]) -> tuple[Wide, Wide]:
    if len(a) != len(b):
        raise ValueError(f"arrays must be equally long, got {len(a)} and {len(b)}")
    if not len(a):
        raise ValueError("there is nothing to measure")
    return np.asarray(a, np.float64), np.asarray(b, np.float64)
