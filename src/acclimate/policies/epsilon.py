"""Mostly the best, now and then anything: the simplest policy that can be evaluated off-line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError, is_number, shown
from acclimate.types import Draw


class Epsilon:
    """With probability ``epsilon`` draw any item, each alike; else the best score.

    The best item may be drawn by chance as well, so of ``n`` drawable items it has the propensity
    ``1 - epsilon + epsilon / n`` and each other one ``epsilon / n``. (Sutton and Barto, Reinforcement
    Learning, 2nd ed., section 2.2.)

    Args:
        epsilon: Chance to explore at each place of a list, above 0 and up to 1.

    Raises:
        InputError: ``epsilon`` is out of range.

    Example:
        >>> Epsilon(0.1).probabilities(np.array([2.0, 1.0, -np.inf])).round(3).tolist()
        [0.95, 0.05, 0.0]
    """

    name = "epsilon"

    def __init__(self, epsilon: float = 0.05) -> None:
        if not is_number(epsilon) or not 0 < epsilon <= 1:
            raise InputError(
                f"epsilon must be above 0 and up to 1, got {shown(epsilon)}; "
                "for no exploration take the policy 'greedy'",
                field="policy.epsilon",
            )
        self.epsilon = epsilon

    def draw(self, scores: NDArray[np.float64], rng: np.random.Generator) -> Draw:
        """Return an index into ``scores`` float64[n], and its exact chance.

        Raises:
            ValueError: No score is finite.
        """
        best, drawable = _best(scores), np.isfinite(scores)
        n = int(drawable.sum())
        index = best
        if rng.random() < self.epsilon:
            index = int(np.flatnonzero(drawable)[rng.integers(n)])
        chance = self.epsilon / n + (1 - self.epsilon if index == best else 0.0)
        return Draw(index, chance, explored=index != best)

    def probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the chance of each index float64[n]."""
        drawable = np.isfinite(scores)
        best = _best(scores)
        chances = np.where(drawable, self.epsilon / drawable.sum(), 0.0)
        chances[best] += 1 - self.epsilon
        return chances


def _best(scores: NDArray[np.float64]) -> int:
    best = int(np.argmax(scores))
    if not np.isfinite(scores[best]):
        raise ValueError("nothing to draw: no score is finite")
    return best
