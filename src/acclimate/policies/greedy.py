"""Show what scores best, always."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.types import Draw


class Greedy:
    """Draw the best score; of equal ones the lowest index.

    It risks nothing, so its log says nothing about what it did not show: use `Epsilon` or another
    policy where that is to be learned.

    Example:
        >>> Greedy().draw(np.array([1.0, 3.0, 3.0]), np.random.default_rng(0))
        Draw(index=1, propensity=1.0, explored=False)
    """

    name = "greedy"

    def draw(self, scores: NDArray[np.float64], rng: np.random.Generator) -> Draw:
        """Return the index of the best of ``scores`` float64[n]; ``rng`` is not used.

        Raises:
            ValueError: No score is finite.
        """
        best = int(np.argmax(scores))
        if not np.isfinite(scores[best]):
            raise ValueError("nothing to draw: no score is finite")
        return Draw(best, 1.0)

    def probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 1 at the index that `draw` returns, 0 elsewhere: float64[n]."""
        chances = np.zeros(len(scores))
        chances[self.draw(scores, np.random.default_rng(0)).index] = 1.0
        return chances
