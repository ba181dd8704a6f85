"""Versions of a folder: complete or not there, whenever the power goes."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from acclimate.errors import BusyError, CorruptError, InputError

_CURRENT = "CURRENT"


def again(folder: Path) -> str:
    """Return what to do about a damaged folder, which an import would have to read first."""
    return f"move {folder} away and import the data again"


class Versions:
    """Numbered folders ``v1``, ``v2``, ... and a file ``CURRENT`` that names the one that counts.

    A new one is written under another name, made durable, renamed, and only then named in ``CURRENT``, which
    is replaced at once. The current and the one before it are kept, so that a reader is never cut off.

    Args:
        folder: Made by the first `lock`.

    Example:
        >>> versions = Versions(Path(tempfile.mkdtemp()))
        >>> with versions.lock():
        ...     _ = versions.publish(lambda new: (new / "note").touch())
        >>> versions.current.name, [file.name for file in versions.current.iterdir()]
        ('v1', ['note'])
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def current(self) -> Path | None:
        """The folder that counts, or None if there is none yet.

        Raises:
            CorruptError: ``CURRENT`` names a folder that is not there.
        """
        try:
            name = (self.folder / _CURRENT).read_text("utf-8").strip()
        except FileNotFoundError:
            return None
        path = self.folder / name
        if not name or not path.is_dir():
            raise CorruptError(
                f"{self.folder / _CURRENT} names {name!r}, which is not there; {again(self.folder)}"
            )
        return path

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one who writes here.

        Raises:
            BusyError: Another process is.
            InputError: The folder cannot be made or written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / ".lock").open("ab")
        except OSError as error:
            raise InputError(f"cannot write {self.folder}: {error.strerror}", field="home") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BusyError(
                    f"another process imports into {self.folder}; wait for it", field="home"
                ) from error
            yield

    def publish(self, fill: Callable[[Path], None]) -> Path:
        """Let ``fill`` write files into an empty folder and make it the current one; needs the lock."""
        old = self.current
        self._sweep(keep={old.name} if old else set())
        number = int(old.name[1:]) + 1 if old else 1
        temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=".new-"))
        try:
            fill(temporary)
            for file in temporary.iterdir():
                _sync(file)
            _sync(temporary)
            new = self.folder / f"v{number}"
            temporary.rename(new)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        pointer = self.folder / f".{_CURRENT}"
        pointer.write_text(new.name, "utf-8")
        _sync(pointer)
        _sync(self.folder)
        os.replace(pointer, self.folder / _CURRENT)
        _sync(self.folder)
        self._sweep(keep={new.name, *([old.name] if old else [])})
        return new

    def _sweep(self, keep: set[str]) -> None:
        """Delete what a killed writer left, and old versions."""
        for path in self.folder.iterdir():
            if path.is_dir() and path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
