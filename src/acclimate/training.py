"""The one loop that fits a neural model; only this file, and `tracking` for its loggers, knows Lightning.

A model is a plain ``nn.Module`` with ``loss(batch)``. Early stopping watches a figure that the caller
measures after each epoch; the best weights win. With a folder, each epoch is written down, and a fit that
was killed goes on where it stopped and ends as if nothing had happened: the order of the batches and the
dropout of an epoch depend on (seed, epoch) alone.

Under ``torchrun`` several processes fit a module that can part its batches, see `acclimate.parallel`; other
modules each process fits alike.
"""

from __future__ import annotations

import hashlib
import logging
import math
import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.errors import AcclimateError
from acclimate.parallel import Processes, processes
from acclimate.progress import Tell, counting
from acclimate.rng import generator
from acclimate.tracking import check_tracking, make_logger

if TYPE_CHECKING:
    from torch import Tensor, nn


class GivenUp(Exception):
    """Raised by `Training.watch`: the fit ends for good, and leaves no checkpoint."""


@dataclass(frozen=True, slots=True)
class Training:
    """Where and how a fit runs, apart from what it fits.

    Args:
        folder: Checkpoints and ``logs`` go here; None keeps nothing.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        progress: Whether to show a progress bar.
        resume: Go on with a killed fit of the same thing if ``folder`` has one.
        tracking: A name of `acclimate.tracking.TRACKING`: what is written into ``folder/logs``. W&B takes
            its account, and whether it is offline, from its own environment variables.
        watch: Hears of each epoch, 0 first, and of its figure, NaN if none is measured; may raise `GivenUp`,
            which after the last epoch changes nothing.
            A fit that goes on tells of the epochs before, too.
    """

    folder: Path | None = None
    device: str = "auto"
    progress: bool = False
    resume: bool = True
    tracking: str = "tensorboard"
    watch: Callable[[int, float], None] | None = None


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
        optimiser: ``"rowwise-adagrad"``, or a class of ``torch.optim`` in any case.
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
        curve: One row for each epoch, with ``epoch``, ``loss`` and ``figure``.
    """

    epochs: int
    figure: float
    resumed: bool
    curve: list[dict[str, float]]


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
    from lightning.pytorch import Trainer

    check_tracking(training.tracking)
    group = processes()
    group.connect()
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        folder = (training.folder or Path(scratch)) / _digest(name, key, recipe)
        logger: Any = group.first and make_logger(training.tracking, training.folder, name)
        unfinished = folder / "last.ckpt"
        resumed = group.told(training.resume and unfinished.exists())
        measured = figure is not None
        label = f"training {name}{' until it no longer improves' if measured else ''}, epoch"
        shown = training.progress and group.first
        with counting(recipe.epochs, label, shown=shown, lines=100, at_most=measured) as tell:
            loop = _loop(module, batches, recipe, figure, tell, training.watch, group)
            trainer = Trainer(
                max_epochs=recipe.epochs,
                accelerator={"auto": "auto", "cpu": "cpu"}.get(training.device, "gpu"),
                devices=_device(training.device, group),
                gradient_clip_val=recipe.clip,
                callbacks=_callbacks(folder, recipe, measured=measured, kept=group.first),
                enable_checkpointing=group.first,
                logger=logger,
                reload_dataloaders_every_n_epochs=1,
                log_every_n_steps=10,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
            )
            try:
                with _ctrl_c():
                    trainer.fit(loop, ckpt_path=unfinished if resumed else None, weights_only=True)
            except GivenUp:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            finally:
                if training.tracking == "wandb" and logger:
                    logger.experiment.finish()
            epochs = group.told(_take_best(module, folder) if group.first else 0)
            module.cpu().eval().requires_grad_(False)
            group.copy_weights(module)
            if measured:
                tell(0, f"epoch {epochs} was the best")
        if group.first:
            shutil.rmtree(folder, ignore_errors=True)
    return Fitted(epochs, loop.curve[epochs - 1]["figure"], resumed, loop.curve)


class _Epoch:
    """The batches of one epoch, made as they are asked for; Lightning would take a list for many loaders."""

    def __init__(self, batches: Batches, epoch: int) -> None:
        self.batches, self.epoch = batches, epoch

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches(self.epoch))


def _digest(name: str, key: str, recipe: Recipe) -> str:
    told = hashlib.sha256(f"{key} {recipe}".encode()).hexdigest()
    return f"{name}-{told[:16]}"


def _device(name: str, group: Processes) -> int | list[int]:
    """Return what Lightning calls ``devices``: one, or the one of this process among those of its machine."""
    import torch

    many = group.count > 1 and name != "cpu" and torch.cuda.is_available()
    return [group.local % torch.cuda.device_count()] if many else 1


def _take_best(module: nn.Module, folder: Path) -> int:
    """Load the best weights into ``module`` and return how many epochs they have seen."""
    import torch

    best = torch.load(folder / "best.ckpt", map_location="cpu", weights_only=True)
    weights = best["state_dict"]
    prefix = "mean.module." if any(name.startswith("mean.") for name in weights) else "module."
    chosen = {name[len(prefix) :]: value for name, value in weights.items() if name.startswith(prefix)}
    module.cpu().load_state_dict(chosen)
    return int(best["epoch"]) + 1


def _loop(
    module: nn.Module,
    batches: Batches,
    recipe: Recipe,
    figure: Callable[[], float] | None,
    tell: Tell,
    watch: Callable[[int, float], None] | None,
    group: Processes,
) -> Any:
    """Return the LightningModule, made here because Lightning takes seconds to import."""
    import torch
    from lightning.pytorch import LightningModule
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    from acclimate.optimisers import SCHEDULES, make_optimiser

    shape = SCHEDULES[recipe.schedule]
    shared = group.count > 1 and hasattr(module, "part")

    class Loop(LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            if recipe.averaging:
                self.mean = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(recipe.averaging))  # type: ignore[no-untyped-call]
            self.curve: list[dict[str, float]] = []
            self.losses: list[float] = []

        def train_dataloader(self) -> Any:
            return _Epoch(batches, self.current_epoch)

        def configure_optimizers(self) -> Any:
            optimizer = make_optimiser(module, recipe)
            rate = torch.optim.lr_scheduler.LambdaLR(optimizer, self.factor)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}

        def factor(self, step: int) -> float:
            done = self.current_epoch / recipe.epochs if self._trainer else 0.0
            return min(1.0, (step + 1) / recipe.warmup) * shape(done)

        def on_train_start(self) -> None:
            if self.current_epoch:
                tell(self.current_epoch, "resumed", earlier=True)
            for row in self.curve:
                self.heard(int(row["epoch"]), row["figure"])

        def on_train_epoch_start(self) -> None:
            mine = [group.mine] if shared and not group.first else []  # each drops others of its own
            drawn = generator(recipe.seed, "epoch", self.current_epoch, *mine).integers(2**62)
            torch.manual_seed(int(drawn))
            self.module.train()
            self.losses = []

        def training_step(self, batch: Any, index: int) -> Tensor:
            part, weight = batch, 1.0
            if shared:
                part, weight = module.part(batch, group.mine, group.count)  # type: ignore[operator]
            loss: Tensor = self.module.loss(part)  # type: ignore[operator]
            if recipe.l1:
                loss = loss + recipe.l1 * sum(p.abs().sum() for p in module.parameters() if p.requires_grad)
            if shared:
                loss = loss * weight
            self.losses.append(float(group.sum(loss) if shared else loss.detach()))
            if not math.isfinite(self.losses[-1]):
                raise AcclimateError(
                    f"the loss is {self.losses[-1]} in epoch {self.current_epoch + 1}, step {index + 1}: "
                    f"try a learning_rate below {recipe.learning_rate:g}",
                    code="loss_not_finite",
                )
            return loss

        def on_after_backward(self) -> None:
            if shared:
                group.add_gradients(module)

        def on_train_batch_end(self, *_: Any) -> None:
            if recipe.averaging:
                self.mean.update_parameters(module)

        def on_train_epoch_end(self) -> None:
            loss = sum(self.losses) / max(len(self.losses), 1)
            self.module.eval()
            with _as(module, self.mean.module) if recipe.averaging else nullcontext():
                value = figure() if figure and group.first else math.nan
            value = group.told(value)
            self.curve.append({"epoch": self.current_epoch, "loss": loss, "figure": value})
            self.log_dict({"loss": loss, "figure": value} if figure else {"loss": loss})
            tell(1, f"loss {loss:.3f}" + (f", NDCG@10 {value:.4f}" if figure else ""))
            self.heard(self.current_epoch, value)

        def heard(self, epoch: int, value: float) -> None:
            if watch:
                with suppress(GivenUp) if epoch + 1 == recipe.epochs else nullcontext():
                    watch(epoch, value)

        def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
            checkpoint["curve"] = self.curve

        def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
            self.curve = checkpoint["curve"]

    return Loop()


@contextmanager
def _as(module: nn.Module, other: nn.Module) -> Iterator[None]:
    """Let ``module`` have the weights of ``other`` for a while."""
    own = {name: value.clone() for name, value in module.state_dict().items()}
    module.load_state_dict(other.state_dict())
    try:
        yield
    finally:
        module.load_state_dict(own)


def _callbacks(folder: Path, recipe: Recipe, *, measured: bool, kept: bool) -> list[Any]:
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
