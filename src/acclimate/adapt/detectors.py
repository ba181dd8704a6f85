"""When the mean of a figure changed, from what to what, and since when: the test of Page and Hinkley."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from acclimate.errors import InputError
from acclimate.types import State

Values = NDArray[np.float64]

LEAST = 30
"""Observations that give the first mean and deviation; none of them counts as a change."""


@dataclass(frozen=True, slots=True)
class Change:
    """A mean is no longer what it was.

    Args:
        before: Mean of what was until then.
        after: Mean of what came since.
        since: How many observations were before it; where the change is most likely, not when it was found.
        at: How many observations had been taken in when it was found.
        many: How many observations ``before`` is the mean of.
    """

    before: float
    after: float
    since: int
    at: int
    many: int


def checked(values: ArrayLike, low: float = -np.inf, high: float = np.inf, name: str = "values") -> Values:
    """Return observations as float64[n], or raise InputError where one is NaN, infinite or out of range.

    Example:
        >>> checked([0, 1], 0, 1)
        array([0., 1.])
    """
    found = np.atleast_1d(np.asarray(values, np.float64))
    wrong = ~(np.isfinite(found) & (found >= low) & (found <= high))
    if found.ndim != 1 or wrong.any():
        given = f"shape {found.shape}" if found.ndim != 1 else str(found[wrong][0])
        span = "finite" if np.isinf(low) else f"{low:g}..{high:g}"
        raise InputError(f"{name} must be {span} numbers in one row, got {given}", field=name)
    return found


class PageHinkley:
    """Sums how far observations lie below their mean so far, and tells when it is more than chance.

    Each counts in standard deviations, so that no scale has to be set. From the sum of what lies below, less
    the allowance, the lowest point so far is taken; a change is where it lies highest, and everything begins
    anew behind it. If rises are looked for, likewise above.

    Nothing changed: with independent observations near to normal ones, a false one comes every
    ``(exp(2 a (t + 1.17)) - 2 a (t + 1.17) - 1) / (2 a a)`` of them for each side, with allowance a and
    threshold t (Siegmund 1985); of a seldom hit false rises come oftener, and false falls more seldom. A
    change by d deviations is found after some ``t / (d - a)``.

    Args:
        allowance: Standard deviations that an observation may lie off without counting; what changes by less
            is not found. Positive.
        threshold: Standard deviations that have to come together; positive.
        rises: Whether rises are told as well as falls.

    Raises:
        InputError: An observation is NaN or infinite; nothing of that call is taken in.

    Example:
        >>> test = PageHinkley()
        >>> test.learn(np.arange(2000) % 2)
        >>> test.learn(np.zeros(200))
        >>> test.change.before, test.change.after, test.change.since
        (0.5, 0.0, 2000)

    References:
        Page, "Continuous inspection schemes", Biometrika 1954; Hinkley, "Inference about the change-point
        from cumulative sum tests", Biometrika 1971; Siegmund, "Sequential analysis", Springer 1985; Gama,
        Sebastião, Rodrigues, "On evaluating stream learning algorithms", Machine Learning 2013.
    """

    _NUMBERS = ("taken", "changes", "_n", "_origin", "_sum", "_square")

    def __init__(self, *, allowance: float = 0.1, threshold: float = 50.0, rises: bool = False) -> None:
        for name, given in (("allowance", allowance), ("threshold", threshold)):
            if not given > 0:
                raise InputError(f"{name} must be positive standard deviations, got {given}", field=name)
        self.allowance, self.threshold, self.rises = allowance, threshold, rises
        self.taken = self.changes = 0
        self.change: Change | None = None
        """The newest one."""
        self.restart()

    def restart(self) -> None:
        """Begin anew with the next observation, as behind a change."""
        self._n, self._origin, self._sum, self._square = 0, 0.0, 0.0, 0.0
        self._sides = np.zeros((1 + self.rises, 4))
        """For falls, and rises: the sum, its lowest point, and how many and what sum of values were there."""

    def learn(self, values: ArrayLike) -> None:
        """Take in observations, oldest first: float[n]."""
        rest = checked(values)
        while len(rest):
            rest = rest[self._take(rest) :]

    def state(self) -> State:
        """Return the sums."""
        numbers: dict[str, Any] = {name.strip("_"): getattr(self, name) for name in self._NUMBERS}
        about = {"allowance": self.allowance, "threshold": self.threshold, "rises": self.rises}
        return {"sides": self._sides.copy()}, {
            **numbers,
            **about,
            "change": self.change and asdict(self.change),
        }

    @classmethod
    def restored(cls, state: State) -> PageHinkley:
        """Return the one whose `state` this is."""
        arrays, document = state
        made = cls(**{name: document[name] for name in ("allowance", "threshold", "rises")})
        for name in cls._NUMBERS:
            setattr(made, name, document[name.strip("_")])
        made._sides = np.array(arrays["sides"])
        made.change = document["change"] and Change(**document["change"])
        return made

    def _take(self, values: Values) -> int:
        """Take in observations up to the first change, or all; return how many."""
        if not self._n:
            self._origin = float(values[0])
        off = values - self._origin
        n = np.arange(self._n + 1, self._n + len(off) + 1)
        sums, squares = _running(self._sum, off), _running(self._square, off**2)
        spread = np.sqrt(np.maximum(squares / n - (sums / n) ** 2, 0.0))
        far = np.divide(off - sums / n, spread, out=np.zeros_like(off), where=spread > 0)
        sides = [
            self._side(each, sign * far, n, sums) for sign, each in zip((-1, 1), self._sides, strict=False)
        ]
        found = [np.flatnonzero(walk - low > self.threshold) for walk, low, _, _ in sides]
        first = [int(each[0]) if len(each) else len(off) for each in found]
        side, end = int(np.argmin(first)), min(first)
        last = min(end, len(off) - 1)
        if end < len(off):
            _, _, there, sum_there = (float(part[end]) for part in sides[side])
            before, after = sum_there / there, (sums[end] - sum_there) / (n[end] - there)
            at = self.taken + end + 1
            self.change = Change(
                self._origin + before, float(self._origin + after), at - int(n[end] - there), at, int(there)
            )
            self.changes += 1
            self.restart()
        else:
            self._n, self._sum, self._square = int(n[-1]), float(sums[-1]), float(squares[-1])
            self._sides = np.array([[part[-1] for part in each] for each in sides])
        self.taken += last + 1
        return last + 1

    def _side(self, kept: Values, far: Values, n: NDArray[np.int64], sums: Values) -> tuple[Values, ...]:
        """Return one side's sum, its lowest point, and how many and what sum were there: each float64[n]."""
        walk = _running(kept[0], np.where(n > LEAST, far - self.allowance, 0.0))
        low = np.minimum.accumulate(np.append(kept[1], walk))[1:]
        place = np.maximum.accumulate(np.where(walk == low, np.arange(len(walk)), -1))
        there, sum_there = np.where(place < 0, kept[2], n[place]), np.where(place < 0, kept[3], sums[place])
        return walk, low, there, sum_there


def _running(start: float, more: Values) -> Values:
    """Return ``start`` plus the sums of ``more``, added one after another in any chunking: float64[n]."""
    found: Values = np.add.accumulate(np.append(start, more))[1:]
    return found
