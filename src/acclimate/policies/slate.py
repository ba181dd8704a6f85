"""A list is drawn place by place, so that each propensity is that of what is shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.types import Draw, Policy


def draw_slate(
    scores: NDArray[np.float64],
    may: NDArray[np.bool_],
    k: int,
    policy: Policy,
    rng: np.random.Generator,
) -> list[Draw]:
    """Draw up to ``k`` different places: first of what has a score, and when that is used up, of the rest.

    Args:
        scores: float64[n], NaN where the model cannot say.
        may: Whether each item may be listed, bool[n].
        k: Length of the list; it is shorter where fewer may be listed.
        policy: Draws each place, given those above it.
        rng: Where chance comes from.

    Example:
        >>> from acclimate.policies.greedy import Greedy
        >>> scores, may = np.array([1.0, np.nan, 3.0, 4.0]), np.array([True, True, True, False])
        >>> [draw.index for draw in draw_slate(scores, may, 9, Greedy(), np.random.default_rng(0))]
        [2, 0, 1]
    """
    scored = np.isfinite(scores)
    of = may & scored
    draws = _drawn(np.where(of, scores, -np.inf), min(k, int(of.sum())), policy, rng)
    if len(draws) < k:
        of = may & ~scored
        draws += _drawn(np.where(of, 0.0, -np.inf), min(k - len(draws), int(of.sum())), policy, rng)
    return draws


def _drawn(pool: NDArray[np.float64], n: int, policy: Policy, rng: np.random.Generator) -> list[Draw]:
    """Draw ``n`` different places of ``pool``, -inf where there is none; it is used up."""
    draws = []
    for _ in range(n):
        draws.append(policy.draw(pool, rng))
        pool[draws[-1].index] = -np.inf
    return draws
