"""Unfinished work of a replay: models and traces as bytes, in a folder or only in memory."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import msgspec
import numpy as np
from numpy.typing import NDArray

from acclimate.durable import replace_file
from acclimate.types import Model, State

DOCUMENT = "document"


class Keeping:
    """Named states that outlive a kill, if there is a folder.

    Args:
        folder: Where they are kept; None keeps them in memory.
        key: What is kept under another key is not found.

    Example:
        >>> keeping = Keeping(None, key="stream 1")
        >>> keeping.put("counts", ({"n": np.arange(2)}, {"seconds": 0.5}))
        >>> arrays, document = keeping.get("counts")
        >>> arrays["n"].tolist(), document
        ([0, 1], {'seconds': 0.5})
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self.folder, self.key = folder, key
        self._memory: dict[str, bytes] = {}

    def put(self, name: str, state: State) -> None:
        """Keep a copy of ``state``; on the disk in full, or as it was before."""
        arrays, document = state
        buffer = io.BytesIO()
        about = {"key": self.key, "name": name, "document": document}
        told = np.frombuffer(msgspec.json.encode(about), np.uint8)
        named: dict[str, Any] = {f"array.{name}": array for name, array in arrays.items()} | {DOCUMENT: told}
        np.savez(buffer, **named)
        if self.folder is None:
            self._memory[name] = buffer.getvalue()
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(self._path(name), buffer.getvalue())

    def get(self, name: str) -> State | None:
        """Return a copy of what was put under ``name``, or None; what is damaged is as good as not there."""
        if self.folder is None:
            kept = self._memory.get(name)
        else:
            kept = self._path(name).read_bytes() if self._path(name).exists() else None
        if kept is None:
            return None
        try:
            with np.load(io.BytesIO(kept), allow_pickle=False) as file:
                arrays: dict[str, NDArray[Any]] = {
                    entry.removeprefix("array."): file[entry] for entry in file.files if entry != DOCUMENT
                }
                told = msgspec.json.decode(file[DOCUMENT].tobytes())
        except (OSError, EOFError, ValueError, KeyError, BadZipFile, zlib.error):
            return None
        same = told["key"] == self.key and told.get("name", name) == name
        return (arrays, told["document"]) if same else None

    def _path(self, name: str) -> Path:
        assert self.folder is not None
        safe = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
        return self.folder / f"{safe}.npz"


def joined(parts: Mapping[str, State]) -> State:
    """Return several states as one; `part_of` takes them apart."""
    arrays = {f"{name}.{key}": array for name, part in parts.items() for key, array in part[0].items()}
    return arrays, {name: document for name, (_, document) in parts.items()}


def part_of(state: State, name: str) -> State:
    """Return the state that was `joined` under ``name``."""
    arrays, document = state
    own = {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")}
    return own, document[name]


def state_of(model: Model) -> State:
    """Return the state of a model and of its encoder as one."""
    parts = {"model": model.state()}
    return joined(parts | {"encoder": model.encoder.state()} if model.encoder else parts)


def restore(model: Model, state: State) -> None:
    """Make ``model`` and its encoder what they were when `state_of` was asked."""
    if model.encoder:
        model.encoder.restore(part_of(state, "encoder"))
    model.restore(part_of(state, "model"))


def megabytes(model: Model) -> float:
    """Return how large the arrays of a model's state are, in MB."""
    return sum(array.nbytes for array in model.state()[0].values()) / 1e6
