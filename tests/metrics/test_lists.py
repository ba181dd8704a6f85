"""What lists are like: hand-computed values, RecTools' own examples, and slow oracles."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from acclimate.metrics import (
    coverage,
    diversity,
    gini,
    lists,
    mean_over_lists,
    self_information,
    serendipity,
)

N_ITEMS = 6


@st.composite
def some_lists(draw: st.DrawFn) -> Any:
    """Lists of up to 4 of the items, the empty one too."""
    k = draw(st.integers(1, 4))
    rows = draw(st.lists(st.permutations(range(N_ITEMS)), min_size=1, max_size=5))
    ends = draw(st.lists(st.integers(0, k), min_size=len(rows), max_size=len(rows)))
    return np.array([[*row[:end], *[-1] * (k - end)] for row, end in zip(rows, ends, strict=True)], np.int32)


def kept(row: Any) -> list[int]:
    return [item for item in row.tolist() if item >= 0]


@settings(max_examples=60)
@given(some_lists())
def test_gini_is_the_mean_difference_of_all_pairs(shown: Any) -> None:
    counts = [sum(item in kept(row) for row in shown) for item in range(N_ITEMS)]
    apart = sum(abs(a - b) for a in counts for b in counts)
    expected = apart / (2 * N_ITEMS * sum(counts)) if sum(counts) else 0.0
    assert gini(shown, N_ITEMS) == pytest.approx(expected)
    assert coverage(shown, N_ITEMS) == len({item for row in shown for item in kept(row)}) / N_ITEMS


@settings(max_examples=60)
@given(some_lists(), st.integers(0, 99))
def test_diversity_is_the_mean_of_all_pairs(shown: Any, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(N_ITEMS, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0.0
    found = diversity(shown, vectors.astype(np.float32))
    for row, value in zip(shown, found, strict=True):
        pairs = [1 - vectors[a] @ vectors[b] for a, b in combinations(kept(row), 2)]
        assert value == pytest.approx(np.mean(pairs) if pairs else 0.0, abs=1e-6)


@settings(max_examples=60)
@given(some_lists(), st.lists(st.integers(0, 5), min_size=N_ITEMS, max_size=N_ITEMS), st.integers(0, 99))
def test_serendipity_and_means_agree_with_a_loop(shown: Any, counts: Any, seed: int) -> None:
    right = np.random.default_rng(seed).random(shown.shape) < 0.5
    ranks, values = rankdata([-count for count in counts]), np.linspace(0, 1, N_ITEMS)
    found, means = serendipity(shown, right, np.array(counts)), mean_over_lists(shown, values)
    for row in range(len(shown)):
        total = 0.0
        for place, item in enumerate(shown[row].tolist()):
            if item >= 0 and right[row, place]:
                other = (N_ITEMS + 1 - ranks[item]) / N_ITEMS if counts[item] else 0.0
                total += max((N_ITEMS - place) / N_ITEMS - other, 0.0)
        assert found[row] == pytest.approx(total / shown.shape[1])
        own = [values[item] for item in kept(shown[row])]
        assert means[row] == pytest.approx(np.mean(own) if own else 0.0)


def test_the_example_of_rectools_for_serendipity() -> None:
    """From the docstring of rectools.metrics.Serendipity 0.19, k = 2: users u1, u2, u3, u4."""
    shown = np.array([[0, 1], [1, 2], [2, -1], [1, 2]], np.int32)
    right = np.array([[True, True], [True, True], [False, False], [True, False]])
    found = serendipity(shown, right, np.array([3, 2, 0, 0]))
    np.testing.assert_allclose(found, [0.0, 0.5, 0.0, 0.125])


def test_novelty_by_hand() -> None:
    bits = self_information(np.array([4, 2, 1, 0]), n_users=4)
    np.testing.assert_allclose(bits, [0.0, 1.0, 2.0, 2.0])
    np.testing.assert_allclose(mean_over_lists(np.array([[0, 1], [2, 3]]), bits), [0.5, 2.0])


def test_no_lists_and_no_items() -> None:
    none = np.full((2, 3), -1, np.int32)
    assert gini(none, 0) == gini(none, 5) == coverage(none, 0) == 0.0
    assert mean_over_lists(none, np.zeros(0)).tolist() == [0.0, 0.0]
    assert serendipity(none, np.zeros((2, 3), bool), np.zeros(0, int)).tolist() == [0.0, 0.0]
    assert diversity(none, np.zeros((0, 4), np.float32)).tolist() == [0.0, 0.0]


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    shown, vectors = rng.integers(-1, 9, (20, 4)).astype(np.int32), rng.random((9, 3)).astype(np.float32)
    whole = diversity(shown, vectors)
    monkeypatch.setattr(lists, "BLOCK", 3)
    np.testing.assert_array_equal(diversity(shown, vectors), whole)
