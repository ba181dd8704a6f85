"""Randomness that can be replayed: one generator for each (seed, name)."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray


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


_ALL = 2**64 - 1


def scattered_one(number: int) -> int:
    """Return what `scattered` returns for one number, without the cost of arrays: 0..2**64 - 1.

    Example:
        >>> scattered_one(7) == scattered([7]).tolist()[0]
        True
    """
    x = ((number + 1) * 0x9E3779B97F4A7C15) & _ALL
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _ALL
    return x ^ (x >> 31)


def scattered(numbers: ArrayLike) -> NDArray[np.uint64]:
    """Return a number for each whole number as if drawn at random, the same on every machine: uint64[n].

    The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
    OOPSLA 2014).

    Example:
        >>> scattered([0, 1]).tolist() == scattered([0, 1, 2]).tolist()[:2]
        True
    """
    x = (np.atleast_1d(numbers).astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    out: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return out
