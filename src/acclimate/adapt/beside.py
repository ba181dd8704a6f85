"""What the learner knows beside a snapshot: one file each, whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from acclimate.durable import replace_file
from acclimate.errors import AcclimateError, CorruptError, machine_error
from acclimate.evaluate.keeping import Keeping
from acclimate.types import State


class Beside:
    """Files named by the id of a snapshot.

    Args:
        folder: Where they lie; made when the first one is written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     beside = Beside(Path(folder))
        ...     beside.put("0" * 16, ({}, {"round": 4}))
        ...     beside.get("0" * 16), beside.get("1" * 16)
        (({}, {'round': 4}), None)
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._kept = folder, Keeping(folder, "learner")

    def put(self, name: str, state: State) -> None:
        """Keep ``state`` under ``name``, in place of what was there.

        Raises:
            AcclimateError: The disk is full, or the folder cannot be written.
        """
        with self._told():
            self._kept.put(name, state)

    def get(self, name: str) -> State | None:
        """Return what is kept under ``name``; None if nothing is.

        Raises:
            CorruptError: The file is damaged; says what to do.
        """
        path = self.folder / f"{name}.npz"
        try:
            found = self._kept.get(name)
        except OSError as error:
            raise CorruptError(f"{path} cannot be read: {machine_error(error) or error}") from error
        if found is None and path.exists():
            raise CorruptError(
                f"{path} is damaged: delete it, and the learner begins anew from snapshot {name}"
            )
        return found

    @property
    def current(self) -> str | None:
        """The snapshot that was current when it was last set; None if it never was."""
        try:
            return (self.folder / "CURRENT").read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None

    @current.setter
    def current(self, name: str) -> None:
        with self._told():
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(self.folder / "CURRENT", f"{name}\n".encode())

    @property
    def candidate(self) -> str | None:
        """The snapshot of a full fit that the gate has yet to judge; None if there is none."""
        try:
            return (self.folder / "CANDIDATE").read_text("utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            return None

    @candidate.setter
    def candidate(self, name: str | None) -> None:
        with self._told():
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(self.folder / "CANDIDATE", f"{name or ''}\n".encode())

    def forget(self, keep: set[str]) -> None:
        """Delete all files but those named in ``keep``."""
        for path in self.folder.glob("*.npz"):
            if path.stem not in keep:
                path.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in our words that the folder cannot be written."""
        try:
            yield
        except OSError as error:
            raise AcclimateError(
                f"cannot write what was learned to {self.folder}: {machine_error(error) or error}",
                code="not_writable",
            ) from error
