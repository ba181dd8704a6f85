"""Where the curves of a fit go: TensorBoard, a table as CSV, or Weights & Biases."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from acclimate.errors import AcclimateError, InputError, MissingExtraError, nearest

TRACKING = ("tensorboard", "csv", "wandb", "none")
"""Where the loss and the figure of each epoch may go."""


def check_tracking(name: str) -> None:
    """Look whether a fit can be tracked so, before there is any work in it.

    Raises:
        InputError: There is no such tracking; names the nearest.
        MissingExtraError: The package wandb is not installed.

    Example:
        >>> check_tracking("csv")
    """
    if name not in TRACKING:
        hint = nearest(name, TRACKING)
        raise InputError(f"no tracking {name!r}: {hint}", code="bad_setting", field="train.tracking")
    if name == "wandb" and find_spec("wandb") is None:
        raise MissingExtraError(
            'train.tracking = "wandb" needs the package wandb: pip install "acclimate[wandb]"',
            field="train.tracking",
        )


def make_logger(tracking: str, folder: Path | None, name: str) -> Any:
    """Return a logger of Lightning that writes into ``folder / "logs"``; False for none.

    Args:
        tracking: One of `TRACKING`.
        folder: None keeps nothing.
        name: What is fitted.

    Raises:
        AcclimateError: W&B refuses, as where nobody is signed in; says what to do.
    """
    if folder is None or tracking == "none":
        return False
    from lightning.pytorch import loggers

    logs = folder / "logs"
    if tracking == "csv":
        return loggers.CSVLogger(logs, name=name)
    if tracking == "tensorboard":
        return loggers.TensorBoardLogger(logs, name=name)
    import wandb

    logs.mkdir(parents=True, exist_ok=True)
    logger = loggers.WandbLogger(name=name, project="acclimate", save_dir=logs)
    try:
        logger.experiment  # noqa: B018  it starts here, or fails here
    except wandb.errors.Error as error:
        raise AcclimateError(
            f"W&B cannot track this ({' '.join(str(error).split())[:200]}): sign in with wandb login, set "
            'WANDB_MODE=offline, or set train.tracking = "tensorboard"',
            code="tracking_failed",
            field="train.tracking",
        ) from error
    return logger
