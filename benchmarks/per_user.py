"""What a run came to for each user, kept beside its results: differences of runs are made later, in pairs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def put(folder: Path, name: str, values: NDArray[np.float64]) -> None:
    """Keep ``values`` [m] of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{name}.npz", values=values.astype(np.float32))


def mean(folder: Path, names: Iterable[str]) -> NDArray[np.float64] | None:
    """Return the mean over runs, float64[m]; None if one of them was not kept."""
    files = [folder / f"{name}.npz" for name in names]
    if not files or not all(file.is_file() for file in files):
        return None
    parts = [np.load(file)["values"].astype(np.float64) for file in files]
    found: NDArray[np.float64] = np.mean(parts, axis=0)
    return found
