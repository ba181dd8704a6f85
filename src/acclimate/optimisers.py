"""Optimisers by name, learning rates over time, and one optimiser of rows of which few are touched."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from acclimate.errors import InputError, nearest

if TYPE_CHECKING:
    from acclimate.training import Recipe

ROWWISE = "rowwise-adagrad"
"""AdamW for all weights but those of the items' ids, which learn by `RowwiseAdagrad`."""
MUON = "muon"
"""AdamW for all weights but the matrices of linear layers, whose steps are made orthogonal and as long as
AdamW's (Jordan, 2024; Liu et al., "Muon is scalable for LLM training", 2025)."""
SPECIAL = (ROWWISE, MUON)
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1.0 - 0.99 * done,
    "cosine": lambda done: 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done)),
}
"""Name -> factor of the learning rate after a share 0..1 of all epochs; it stays, or ends at a hundredth."""


class RowwiseAdagrad(Optimizer):
    """Adagrad with one sum of squares for each row: rare rows keep a high rate, at a float a row.

    Args:
        params: Matrices float32[rows, d].
        lr: Learning rate, above 0.
        eps: Added to the root.

    References:
        Duchi et al., JMLR 2011; by row as in Mudigere et al., "Software-hardware co-design for fast and
        scalable training of deep learning recommendation models", ISCA 2022.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, eps: float = 1e-8) -> None:
        super().__init__(params, {"lr": lr, "eps": eps, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; rows without gradient stay as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    seen = self.state[param].setdefault("squares", param.new_zeros(len(param), 1))
                    seen += param.grad.square().mean(dim=1, keepdim=True)
                    param.addcdiv_(param.grad, seen.sqrt() + group["eps"], value=-group["lr"])
        return loss


class Together(Optimizer):
    """Several optimisers that step as one.

    Args:
        parts: Optimisers of different weights.
    """

    def __init__(self, parts: list[Optimizer]) -> None:
        super().__init__(
            [weight for part in parts for group in part.param_groups for weight in group["params"]], {}
        )
        self.parts = parts
        self.param_groups = [group for part in parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step with each."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]


def names() -> list[str]:
    """Return the names of all optimisers: ours, and torch's in lower case."""
    found = inspect.getmembers(torch.optim, inspect.isclass)
    return sorted([*SPECIAL, *(name.lower() for name, kind in found if _usable(kind))])


def check_optimiser(name: str) -> None:
    """Raise InputError if there is no optimiser of that name; names the nearest."""
    if not isinstance(name, str) or name.lower() not in names():
        raise InputError(f"no optimiser {name!r}: {nearest(str(name), names())}", field="optimiser")


def make_optimiser(module: nn.Module, recipe: Recipe) -> Optimizer:
    """Return the optimiser of the weights of ``module``; vectors and scalars do not decay.

    Raises:
        InputError: No such optimiser; names the nearest.
    """
    check_optimiser(recipe.optimiser)
    name = recipe.optimiser.lower()
    weights = {each: p for each, p in module.named_parameters() if p.requires_grad}
    apart = _apart(module, weights, name)
    rest = [p for each, p in weights.items() if each not in apart]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    kinds: dict[str, Any] = {
        each.lower(): kind for each, kind in inspect.getmembers(torch.optim, inspect.isclass)
    }
    kind = kinds["adamw" if name in SPECIAL else name]
    extra = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    if kind in (torch.optim.Adam, torch.optim.AdamW):
        extra = {"fused": True}
    made: Optimizer = kind(groups, lr=recipe.learning_rate, **extra)
    if not apart:
        return made
    own = [weights[each] for each in apart]
    if name == ROWWISE:
        return Together([made, RowwiseAdagrad(own, lr=10 * recipe.learning_rate)])
    decay = recipe.weight_decay
    muon = torch.optim.Muon(own, lr=recipe.learning_rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    return Together([made, muon])


def _apart(module: nn.Module, weights: Mapping[str, Tensor], name: str) -> list[str]:
    """Return the names of those ``weights`` that do not learn by AdamW with the optimiser of that name."""
    if name == MUON:
        layers = {f"{each}.weight" for each, part in module.named_modules() if isinstance(part, nn.Linear)}
        return [each for each in weights if each in layers]
    return [each for each in weights if name == ROWWISE and each.endswith("items.ids")]


def _usable(kind: type) -> bool:
    """Whether an optimiser of torch works with any weights, and is built from groups and a rate."""
    dull = (torch.optim.LBFGS, torch.optim.SparseAdam, getattr(torch.optim, "Muon", None))
    wants = inspect.signature(kind).parameters
    return issubclass(kind, Optimizer) and kind not in (*dull, Optimizer) and "weight_decay" in wants
