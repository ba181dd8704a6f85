"""One process at a time: who else comes is told who is there, since when, and what to do."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from acclimate.errors import BusyError, InputError, machine_error


@contextmanager
def lock(path: Path, *, what: str) -> Iterator[None]:
    """Hold ``path``, a file that is made for this alone, until the block ends; never wait for it.

    The kernel lets go when the process ends, however it does, so a killed one leaves nothing to clean up.
    The file stays, and holds the process id and the start while it is held: only the lock on it counts.

    Args:
        path: The lock file; made, with its folder, if it is not there.
        what: What is going on, for who is refused: ``"importing into ./acclimate/data"``.

    Raises:
        BusyError: It is held, by another process or by this one; names it and since when.
        InputError: The file cannot be made.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, lock(Path(folder, ".lock"), what="counting sheep"):
        ...     try:
        ...         with lock(Path(folder, ".lock"), what="counting sheep"):
        ...             pass
        ...     except BusyError as error:
        ...         print(error.message.split(",")[0])
        this process is counting sheep already
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise InputError(f"cannot write {path}: {machine_error(error) or error}", field="home") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(
                f"{_holder(file, what)}: wait until it ends, stop it, or use another --home", field="home"
            ) from error
        except OSError as error:
            raise InputError(f"cannot lock {path}: {error.strerror}", field="home") from error
        try:
            _sign(file, f"{os.getpid()} {time.time():.0f}\n")
            yield
        finally:
            _sign(file, "")
            fcntl.flock(file, fcntl.LOCK_UN)  # closing is not enough: a forked child may have the file too


def _sign(file: IO[bytes], text: str) -> None:
    """Make ``text`` the content; on a full disk the lock holds all the same, only without a name."""
    with suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), text.encode())


def _holder(file: IO[bytes], what: str) -> str:
    """Say who does it, and since when if the file tells."""
    file.seek(0)
    signed = re.fullmatch(rb"(\d{1,9}) (\d{1,11})\n", file.read(100))
    if not signed:
        return f"another process is {what}"
    pid, start = map(int, signed.groups())
    if pid == os.getpid():
        return f"this process is {what} already, since {_clock(start)}"
    return f"process {pid} is {what}, since {_clock(start)}"


def _clock(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
