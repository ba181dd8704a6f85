"""How far what is chosen has moved from what was chosen before: the population stability index."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri

from acclimate.errors import InputError
from acclimate.types import State

Counts = NDArray[np.float64]

SHIFTED = 0.1
"""From where on a population is usually said to have shifted."""
SMOOTHED = 0.5
"""Observations that each cell is given beside those it has, by the shares of both samples together."""
SELDOM = 10
"""Observations to be expected in a cell from which it stands alone (after Cochran 1954)."""
CHANCE = 1e-5
"""How often at most, at one look, a mix that did not change is told of."""


def psi(expected: ArrayLike, actual: ArrayLike) -> float:
    """Return the population stability index of two vectors of counts, 0 or more.

    It is ``sum((a - e) * log(a / e))`` of their shares: the Kullback-Leibler divergence, there and back.
    Below .1 is usually read as stable, above .25 as another population; that reading forgets how much was
    counted, so take `chance_psi` beside it. Seldom cells, where fewer than 10 of the smaller sample are to
    be expected, are joined to one. A cell that is empty in one sample is smoothed: each sample is moved
    towards both together by half an observation a cell, which makes two samples more alike, never less.

    Args:
        expected: Counts of each cell before, float[k], 0 or more.
        actual: Counts of the same cells now, float[k].

    Raises:
        InputError: They are not equally long, or one is negative, NaN or infinite.

    Example:
        >>> round(psi([500, 500], [500, 500]), 3), round(psi([500, 500], [250, 750]), 3)
        (0.0, 0.274)

    References:
        Siddiqi, "Credit risk scorecards", Wiley 2006, chapter 8; Yurdakul, "Statistical properties of
        population stability index", 2018.
    """
    e, a = _joined(expected, actual)
    if not len(e) or not e.sum() or not a.sum():
        return 0.0
    more = SMOOTHED * len(e) * (e + a) / (e + a).sum()
    e, a = (e + more) / (e + more).sum(), (a + more) / (a + more).sum()
    return float(((a - e) * np.log(a / e)).sum())


def chance_psi(expected: ArrayLike, actual: ArrayLike, chance: float = CHANCE) -> float:
    """Return what the `psi` of two samples of one population passes with a ``chance`` of 0..1.

    It is close to ``(1/n + 1/m) * chi2(cells - 1)`` for n and m observations (Yurdakul 2018, section 3): two
    samples of 200 pass .1 in ten cells by chance alone one time in thirty.

    Args:
        expected: Counts of each cell before, float[k], 0 or more.
        actual: Counts of the same cells now, float[k].
        chance: Between 0 and 1.

    Example:
        >>> [round(chance_psi([n] * 10, [n] * 10, chance=0.05), 3) for n in (20, 200)]
        [0.169, 0.017]
    """
    e, a = _joined(expected, actual)
    if not len(e) or not e.sum() or not a.sum():
        return np.inf
    return float((1 / e.sum() + 1 / a.sum()) * chdtri(max(len(e) - 1, 1), chance))


def _joined(expected: ArrayLike, actual: ArrayLike) -> tuple[Counts, Counts]:
    """Return both counts without cells that are empty in both, and with the seldom ones as one, the last."""
    e, a = np.asarray(expected, np.float64), np.asarray(actual, np.float64)
    if e.shape != a.shape or e.ndim != 1:
        raise InputError(f"counts must be two rows of the same cells, got {e.shape} and {a.shape}")
    both = e + a
    if not np.isfinite(both).all() or min(e.min(initial=0), a.min(initial=0)) < 0:
        raise InputError("counts must be finite and 0 or more")
    enough = both * min(e.sum(), a.sum()) >= SELDOM * both.sum()
    some, rest = enough & (both > 0), ~enough
    if not both[rest].sum():
        return e[some], a[some]
    return np.append(e[some], e[rest].sum()), np.append(a[some], a[rest].sum())


class Mix:
    """The shares of cells among the newest blocks of events, against those among all before, fading.

    Codes share ``cells`` cells by their remainder, so that memory does not grow with the catalogue: a code
    below ``cells`` shares its own with none of those. What several codes of one event say is divided by them.

    Args:
        cells: 2 or more.
        newest: Blocks of events that count as new, 1 or more.
        memory: Blocks in which what is older fades to a third.

    Example:
        >>> mix = Mix(cells=4, newest=2, memory=20.0)
        >>> for n in range(40):
        ...     mix.learn(np.arange(100) % 4 if n < 38 else np.arange(100) % 2, np.ones(100))
        >>> round(mix.index, 2), mix.moved, mix.most
        (2.66, True, 0)
    """

    def __init__(self, cells: int, newest: int, memory: float) -> None:
        self.cells, self.memory = cells, memory
        self._newest: Counts = np.zeros((newest, cells))
        self.restart()

    def restart(self) -> None:
        """Forget what was: what comes next is what later events are held against."""
        self._blocks = 0
        self._newest[:] = 0
        self._before: Counts = np.zeros(self.cells)
        self._squares = 0.0
        self._told: tuple[float, float] | None = None

    def learn(self, codes: NDArray[np.integer[Any]], shares: Counts) -> None:
        """Take in a block of events: codes int[n], each 0 or more, and what each counts, float64[n]."""
        at, kept = self._blocks % len(self._newest), 1 - 1 / self.memory
        leaving = self._newest[at]
        self._before = kept * self._before + leaving
        self._squares = kept**2 * self._squares + float(leaving.sum())
        self._newest[at] = np.bincount(codes % self.cells, weights=shares, minlength=self.cells)
        self._blocks += 1
        self._told = None

    @property
    def index(self) -> float:
        """The index; 0 until there are as many old events as new ones."""
        return self._found[0]

    @property
    def bound(self) -> float:
        """What the index has to pass to say something: .1, or what chance explains if that is more."""
        return self._found[1]

    @property
    def moved(self) -> bool:
        """Whether it passes."""
        return self.index > self.bound

    @property
    def shares(self) -> tuple[Counts, Counts]:
        """Shares of the cells before and now, each float64[cells]."""
        now = self._newest.sum(axis=0)
        return self._before / max(self._before.sum(), 1e-300), now / max(now.sum(), 1e-300)

    @property
    def most(self) -> int:
        """The cell that moved by most."""
        before, now = self.shares
        return int(np.abs(now - before).argmax())

    @property
    def _found(self) -> tuple[float, float]:
        if self._told is None:
            self._told = self._look()
        return self._told

    def _look(self) -> tuple[float, float]:
        now = self._newest.sum(axis=0)
        n, weight = float(now.sum()), float(self._before.sum())
        before = weight**2 / self._squares if self._squares > 0 else 0.0
        """As many observations of equal weight are as sure as the fading ones (Kish 1965)."""
        if self._blocks < 2 * len(self._newest) or not n or not before:
            return 0.0, np.inf
        expected = self._before * (before / weight)
        return psi(expected, now), max(SHIFTED, chance_psi(expected, now))

    def state(self) -> State:
        """Return the counts."""
        arrays = {"newest": self._newest.copy(), "before": self._before.copy()}
        return arrays, {"memory": self.memory, "blocks": self._blocks, "squares": self._squares}

    @classmethod
    def restored(cls, state: State) -> Mix:
        """Return the one whose `state` this is."""
        arrays, numbers = state
        newest = np.array(arrays["newest"])
        made = cls(newest.shape[1], len(newest), numbers["memory"])
        made._newest, made._before = newest, np.array(arrays["before"])
        made._blocks, made._squares = numbers["blocks"], numbers["squares"]
        return made
