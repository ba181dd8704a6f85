"""The best of a row of scores, exactly; the oracle for whatever is faster."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.types import Codes


def top(scores: NDArray[Any], k: int) -> Codes:
    """Return the codes of the ``k`` best of ``scores`` float[n], best first.

    Equal scores rank by code. What cannot be scored (NaN) or may not be listed (-inf) is left out, so
    there may be fewer than ``k``.

    Example:
        >>> top(np.array([0.5, np.nan, 0.9, 0.5]), k=3).tolist()
        [2, 0, 3]
    """
    codes = np.flatnonzero(scores > -np.inf)
    if k < len(codes):
        cut = np.partition(scores[codes], len(codes) - k)[len(codes) - k]
        codes = codes[scores[codes] >= cut]
    order = np.argsort(-scores[codes], kind="stable")
    return codes[order][:k].astype(np.int32)
