"""Randomness that can be replayed: one generator for each (seed, name)."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator that belongs to ``seed`` and ``names``, the same on every machine.

    Args:
        seed: Any integer.
        names: What the draw is for, as a request id, or ("split", "users").

    Example:
        >>> a, b = generator(0, "request-1"), generator(0, "request-1")
        >>> bool(a.integers(1000) == b.integers(1000))
        True
    """
    digest = hashlib.sha256(repr((int(seed), *map(str, names))).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
