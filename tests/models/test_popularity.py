"""Popularity and recent popularity, against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.models.popularity import Popularity
from acclimate.models.recent_popularity import DAY, RecentPopularity
from acclimate.types import Histories, Item


def dataset(item: list[int], time: list[float], weight: list[float], n_items: int = 4) -> Dataset:
    items = Vocabulary(f"i{n}" for n in range(n_items))
    zeros = np.zeros(len(item), np.int32)
    return Dataset(Vocabulary(["u"]), items, zeros, np.array(item), np.array(time), weight=np.array(weight))


def asked(*now: float) -> Histories:
    return Histories.of([[] for _ in now], now=list(now))


def test_popularity_is_the_sum_of_positive_weights() -> None:
    model = Popularity()
    model.fit(dataset([0, 0, 1, 2, 2], [1, 2, 3, 4, 5], [1, 4, 0.5, -1, 0]))
    assert model.score(asked(0.0)).tolist() == [[5.0, 0.5, 0.0, 0.0]]
    model.put_items(np.array([4], np.int32), [Item("new")])
    assert model.score(asked(0.0)).tolist() == [[5.0, 0.5, 0.0, 0.0, 0.0]]


def test_an_event_halves_with_each_half_life() -> None:
    model = RecentPopularity(half_life=10.0)
    model.fit(dataset([0, 1, 1, 2], [10, 20, 30, 30], [1, 1, 2, -1]))
    expected = [[0.25, 0.5 + 2, 0, 0], [0.5, 1, 0, 0], [0.25, 0.5 + 2, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(model.score(asked(30, 20, 40, 5)), expected)


def test_a_question_without_a_time_is_asked_at_the_end() -> None:
    model = RecentPopularity(half_life=10.0)
    model.fit(dataset([0, 1], [10, 20], [1, 1]))
    np.testing.assert_array_equal(model.score(asked(0.0)), model.score(asked(20.0)))


def test_it_does_not_fade_when_nothing_happens_any_more() -> None:
    model = RecentPopularity(half_life=1.0)
    model.fit(dataset([0, 1], [10, 11], [1, 1]))
    assert model.score(asked(1e9)).tolist() == [[0.5, 1.0, 0.0, 0.0]]


def test_it_forgets_what_popularity_remembers() -> None:
    rows = dataset([0, 0, 0, 1, 1], [0, 0, 0, 400 * DAY, 401 * DAY], [1] * 5)
    ever, lately = Popularity(), RecentPopularity()
    ever.fit(rows)
    lately.fit(rows)
    assert ever.score(asked(402 * DAY))[0].argmax() == 0
    assert lately.score(asked(402 * DAY))[0].argmax() == 1


events = st.lists(st.tuples(st.integers(0, 3), st.floats(1, 1e4), st.sampled_from([-1.0, 0.0, 0.2, 4.0])))


@settings(max_examples=60)
@given(events, st.lists(st.floats(1, 2e4), min_size=1, max_size=6))
def test_any_batch_of_times_agrees_with_the_formula(
    rows: list[tuple[int, float, float]], now: list[float]
) -> None:
    model = RecentPopularity(half_life=500.0)
    model.fit(dataset([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]))
    expected = np.zeros((len(now), 4))
    for at, moment in enumerate(now):
        before = [row for row in rows if row[2] > 0 and row[1] <= moment]
        for item, time, weight in before:
            age = max(row[1] for row in before) - time
            expected[at, item] += weight * 0.5 ** (age / 500)
    np.testing.assert_allclose(model.score(asked(*now)), expected, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("half_life", [0.0, -1.0, float("nan"), float("inf")])
def test_a_half_life_is_positive(half_life: float) -> None:
    with pytest.raises(InputError, match="half_life must be a positive number of seconds, got"):
        RecentPopularity(half_life=half_life)
