"""The levels of adaptation that a replay compares, by name."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from acclimate.adapt.train import Trainer
from acclimate.errors import InputError, NotFoundError, nearest
from acclimate.evaluate.prequential import Level
from acclimate.models import MODELS, learns
from acclimate.types import Model

CLOCKS = {
    "frozen": "the model as it was fitted; histories and catalogue stay as they were",
    "live": "histories go on: an event counts at the user's next question",
    "items": "items that came later are scored too, by what the model knows of them",
    "prior": "how often items are chosen now takes the place of how often they were, where that pays",
    "step": "items move towards those who choose them, as far as that pays (without the prior)",
    "slow": "weights go on learning, a hundred events at a time beside old ones (without the two before)",
    "adapter": "the same by an adapter whose ranks move (AdaLoRA), in place of all weights",
    "meta": "new users get a start and a step of their own, learned over users (without the four before)",
    "all": "the prior, on items that move, on weights that go on learning",
}
"""Levels of the trained model, each with those above it switched on, and what each is."""


AROUND = {
    "prior": ("swapped:Swapped",),
    "step": ("stepped:Stepped",),
    "slow": ("slow:Slow",),
    "adapter": ("slow:adapted",),
    "meta": ("meta:Meta",),
    "all": ("slow:Slow", "stepped:Stepped", "swapped:Swapped"),
}
"""Levels in which something stands around the model: files and what makes it, the innermost first; loaded
when they are wanted."""
MAIN = "sequence"
"""The trained model where ``train.model`` leaves the choice open."""


def level_names(trainer: Trainer) -> list[str]:
    """Return the levels that are compared by default: the trained model's, and every model that learns."""
    main, clocks = trainer.build(_main(trainer)), list(CLOCKS)
    for name in AROUND:
        try:
            _around(name, main)
        except InputError:  # another model, or with arguments that it does not go with
            clocks.remove(name)
    return [*clocks, *(name for name in MODELS if learns(name))]


def check_levels(trainer: Trainer, names: Sequence[str]) -> None:
    """Look at what was asked for, before any work is done.

    Raises:
        NotFoundError: No such level; names the nearest.
        InputError: A name comes twice, an argument does not fit, or the model cannot have such a level.
    """
    for name in names:
        if name not in CLOCKS and name not in MODELS:
            hint = nearest(name, [*CLOCKS, *MODELS])
            raise NotFoundError(f"no level {name!r}: {hint}", code="unknown_level", field="level")
    if len(set(names)) < len(names):
        raise InputError(f"name each level once, got {', '.join(names)}", field="level")
    trainer.check(sorted({_main(trainer) if name in CLOCKS else name for name in names}))
    for name in AROUND.keys() & set(names):
        _around(name, trainer.build(_main(trainer)))


def who_is_trained(trainer: Trainer, names: Sequence[str]) -> str | None:
    """Return which model the levels of `CLOCKS` among ``names`` are, in words; None if there are none."""
    clocks = [name for name in names if name in CLOCKS]
    if not clocks:
        return None
    told = " and ".join(filter(None, (", ".join(clocks[:-1]), clocks[-1])))
    setting = trainer.settings.train.model
    why = "train.model" if setting in MODELS else f"as train.model is {setting}"
    return f"{told} {'is' if len(clocks) == 1 else 'are'} the model {_main(trainer)} ({why})"


def make_levels(trainer: Trainer, names: Sequence[str]) -> list[Level]:
    """Build levels: those of `CLOCKS` share one model, any other name is that model with live histories.

    A model that learns from single events does so under its own name, and not as the trained model.
    """
    main = trainer.build(_main(trainer)) if set(names) & set(CLOCKS) else None
    made = []
    for name in names:
        if name in CLOCKS:
            assert main is not None
            depth = list(CLOCKS).index(name)
            model = _around(name, main) if name in AROUND else main
            every = getattr(model, "every", 1)
            on = {"live": depth >= 1, "new_items": depth >= 2, "learns": depth >= 3}
            made.append(Level(name, model, **on, every=every))
        else:
            made.append(Level(name, trainer.build(name)))
    return made


def _around(name: str, model: Model) -> Model:
    for each in AROUND[name]:
        file, make = each.split(":")
        model = getattr(import_module(f"acclimate.adapt.{file}"), make)(model)
    return model


def _main(trainer: Trainer) -> str:
    named = trainer.settings.train.model
    return named if named in MODELS else MAIN
