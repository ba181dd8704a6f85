"""What can go wrong for a user, each with a message that says what to do."""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Iterable
from numbers import Real
from typing import TypeGuard

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,29})")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
"""How libraries written in Rust end the message of an error of the operating system."""
_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the share of the disk is used up",
    errno.EROFS: "the disk can only be read",
}
_SQLITE = {3: "", 8: "", 10: "", 13: "the disk is full", 14: ""}
"""Result codes of SQLite that the machine is to blame for, and what they say in plain words."""


class AcclimateError(Exception):
    """Something a user can mend. The message says what was given, what is allowed, what to do.

    Args:
        message: One or two sentences for a person.
        code: A short snake_case name for programs, as in ``k_out_of_range``.
        field: The argument, key or column at fault, if one is.
    """

    exit_code = 1
    default_code = "failed"

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.field = field


class InputError(AcclimateError):
    """The call or the input is wrong; trying again with the same input fails again."""

    exit_code = 2
    default_code = "bad_input"


class NotFoundError(InputError):
    """A named thing (item, snapshot, data set, model) does not exist."""

    default_code = "not_found"


class ConflictError(InputError):
    """The same name was used before for something else."""

    default_code = "conflict"


class MissingExtraError(InputError):
    """An optional package is not installed; the message names the command that installs it."""

    default_code = "missing_extra"


class BusyError(AcclimateError):
    """A resource (a port, the log's writer lock) is held by another process."""

    default_code = "busy"


class CorruptError(AcclimateError):
    """A file of ours is incomplete or altered; nothing was read from it."""

    default_code = "corrupt"


def nearest(given: str, allowed: Iterable[str]) -> str:
    """Return a hint, to stand behind a colon: the nearest allowed word, and all of them.

    Example:
        >>> nearest("popularty", ["popularity", "ease"])
        "did you mean 'popularity'? Allowed: ease, popularity"
        >>> nearest("foo", ["popularity", "ease"])
        'allowed are ease, popularity'
    """
    names = sorted(allowed)
    close = difflib.get_close_matches(given, names, n=1)
    listed = ", ".join(names)
    if close:
        return f"did you mean '{close[0]}'? Allowed: {listed}"
    return f"allowed {'is' if len(names) == 1 else 'are'} {listed}"


SEEDS = 2**32 - 1
"""The highest seed; the lowest is 0."""


def is_number(given: object) -> TypeGuard[float]:
    """Return whether ``given`` is a number: neither a text such as "3" nor true or false.

    Example:
        >>> is_number(3), is_number("3"), is_number(True)
        (True, False, False)
    """
    return isinstance(given, Real) and not isinstance(given, bool)


def shown(given: object) -> str:
    """Return what was given, for a message: a number as it is, anything else so that it shows what it is.

    Example:
        >>> shown(0.5), shown("0.5")
        ('0.5', "'0.5'")
    """
    return str(given) if is_number(given) else repr(given)[:80]


def check_range(name: str, given: object, low: int, high: int) -> int:
    """Return ``given`` as an int if it is a whole number in ``low..high``, else raise InputError.

    Example:
        >>> check_range("k", 10, 1, 1000), check_range("k", "10", 1, 1000)
        (10, 10)
    """
    whole = not isinstance(given, bool) and _WHOLE.fullmatch(str(given)) is not None
    number = int(str(given)) if whole else None
    if number is None or not low <= number <= high:
        shown = repr(given) if isinstance(given, str) and not whole else str(given)
        message = f"{name} must be {low}..{high}, got {shown[:80]}"
        raise InputError(message, code=f"{name}_out_of_range", field=name)
    return number


def machine_error(error: BaseException) -> str | None:
    """Return what the operating system said, if ``error`` or what it was raised from tells of that.

    Libraries wrap it: Polars in a ComputeError, optuna in an error of its storage.

    Example:
        >>> machine_error(OSError(errno.ENOSPC, "No space left on device"))
        'the disk is full: No space left on device'
        >>> machine_error(RuntimeError("parquet: underlying IO error: Permission denied (os error 13)"))
        'Permission denied'
        >>> machine_error(KeyError("oops"))
    """
    at: BaseException | None = error
    while at is not None:
        plain, words = "", ""
        if isinstance(at, OSError) and at.strerror:
            plain, words = _DISK.get(at.errno or 0, ""), at.strerror
        elif (code := getattr(at, "sqlite_errorcode", 0) & 0xFF) in _SQLITE:
            plain, words = _SQLITE[code], str(at)
        elif found := _OS_ERROR.search(str(at)):
            plain, words = _DISK.get(int(found[1]), ""), os.strerror(int(found[1]))
        if words:
            return f"{plain}: {words}" if plain else words
        at = at.__cause__
    return None
