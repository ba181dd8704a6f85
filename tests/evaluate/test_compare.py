"""Intervals: known answers, coverage of the truth, and what must not matter."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.evaluate import compare
from acclimate.evaluate.compare import (
    Interval,
    bootstrap,
    coverage_interval,
    holm,
    jackknife,
    paired,
    sign_flip,
)
from acclimate.metrics import coverage, gini


def test_the_interval_has_the_width_of_theory() -> None:
    values = np.random.default_rng(0).normal(5.0, 2.0, 400)
    found = bootstrap(values[:, None])[0]
    assert found.mean == pytest.approx(values.mean())
    half = 1.96 * values.std() / np.sqrt(400)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_95_of_100_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(1)
    worlds = rng.binomial(1, 0.3, (60, 150)).astype(float)
    held = [found.low <= 0.3 <= found.high for found in bootstrap(worlds.T)]
    assert 0.88 <= np.mean(held) <= 1.0


def test_a_seed_replays_and_columns_share_the_draws() -> None:
    values = np.random.default_rng(2).random((30, 2))
    assert bootstrap(values, seed=4) == bootstrap(values, seed=4)
    assert bootstrap(values, seed=4) != bootstrap(values, seed=5)
    alone, beside = bootstrap(values[:, :1], seed=4)[0], bootstrap(values, seed=4)[0]
    assert (alone.low, alone.high) == pytest.approx((beside.low, beside.high), rel=1e-12)


def test_a_paired_difference_sees_what_two_intervals_hide() -> None:
    easy_or_hard = np.random.default_rng(3).random(200)
    better = easy_or_hard + 0.01
    a, b = bootstrap(np.column_stack([better, easy_or_hard]))
    assert a.low < b.high
    assert paired(better, easy_or_hard).sign == 1
    assert paired(easy_or_hard, better).sign == -1
    assert paired(better, better) == Interval(0.0, 0.0, 0.0)


def test_one_user_has_an_interval_without_width() -> None:
    assert bootstrap(np.array([[0.5]])) == [Interval(0.5, 0.5, 0.5)]


def test_no_user_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one user"):
        bootstrap(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="of the same users, got 2 and 3"):
        paired(np.zeros(2), np.zeros(3))


def test_the_jackknife_of_coverage_leaves_out_each_user() -> None:
    lists = np.random.default_rng(4).integers(-1, 40, (25, 6)).astype(np.int32)
    lists = np.array([np.pad(u := np.unique(row), (0, 6 - len(u)), constant_values=-1) for row in lists])
    left_out = np.array([coverage(np.delete(lists, user, axis=0), 50) for user in range(25)])
    half = 1.96 * np.sqrt(24 / 25 * ((left_out - left_out.mean()) ** 2).sum())
    found = coverage_interval(lists, 50)
    whole = coverage(lists, 50)
    assert (found.mean, found.low, found.high) == pytest.approx((whole, whole - half, min(whole + half, 1)))
    assert coverage_interval(np.full((2, 3), -1, np.int32), 5) == Interval(0.0, 0.0, 0.0)
    assert coverage_interval(lists[:0], 0) == Interval(0.0, 0.0, 0.0)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(5).random((40, 1))
    whole = bootstrap(values)
    monkeypatch.setattr(compare, "BLOCK", 400)
    assert bootstrap(values) == whole


def test_sign_flips_are_the_share_of_all_signs() -> None:
    apart = np.random.default_rng(6).normal(0.3, 1.0, (10, 2))
    signs = np.array(list(product([-1, 1], repeat=10)))
    exact = (np.abs(signs @ apart) >= np.abs(apart.sum(axis=0)) - 1e-9).mean(axis=0)
    assert sign_flip(apart) == pytest.approx(exact, abs=0.02)
    assert sign_flip(apart, seed=3).tolist() == sign_flip(apart, seed=3).tolist()
    assert sign_flip(np.zeros((5, 1))).tolist() == [1.0]


def test_by_chance_one_in_twenty_is_below_05() -> None:
    same = np.random.default_rng(7).normal(size=(50, 400))
    assert (sign_flip(same) < 0.05).mean() == pytest.approx(0.05, abs=0.03)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_steps_down(chances: list[float]) -> None:
    found, largest = {}, 0.0
    for step, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        largest = max(largest, min(1.0, (len(chances) - step) * chances[place]))
        found[place] = largest
    assert holm(np.array(chances)) == pytest.approx([found[place] for place in range(len(chances))])


def test_the_jackknife_of_groups() -> None:
    lists = np.random.default_rng(8).integers(0, 30, (40, 3)).astype(np.int32)
    found = jackknife(lists, lambda some: gini(some, 30))
    left = [gini(lists[np.arange(40) % 20 != group], 30) for group in range(20)]
    half = 1.96 * np.sqrt(19 / 20 * np.var(left) * 20)
    assert (found.mean, found.low) == pytest.approx((gini(lists, 30), gini(lists, 30) - half))
    one = jackknife(lists[:1], lambda some: gini(some, 30))
    assert one.low == one.mean == one.high
