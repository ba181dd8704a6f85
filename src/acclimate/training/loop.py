"""What Lightning runs: the steps of a fit, and what is measured after each epoch; slow to import."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from time import perf_counter, process_time
from typing import Any, NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from acclimate.errors import AcclimateError
from acclimate.optimisers import SCHEDULES, make_optimiser
from acclimate.parallel import Processes
from acclimate.progress import Tell
from acclimate.rng import generator
from acclimate.training import GivenUp, Recipe
from acclimate.training.spent import told_before

Weights = list[Tensor] | tuple[Tensor, ...]


class Epoch:
    """The batches of one epoch, made as they are asked for; Lightning would take a list for many loaders."""

    def __init__(self, batches: Callable[[int], Iterable[Any]], epoch: int) -> None:
        self.batches, self.epoch = batches, epoch

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches(self.epoch))


class Plan(NamedTuple):
    """What is fitted, and how; see `acclimate.training.fit`."""

    module: nn.Module
    batches: Callable[[int], Iterable[Any]]
    recipe: Recipe
    figure: Callable[[], float] | None


class Loop(LightningModule):  # type: ignore[misc]
    """One fit, as Lightning wants it; arguments as of `acclimate.training.fit`.

    Args:
        plan: What is fitted, and how.
        tell: Shows how far it is.
        watch: Hears of each epoch.
        group: The processes that fit it.
        apart: Whether they hold some rows each.
    """

    def __init__(
        self,
        plan: Plan,
        tell: Tell,
        watch: Callable[[int, float], None] | None,
        group: Processes,
        *,
        apart: bool,
    ) -> None:
        super().__init__()
        self.module, self.plan, self.tell, self.watch = plan.module, plan, tell, watch
        self.group, self.apart = group, apart
        self.shared = group.count > 1 and hasattr(self.module, "part")
        self.rows: list[Tensor] = list(self.module.apart) if apart else []  # type: ignore[arg-type]
        learned: list[Tensor] = [weight for weight in self.module.parameters() if weight.requires_grad]
        self.held = [weight for weight in learned if not any(weight is each for each in self.rows)]
        if share := plan.recipe.averaging:
            self.mean = AveragedModel(self.module, multi_avg_fn=running_mean(share))
        self.curve: list[dict[str, float]] = []
        self.clock = perf_counter(), process_time()
        self.losses: list[float] = []

    def train_dataloader(self) -> Any:
        """Return the batches of the epoch that begins."""
        return Epoch(self.plan.batches, self.current_epoch)

    def configure_optimizers(self) -> Any:
        """Return optimiser and learning rate."""
        optimizer = make_optimiser(self.module, self.plan.recipe)
        rate = torch.optim.lr_scheduler.LambdaLR(optimizer, self.factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}

    def factor(self, step: int) -> float:
        """Return what the learning rate is multiplied by at a step."""
        recipe = self.plan.recipe
        done = self.current_epoch / recipe.epochs if self._trainer else 0.0
        return min(1.0, (step + 1) / recipe.warmup) * SCHEDULES[recipe.schedule](done)

    def on_train_start(self) -> None:
        """Tell of the epochs before, if it goes on."""
        self.recall(self.curve)
        self.clock = perf_counter(), process_time()

    def recall(self, curve: list[dict[str, float]]) -> None:
        """Tell of epochs that are done: ``curve`` has a row for each."""
        if curve:
            self.tell(len(curve), "resumed", earlier=True)
            told_before(*(sum(row.get(each, 0.0) for row in curve) for each in ("seconds", "cpu_seconds")))
        self.curve = curve
        for row in curve:
            self.heard(int(row["epoch"]), row["figure"])

    def on_train_epoch_start(self) -> None:
        """Draw dropout by (seed, epoch) alone."""
        group = self.group
        mine = [group.mine] if self.shared and not group.first else []  # each drops others of its own
        drawn = generator(self.plan.recipe.seed, "epoch", self.current_epoch, *mine).integers(2**62)
        torch.manual_seed(int(drawn))
        self.module.train()
        self.losses = []

    def training_step(self, batch: Any, index: int) -> Tensor:
        """Return the loss of what this process takes of a batch; raise AcclimateError if it is not finite."""
        part, weight, group = batch, 1.0, self.group
        if self.shared:
            part, weight = self.module.part(batch, group.mine, group.count)  # type: ignore[operator]
        loss: Tensor = self.module.loss(part)  # type: ignore[operator]
        loss = weight * (loss + self.l1(self.held)) + self.l1(self.rows)
        self.losses.append(float(group.sum(loss) if self.shared else loss.detach()))
        if not math.isfinite(self.losses[-1]):
            raise AcclimateError(
                f"the loss is {self.losses[-1]} in epoch {self.current_epoch + 1}, step {index + 1}: "
                f"try a learning_rate below {self.plan.recipe.learning_rate:g}, or less of what is set beside"
                " it: weight_decay, l1, contrast, perturbation",
                code="loss_not_finite",
            )
        return loss

    def l1(self, weights: list[Tensor]) -> Tensor | float:
        """Return what the magnitudes of ``weights`` add to the loss."""
        share = self.plan.recipe.l1
        return share * sum(each.abs().sum() for each in weights) if share else 0.0

    def on_after_backward(self) -> None:
        """Add up what all processes have learned."""
        if self.shared:
            self.group.add_gradients(self.held)

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **named: Any) -> None:
        """Clip by the norm over all processes, where some hold what others do not."""
        if self.apart:
            self.group.clip(self.held, self.rows, self.plan.recipe.clip)
        else:
            super().configure_gradient_clipping(optimizer, *args, **named)

    def on_train_batch_end(self, *_: Any) -> None:
        """Take the step into the running mean."""
        if self.plan.recipe.averaging:
            self.mean.update_parameters(self.module)

    def on_train_epoch_end(self) -> None:
        """Measure, and say so."""
        loss = sum(self.losses) / max(len(self.losses), 1)
        figure, group = self.plan.figure, self.group
        self.module.eval()
        with _as(self.module, self.mean.module) if self.plan.recipe.averaging else nullcontext():
            if self.apart and figure:
                self.module.look_whole()  # type: ignore[operator]
            value = figure() if figure and group.first else math.nan
        value = group.told(value)
        before, self.clock = self.clock, (perf_counter(), process_time())
        took = {"seconds": self.clock[0] - before[0], "cpu_seconds": self.clock[1] - before[1]}
        self.curve.append({"epoch": self.current_epoch, "loss": loss, "figure": value, **took})
        self.log_dict({"loss": loss, "figure": value} if figure else {"loss": loss})
        self.tell(1, f"loss {loss:.3f}" + (f", NDCG@10 {value:.4f}" if figure else ""))
        self.heard(self.current_epoch, value)

    def heard(self, epoch: int, value: float) -> None:
        """Tell who watches; after the last epoch there is nothing to give up."""
        if self.watch:
            with suppress(GivenUp) if epoch + 1 == self.plan.recipe.epochs else nullcontext():
                self.watch(epoch, value)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the curve."""
        checkpoint["curve"] = self.curve

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the curve over."""
        self.curve = checkpoint["curve"]


def running_mean(share: float) -> Callable[[Weights, Weights, Tensor | int], None]:
    """Return what takes weights into their running mean, of which ``share`` stays at each step.

    At first less stays, so that the start is soon forgotten: of the mean of n steps ``(1 + n) / (10 + n)``.
    """

    @torch.no_grad()
    def take(mean: Weights, now: Weights, steps: Tensor | int) -> None:
        stays = min(share, (1 + int(steps)) / (10 + int(steps)))
        torch._foreach_lerp_(mean, now, 1 - stays)

    return take


@contextmanager
def _as(module: nn.Module, other: nn.Module) -> Iterator[None]:
    """Let ``module`` have the weights of ``other`` for a while."""
    own = {name: value.clone() for name, value in module.state_dict().items()}
    module.load_state_dict(other.state_dict())
    try:
        yield
    finally:
        module.load_state_dict(own)
