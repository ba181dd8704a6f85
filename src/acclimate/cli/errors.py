"""What a person sees when something went wrong: one line, an exit status, never a traceback.

0 is done, 1 the job failed, 2 the call or the input is wrong, 130 stopped by Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from typer.exceptions import TyperException

from acclimate.cli.output import Output
from acclimate.errors import AcclimateError, machine_error
from acclimate.parallel import processes

INTERRUPTED = 130
TERMINATED = 143


class Terminated(Exception):
    """A SIGTERM came, and all was cleaned up."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in words: the message, a code for programs, the argument at fault, the exit status."""

    message: str
    code: str
    field: str | None
    exit_code: int


def describe(error: BaseException) -> Failure:
    """Return what to tell about ``error``.

    Example:
        >>> from acclimate.errors import InputError
        >>> describe(InputError("k must be 1..1000, got 0", code="k_out_of_range", field="k")).exit_code
        2
        >>> describe(KeyError("oops")).message
        "KeyError: 'oops'. This is a bug in Acclimate: set ACCLIMATE_DEBUG=1 for the traceback"
    """
    match error:
        case AcclimateError():
            return Failure(error.message, error.code, error.field, error.exit_code)
        case TyperException():
            message = error.format_message() or "name a command, or --help"
            message = re.sub(r"Input should be a valid integer\b.*", "must be a whole number", message)
            message = re.sub(r"Input should be a valid number\b.*", "must be a number", message)
            return Failure(message, "usage", None, error.exit_code)
        case KeyboardInterrupt():
            return Failure("stopped by Ctrl-C", "interrupted", None, INTERRUPTED)
        case Terminated():
            return Failure("stopped by SIGTERM", "terminated", None, TERMINATED)
        case OSError() if error.strerror:
            where = f"{error.filename}: " if error.filename is not None else ""
            return Failure(f"{where}{machine_error(error)}", "system", None, 1)
        case MemoryError():
            return Failure("out of memory: close other programs, or use less data", "out_of_memory", None, 1)
    if words := machine_error(error):
        return Failure(words, "system", None, 1)
    name, text = type(error).__name__, " ".join(str(error).split())[:500]
    bug = "This is a bug in Acclimate: set ACCLIMATE_DEBUG=1 for the traceback"
    return Failure(f"{name}: {text}. {bug}" if text else f"{name}. {bug}", "internal", None, 1)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, with all its clean-up, and come out as `Terminated`.

    Only the main thread hears signals; in another one the block runs as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = False

    def stop(*_: object) -> None:
        nonlocal came
        came = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except BaseException as error:
        if came:
            raise Terminated from error
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    if came:  # the command line has made a status of the interrupt
        raise Terminated


def report(error: BaseException, as_json: bool) -> int:
    """Tell about ``error`` on stderr, and on stdout under ``--json``; return the exit status."""
    failure, group = describe(error), processes()
    out = Output(as_json and group.first)
    if not group.first:
        if failure.code != "internal":
            return failure.exit_code  # the first process says the same
        out.note(f"process {group.mine + 1} of {group.count}:")
    if os.environ.get("ACCLIMATE_DEBUG"):
        traceback.print_exception(error)
    out.notes.print("[bold red]error:[/]", end=" ")
    out.notes.print(failure.message, markup=False, highlight=False, soft_wrap=True)
    context = getattr(error, "ctx", None)
    if context is not None:
        out.note(f"try: {context.command_path} --help")
    out.document({"error": {"code": failure.code, "message": failure.message, "field": failure.field}})
    return failure.exit_code
