"""The catalogue as it is now: what each item is, and which of them are open."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from acclimate.data.vocab import Vocabulary
from acclimate.state.columns import Column
from acclimate.types import Item, Times


class Shelf:
    """Items by code. A code is given once: what is deleted leaves a bare id that is not available.

    Args:
        items: What it starts with, in the order of their codes.
        deleted: Codes of those that were deleted.

    Example:
        >>> shelf = Shelf([Item("heat"), Item("alien", expires_at=5.0)])
        >>> shelf.put(Item("up")), shelf.delete("heat")
        (2, 0)
        >>> (shelf.open & ~shelf.expired(now=5.0)).tolist(), shelf.find("heat")
        ([False, False, True], None)
    """

    def __init__(self, items: Iterable[Item] = (), deleted: Iterable[int] = ()) -> None:
        self.items = list(items)
        self.ids = Vocabulary(item.item_id for item in self.items)
        self.deleted = set(deleted)
        self._open = Column(np.array([item.available for item in self.items], np.bool_), True)
        self._begins = Column(np.array([_begin(item) for item in self.items], np.float64), -np.inf)
        self._expires = Column(np.array([_end(item) for item in self.items], np.float64), np.inf)

    def put(self, item: Item) -> int:
        """Take in a new or changed item, and return its code."""
        code = self.ids.add(item.item_id)
        if code == len(self.items):
            self.items.append(item)
            self._open.grow(code + 1)
            self._begins.grow(code + 1)
            self._expires.grow(code + 1)
        self.items[code] = item
        self.deleted.discard(code)
        self._open.values[code] = item.available
        self._begins.values[code] = _begin(item)
        self._expires.values[code] = _end(item)
        return code

    def delete(self, item_id: str) -> int:
        """Take an item out for good, unless it is put again; return its code, or -1 if it is unknown."""
        if item_id not in self.ids:
            return -1
        code = self.put(Item(item_id, available=False))
        self.deleted.add(code)
        return code

    def find(self, item_id: str) -> Item | None:
        """Return the item with this id; None if there is none, or no more."""
        code = self.ids.code(item_id)
        return None if code < 0 or code in self.deleted else self.items[code]

    @property
    def open(self) -> NDArray[np.bool_]:
        """Whether each item is available, whatever its time, bool[n]."""
        return self._open.values

    def upcoming(self, now: float) -> NDArray[np.bool_]:
        """Return whether the time of each item is still to begin at ``now`` seconds, bool[n]."""
        begins: Times = self._begins.values
        return begins > now

    def expired(self, now: float) -> NDArray[np.bool_]:
        """Return whether the time of each item is over at ``now`` seconds, bool[n]."""
        ends: Times = self._expires.values
        return ends <= now


def _begin(item: Item) -> float:
    return -np.inf if item.created_at is None else item.created_at


def _end(item: Item) -> float:
    return np.inf if item.expires_at is None else item.expires_at
