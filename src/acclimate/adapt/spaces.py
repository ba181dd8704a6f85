"""What a search may try: for each model the arguments that are worth it, and how far they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from acclimate.data.features import SCALINGS
from acclimate.errors import InputError, NotFoundError, nearest
from acclimate.models import MODELS


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole numbers ``low..high``; with ``log`` each factor of two is as likely as the next."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True, slots=True)
class Real:
    """Numbers from ``low`` to ``high``; with ``log`` each factor of ten is as likely as the next."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of ``values``: strings, numbers or truth values."""

    values: tuple[Any, ...]


Range = Whole | Real | Choice
Space = Mapping[str, Range]
DAY = 86_400.0
RATE = Real(3e-4, 1e-2, log=True)
HALF_LIFE = Real(DAY, 3650 * DAY, log=True)
TAUGHT: Space = {"held_back": Whole(1, 20), "candidates": Whole(20, 1000, log=True)}
"""What a model of models learns its weights from."""

SPACES: dict[str, Space] = {
    "recent-popularity": {"half_life": HALF_LIFE},
    "frequency": {"half_life": HALF_LIFE},
    "item-knn": {"neighbours": Whole(5, 500, log=True), "shrink": Real(0.0, 100.0)},
    "user-knn": {"neighbours": Whole(5, 500, log=True), "shrink": Real(0.0, 100.0)},
    "content": {"half_life": Real(1.0, 100.0, log=True)},
    "ease": {"l2": Real(1.0, 10_000.0, log=True)},
    "als": {
        "factors": Whole(16, 256, log=True),
        "l2": Real(0.1, 100.0, log=True),
        "alpha": Real(0.1, 50.0, log=True),
        "iterations": Whole(5, 40),
    },
    "bpr": {
        "factors": Whole(16, 256, log=True),
        "l2": Real(1e-5, 0.1, log=True),
        "learning_rate": Real(0.02, 1.0, log=True),
        "epochs": Whole(10, 100, log=True),
    },
    "isgd": {
        "factors": Whole(8, 128, log=True),
        "learning_rate": Real(0.005, 0.5, log=True),
        "l2": Real(1e-4, 0.1, log=True),
        "negatives": Whole(0, 10),
    },
    "mf": {"factors": Whole(5, 100, log=True), "l2": Real(0.005, 1.0, log=True), "iterations": Whole(5, 40)},
    "vae": {
        "latent": Whole(16, 256, log=True),
        "hidden": Whole(64, 1024, log=True),
        "dropout": Real(0.0, 0.8),
        "kl": Real(1e-4, 0.1, log=True),
        "learning_rate": Real(3e-4, 3e-2, log=True),
        "weight_decay": Real(0.0, 0.1),
        "batch_users": Choice((32, 64, 128, 256)),
    },
    "lightgcn": {
        "width": Whole(32, 384, log=True),
        "layers": Whole(1, 4),
        "dropout": Real(0.0, 0.7),
        "temperature": Real(0.03, 0.5, log=True),
        "learning_rate": RATE,
        "weight_decay": Real(0.0, 0.1),
        "batch_users": Choice((64, 128, 256)),
    },
    "sequence": {
        "width": Choice((32, 64, 128, 192, 256)),
        "block": Choice(("convolution+attention", "decay+attention", "attention", "convolution", "decay")),
        "layers": Whole(1, 4),
        "heads": Choice((1, 2, 4)),
        "dropout": Real(0.0, 0.6),
        "id_dropout": Real(0.0, 0.6),
        "label_smoothing": Real(0.0, 0.3),
        "max_length": Choice((50, 100, 200)),
        "batch_tokens": Choice((1024, 2048, 4096, 8192)),
        "learning_rate": RATE,
    },
    "hybrid": TAUGHT,
    "ensemble": {**TAUGHT, "seeds": Whole(1, 5), "fusion": Choice(("score", "rank"))},
    "ranker": {
        **TAUGHT,
        "width": Whole(16, 256, log=True),
        "cross": Whole(1, 4),
        "dropout": Real(0.0, 0.5),
        "scaling": Choice(tuple(SCALINGS)),
        "learning_rate": RATE,
        "batch_size": Choice((32, 64, 128, 256)),
    },
}
"""Registered name -> argument -> range. The default of each argument is in its range."""


def space_of(model: str, fixed: Mapping[str, Any]) -> Space:
    """Return what a search of ``model`` may try, without the arguments that are ``fixed``.

    Raises:
        NotFoundError: No such model; names the nearest.
        InputError: It has nothing to tune, or everything is fixed.

    Example:
        >>> list(space_of("item-knn", {"shrink": 5.0}))
        ['neighbours']
    """
    if model not in MODELS:
        hint = nearest(model, SPACES)
        raise NotFoundError(f"no model {model!r}: {hint}", code="unknown_model", field="model")
    if model not in SPACES:
        hint = nearest(model, SPACES)
        raise InputError(f"{model} has nothing to tune: {hint}", code="nothing_to_tune", field="model")
    space = {name: each for name, each in SPACES[model].items() if name not in fixed}
    if not space:
        raise InputError(
            f"nothing is left to search: {', '.join(SPACES[model])} of {model} are all set in train.params",
            code="nothing_to_tune",
            field="train.params",
        )
    return space


def holds(each: Range, value: Any) -> bool:
    """Return whether ``value`` is in the range.

    Example:
        >>> holds(Whole(1, 4), 2), holds(Real(0.0, 0.5), 0.6), holds(Choice(("a", "b")), "b")
        (True, False, True)
    """
    if isinstance(each, Choice):
        return value in each.values
    whole = isinstance(value, int) and not isinstance(value, bool)
    number = whole or (isinstance(each, Real) and isinstance(value, float))
    return bool(number and each.low <= value <= each.high)
