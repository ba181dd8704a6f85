"""A column that grows: one value for each user or item."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Column:
    """An array that gets longer at amortised O(1) a value.

    Args:
        values: What it starts with, ``[n]``; copied.
        fill: What a new place holds.

    Example:
        >>> counts = Column(np.zeros(2), fill=0.0)
        >>> counts.grow(4)
        >>> counts.values[3] += 1
        >>> counts.values
        array([0., 0., 0., 1.])
    """

    __slots__ = ("_buffer", "_fill", "_n")

    def __init__(self, values: NDArray[Any], fill: Any) -> None:
        self._buffer, self._fill, self._n = values.copy(), fill, len(values)

    @property
    def values(self) -> NDArray[Any]:
        """The values ``[n]``, to read and to write; good until the next `grow`."""
        return self._buffer[: self._n]

    def grow(self, n: int) -> None:
        """Become at least ``n`` long."""
        if n > len(self._buffer):
            buffer = np.full(max(n, 2 * len(self._buffer), 16), self._fill, self._buffer.dtype)
            buffer[: self._n] = self.values
            self._buffer = buffer
        self._n = max(n, self._n)
