"""Every model with something to tune has a space, and its defaults lie in it."""

import pytest

from acclimate.adapt.spaces import SPACES, Choice, Real, Whole, holds, space_of
from acclimate.adapt.train import OURS
from acclimate.errors import InputError, NotFoundError
from acclimate.models import MODELS, defaults, make_model

NOT_TUNED = OURS | {"sources"}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_with_arguments_has_a_space(name: str) -> None:
    assert (name in SPACES) == bool(defaults(name).keys() - NOT_TUNED)


@pytest.mark.parametrize("name", SPACES)
def test_a_space_holds_the_defaults_and_both_ends_are_allowed(name: str) -> None:
    assert name in MODELS
    space, standard = SPACES[name], defaults(name)
    assert space
    assert space.keys() <= standard.keys() - NOT_TUNED
    for argument, each in space.items():
        assert holds(each, standard[argument]), f"{argument}: {standard[argument]} is not in {each}"
        ends = each.values if isinstance(each, Choice) else (each.low, each.high)
        for value in ends:
            make_model(name, **{argument: value})


def test_what_is_not_in_a_range_is_seen() -> None:
    assert not holds(Whole(1, 4), 2.5)
    assert not holds(Whole(1, 4), True)
    assert not holds(Real(0.0, 1.0), 1.1)
    assert not holds(Choice((1, 2)), 3)


def test_what_is_set_is_not_searched() -> None:
    assert list(space_of("item-knn", {"shrink": 1.0, "width": 3})) == ["neighbours"]
    with pytest.raises(InputError, match=r"nothing is left to search: l2 of ease are all set"):
        space_of("ease", {"l2": 3.0})


def test_a_model_without_a_space_names_those_that_have_one() -> None:
    with pytest.raises(InputError, match=r"popularity has nothing to tune: did you mean 'recent-popularity'"):
        space_of("popularity", {})
    with pytest.raises(NotFoundError, match=r"no model 'sequenz': did you mean 'sequence'"):
        space_of("sequenz", {})
