"""Versions of a folder: complete or not there, whenever the power goes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from acclimate.durable import replace_file, sync
from acclimate.errors import CorruptError
from acclimate.locks import lock

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

    def lock(self) -> AbstractContextManager[None]:
        """Be the only one who writes here; see `acclimate.locks.lock`."""
        return lock(self.folder / ".lock", what=f"importing into {self.folder}")

    def publish(self, fill: Callable[[Path], None]) -> Path:
        """Let ``fill`` write files into an empty folder and make it the current one; needs the lock."""
        old = self.current
        self._sweep(keep={old.name} if old else set())
        number = int(old.name[1:]) + 1 if old else 1
        temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=".new-"))
        try:
            fill(temporary)
            for file in temporary.iterdir():
                sync(file)
            sync(temporary)
            new = self.folder / f"v{number}"
            temporary.rename(new)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync(self.folder)
        replace_file(self.folder / _CURRENT, new.name.encode())
        self._sweep(keep={new.name, *([old.name] if old else [])})
        return new

    def _sweep(self, keep: set[str]) -> None:
        """Delete what a killed writer left, and old versions."""
        for path in self.folder.iterdir():
            if path.is_dir() and path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)
            elif path.name.startswith(f".{_CURRENT}-"):
                path.unlink(missing_ok=True)
