"""Rows that a program gives: checked a column at a time, told by the row that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import InputError, is_number, shown

LATEST = 1e11
"""Seconds; a time of the year 5138, and what is above is of another unit."""
_WANTED = "(user_id, item_id, time), as in ('ann', 'heat', 1700000000.0)"


def columns_of(rows: Iterable[Sequence[Any]]) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Return user ids, item ids and times float64[n] of (user_id, item_id, time) rows, as they stand.

    Raises:
        InputError: A row is none, an id is no text or empty, or a time is no number of seconds; names the
            row.

    Example:
        >>> columns_of([("ann", "heat", 1), ("bob", "heat", 2.5)])
        (['ann', 'bob'], ['heat', 'heat'], array([1. , 2.5]))
    """
    try:
        rows = list(rows)
    except TypeError as error:
        raise InputError(f"rows must be a list of {_WANTED}, got {shown(rows)}", field="rows") from error
    try:
        fit = set(map(len, rows)) <= {3}
        columns = [[row[at] for row in rows] for at in range(3)] if fit else []
    except (TypeError, KeyError):
        columns = []
    if not columns:
        at = next(at for at, row in enumerate(rows) if not _is_row(row))
        raise _unfit(at, "", _WANTED, rows[at])
    for name, column in zip(("user_id", "item_id"), columns, strict=False):
        _check_ids(name, column)
    return columns[0], columns[1], _times(columns[2])


def _is_row(row: Any) -> bool:
    try:
        return len(row) == 3 and len([row[at] for at in range(3)]) == 3
    except (TypeError, KeyError):
        return False


def _check_ids(name: str, ids: list[Any]) -> None:
    kinds = set(map(type, ids))
    if not all(issubclass(kind, str) for kind in kinds) or "" in ids:
        at = next(at for at, each in enumerate(ids) if not isinstance(each, str) or not each)
        hint = f": give str({ids[at]})" if is_number(ids[at]) else ""
        raise _unfit(at, name, "a text that is not empty", ids[at], hint)


def _times(times: list[Any]) -> NDArray[np.float64]:
    kinds = set(map(type, times))
    if any(issubclass(kind, bool) or not issubclass(kind, Real) for kind in kinds):
        at = next(at for at, each in enumerate(times) if not is_number(each))
        hint = ": give its timestamp()" if hasattr(times[at], "timestamp") else ""
        raise _unfit(at, "time", "a number of seconds since 1970", times[at], hint)
    try:
        seconds = np.array(times, np.float64)
    except OverflowError:  # a whole number above 1.8e308
        seconds = np.array([min(max(time, -2 * LATEST), 2 * LATEST) for time in times], np.float64)
    wrong = ~(np.abs(seconds) <= LATEST)
    if wrong.any():
        at = int(wrong.argmax())
        milli = LATEST < abs(times[at]) <= 1000 * LATEST
        hint = ": divide by 1000 if it is in milliseconds" if milli else ""
        raise _unfit(at, "time", f"seconds since 1970, up to {LATEST:g}", times[at], hint)
    return seconds


def _unfit(at: int, name: str, wanted: str, given: Any, hint: str = "") -> InputError:
    which = f"{name} of rows[{at}]" if name else f"rows[{at}]"
    return InputError(f"{which} must be {wanted}, got {shown(given)}{hint}", field=f"rows[{at}]")
