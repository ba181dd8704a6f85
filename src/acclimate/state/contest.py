"""Which of several ways to adjust lists foresees best lately; none, unless one is clearly better."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.types import Codes, Floats, State

MEMORY = 5_000.0
"""Questions after which one counts as much as a third of a new one."""
SURE = 3.0
"""Standard errors by which a way has to be above none."""
LEAST = 200
"""Questions before any is taken."""


class Contest:
    """Paired and fading means of how much more each way earns than the first, which is to leave all as it is.

    The best is taken if it is above the first by three standard errors. So what does not pay is switched
    off. (Two let chance in more often: all ways are looked at again after each question.)

    Args:
        n: How many ways there are, with the first.
        sure: Standard errors by which a way has to be above the first.

    Example:
        >>> contest = Contest(3)
        >>> for n in range(400):
        ...     contest.judge(np.array([0.5, 0.5 + 0.1 * (n % 2), 0.4]))
        >>> contest.best, round(contest.gain, 3)
        (1, 0.05)
    """

    def __init__(self, n: int, *, sure: float = SURE) -> None:
        self.asked, self.sure = 0, sure
        self._count = self._squares = 0.0
        self._sum, self._square = np.zeros(n), np.zeros(n)

    @property
    def means(self) -> NDArray[np.float64]:
        """How much more each way earned than the first, float64[n]."""
        return self._sum / max(self._count, 1e-9)

    @property
    def errors(self) -> NDArray[np.float64]:
        """Standard errors of `means`, float64[n]."""
        variance = np.maximum(self._square / max(self._count, 1e-9) - self.means**2, 0.0)
        found: NDArray[np.float64] = np.sqrt(variance * self._squares) / max(self._count, 1e-9)
        return found

    @property
    def best(self) -> int:
        """The way that is to be taken."""
        if self.asked < LEAST:
            return 0
        sure = np.where(self.means > self.sure * np.maximum(self.errors, 1e-12), self.means, -np.inf)
        sure[0] = 0.0
        return int(sure.argmax())

    @property
    def gain(self) -> float:
        """How much more it earns than the first."""
        return float(self.means[self.best])

    def judge(self, earned: NDArray[np.floating]) -> None:
        """Take in what each way earned by one question, float[n]."""
        kept = 1 - 1 / MEMORY
        more = np.asarray(earned, np.float64) - earned[0]
        self.asked += 1
        self._count, self._squares = kept * self._count + 1, kept**2 * self._squares + 1
        self._sum, self._square = kept * self._sum + more, kept * self._square + more**2

    def state(self) -> State:
        """Return the sums."""
        numbers = {"asked": self.asked, "count": self._count, "squares": self._squares}
        return {"sum": self._sum.copy(), "square": self._square.copy()}, numbers

    @classmethod
    def restored(cls, state: State, *, sure: float = SURE) -> Contest:
        """Return the contest whose `state` this is."""
        arrays, numbers = state
        made = cls(len(arrays["sum"]), sure=sure)
        made.asked, made._count, made._squares = numbers["asked"], numbers["count"], numbers["squares"]
        made._sum, made._square = np.array(arrays["sum"]), np.array(arrays["square"])
        return made


def earned(scores: Floats, items: int | Codes) -> NDArray[np.float64]:
    """Return ``1 / log2(1 + place)`` of an item in each of k lists float32[k, n], ties at their mean place.

    ``items`` is one for all lists, or one for each, int32[k]. NaN is ranked last. Not cut off at ten: most
    questions would say nothing then.
    """
    wanted = scores[np.arange(len(scores)), items][:, None]
    above = (scores > wanted).sum(axis=1)
    tied = (scores == wanted).sum(axis=1)
    place = above + (np.maximum(tied, 1) + 1) / 2
    place[np.isnan(wanted[:, 0])] = scores.shape[1]
    out: NDArray[np.float64] = 1 / np.log2(1 + place)
    return out
