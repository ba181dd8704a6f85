"""The states of users who were read before: a list that is asked for again does not read the history anew."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acclimate.types import Histories

MOST = 20_000
"""States that are kept, those asked for last; 512 bytes each at the usual width."""
FEW = 64
"""Users of one call, up to which it is a request and not an evaluation of everybody."""


class Remembered:
    """States by a hash of what was read, so that none is ever stale or another user's.

    Whoever changes the weights or the item vectors starts a new one.

    Args:
        most: States that are kept at most.

    Example:
        >>> states = Remembered()
        >>> read = lambda some: torch.tensor(some.items[some.offsets[1:] - 1].astype("f4"))[:, None]
        >>> h = Histories.of([[3, 4], [5], [3, 4]])
        >>> states.of(h, [h.items], read).tolist(), len(states)
        ([[4.0], [5.0], [4.0]], 2)
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._kept: OrderedDict[bytes, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def of(
        self, histories: Histories, told: Sequence[NDArray[Any]], read: Callable[[Histories], Tensor]
    ) -> Tensor:
        """Return the state of each of n users, float32[n, d].

        Args:
            histories: What they did.
            told: What counts of it, each array one row for each event.
            read: Makes the states of those that are not known, float32[m, d].
        """
        ends = histories.offsets.tolist()
        keys = [_key([part[begin:end] for part in told]) for begin, end in pairwise(ends)]
        found = {key: self._kept.pop(key) for key in dict.fromkeys(keys) if key in self._kept}
        missing = {key: user for user, key in enumerate(keys) if key not in found}
        if missing:
            at = np.fromiter(missing.values(), np.int64)
            found |= zip(missing, read(histories[at]), strict=True)
        self._kept.update(found)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return torch.stack([found[key] for key in keys])


def _key(parts: Sequence[NDArray[Any]]) -> bytes:
    made = hashlib.blake2b(digest_size=16)
    for part in parts:
        made.update(part.tobytes())
    return made.digest()
