"""What a fit writes down after each epoch, and goes on from."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.parallel import Processes

if TYPE_CHECKING:
    from torch import nn

    from acclimate.training import Recipe

LAST, BEST = "last.ckpt", "best.ckpt"


def digest(name: str, key: str, recipe: Recipe) -> str:
    """Return the name of the folder of a fit."""
    told = hashlib.sha256(f"{key} {recipe}".encode()).hexdigest()
    return f"{name}-{told[:16]}"


def unfinished(folder: Path, group: Processes, *, apart: bool) -> bool:
    """Return whether a fit was killed that can go on; all processes have to ask.

    Where each has checkpoints of its own in ``folder`` (``apart``), all must be of the same epoch: a kill may
    have come between two writes.
    """
    if not apart:
        return bool(group.told((folder / LAST).exists()))
    found = group.all_told(_epoch(folder / LAST))
    return found[0] >= 0 and len(set(found)) == 1


def forget(folder: Path, *, apart: bool) -> None:
    """Throw away what was written in ``folder``; with ``apart`` the last process takes what is around it."""
    shutil.rmtree(folder, ignore_errors=True)
    if apart:
        with suppress(OSError):  # others are still there
            folder.parent.rmdir()


def _epoch(file: Path) -> int:
    """Return the epoch that a checkpoint was written after, -1 if there is none that can be read."""
    import torch

    try:
        return int(torch.load(file, map_location="cpu", weights_only=True)["epoch"])
    except (OSError, RuntimeError, EOFError, KeyError, ValueError):
        return -1


def take_best(module: nn.Module, folder: Path) -> int:
    """Load the best weights into ``module`` and return how many epochs they have seen."""
    import torch

    best = torch.load(folder / BEST, map_location="cpu", weights_only=True, mmap=True)
    weights = best["state_dict"]
    prefix = "mean.module." if any(name.startswith("mean.") for name in weights) else "module."
    chosen = {name[len(prefix) :]: value for name, value in weights.items() if name.startswith(prefix)}
    module.cpu().load_state_dict(chosen)
    return int(best["epoch"]) + 1


def callbacks(folder: Path, recipe: Recipe, *, measured: bool, kept: bool) -> list[Any]:
    """Return what stops a fit if it is ``measured``, and what writes it down if it is ``kept``."""
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

    class Stop(EarlyStopping):  # type: ignore[misc]
        def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            if trainer.global_step <= recipe.settled:
                self.wait_count = -1  # what is no better raises it to 0, below any patience
            super().on_train_epoch_end(trainer, pl_module)

    stop = Stop("figure", mode="max", patience=recipe.patience, check_on_train_epoch_end=True)
    keep = ModelCheckpoint(
        folder,
        filename="best",
        monitor="figure" if measured else None,
        mode="max",
        save_last=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    return [*([stop] if measured else []), *([keep] if kept else [])]
