"""What is still known of earlier times, and what was learned ahead of them.

The stream is cut into periods of equally many questions. ``R[t, k]`` is how well period ``k`` is foreseen
after learning up to period ``t``, each question with the history that it had: what changes between rows is
only what was learned. Row 0 is the model as it was fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.evaluate.stream import Stream
from acclimate.rng import generator

PERIODS = 5
SAMPLE = 300
"""Questions of a period that are asked again."""
RETURN = 30 * 86_400.0
"""A user who was away for so long returns."""
FEW = 20
"""With fewer questions than this a period says nothing."""

Ask = Callable[[NDArray[np.int64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Exams:
    """Which questions of each period are asked again, of all users and of those who return.

    Args:
        bounds: Period k holds the questions ``bounds[k]:bounds[k + 1]``, int64[periods + 1].
        samples: Questions of each period, by number, for all users and for those who return.
    """

    bounds: NDArray[np.int64]
    samples: tuple[tuple[NDArray[np.int64], ...], tuple[NDArray[np.int64], ...]]

    @classmethod
    def of(cls, stream: Stream, seed: int) -> Exams:
        """Draw up to 300 questions of each period of a stream, and up to 300 of returning users."""
        rng = generator(seed, "exams")
        bounds = np.linspace(0, len(stream.asked), PERIODS + 1).astype(np.int64)
        away = stream.since_last[stream.asked]
        back = (away >= RETURN) & np.isfinite(away)

        def draw(keep: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
            periods = (np.arange(low, high)[keep[low:high]] for low, high in pairwise(bounds.tolist()))
            return tuple(np.sort(rng.permutation(period)[:SAMPLE]) for period in periods)

        return cls(bounds, (draw(np.ones(len(back), bool)), draw(back)))

    def marks(self, ask: Ask) -> NDArray[np.float64]:
        """Return the mean of ``ask`` (questions int64[n] to float64[n]) by period, float64[2, periods]."""
        return np.array(
            [[ask(part).mean() if len(part) >= FEW else np.nan for part in sample] for sample in self.samples]
        )


@dataclass(frozen=True)
class Forgetting:
    """How learning touched what came before and after.

    Args:
        matrix: ``R`` float64[periods + 1, periods], NaN where too few were asked.
    """

    matrix: NDArray[np.float64]

    @property
    def backward(self) -> float:
        """Mean of ``R[end, k] - R[k, k]`` over the periods but the last: below 0 it forgot."""
        own = np.diagonal(self.matrix, offset=-1)
        return _mean(self.matrix[-1, :-1] - own[:-1])

    @property
    def forward(self) -> float:
        """Mean of ``R[k - 1, k] - R[start, k]`` over all periods but the first: what earlier ones taught."""
        ahead = np.diagonal(self.matrix)[1:]
        return _mean(ahead - self.matrix[0, 1:])

    def document(self) -> dict[str, Any]:
        """Return the JSON object; null stands for NaN."""
        rows = [[None if np.isnan(value) else float(value) for value in row] for row in self.matrix]
        ends = {"backward_transfer": self.backward, "forward_transfer": self.forward}
        return {name: None if np.isnan(value) else value for name, value in ends.items()} | {"matrix": rows}


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
