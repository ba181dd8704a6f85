"""What the constructors of all models take: no text for a number, and nothing that fails only in ``fit``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from acclimate.errors import InputError
from acclimate.models import MODELS, defaults, make_model

ARGUMENTS = [
    (model, name, default)
    for model in MODELS
    for name, default in defaults(model).items()
    if isinstance(default, bool | int | float | str | list | tuple)
]


def unfit(default: Any) -> list[Any]:
    """Return what an argument with this default cannot be."""
    if isinstance(default, bool):
        return ["yes", 1, None]
    if isinstance(default, int | float):
        return ["3", "0.5", "many", True, None, [1], math.nan]
    return [3, None, ["a"]] if isinstance(default, str) else ["a", 3, [3], [], None]


@pytest.mark.parametrize(("model", "name", "default"), ARGUMENTS)
def test_an_argument_of_another_kind_is_refused_by_name(model: str, name: str, default: Any) -> None:
    for given in unfit(default):
        with pytest.raises(InputError) as refused:
            make_model(model, None, **{name: given})
        assert refused.value.field == name, given


def test_a_text_is_told_as_a_text() -> None:
    for name, given, message in (
        ("epochs", "3", r"epochs must be a whole number, 0\.\.1000000000, got '3'"),
        ("dropout", "0.5", "dropout must be at least 0 and below 1, got '0.5'"),
        ("weight_decay", "0", "weight_decay must be 0 or a positive number, got '0'"),
        ("time", "no", "time must be true or false, got 'no'"),
        ("epochs", -1, r"epochs must be 0\.\.1000000000, got -1"),
    ):
        with pytest.raises(InputError, match=f"^{message}$"):
            make_model("sequence", None, **{name: given})


def test_numbers_of_numpy_are_numbers() -> None:
    model = make_model("als", None, factors=np.int64(3), l2=np.float32(0.5), alpha=np.int32(2))
    assert (model.factors, model.l2, model.alpha) == (3, 0.5, 2.0)  # type: ignore[attr-defined]
