"""A mix that moved is told, also in cells that were empty; chance alone is not taken for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.adapt.mixes import CHANCE, SHIFTED, Mix, chance_psi, psi
from acclimate.errors import InputError

COUNTS = st.lists(st.integers(0, 500), min_size=5, max_size=5)


def zipf(cells: int, power: float) -> np.ndarray:
    shares = 1 / np.arange(1, cells + 1) ** power
    return shares / shares.sum()


def filled(mix: Mix, shares: np.ndarray, blocks: int, seed: int = 0, each: int = 256) -> Mix:
    rng = np.random.default_rng(seed)
    for _ in range(blocks):
        mix.learn(rng.choice(len(shares), each, p=shares), np.ones(each))
    return mix


def test_it_is_the_formula_where_no_cell_is_seldom() -> None:
    e, a = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.3, 0.4])
    plain = ((a - e) * np.log(a / e)).sum()
    assert psi(e * 1e7, a * 1e6) == pytest.approx(plain, rel=1e-4)
    assert psi(e * 1e3, a * 1e3) == pytest.approx(plain, rel=0.01)


@given(COUNTS, COUNTS)
def test_it_is_never_negative_nor_infinite_and_zero_for_the_same(one: list[int], other: list[int]) -> None:
    assert 0 <= psi(one, other) < 50
    assert psi(one, one) == pytest.approx(0, abs=1e-12)
    assert psi(one, np.multiply(one, 3)) == pytest.approx(0, abs=1e-9)
    assert psi(one, other) == pytest.approx(psi(other, one))


def test_a_cell_that_is_new_counts() -> None:
    assert psi([500, 500, 0], [400, 400, 200]) > 0.25
    assert psi([0, 0, 0], [1, 2, 3]) == 0
    assert chance_psi([0, 0, 0], [1, 2, 3]) == np.inf


def test_more_smoothing_is_less_drift() -> None:
    small, large = psi([20, 20], [10, 30]), psi([2000, 2000], [1000, 3000])
    assert small < large


SHAPES = [
    (10, 64, 64, 0.0),
    (10, 2048, 20_000, 1.2),
    (20, 64, 1000, 1.2),
    (256, 2048, 40_000, 1.2),
    (1000, 300, 300, 1.2),
]
"""Cells, observations of two samples, and how unlike the cells are."""


@cache
def unchanged() -> list[tuple[np.ndarray, np.ndarray, list[float]]]:
    """Return many pairs of samples of one multinomial for each shape, and their index."""
    rng, drawn = np.random.default_rng(0), []
    for cells, n, m, power in SHAPES:
        one, other = (rng.multinomial(size, zipf(cells, power), 800) for size in (n, m))
        drawn.append((one, other, [psi(*pair) for pair in zip(one, other, strict=True)]))
    return drawn


def chance_alone(bound: Callable[[np.ndarray, np.ndarray, float], float]) -> float:
    """Return by what factor, at most, an unchanged multinomial passes a bound more often than it says."""
    worst = 0.0
    for one, other, index in unchanged():
        for chance in (0.05, 0.02):
            bounds = [bound(*pair, chance) for pair in zip(one, other, strict=True)]
            worst = max(worst, float(np.greater(index, bounds).mean()) / chance)
    return worst


def test_chance_passes_the_bound_no_oftener_than_is_said() -> None:
    assert 0.5 < chance_alone(chance_psi) < 2
    assert chance_alone(lambda one, other, chance: 0.5 * chance_psi(one, other, chance)) > 2, "a lower one"
    assert chance_alone(lambda one, other, chance: np.inf) == 0, "nor does it pass for never telling anything"


def test_counts_are_checked() -> None:
    with pytest.raises(InputError, match=r"two rows of the same cells, got \(2,\) and \(3,\)"):
        psi([1, 2], [1, 2, 3])
    for wrong in (-1, np.nan, np.inf):
        with pytest.raises(InputError, match="counts must be finite and 0 or more"):
            psi([1, 2], [1, wrong])


def test_a_mix_that_moved_is_told_with_where() -> None:
    shares = zipf(20, 1.0)
    mix = filled(Mix(20, 8, 128.0), shares, 60)
    assert not mix.moved
    assert mix.bound == SHIFTED
    filled(mix, shares[::-1].copy(), 4)
    assert mix.moved
    assert mix.most in (0, 19)
    before, now = mix.shares
    assert before[0] > 0.25 > now[0]


def test_a_mix_that_stays_is_never_told_of_and_one_that_goes_back_no_more() -> None:
    shares, mix = zipf(128, 1.0), Mix(128, 8, 128.0)
    told = [filled(mix, shares, 1, seed).moved for seed in range(1000)]
    assert not any(told)
    assert filled(mix, np.roll(shares, 50), 8).moved
    assert not filled(mix, shares, 8, 5).moved


def test_a_mix_that_lasts_becomes_normal() -> None:
    shares = zipf(20, 1.0)
    mix = filled(Mix(20, 4, 40.0), shares, 40)
    assert filled(mix, shares[::-1].copy(), 20).moved
    assert not filled(mix, shares[::-1].copy(), 130).moved


def test_few_events_say_nothing() -> None:
    mix = filled(Mix(4, 8, 128.0), zipf(4, 0), 15)
    assert mix.index == 0
    assert not mix.moved
    assert not Mix(4, 8, 128.0).moved


def test_codes_share_cells_and_several_of_one_event_share_its_count() -> None:
    mix = Mix(4, 1, 10.0)
    mix.learn(np.array([1, 5, 2, 10**9]), np.array([0.5, 0.5, 1.0, 1.0]))
    np.testing.assert_array_equal(mix._newest[0], [1, 1, 1, 0])


def test_its_state_travels() -> None:
    mix = filled(Mix(20, 8, 128.0), zipf(20, 1.0), 37)
    arrays, numbers = mix.state()
    again = Mix.restored(({k: v.copy() for k, v in arrays.items()}, json.loads(json.dumps(numbers))))
    for each in (mix, again):
        filled(each, zipf(20, 0.5), 5)
    assert again.index == mix.index > 0
    assert again.bound == mix.bound < np.inf
    assert CHANCE <= 1e-4
