"""What the learner knows beside a snapshot: one file each, whole or not there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from acclimate.durable import replace_file
from acclimate.errors import AcclimateError, CorruptError, machine_error
from acclimate.types import State

HASH = 64
"""Characters of the sha256 that the file begins with."""


class Beside:
    """Files named by the id of a snapshot.

    Args:
        folder: Where they lie; made when the first one is written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     beside = Beside(Path(folder))
        ...     beside.put("0" * 16, ({"counts": np.arange(3)}, {"round": 4}))
        ...     beside.get("0" * 16)[1], beside.get("1" * 16)
        ({'round': 4}, None)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, state: State) -> None:
        """Keep ``state`` under ``name``, in place of what was there.

        Raises:
            AcclimateError: The disk is full, or the folder cannot be written.
        """
        from safetensors.numpy import save

        arrays = {key: np.array(array, order="C") for key, array in state[0].items()}
        told = {"document": msgspec.json.encode(state[1]).decode()}
        data = bytes(save(arrays, metadata=told))
        with self._told():
            replace_file(self.folder / name, hashlib.sha256(data).hexdigest().encode() + data)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Make the folder, and say in our words that it cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            raise AcclimateError(
                f"cannot write what was learned to {self.folder}: {machine_error(error) or error}",
                code="not_writable",
            ) from error

    def get(self, name: str) -> State | None:
        """Return what is kept under ``name``; None if nothing is.

        Raises:
            CorruptError: The file is damaged; says what to do.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = self.folder / name
        try:
            whole = path.read_bytes()
            data = whole[HASH:]
            if hashlib.sha256(data).hexdigest().encode() != whole[:HASH]:
                raise ValueError("its bytes are not those that were written")
            size = int.from_bytes(data[:8], "little")
            header: dict[str, Any] = msgspec.json.decode(data[8 : 8 + size])
            document: dict[str, Any] = msgspec.json.decode(header["__metadata__"]["document"])
            return dict(load(data)), document
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise CorruptError(
                f"{path} is damaged ({machine_error(error) or error}): delete it, and the learner begins "
                f"anew from snapshot {name}"
            ) from error

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
            replace_file(self.folder / "CURRENT", f"{name}\n".encode())

    def forget(self, keep: set[str]) -> None:
        """Delete all files but those named in ``keep``."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if len(path.name) == 16 and path.name not in keep:
                path.unlink(missing_ok=True)
