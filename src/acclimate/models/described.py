"""What a registered model is and takes, in the words of its own docstring."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

from acclimate.models import arguments, defaults, kind, learns, starts_from

ELSEWHERE = {
    "encoder": "train.encoder",
    "seed": "train.seed, or --seed",
    "training": "train.device, train.tracking and train.item_rows",
}
"""Arguments that have settings of their own, and which."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a model.

    Args:
        name: As it is called.
        default: What it is where nothing is said.
        about: What it means.
        setting: Where it is set.
    """

    name: str
    default: Any
    about: str
    setting: str


@dataclass(frozen=True, slots=True)
class Described:
    """A registered model in words.

    Args:
        name: As it is registered.
        about: What it does, in one sentence.
        new_user: What it gives someone without a history.
        new_item: What it does with an item without events.
        learns: Whether it takes in single events without a fit.
        starts_from: Whether a fit can begin with an earlier one, as ``train --from``.
        arguments: In their order.
    """

    name: str
    about: str
    new_user: str
    new_item: str
    learns: bool
    starts_from: bool
    arguments: list[Argument]


def described(name: str) -> Described:
    """Return what a registered model is and takes.

    Raises:
        NotFoundError: No such model; names the nearest.

    Example:
        >>> told = described("ease")
        >>> told.about.split(",")[0], [(each.name, each.default) for each in told.arguments]
        ('Score items by the regression of each item on all others', [('l2', 200.0)])
    """
    cls, preset = kind(name), defaults(name)
    text = inspect.cleandoc(cls.__doc__ or "")
    about = told_arguments(text)
    found = [
        Argument(each, preset[each], about.get(each, ""), ELSEWHERE.get(each, f"train.params.{each}"))
        for each in arguments(name)
    ]
    summary = _plain(" ".join(text.partition("\n\n")[0].split()))
    return Described(name, summary, cls.new_user, cls.new_item, learns(name), starts_from(name), found)


def told_arguments(text: str) -> dict[str, str]:
    """Return what the section Args of a docstring says of each argument, as plain text.

    Example:
        >>> told_arguments("Do.\\n\\nArgs:\\n    size: How\\n        ``large``, `acclimate.b.Big`.")
        {'size': 'How large, Big.'}
    """
    section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n(?=[ ]))*)", text, re.MULTILINE)
    entries = re.split(r"^ {4}(?=\w)", section[1], flags=re.MULTILINE) if section else []
    pairs = (entry.partition(":") for entry in entries if ":" in entry)
    return {name: _plain(" ".join(meaning.split())) for name, _, meaning in pairs}


def _plain(text: str) -> str:
    """Take the marks off, the rooms before a name, and where else to read."""
    text = re.sub(r" \((?:see|as in) `acclimate[^)]*\)", "", text)
    text = re.sub(r"`(?:acclimate\.)(?:\w+\.)*(\w+)`", r"\1", text)
    return text.replace("`", "")
