import numpy as np
import pytest

from acclimate.config import EventsTable
from acclimate.errors import InputError
from acclimate.state.weights import Weights
from acclimate.types import Event


def rating(value):
    return Event("ann", "rating", 1.0, "heat", value=value)


def test_types_weigh_what_the_table_says():
    weights = Weights(EventsTable(click=3.0, rating=0.5))
    kinds = ["view", "click", "dislike", "impression", "search", "rating", "never heard of"]
    assert [weights.add(0, Event("ann", kind, 1.0, "heat", value=1.0)) for kind in kinds] == [
        0.2,
        3.0,
        -1.0,
        0,
        0,
        0.5,
        0,
    ]


@pytest.mark.parametrize(
    ("given", "weight"),
    [
        (5, 2 / 3),
        (1, -2 / 3),
        (3, 0.05),
        (4, 1 / 3),
        (99, 2 / 3),
        (-5, -2 / 3),
        (None, 0.05),
        (float("nan"), 0.05),
    ],
)
def test_a_first_rating_is_held_against_the_middle(given, weight):
    assert Weights(EventsTable()).add(0, rating(given)) == pytest.approx(weight)


@pytest.mark.parametrize(
    ("given", "weight"), [(100, 2 / 3), (0, -2 / 3), (50, 0.05), (75, 1 / 3), (400, 2 / 3)]
)
def test_a_rating_is_read_on_its_scale(given, weight):
    assert Weights(EventsTable(rating="0..100")).add(0, rating(given)) == pytest.approx(weight)


@pytest.mark.parametrize("scale", ["", "values", "5", "5..1", "3..3", "1..x"])
def test_what_is_no_scale_is_refused(scale):
    with pytest.raises(InputError, match=r"events\.rating must be a number, 'value' .* or a scale such as"):
        EventsTable(rating=scale)


def test_asking_is_adding_without_a_trace():
    weights = Weights(EventsTable())
    for value in (5, 5, 2, 4, 1, 3):
        asked = weights.ask(3, rating(value))
        assert weights.ask(3, rating(value)) == asked
        assert weights.add(3, rating(value)) == asked
    assert weights.ask(-1, rating(5)) == pytest.approx(2 / 3)
    assert weights.ask(99, rating(5)) == pytest.approx(2 / 3)


def test_ratings_of_the_data_set_the_mean_unless_they_are_amounts():
    user = np.array([0, 0, 1], np.int32)
    weights = Weights(EventsTable())
    weights.seed(user, np.array([5.0, 0.5, np.nan], np.float32), 2)
    assert (weights.sums.values.tolist(), weights.counts.values.tolist()) == ([6.0, 0.0], [2, 0])
    assert weights.ask(0, rating(5)) == pytest.approx((5 - 17 / 5) / 2)
    wide = Weights(EventsTable(rating="0..100"))
    wide.seed(user, np.array([80.0, 70.0, np.nan], np.float32), 2)
    assert wide.ask(0, rating(100)) == pytest.approx((100 - 350 / 5) / 50)
    for amounts in ([120.0, 5.0, 3.0], [-1.0, 0.0, 1.0]):
        weights = Weights(EventsTable())
        weights.seed(user, np.array(amounts, np.float32), 2)
        assert weights.ask(0, rating(5)) == pytest.approx(2 / 3)


def test_forgetting_starts_anew():
    weights = Weights(EventsTable())
    weights.add(0, rating(5))
    weights.forget(0)
    weights.forget(17)
    assert weights.ask(0, rating(5)) == pytest.approx(2 / 3)
