"""Weights under which what was chosen is likeliest: the conditional logit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize


def conditional_logit(
    parts: NDArray[np.floating],
    chosen: NDArray[np.integer],
    out: tuple[NDArray[np.integer], ...],
    start: Sequence[float],
    *,
    lowest: Sequence[float],
    ridge: float = 0.0,
) -> NDArray[np.float64]:
    """Return weights float64[s] of parts whose weighted sum are the logits of a choice.

    Args:
        parts: What each of s sources says of n choices among m, float[s, n, m]; reckoned in its precision.
        chosen: Place of what was chosen, int[n], at least one.
        out: Rows and places of what could not be chosen.
        start: Weights from which the search starts, s of them.
        lowest: What each weight is at least.
        ridge: Weight of the sum of the squared weights in the loss.

    Example:
        >>> parts = np.array([[[1.0, 0.0]] * 4])
        >>> none = np.zeros(0, int)
        >>> found = conditional_logit(parts, np.array([0, 0, 0, 1]), (none, none), [0.0], lowest=[0.0])
        >>> [round(float(weight), 2) for weight in found]  # the log of 3 to 1
        [1.1]

    References:
        McFadden, "Conditional logit analysis of qualitative choice behavior", 1974.
    """
    rows = np.arange(len(chosen))
    seen = np.array([part[rows, chosen].mean(dtype=np.float64) for part in parts])

    def cost(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = np.zeros_like(parts[0])
        for weight, part in zip(weights, parts, strict=True):
            logits += parts.dtype.type(weight) * part
        logits[out] = -np.inf
        top = logits.max(axis=1)
        taken = logits[rows, chosen].astype(np.float64)
        chance = np.exp(logits - top[:, None], out=logits)
        total = chance.sum(axis=1, dtype=np.float64)
        chance /= total[:, None].astype(parts.dtype)
        expected = np.array([np.einsum("nm,nm->n", chance, part).mean(dtype=np.float64) for part in parts])
        value = (np.log(total) + top - taken).mean() + ridge * weights @ weights
        return float(value), expected - seen + 2 * ridge * weights

    bounds = [(low, None) for low in lowest]
    found: NDArray[np.float64] = minimize(cost, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return found
