"""Which items may be listed for a user, and for each that may not, why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acclimate.types import Codes

ALLOWED = 0
REASONS = (
    "allowed",
    "unavailable",
    "expired",
    "not there yet",
    "not a candidate",
    "excluded",
    "disliked",
    "had",
)
"""Why an item may not be listed; where several hold, the first of them is named."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the rules say about each item.

    Args:
        why: Index into `REASONS` for each item, uint8[n]; 0 is allowed.
    """

    why: NDArray[np.uint8]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Whether each item may be listed, bool[n]."""
        return np.equal(self.why, ALLOWED)

    def counts(self) -> dict[str, int]:
        """Return how many items each reason keeps out, without reasons that keep out none."""
        counts = np.bincount(self.why, minlength=len(REASONS))
        return {name: int(n) for name, n in zip(REASONS[1:], counts[1:], strict=True) if n}


def allowed(
    offered: NDArray[np.bool_],
    expired: NDArray[np.bool_],
    upcoming: NDArray[np.bool_],
    *,
    had: Codes,
    disliked: Codes,
    exclude: Codes,
    candidates: Codes | None = None,
) -> Allowed:
    """Return which items may be listed.

    Args:
        offered: Whether each item is in the catalogue and available, bool[n].
        expired: Whether its time is over, bool[n].
        upcoming: Whether its time has not begun, bool[n].
        had: Codes of items that the user has had, so lately that they do not come again.
        disliked: Codes of items that the user has turned down.
        exclude: Codes that the request does not want.
        candidates: If given, the only codes that the request wants.

    Example:
        >>> no, none = np.zeros(4, bool), np.zeros(0, np.int32)
        >>> found = allowed(~no, no, no, had=np.array([1]), disliked=np.array([2]), exclude=none)
        >>> found.mask.tolist(), found.counts()
        ([True, False, False, True], {'disliked': 1, 'had': 1})
    """
    why = np.zeros(len(offered), np.uint8)
    why[had] = REASONS.index("had")
    why[disliked] = REASONS.index("disliked")
    why[exclude] = REASONS.index("excluded")
    if candidates is not None:
        wanted = np.zeros(len(offered), np.bool_)
        wanted[candidates] = True
        why[~wanted] = REASONS.index("not a candidate")
    why[upcoming] = REASONS.index("not there yet")
    why[expired] = REASONS.index("expired")
    why[~offered] = REASONS.index("unavailable")
    return Allowed(why)
