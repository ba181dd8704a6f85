"""Arguments of the sequence model that change nothing beside the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Params = Mapping[str, Any]

RULES: list[tuple[tuple[str, ...], Callable[[Params], bool], str]] = [
    (("label_smoothing",), lambda p: p["loss"] != "full", "loss is over drawn items; it is for loss='full'"),
    (
        ("negatives", "drawn_by"),
        lambda p: p["loss"] == "full",
        "loss is over all items, and nothing is drawn",
    ),
    (("id_share",), lambda p: p["item_vector"] != "alphafuse", "it is for item_vector='alphafuse'"),
    (
        ("id_dropout",),
        lambda p: p["item_vector"] in {"text", "id"},
        "items have no text beside an id to fall on",
    ),
    (("augment",), lambda p: not p["contrast"], "contrast is 0, and nothing is told otherwise"),
    (("nearness",), lambda p: p["user_text"] == "alone", "with user_text='alone' there is none"),
    (("nearness",), lambda p: p["item_vector"] == "id", "with item_vector='id' no text is read"),
    (("heads",), lambda p: {"gru", "convolution"}.issuperset(p["block"].split("+")), "the block has none"),
    (("patience",), lambda p: p["validation_users"] == 0, "validation_users is 0, and nobody is held out"),
]
"""Arguments, when they change nothing, and why."""


def idle(params: Params, given: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of ``given`` arguments that change nothing among all ``params``, and why.

    Example:
        >>> from acclimate.models import defaults
        >>> idle(defaults("sequence") | {"negatives": 99}, {"negatives": 99})
        {'negatives': 'loss is over all items, and nothing is drawn'}
    """
    return {name: why for names, nothing, why in RULES for name in names if name in given and nothing(params)}
