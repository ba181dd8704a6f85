"""What every model says in the same words: not fitted yet, a catalogue that grows, a number out of range."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError, check_range, is_number, nearest, shown
from acclimate.types import Codes, Floats, Histories


def not_fitted(name: str) -> InputError:
    """Return the error of a model that was asked before ``fit`` or ``restore``."""
    return InputError(
        f"the model {name!r} is not fitted: call fit(data), or load a snapshot, before asking it",
        code="not_fitted",
        field="model",
    )


def grown(n_items: int, codes: Codes) -> int:
    """Return the size of a catalogue of ``n_items`` after ``put_items`` of ``codes`` int32[m].

    Raises:
        ValueError: A code is negative, or the new codes do not follow on ``n_items - 1`` without a gap.

    Example:
        >>> import numpy as np
        >>> grown(3, np.array([4, 1, 3], np.int32))
        5
    """
    new = sorted({int(code) for code in codes if code >= n_items})
    if any(code < 0 for code in codes) or new != list(range(n_items, n_items + len(new))):
        raise ValueError(
            f"new items must get the codes {n_items}, {n_items + 1}, ...; got {new or list(codes)}"
        )
    return n_items + len(new)


def likes_of(histories: Histories, items: Codes, n_items: int) -> Histories:
    """Return the likes of some ``items`` int32[m] of ``n_items``, told by their places there.

    Example:
        >>> import numpy as np
        >>> likes_of(Histories.of([[7, 5, 9]]), np.array([5, 7]), 10).items.tolist()
        [1, 0]
    """
    place = np.full(n_items, -1, np.int32)
    place[items] = np.arange(len(items))
    liked = histories.liked()
    liked = liked.where(place[liked.items] >= 0)
    return liked.replace(items=place[liked.items])


def fading(histories: Histories, half_life: float) -> Floats:
    """Return what each event counts, float32[total]: 1 for a user's newest, half after ``half_life`` more.

    Example:
        >>> fading(Histories.of([[7, 5, 9], [4]]), 1.0).tolist()
        [0.25, 0.5, 1.0, 1.0]
    """
    later = histories.offsets[1:][histories.rows] - 1 - np.arange(len(histories.items))
    counts: Floats = np.exp2(-later / half_life).astype(np.float32)
    return counts


def unit_rows(rows: NDArray[np.floating]) -> Floats:
    """Return the rows at length 1; what is near 0 stays so."""
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    unit: Floats = (rows / lengths).astype(np.float32)
    return unit


def check_whole(name: str, given: object, low: int, high: int) -> int:
    """Return ``given`` as an int if it is a whole number in ``low..high``, and not a text that reads as one.

    Raises:
        InputError: It is not.

    Example:
        >>> check_whole("epochs", 3, 1, 100)
        3
    """
    if not is_number(given) or not float(given).is_integer():
        message = f"{name} must be a whole number, {low}..{high}, got {shown(given)}"
        raise InputError(message, code=f"{name}_out_of_range", field=name)
    return check_range(name, given, low, high)


def check_flag(name: str, given: object) -> None:
    """Raise InputError if ``given`` is neither true nor false."""
    if not isinstance(given, bool):
        raise InputError(f"{name} must be true or false, got {shown(given)}", field=name)


def check_choice(name: str, given: object, allowed: Collection[str], what: str = "") -> None:
    """Raise InputError if ``given`` is none of the ``allowed`` names of ``what``; names the nearest.

    Example:
        >>> check_choice("loss", "full", ["full", "sampled"])
    """
    if not isinstance(given, str) or given not in allowed:
        hint = nearest(str(given), allowed)
        raise InputError(f"no {what or name} {shown(given)}: {hint}", field=name)


def check_positive(name: str, given: float, *, zero: bool = False) -> float:
    """Return ``given`` as a float if it is a finite number above 0; with ``zero``, 0 is allowed as well.

    Raises:
        InputError: It is not.

    Example:
        >>> check_positive("l2", 3)
        3.0
    """
    if not is_number(given) or not (0 < given < np.inf or (zero and given == 0)):
        allowed = "0 or a positive number" if zero else "a positive number"
        raise InputError(f"{name} must be {allowed}, got {shown(given)}", field=name)
    return float(given)


def cosines(table: Floats, rows: NDArray[np.int64]) -> Floats:
    """Return the cosines of some ``rows`` int64[m] of ``table`` float32[n, d] with all: float32[m, n].

    Example:
        >>> import numpy as np
        >>> cosines(np.array([[3.0, 0.0], [0.0, 2.0], [0.0, 0.0]], np.float32), np.array([0])).tolist()
        [[1.0, 0.0, 0.0]]
    """
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), np.float32(1e-12))
    near: Floats = unit[rows] @ unit.T
    return near


def unknown(items: Codes, others: Codes | None, n_items: int) -> Floats:
    """Return the similarity of a model that knows no nearness: NaN, float32[m, w]."""
    return np.full((len(items), n_items if others is None else len(others)), np.nan, np.float32)


def times_had(items: Codes, history: Histories) -> NDArray[np.int64]:
    """Return how often the one user of ``history`` had each of ``items`` int32[k], int64[k].

    Example:
        >>> times_had(np.array([5, 9]), Histories.of([[5, 7, 5]])).tolist()
        [2, 0]
    """
    had = np.bincount(history.liked().items, minlength=int(items.max(initial=0)) + 1)
    return had[items].astype(np.int64)
