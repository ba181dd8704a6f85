"""From logits to chances that mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import logsumexp

from acclimate.types import Floats


def temperature(logits: Floats) -> float:
    """Return T under which ``softmax(logits / T)`` makes the first of each row most probable.

    Args:
        logits: float32[n, c], n >= 1; -inf where there is no candidate.

    References:
        Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2.

    Example:
        >>> sure = np.array([[9.0, 0.0]] * 3 + [[0.0, 9.0]], np.float32)
        >>> round(float(1 / (1 + np.exp(-9.0 / temperature(sure)))), 2)
        0.75
    """
    wide = logits.astype(np.float64)

    def cost(log_t: float) -> float:
        scaled = wide / np.exp(log_t)
        return float((logsumexp(scaled, axis=1) - scaled[:, 0]).mean())

    return float(np.exp(minimize_scalar(cost, bounds=(-3.0, 3.0), method="bounded").x))


def platt(logits: Floats, labels: NDArray[np.bool_]) -> tuple[float, float]:
    """Return a and b under which ``sigmoid(a * logit + b)`` fits the labels bool[n], n >= 1.

    The labels are softened as Platt did, so that one class alone gives no certainty.

    References:
        Platt, "Probabilistic outputs for support vector machines", 1999, section 2.2.

    Example:
        >>> a, b = platt(np.zeros(4, np.float32), np.array([True, False, False, False]))
        >>> round(float(1 / (1 + np.exp(-b))), 2)
        0.32
    """
    yes, no = int(labels.sum()), int((~labels).sum())
    wanted = np.where(labels, (yes + 1) / (yes + 2), 1 / (no + 2))
    x = logits.astype(np.float64)

    def cost(ab: NDArray[np.float64]) -> float:
        z = ab[0] * x + ab[1]
        return float((np.logaddexp(0, z) - wanted * z).mean() + 1e-6 * ab[0] ** 2)

    a, b = minimize(cost, np.array([1.0, 0.0]), method="L-BFGS-B").x
    return float(a), float(b)


def calibration_error(chances: NDArray[np.floating], happened: NDArray[np.bool_], bins: int = 10) -> float:
    """Return the mean distance of chance and frequency, over bins of equally many chances.

    Example:
        >>> calibration_error(np.array([0.5, 0.5]), np.array([True, False]), bins=1)
        0.0
    """
    order = np.argsort(chances, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    apart = [len(part) * abs(chances[part].mean() - happened[part].mean()) for part in parts]
    return float(sum(apart) / max(len(order), 1))
