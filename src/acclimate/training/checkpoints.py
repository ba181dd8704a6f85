"""What a fit writes down after each epoch, and goes on from; slow to import."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import nn

from acclimate import __version__
from acclimate.durable import replace_file
from acclimate.errors import AcclimateError, machine_error
from acclimate.parallel import Processes
from acclimate.training import Recipe

FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
OLD = 30
LAST, BEST, DONE = "last.ckpt", "best.ckpt", "done.json"


def digest(name: str, key: str, recipe: Recipe) -> str:
    """Return the name of the folder of a fit; another version of Acclimate may fit otherwise."""
    told = hashlib.sha256(f"{__version__} {key} {recipe}".encode()).hexdigest()
    return f"{name}-{told[:16]}"


def unfinished(folder: Path, group: Processes, *, apart: bool) -> bool:
    """Return whether a fit was killed that can go on; all processes have to ask.

    What cannot be read is as if it were not there. Where each has checkpoints of its own in ``folder``
    (``apart``), all must be of the same epoch: a kill may have come between two writes.
    """
    here = _epoch(folder / LAST) if _epoch(folder / BEST) >= 0 else -1
    found = group.all_told(here)
    return found[0] >= 0 and (not apart or len(set(found)) == 1)


def finished(folder: Path, group: Processes, *, apart: bool) -> list[dict[str, float]] | None:
    """Return the curve of a fit that ended and was kept, None if there is none; all processes have to ask.

    Where each has its own rows (``apart``), all must have kept them.
    """
    found = group.all_told(_curve(folder))
    kept = found if apart else found[:1]
    return None if any(curve is None for curve in kept) else kept[0]


def _curve(folder: Path) -> list[dict[str, float]] | None:
    """Return what `keep` wrote; None if it is not there, or not what was written."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads((folder / DONE).read_bytes())
        with (folder / BEST).open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == told["sha256"]
        rows: list[dict[str, float]] = [dict(row) for row in told["curve"]]
        return rows if same and _epoch(folder / BEST) < len(rows) else None
    return None


def keep(folder: Path, curve: list[dict[str, float]]) -> None:
    """Keep the best weights of a fit that ended, for one who asks for the same; throw the rest away."""
    with (folder / BEST).open("rb") as file:
        told = {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "curve": curve}
    replace_file(folder / DONE, json.dumps(told).encode())  # NaN stays NaN
    (folder / LAST).unlink(missing_ok=True)


def forget_finished(folder: Path) -> None:
    """Throw away all fits in ``folder`` that ended, and those that nobody has gone on with for `OLD` days."""
    for file in [*folder.glob(f"*/**/{DONE}"), *folder.glob(f"*/**/{BEST}")]:
        with suppress(OSError):
            if file.name == DONE or time.time() - file.stat().st_mtime > OLD * 86_400:
                forget(file.parent, apart=file.parent.parent != folder)


@contextmanager
def written(folder: Path) -> Iterator[None]:
    """Say where a checkpoint could not be written, and what to do.

    Raises:
        AcclimateError: The disk is full, or a file may not grow as large.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        full = isinstance(error, OSError) and error.errno in FULL
        if not full and "inline_container" not in str(error):  # torch's own word for a file cut short
            raise
        why = machine_error(error) or "the disk or the memory is full"
        raise AcclimateError(
            f"{folder}: a checkpoint cannot be written, {why}: free some space and call it again; it goes on"
            " from the last whole one",
            code="checkpoint",
        ) from error


def forget(folder: Path, *, apart: bool) -> None:
    """Throw away what was written in ``folder``; with ``apart`` the last process takes what is around it."""
    shutil.rmtree(folder, ignore_errors=True)
    if apart:
        with suppress(OSError):  # others are still there
            folder.parent.rmdir()


def _epoch(file: Path) -> int:
    """Return the epoch that a checkpoint was written after, -1 if there is none that can be read."""
    try:
        return int(torch.load(file, map_location="cpu", weights_only=True, mmap=True)["epoch"])
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, UnpicklingError):
        return -1


def take_best(module: nn.Module, folder: Path) -> int:
    """Load the best weights into ``module`` and return how many epochs they have seen."""
    best = torch.load(folder / BEST, map_location="cpu", weights_only=True, mmap=True)
    weights = best["state_dict"]
    prefix = "mean.module." if any(name.startswith("mean.") for name in weights) else "module."
    chosen = {name[len(prefix) :]: value for name, value in weights.items() if name.startswith(prefix)}
    module.cpu().load_state_dict(chosen)
    return int(best["epoch"]) + 1


class Stop(EarlyStopping):  # type: ignore[misc]
    """Stops when the figure no longer improves, but not before ``settled`` steps."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__("figure", mode="max", patience=recipe.patience, check_on_train_epoch_end=True)
        self.settled = recipe.settled

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the figure; while it is early, do not count that it was no better."""
        if trainer.global_step <= self.settled:
            self.wait_count = -1  # what is no better raises it to 0, below any patience
        super().on_train_epoch_end(trainer, pl_module)


def callbacks(folder: Path, recipe: Recipe, *, measured: bool, kept: bool) -> list[Any]:
    """Return what stops a fit if it is ``measured``, and what writes it down if it is ``kept``.

    Written are the best weights, and after each epoch where it stands: ``save_last`` would write that only
    where it became better.
    """
    each: dict[str, Any] = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    best = ModelCheckpoint(
        folder, filename="best", monitor="figure" if measured else None, mode="max", **each
    )
    last = ModelCheckpoint(folder, filename="last", **each, every_n_epochs=1)
    return [*([Stop(recipe)] if measured else []), *([best, last] if kept else [])]
