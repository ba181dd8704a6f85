"""How much one account may move what all others are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.rng import scattered_one
from acclimate.types import Times

DAY = 86_400.0
CELLS = 2**17
"""Pairs of user and item, and users, of which the last time is known; two may share a cell."""
AGAIN = DAY
"""Seconds after which the same user with the same item counts half as much as another, if counts fade."""
PURSE, REFILL = 200.0, 100.0
"""Events that count of one user at once, and how many more of them a day."""
_KEPT = ("pair_time", "purse", "purse_time")


class Influence:
    """Says what an event counts, 0..1, and remembers it in bounded memory.

    An event counts 1, but the same item of the same user again ``1 - 0.5 ** (days since)``, and of one user
    at most 200 count at once and 100 a day more.

    Args:
        again: Seconds in place of a day.

    Example:
        >>> influence = Influence()
        >>> [influence.share(7, 3, time) for time in (0.0, 0.0, DAY)]
        [1.0, 0.0, 0.5]
    """

    def __init__(self, again: float = AGAIN) -> None:
        self.again = again
        self.pair_time: Times = np.full(CELLS, -np.inf)
        self.purse: Times = np.full(CELLS, PURSE)
        self.purse_time: Times = np.full(CELLS, -np.inf)

    def share(self, user: int, item: int, time: float) -> float:
        """Return what an event of this user with this item counts, and remember it."""
        pair, own = scattered_one(user * 1_000_003 + item) % CELLS, scattered_one(user) % CELLS
        last, spent = self.pair_time.item(pair), self.purse_time.item(own)
        self.pair_time[pair], self.purse_time[own] = max(last, time), max(spent, time)
        away, passed = max(0.0, time - last), max(0.0, time - spent)
        full = min(PURSE, self.purse.item(own) + min(PURSE, REFILL * passed / DAY))
        share: float = min(1 - 0.5 ** (away / self.again), full)
        self.purse[own] = full - share
        return share

    def state(self) -> dict[str, NDArray[Any]]:
        """Return its arrays by name."""
        return {name: getattr(self, name).copy() for name in _KEPT}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]], again: float = AGAIN) -> Influence:
        """Return the one whose `state` is among ``arrays``."""
        made = cls(again)
        for name in _KEPT:
            setattr(made, name, np.array(arrays[name]))
        return made
