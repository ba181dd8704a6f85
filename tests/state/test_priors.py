"""The prior of now, beside an oracle that counts all events anew each time."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.errors import InputError
from acclimate.state.influence import PURSE
from acclimate.state.priors import DAY, LivePrior

HALF_LIVES = (DAY, 30 * DAY)
Events = list[tuple[int, int, float]]


def learned(counts: list[int], events: Events) -> LivePrior:
    prior = LivePrior(np.array(counts), HALF_LIVES)
    for event in events:
        prior.learn(*event)
    return prior


def oracle(counts: list[int], events: Events, half_life: float) -> np.ndarray:
    """Return the shift where no user acts twice, straight from what it means."""
    n, fitted = len(counts), np.array(counts)
    then = np.where(fitted == 0, 1 / n, (fitted + 1) / (fitted.sum() + n))
    now = max(time for *_, time in events)
    worth = [0.5 ** ((now - time) / half_life) for *_, time in events]
    out = np.zeros(n)
    for item in range(n):
        first = next((at for at, event in enumerate(events) if event[1] == item), len(events))
        since = 0 if fitted[item] else first
        own = sum(w for w, event in zip(worth, events, strict=True) if event[1] == item)
        out[item] = np.log((own + n * then[item]) / ((sum(worth[since:]) + n) * then[item]))
    return out


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 30), min_size=4, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 400)), min_size=1, max_size=40),
)
def test_it_is_what_the_oracle_counts(counts: list[int], told: list[tuple[int, float]]) -> None:
    events = [(user, item, 1e9 + days * DAY) for user, (item, days) in enumerate(told)]
    prior = learned(counts, events)
    for row, half_life in enumerate(HALF_LIVES):
        np.testing.assert_allclose(prior.shift(row), oracle(counts, events, half_life), atol=1e-4)


def test_an_oracle_that_forgets_faster_is_told_apart() -> None:
    events = [(user, user % 2, 1e9 + user * DAY) for user in range(9)]
    found = learned([5, 5, 5, 5], events).shift(0)
    assert np.abs(found - oracle([5, 5, 5, 5], events, DAY / 2)).max() > 0.05


def test_decades_of_events_stay_finite_and_old_ones_fade() -> None:
    prior = LivePrior(np.array([5, 5]), HALF_LIVES)
    for year in range(40):
        for user in range(5):
            prior.learn(5 * year + user, int(year >= 20), 365 * DAY * year + user)
    assert np.isfinite(prior._now).all()
    last = learned([5, 5], [(user, 1, 365 * DAY * 39 + user) for user in range(5)])
    np.testing.assert_allclose(prior.shift(0), last.shift(0), atol=1e-4)


def test_it_begins_with_what_the_model_was_fitted_on() -> None:
    times = np.array([0.0, 10 * DAY, 20 * DAY])
    begun = LivePrior(np.array([2, 1]), HALF_LIVES)
    begun.begin(np.array([0, 0, 1], np.int32), times)
    one_by_one = learned([2, 1], [(user, user // 2, time) for user, time in enumerate(times)])
    for row in range(2):
        np.testing.assert_allclose(begun.shift(row), one_by_one.shift(row), atol=1e-5)
    assert begun.shift(0)[1] > 0.2 > begun.shift(0)[0], "the newest was of item 1"


def test_nothing_happened_is_no_shift() -> None:
    np.testing.assert_allclose(LivePrior(np.array([3, 0, 9]), HALF_LIVES).shift(1), 0, atol=1e-6)
    np.testing.assert_allclose(LivePrior(np.zeros(0, np.int64), HALF_LIVES).shift(0), np.zeros(0))


def test_a_new_item_is_not_held_against_what_was_before_it() -> None:
    prior = learned([50, 50], [(user, user % 2, float(user)) for user in range(100)])
    prior.grow(3)
    assert prior.shift(1)[2] == pytest.approx(0, abs=1e-6)
    prior.learn(1000, 2, 101.0)
    first = prior.shift(1)[2]
    assert 0 < first < 1, "one event is little to go by"
    for user in range(20):
        prior.learn(2000 + user, 2, 102.0 + user)
    assert prior.shift(1)[2] > first


def test_a_flood_from_one_account_counts_as_one_event() -> None:
    counts = np.array([100] * 50)
    calm, flooded, one = (LivePrior(counts, HALF_LIVES) for _ in range(3))
    one.learn(7, 3, 100.0)
    for n in range(10_000):
        flooded.learn(7, 3, 100.0 + n / 100)
    np.testing.assert_allclose(flooded.shift(1), one.shift(1), atol=1e-3)
    assert np.abs(flooded.shift(1) - calm.shift(1)).max() <= np.log(2)
    for n in range(10_000):
        flooded.learn(8, n % 50, 100.0 + n / 100)
    assert flooded._all[1] < 1 + 1 + PURSE


def test_who_comes_back_every_week_counts_nearly_anew() -> None:
    prior = learned([10, 10], [(7, 0, 7 * DAY * week) for week in range(4)])
    others = learned([10, 10], [(week, 0, 7 * DAY * week) for week in range(4)])
    np.testing.assert_allclose(prior.shift(1), others.shift(1), atol=0.02)


def test_its_state_travels() -> None:
    prior = learned([5, 0, 2], [(user, user % 3, user * DAY / 3) for user in range(30)])
    arrays, document = prior.state()
    again = LivePrior.restored((arrays, json.loads(json.dumps(document))))
    for each in (prior, again):
        each.grow(4)
        for user in range(30, 50):
            each.learn(user % 35, user % 4, user * DAY / 3)
    for row in range(2):
        np.testing.assert_array_equal(again.shift(row), prior.shift(row))


@pytest.mark.parametrize("half_lives", [(), (0.0,), (1.0, -1.0)])
def test_half_lives_are_positive(half_lives: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="half_lives must be positive seconds, got"):
        LivePrior(np.array([1]), half_lives)
