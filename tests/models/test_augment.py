"""Sequences told otherwise: what is left, what is changed, and what is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.models.augment import AUGMENTATIONS, BLANK, beside, view

LENGTHS = np.array([1, 2, 10, 50])
ITEMS = np.arange(LENGTHS.sum())
NEXT = (np.arange(100) + 1) % 100


def parts(way: str, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return of each sequence what it was, what it is now, and the places that are left."""
    seen = view(ITEMS, LENGTHS, [way], NEXT, np.random.default_rng(seed))
    ends = np.cumsum(LENGTHS)[:-1]
    now, left = (np.split(each, np.cumsum(seen.lengths)[:-1]) for each in (seen.items, seen.take))
    return list(zip(np.split(ITEMS, ends), now, left, strict=True))


def test_a_crop_is_one_piece_of_six_tenths() -> None:
    for was, now, left in parts("crop"):
        assert len(now) == np.ceil(0.6 * len(was))
        assert (np.diff(now) == 1).all()
        np.testing.assert_array_equal(now, left)
        assert set(now) <= set(was)


def test_a_mask_blanks_three_tenths_and_never_all() -> None:
    blank = 0
    for seed in range(200):
        for was, now, _ in parts("mask", seed):
            assert (now[now != BLANK] == was[now != BLANK]).all()
            assert (now != BLANK).any()
            blank += int((now == BLANK).sum())
    assert abs(blank / 200 / (0.3 * (LENGTHS - 1).sum()) - 1) < 0.05


def test_reordering_shuffles_one_piece() -> None:
    moved = 0
    for was, now, left in parts("reorder"):
        assert sorted(now) == list(was)
        np.testing.assert_array_equal(left, was)
        changed = np.flatnonzero(was != now)
        assert not len(changed) or np.ptp(changed) < np.ceil(0.6 * len(was))
        moved += len(changed)
    assert moved > 15


def test_a_substitute_stands_beside_what_it_replaces() -> None:
    changed = 0
    for seed in range(100):
        for was, now, _ in parts("substitute", seed):
            other = was != now
            np.testing.assert_array_equal(now[other], NEXT[was[other]])
            changed += int(other.sum())
    assert abs(changed / 100 / (0.3 * LENGTHS.sum()) - 1) < 0.05


def test_each_sequence_is_changed_in_a_way_of_its_own() -> None:
    seen = view(np.arange(4000), np.full(400, 10), ["crop", "mask"], NEXT, np.random.default_rng(0))
    assert 150 < (seen.lengths == 6).sum() < 250


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.sampled_from(AUGMENTATIONS), st.integers(0, 9))
def test_something_of_each_is_left(lengths: list[int], way: str, seed: int) -> None:
    n = np.array(lengths)
    seen = view(np.arange(n.sum()), n, [way], NEXT, np.random.default_rng(seed))
    assert (seen.lengths >= 1).all()
    assert len(seen.items) == len(seen.take) == seen.lengths.sum()
    assert (np.diff(seen.take) > 0).all()


@pytest.mark.parametrize(
    ("items", "offsets", "expected"),
    [
        ([0, 1, 0, 1, 2], [0, 5], [1, 0, 1, 3]),
        ([0, 1, 2, 3], [0, 2, 4], [1, 0, 3, 2]),
        ([0, 0, 0], [0, 3], [0, 1, 2, 3]),
        ([0, 1, 1, 2, 1, 2], [0, 0, 2, 6, 6], [1, 2, 1, 3]),
        ([], [0], [0, 1, 2, 3]),
    ],
)
def test_what_stands_beside_is_counted_within_sequences(
    items: list[int], offsets: list[int], expected: list[int]
) -> None:
    assert beside(np.array(items, int), np.array(offsets), 4).tolist() == expected
