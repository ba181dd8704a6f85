"""The one loop that fits a neural model; only this room, and `tracking` for its loggers, knows Lightning.

A model is a plain ``nn.Module`` with ``loss(batch)``. Early stopping watches a figure that the caller
measures after each epoch; the best weights win. With a folder, each epoch is written down, and a fit that
was killed goes on where it stopped and ends as if nothing had happened: the order of the batches and the
dropout of an epoch depend on (seed, epoch) alone.

Under ``torchrun`` several processes fit a module that can part its batches, see `acclimate.parallel`; other
modules each process fits alike. A module may ask that some of its weights are held apart: each process has
rows of its own of them (`Apart`), and its own checkpoints.
"""

from __future__ import annotations

import logging
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from acclimate.devices import fitting_device
from acclimate.errors import AcclimateError
from acclimate.parallel import Processes, processes
from acclimate.progress import counting
from acclimate.tracking import check_tracking, make_logger

if TYPE_CHECKING:
    import torch
    from lightning.pytorch import Trainer
    from torch import Tensor, nn

    from acclimate.training.loop import Loop


class GivenUp(Exception):
    """Raised by `Training.watch`: the fit ends for good, and leaves no checkpoint."""


@dataclass(frozen=True, slots=True)
class Training:
    """Where and how a fit runs, apart from what it fits.

    Args:
        folder: Checkpoints and ``logs`` go here; None keeps nothing.
        device: As in `acclimate.devices.choose_device`; what is no GPU of CUDA's fits on the CPU.
        progress: Whether to show a progress bar.
        resume: Go on with a killed fit of the same thing if ``folder`` has one.
        tracking: A name of `acclimate.tracking.TRACKING`: what is written into ``folder/logs``. W&B takes
            its account, and whether it is offline, from its own environment variables.
        watch: Hears of each epoch, 0 first, and of its figure, NaN if none is measured; may raise `GivenUp`,
            which after the last epoch changes nothing.
            A fit that goes on tells of the epochs before, too.
        item_rows: One of `acclimate.parallel.ITEM_ROWS`: whether each of several processes holds all item
            vectors (``"whole"``) or some of them (``"apart"``); ``"auto"``: apart where all would not fit.
        keep: Keep the weights of fits that ended as well, so that the same fit costs nothing until
            `forget_finished`: work of many fits that is killed loses none of them.
    """

    folder: Path | None = None
    device: str = "auto"
    progress: bool = False
    resume: bool = True
    tracking: str = "tensorboard"
    watch: Callable[[int, float], None] | None = None
    item_rows: str = "auto"
    keep: bool = False

    def forget_finished(self) -> None:
        """Throw away what ``keep`` has kept, and fits that were stopped long ago and not gone on with."""
        from acclimate.training import checkpoints

        if self.folder:
            checkpoints.forget_finished(self.folder)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast to learn.

    Args:
        epochs: Passes over the data at most.
        learning_rate: After a linear warm-up over the first ``warmup`` steps.
        weight_decay: For matrices; vectors and scalars are free of it. AdamW's is decoupled, others' is L2.
        warmup: Steps.
        patience: Stop after so many epochs without a better figure.
        settled: Steps before patience counts: what is measured at the start may fall before it rises, and an
            epoch of little data is a few steps. The best weights are kept from the start on.
        clip: Largest norm of the gradient.
        seed: Decides order, dropout and start.
        optimiser: ``"rowwise-adagrad"``, ``"muon"``, or a class of ``torch.optim`` in any case.
        schedule: A key of `acclimate.optimisers.SCHEDULES`: how the learning rate falls over the epochs.
        averaging: Share of the running mean of the weights that stays at each step, 0 for no mean; 0.999
            averages over some thousand steps. The mean is what is measured and kept.
        l1: Weight of the sum of all weights' magnitudes in the loss.
    """

    epochs: int
    learning_rate: float
    weight_decay: float = 0.01
    warmup: int = 20
    patience: int = 5
    settled: int = 0
    clip: float = 1.0
    seed: int = 0
    optimiser: str = "adamw"
    schedule: str = "constant"
    averaging: float = 0.0
    l1: float = 0.0


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit came to.

    Args:
        epochs: Passes that the kept weights have seen.
        figure: What was measured with them; NaN if nothing was.
        resumed: Whether it went on with a fit that was killed.
        curve: One row for each epoch, with ``epoch``, ``loss``, ``figure``, ``seconds`` and ``cpu_seconds``.
    """

    epochs: int
    figure: float
    resumed: bool
    curve: list[dict[str, float]]


@runtime_checkable
class Apart(Protocol):
    """A module that may hold rows of some weights apart, in each process others."""

    @property
    def apart(self) -> list[Tensor]:
        """The weights of which this process has its rows alone; none if each holds all."""

    def part_rows(self, group: Processes) -> bool:
        """Keep the rows of this process alone and return True, if the module shall; else return False."""

    def look_whole(self) -> None:
        """Let the first process have all rows, until the next step; all have to call it."""

    def join_rows(self) -> None:
        """Let all processes have all rows again; all have to call it."""


Batches = Callable[[int], Iterable[Any]]
"""Epoch number -> the batches of that epoch."""


