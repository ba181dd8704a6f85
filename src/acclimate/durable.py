"""Files that are there in full after a crash, or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_file(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it; its name needs `sync` of the folder."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Make ``data`` the content of ``path`` at once: whoever reads finds the old or the new, whole.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     replace_file(Path(folder) / "note", b"old")
        ...     replace_file(Path(folder) / "note", b"new")
        ...     [(file.name, file.read_bytes()) for file in Path(folder).iterdir()]
        [('note', b'new')]
    """
    hidden = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        write_file(hidden, data)
        os.replace(hidden, path)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
