"""Items that are told in nearly the same words: one thing under two ids, perhaps."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

LENGTH = 300
"""Characters of a text that are compared."""
SHINGLE = 4
"""Characters in a piece."""
BANDS, ROWS = 20, 5
"""Of the MinHash: texts that share half of their pieces are compared with a chance of 0.47, texts that share
0.85 of them with one of 0.99999."""
ALIKE = 0.85
"""Share of the pieces of both that both have, from which on they are alike."""
SHORT = 12
"""Characters below which only equal texts are alike."""
MAX_BAND = 20
"""Texts of one band that are compared with each other; where more meet, each with the next ones."""
_PRIME = (1 << 31) - 1

Pieces = NDArray[np.int64]


def find_doubles(texts: Sequence[str]) -> list[tuple[int, int, float]]:
    """Return pairs of places whose texts are alike, and the share of pieces that both have, 0..1.

    Case, punctuation and accents do not matter, numbers do: a second part is not the first one again. Time
    and memory grow with the number of texts, not with that of pairs. Of several equal texts each is paired
    with the first.

    Args:
        texts: What is known of each item; empty ones are like nothing.

    Example:
        >>> find_doubles(["Heat (1995)", "HEAT, 1995", "Rocky 2", "Rocky 3"])
        [(0, 1, 1.0)]

    References:
        A. Broder, "On the resemblance and containment of documents", SEQUENCES 1997.
    """
    plains = [_plain(text) for text in texts]
    found: dict[tuple[int, int], float] = {}
    first: dict[str, int] = {}
    for place, text in enumerate(plains):
        if text and first.setdefault(text, place) != place:
            found[first[text], place] = 1.0
    places = [place for text, place in first.items() if len(text) >= SHORT]
    pieces = [_pieces(plains[place]) for place in places]
    numbers = [tuple(re.findall(r"\d+|\b[ivx]+\b", plains[place])) for place in places]
    for one, other in _candidates(pieces):
        if numbers[one] == numbers[other] and (share := _share(pieces[one], pieces[other])) >= ALIKE:
            pair = sorted((places[one], places[other]))
            found[pair[0], pair[1]] = share
    return [(one, other, share) for (one, other), share in sorted(found.items())]


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text[: 2 * LENGTH].casefold())
    kept = (char if char.isalnum() else " " for char in letters if not unicodedata.combining(char))
    return " ".join("".join(kept).split())[:LENGTH]


def _pieces(text: str) -> Pieces:
    """Return the distinct shingles of a text as numbers, int64[m], rising."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
    mixed = np.zeros(len(codes) - SHINGLE + 1, np.int64)
    for step in range(SHINGLE):
        mixed = (mixed * 1_000_003 + codes[step : len(codes) - SHINGLE + 1 + step]) % _PRIME
    return np.unique(mixed)


def _candidates(pieces: Sequence[Pieces]) -> set[tuple[int, int]]:
    """Return pairs that agree in a band of their MinHash."""
    pairs: set[tuple[int, int]] = set()
    if len(pieces) > 1:
        flat = np.concatenate(pieces)
        starts = np.cumsum([0, *map(len, pieces[:-1])])
        rng = np.random.default_rng(0)
        for _ in range(BANDS):
            pairs.update(_same(_band(flat, starts, rng)))
    return pairs


def _band(flat: Pieces, starts: NDArray[np.int64], rng: np.random.Generator) -> Pieces:
    """Return one number for each text, equal where `ROWS` least hashes of its pieces are: int64[n]."""
    band = np.zeros(len(starts), np.int64)
    for factor, shift in rng.integers(1, _PRIME, (ROWS, 2)):
        least = np.minimum.reduceat((flat * factor + shift) % _PRIME, starts)
        band = (band * 1_000_003 + least) % ((1 << 42) - 11)
    return band


def _same(band: Pieces) -> Iterator[tuple[int, int]]:
    order = np.argsort(band, kind="stable")
    cuts = np.flatnonzero(np.diff(band[order])) + 1
    for group in np.split(order, cuts):
        if len(group) > 1:
            members = group.tolist()
            for at, one in enumerate(members):
                yield from ((one, other) for other in members[at + 1 : at + MAX_BAND])


def _share(one: Pieces, other: Pieces) -> float:
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)
