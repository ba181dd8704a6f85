"""``acclimate models``: every model and argument is told of, in words that settings understand."""

import json

import pytest

from acclimate.models import MODELS, arguments
from acclimate.models.augment import AUGMENTATIONS
from acclimate.models.described import described
from acclimate.models.item_vectors import ITEM_VECTORS
from acclimate.models.losses import LOSSES
from acclimate.models.mixers import MIXERS
from acclimate.models.user_text import USER_TEXT
from acclimate.optimisers import SCHEDULES
from tests.cli.conftest import Run


def test_the_list_has_every_model(run: Run) -> None:
    shown = run("models").out
    assert all(f"\n{name} " in shown for name in MODELS)
    document = json.loads(run("models", "--json").out)
    assert [each["name"] for each in document["models"]] == list(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_every_argument_is_told_of(run: Run, name: str) -> None:
    document = json.loads(run("models", name, "--json").out)
    told = {each["name"]: each for each in document["arguments"]}
    assert tuple(told) == arguments(name)
    assert all(each["about"].endswith(".") and "`" not in each["about"] for each in told.values())
    assert document["about"].endswith(".")
    shown = run("models", name)
    assert shown.code == 0
    assert all(f"\n{argument} " in shown.out for argument in told)


@pytest.mark.parametrize(
    ("argument", "allowed"),
    [
        ("block", MIXERS),
        ("loss", LOSSES),
        ("schedule", SCHEDULES),
        ("augment", AUGMENTATIONS),
        ("item_vector", ITEM_VECTORS),
        ("user_text", USER_TEXT),
    ],
)
def test_all_that_may_be_chosen_is_named(argument: str, allowed: tuple[str, ...]) -> None:
    (about,) = [each.about for each in described("sequence").arguments if each.name == argument]
    assert all(f'"{name}"' in about for name in allowed)


def test_a_default_is_written_as_in_settings(run: Run) -> None:
    shown = run("models", "sequence").out
    assert "set one as in: --set train.params.width=128" in shown
    assert '["crop", "mask"' in shown
    assert run("models", "popularity").out.endswith("It takes no arguments.\n")


def test_an_unknown_model_is_answered_with_the_nearest(run: Run) -> None:
    ran = run("models", "seqence")
    assert ran.code == 2
    assert "did you mean 'sequence'?" in ran.err