def fit(
    module: nn.Module,
    batches: Batches,
    recipe: Recipe,
    training: Training,
    *,
    figure: Callable[[], float] | None = None,
    name: str = "model",
    key: str = "",
) -> Fitted:
    """Fit ``module`` in place and leave it with its best weights, in eval mode.

    Args:
        module: Has ``loss(batch)``, a scalar tensor. To be fitted by several processes, also
            ``part(batch, mine, count)``: what one of ``count`` takes of a batch, and its weight; the loss is
            the sum of those of the parts by their weights.
        batches: Called with the epoch, 0 first; batches are tensors, or tuples of them.
        recipe: How long and how fast.
        training: Where and how.
        figure: Measured after each epoch, higher is better; None runs all epochs and keeps the last weights.
        name: What the progress bar says.
        key: Names what is fitted (data, arguments): only a fit of the same key and recipe is resumed.

    Raises:
        AcclimateError: The loss is not finite; says in which epoch and what to try.
        InputError: There is no such tracking, or its package is missing.
        GivenUp: What watches it raised that.
    """
    from acclimate.training import checkpoints, loop

    check_tracking(training.tracking)
    group = processes()
    group.connect()
    apart = group.count > 1 and isinstance(module, Apart) and module.part_rows(group)
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        folder = (training.folder or Path(scratch)) / checkpoints.digest(name, key, recipe)
        if apart:
            folder /= f"{group.mine}-of-{group.count}"
        curve = checkpoints.finished(folder, group, apart=apart) if training.resume else None
        resumed, measured = curve is not None, figure is not None
        label = f"training {name}{' until it no longer improves' if measured else ''}, epoch"
        shown = training.progress and group.first
        with counting(recipe.epochs, label, shown=shown, lines=100, at_most=measured) as tell:
            steps = loop.Loop(
                loop.Plan(module, batches, recipe, figure), tell, training.watch, group, apart=apart
            )
            if curve is None:
                resumed = _run(steps, training, folder, name)
            else:
                steps.recall(curve)
            writes = group.first or apart
            epochs = group.told(checkpoints.take_best(module, folder) if writes else 0)
            module.cpu().eval().requires_grad_(False)
            if apart:
                module.join_rows()  # type: ignore[operator]
            group.copy_weights(module)
            if measured:
                tell(0, f"epoch {epochs} was the best")
        if writes and training.keep and training.folder:
            checkpoints.keep(folder, steps.curve)
        elif writes:
            checkpoints.forget(folder, apart=apart)
    return Fitted(epochs, steps.curve[epochs - 1]["figure"], resumed, steps.curve)


def _run(steps: Loop, training: Training, folder: Path, name: str) -> bool:
    """Run a fit from where it was stopped; return whether it was.

    Raises:
        GivenUp: What watches it raised that; nothing of it is left.
    """
    from acclimate.training import checkpoints

    group, apart, recipe = steps.group, steps.apart, steps.plan.recipe
    logger: Any = group.first and make_logger(training.tracking, training.folder, name)
    resumed = checkpoints.unfinished(folder, group, apart=apart) if training.resume else False
    measured, writes = steps.plan.figure is not None, group.first or apart
    kept = checkpoints.callbacks(folder, recipe, measured=measured, kept=writes)
    trainer = _trainer(recipe, training, group, kept, logger)
    try:
        with _ctrl_c(), checkpoints.written(folder):
            last = folder / checkpoints.LAST if resumed else None
            trainer.fit(steps, ckpt_path=last, weights_only=True)
    except GivenUp:
        checkpoints.forget(folder, apart=apart)
        raise
    except AcclimateError as error:
        best = folder / checkpoints.BEST
        if error.code == "loss_not_finite" and training.folder and best.is_file():
            error.message += f". What was best until then is kept: {best}"
            error.args = (error.message,)
        raise
    finally:
        if training.tracking == "wandb" and logger:
            logger.experiment.finish()
    return resumed


def _trainer(
    recipe: Recipe, training: Training, group: Processes, callbacks: list[Any], logger: Any
) -> Trainer:
    """Return what runs a fit, with ``callbacks``, the last of which may write it down."""
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import Checkpoint

    device = fitting_device(training.device)
    return Trainer(
        max_epochs=recipe.epochs,
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=_device(device, group),
        gradient_clip_val=recipe.clip,
        callbacks=callbacks,
        enable_checkpointing=any(isinstance(each, Checkpoint) for each in callbacks),
        logger=logger,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=10,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def _device(device: torch.device, group: Processes) -> int | list[int]:
    """Return what Lightning calls ``devices``: one, or the one of this process among those of its machine."""
    import torch

    if device.type != "cuda":
        return 1
    if group.count > 1:
        return [group.local % torch.cuda.device_count()]
    return [device.index or 0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's random state as it was, and Lightning's advice off the terminal."""
    import torch

    names = ("lightning.pytorch", "lightning.fabric")
    levels = [logging.getLogger(name).level for name in names]
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in zip(names, levels, strict=True):
                logging.getLogger(name).setLevel(level)


@contextmanager
def _ctrl_c() -> Iterator[None]:
    """Let Ctrl-C be a KeyboardInterrupt; Lightning makes it an exit, and ignores the signal from then on."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as stopped:
        if not isinstance(stopped.__context__, KeyboardInterrupt):
            raise  # SIGTERM
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from stopped
