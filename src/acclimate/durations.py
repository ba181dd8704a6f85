"""Lengths and points of time, as people write them."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from acclimate.errors import InputError
from acclimate.words import counted

UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}


def seconds(text: str, field: str) -> float:
    """Return the seconds of ``"90"``, ``"90s"``, ``"15m"``, ``"12h"``, ``"7d"`` or ``"2w"``.

    Raises:
        InputError: It is none of these.

    Example:
        >>> seconds("7d", "window"), seconds("0.5", "delay")
        (604800.0, 0.5)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", text.strip())
    if not match:
        raise InputError(
            f"{field} must be a length of time such as 90s, 15m, 12h, 7d or 2w, got {text!r}", field=field
        )
    return float(match.group(1)) * UNITS[match.group(2) or "s"]


def lasting(seconds: float) -> str:
    """Return a length of time in the largest unit of which it is a whole number.

    Example:
        >>> [lasting(length) for length in (86_400.0, 1_209_600.0, 5_400.0, 90.0, 0.5)]
        ['1 day', '2 weeks', '90 minutes', '90 seconds', '0.5 seconds']
    """
    for name, length in (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds and seconds % length == 0:
            return counted(int(seconds // length), name)
    return f"{seconds:g} seconds"


def again_after(repeat: str) -> float:
    """Return the seconds after which an item may come again: 0 for ``"always"``.

    It is infinite for ``"never"``, and for ``"auto"`` where nothing else is known.

    Raises:
        InputError: It is neither of them, nor a length of time.

    Example:
        >>> again_after("never"), again_after("always"), again_after("1d")
        (inf, 0.0, 86400.0)
    """
    named = {"auto": math.inf, "never": math.inf, "always": 0.0}
    if repeat in named:
        return named[repeat]
    try:
        return seconds(repeat, "repeat.default")
    except InputError as error:
        raise InputError(
            f"repeat.default must be auto, never, always or a length of time such as 7d, got {repeat!r}",
            code="bad_setting",
            field="repeat.default",
        ) from error


def moment(text: str, field: str) -> float:
    """Return the seconds since 1970 UTC that ``text`` names: a number, a date, or a date with a time.

    A date and time without a zone is UTC.

    Raises:
        InputError: It is none of these.

    Example:
        >>> [moment(text, "start") for text in ("1970-01-02", "1970-01-01T01:00:00+01:00", "12.5")]
        [86400.0, 0.0, 12.5]
    """
    try:
        value = float(text)
    except ValueError:
        try:
            at = datetime.fromisoformat(text.strip())
        except ValueError as error:
            raise InputError(
                f"{field} must be a date such as 2026-11-01, a time such as 2026-11-01T12:00, "
                f"or seconds since 1970, got {text!r}",
                field=field,
            ) from error
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(value):
        raise InputError(f"{field} must be a finite number of seconds, got {text!r}", field=field)
    return value


def written(seconds: float) -> str:
    """Return the day and minute in UTC of seconds since 1970; the number itself where there is no such day.

    Example:
        >>> written(973036800.0), written(1e300)
        ('2000-11-01 00:00', '1e+300')
    """
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"
