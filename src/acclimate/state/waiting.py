"""Questions that wait until there are enough of them to be asked at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.state.panel import NO_EVENTS, Panel, event_columns, event_rows, histories_of
from acclimate.types import Codes, Histories, State

BLOCK = 32
"""How many are asked at once."""


class Waiting:
    """What some users had done right before they chose an item, and the item.

    A model answers many questions at once far sooner than one by one. Blocks are counted along the stream, so
    that they are the same ones however it is cut.

    Args:
        block: How many are asked at once.

    Example:
        >>> panel, waiting = Panel(), Waiting(block=2)
        >>> for user in (3, 4):
        ...     panel.learn(user, (7, 1.0, 1.0, np.nan))
        ...     waiting.put(panel, user, item=8, time=2.0)
        >>> histories, items = waiting.take()
        >>> histories.items.tolist(), histories.now.tolist(), items.tolist(), len(waiting)
        ([7, 7], [2.0, 2.0], [8, 8], 0)
    """

    def __init__(self, block: int = BLOCK) -> None:
        self.block = block
        self._asked: list[tuple[int, int, float, NDArray[Any]]] = []

    def __len__(self) -> int:
        return len(self._asked)

    @property
    def full(self) -> bool:
        """Whether they are to be taken."""
        return len(self._asked) >= self.block

    def put(self, panel: Panel, user: int, item: int, time: float) -> None:
        """Let what ``user`` chose at ``time`` be asked for, given what the panel knows by now."""
        self._asked.append((user, item, time, panel.newest(user)))

    def take(self) -> tuple[Histories, Codes]:
        """Return the histories of n questions, and what was chosen, int32[n]; none wait any more."""
        users, items, times, rows = zip(*self._asked, strict=True)
        self._asked = []
        return histories_of(rows, users, np.array(times)), np.array(items, np.int32)

    def forget(self, user: int) -> None:
        """Forget what a user did."""
        self._asked = [each for each in self._asked if each[0] != user]

    def state(self) -> State:
        """Return those who wait."""
        rows = [each[3] for each in self._asked]
        arrays = event_columns(np.concatenate([NO_EVENTS, *rows]))
        arrays["lengths"] = np.array([len(each) for each in rows], np.int64)
        arrays["users"] = np.array([each[0] for each in self._asked], np.int32)
        arrays["items"] = np.array([each[1] for each in self._asked], np.int32)
        arrays["now"] = np.array([each[2] for each in self._asked], np.float64)
        return arrays, {"block": self.block}

    @classmethod
    def restored(cls, state: State) -> Waiting:
        """Return those whose `state` this is."""
        arrays, document = state
        made = cls(document["block"])
        parts = np.split(event_rows(arrays), np.cumsum(arrays["lengths"])[:-1])
        columns = [arrays[name].tolist() for name in ("users", "items", "now")]
        made._asked = [
            (*row, part.copy())
            for *row, part in zip(*columns, parts, strict=False)  # no part for none
        ]
        return made
