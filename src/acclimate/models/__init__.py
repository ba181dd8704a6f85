"""Histories in, a score for each item out. One model a file, one line here."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from acclimate.errors import InputError, NotFoundError, nearest
from acclimate.types import Encoder, Model

MODELS: dict[str, str] = {
    "popularity": "popularity:Popularity",
    "recent-popularity": "recent_popularity:RecentPopularity",
    "frequency": "frequency:Frequency",
    "item-knn": "item_knn:ItemKNN",
    "user-knn": "user_knn:UserKNN",
    "content": "content:Content",
    "ease": "ease:EASE",
    "als": "als:ALS",
    "bpr": "bpr:BPR",
    "isgd": "isgd:ISGD",
    "mf": "mf:MatrixFactorisation",
    "vae": "vae:VAE",
    "lightgcn": "lightgcn:LightGCN",
    "sequence": "sequence:SequenceModel",
    "hybrid": "hybrid:Hybrid",
    "ensemble": "ensemble:Ensemble",
    "ranker": "ranker:Ranker",
}
"""Registered name -> file and class."""
AUTO = ("popularity", "recent-popularity", "item-knn", "ease", "sequence")
"""What is compared where no model is named: quick, and each the best on some data."""


def make_model(name: str, encoder: Encoder | None = None, **params: Any) -> Model:
    """Build a registered model.

    Args:
        name: A key of `MODELS`.
        encoder: Handed on to a model that reads texts, ignored by the others.
        params: Arguments of the model's constructor.

    Raises:
        NotFoundError: No such model; names the nearest.
        InputError: No such argument; names the nearest.
    """
    made_by, allowed = kind(name), arguments(name)
    if "encoder" in allowed:
        params["encoder"] = encoder
    for key in params:
        if key not in allowed:
            raise InputError(f"{name} has no argument {key!r}: {nearest(key, allowed)}", field=key)
    model: Model = made_by(**params)
    return model


def arguments(name: str) -> tuple[str, ...]:
    """Return the names of the arguments that a registered model is built from.

    Raises:
        NotFoundError: No such model; names the nearest.

    Example:
        >>> arguments("ease")
        ('l2',)
    """
    return tuple(inspect.signature(kind(name)).parameters)


def defaults(name: str) -> dict[str, Any]:
    """Return the default of each argument of a registered model.

    Raises:
        NotFoundError: No such model; names the nearest.

    Example:
        >>> defaults("ease")
        {'l2': 200.0}
    """
    return {key: each.default for key, each in inspect.signature(kind(name)).parameters.items()}


def learns(name: str) -> bool:
    """Return whether a registered model takes in single events: a `acclimate.types.Learner`.

    Raises:
        NotFoundError: No such model; names the nearest.

    Example:
        >>> learns("ease")
        False
    """
    return hasattr(kind(name), "learn")


def starts_from(name: str) -> bool:
    """Return whether a registered model can start from another of its kind, as `SequenceModel.start_from`.

    Raises:
        NotFoundError: No such model; names the nearest.

    Example:
        >>> starts_from("sequence"), starts_from("ease")
        (True, False)
    """
    return hasattr(kind(name), "start_from")


def kind(name: str) -> type[Model]:
    """Return the class of a registered model.

    Raises:
        NotFoundError: No such model; names the nearest.

    Example:
        >>> kind("ease").__name__
        'EASE'
    """
    if name not in MODELS:
        raise NotFoundError(
            f"no model {name!r}: {nearest(name, MODELS)}", code="unknown_model", field="model"
        )
    file, cls = MODELS[name].split(":")
    found: type[Model] = getattr(import_module(f"acclimate.models.{file}"), cls)
    return found
