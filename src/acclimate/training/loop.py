"""What Lightning runs: the steps of a fit, and what is measured after each epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from acclimate.errors import AcclimateError
from acclimate.parallel import Processes
from acclimate.progress import Tell
from acclimate.rng import generator
from acclimate.training import GivenUp, Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn


class Epoch:
    """The batches of one epoch, made as they are asked for; Lightning would take a list for many loaders."""

    def __init__(self, batches: Callable[[int], Iterable[Any]], epoch: int) -> None:
        self.batches, self.epoch = batches, epoch

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches(self.epoch))


def make_loop(
    module: nn.Module,
    batches: Callable[[int], Iterable[Any]],
    recipe: Recipe,
    figure: Callable[[], float] | None,
    tell: Tell,
    watch: Callable[[int, float], None] | None,
    group: Processes,
    *,
    apart: bool,
) -> Any:
    """Return the LightningModule, made here because Lightning takes seconds to import."""
    import torch
    from lightning.pytorch import LightningModule
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    from acclimate.optimisers import SCHEDULES, make_optimiser

    shape = SCHEDULES[recipe.schedule]
    shared = group.count > 1 and hasattr(module, "part")
    rows: list[Tensor] = list(module.apart) if apart else []  # type: ignore[arg-type]
    learned: list[Tensor] = [weight for weight in module.parameters() if weight.requires_grad]
    held = [weight for weight in learned if not any(weight is each for each in rows)]

    class Loop(LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            if recipe.averaging:
                self.mean = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(recipe.averaging))  # type: ignore[no-untyped-call]
            self.curve: list[dict[str, float]] = []
            self.losses: list[float] = []

        def train_dataloader(self) -> Any:
            return Epoch(batches, self.current_epoch)

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
            loss = weight * (loss + self.l1(held)) + self.l1(rows)
            self.losses.append(float(group.sum(loss) if shared else loss.detach()))
            if not math.isfinite(self.losses[-1]):
                raise AcclimateError(
                    f"the loss is {self.losses[-1]} in epoch {self.current_epoch + 1}, step {index + 1}: "
                    f"try a learning_rate below {recipe.learning_rate:g}",
                    code="loss_not_finite",
                )
            return loss

        def l1(self, weights: list[Tensor]) -> Tensor | float:
            return recipe.l1 * sum(each.abs().sum() for each in weights) if recipe.l1 else 0.0

        def on_after_backward(self) -> None:
            if shared:
                group.add_gradients(held)

        def configure_gradient_clipping(self, optimizer: Any, *args: Any, **named: Any) -> None:
            if apart:
                group.clip(held, rows, recipe.clip)
            else:
                super().configure_gradient_clipping(optimizer, *args, **named)

        def on_train_batch_end(self, *_: Any) -> None:
            if recipe.averaging:
                self.mean.update_parameters(module)

        def on_train_epoch_end(self) -> None:
            loss = sum(self.losses) / max(len(self.losses), 1)
            self.module.eval()
            with _as(module, self.mean.module) if recipe.averaging else nullcontext():
                if apart and figure:
                    module.look_whole()  # type: ignore[operator]
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
