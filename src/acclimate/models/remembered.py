"""Vectors that were made before: who asks again for the same does not have it read anew."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.types import Floats, Offsets

MOST = 20_000
"""Vectors that are kept, those asked for last; 512 bytes each at the usual width."""


class Remembered:
    """Vectors by all that they were made of, so that none is ever stale or another user's.

    Whoever changes what makes them starts a new one. They are in memory and not on disk, where they would
    outlast a user who is forgotten.

    Args:
        most: Vectors that are kept at most.

    Example:
        >>> lengths = Remembered()
        >>> words = ["one", "three", "one"]
        >>> lengths.of(words, lambda at: np.array([[len(words[i])] for i in at], "f4")).tolist(), len(lengths)
        ([[3.0], [5.0], [3.0]], 2)
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._kept: OrderedDict[Hashable, Floats] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, keys: Sequence[Hashable], make: Callable[[list[int]], Floats]) -> Floats:
        """Return the vector of each of n keys, float32[n, d], n >= 1.

        Args:
            keys: All that decides a vector.
            make: Makes those of the keys at m places, float32[m, d].
        """
        found = {key: self._kept.pop(key) for key in dict.fromkeys(keys) if key in self._kept}
        missing = {key: place for place, key in enumerate(keys) if key not in found}
        if missing:  # copies: a row by itself would hold all that were made with it
            made = make(list(missing.values()))
            found |= {key: row.copy() for key, row in zip(missing, made, strict=True)}
        self._kept.update(found)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return np.stack([found[key] for key in keys])


def keys_of(offsets: Offsets, told: Sequence[NDArray[Any]]) -> list[bytes]:
    """Return a hash of the rows of each user; each array of ``told`` has one row for each event."""
    keys = []
    for begin, end in pairwise(offsets.tolist()):
        made = hashlib.blake2b(digest_size=16)
        for part in told:
            made.update(part[begin:end].tobytes())
        keys.append(made.digest())
    return keys
