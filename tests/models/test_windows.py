"""Windows: every step is learned, nothing crosses from one user to another, nothing is padded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.models.sequence_fit import held
from acclimate.models.windows import TAKEN, Ahead, Windows, hold_out
from acclimate.types import Histories

lengths = st.lists(st.integers(0, 40), min_size=1, max_size=12)


@settings(max_examples=60)
@given(lengths, st.integers(1, 12), st.integers(1, 50), st.integers(0, 3))
def test_each_step_of_each_user_is_learned_and_no_other(
    sizes: list[int], longest: int, batch_tokens: int, epoch: int
) -> None:
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    foreseen: list[int] = []
    totals = []
    for places, counts in Windows(offsets, longest, batch_tokens, seed=1).epoch(epoch):
        assert counts.min() >= 1
        assert counts.max() <= longest
        assert counts.sum() == len(places)
        foreseen += (places + 1).tolist()
        totals.append(len(places))
    firsts = {int(start) for start, size in zip(offsets, sizes, strict=False) if size}
    assert sorted(foreseen) == sorted(set(range(offsets[-1])) - firsts)
    assert sum(total != batch_tokens for total in totals) <= 1, "all batches but one are of one size"


def test_epochs_differ_and_repeat() -> None:
    windows = Windows(np.array([0, 30, 60]), longest=7, batch_tokens=14, seed=0)
    first, again, second = ([part[0].tolist() for part in windows.epoch(n)] for n in (0, 0, 1))
    assert first == again
    assert first != second


def test_a_batch_holds_windows_of_near_length() -> None:
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(2, 150, size=400))])
    windows = Windows(offsets, 200, 2048, seed=0)
    used = wanted = 0
    for places, counts in windows.epoch(0):
        used, wanted = used + len(counts) * counts.max(), wanted + len(places)
    assert used < 1.25 * wanted, "at most a fifth of attention's rectangle is empty"


def test_the_held_out_event_is_new_to_its_user() -> None:
    histories = Histories.of([[1, 2, 3], [1, 2, 1], [5, 6], [], [7, 8, 9, 4]])
    left, asked, targets = hold_out(histories, most=10, seed=0)
    assert targets.tolist() == [3, 4]
    assert [one.items.tolist() for one in asked] == [[1, 2], [7, 8, 9]]
    assert left.lengths.tolist() == [2, 3, 2, 0, 3]


def test_at_most_so_many_are_held_out() -> None:
    histories = Histories.of([[1, 2, 3]] * 20)
    left, asked, _ = hold_out(histories, most=4, seed=0)
    assert len(asked) == 4
    assert left.lengths.sum() == 56
    assert hold_out(histories, most=0, seed=0)[0].lengths.sum() == 60


@pytest.mark.parametrize(("events", "users"), [(20, 1024), (160, 1645), (600, 4096)])
def test_more_users_are_held_out_of_larger_data_unless_told_how_many(events: int, users: int) -> None:
    own = Histories.of([list(range(events))] * 2000 + [[1, 2, 3]] * 3000)
    params = {"repeats": False, "baskets": False, "validation_users": None, "seed": 0, "ahead": 1}
    assert len(held(own, params)[1]) == users
    assert len(held(own, params | {"validation_users": 7})[1]) == 7
    assert not len(held(own, params | {"validation_users": 0})[1])


@settings(max_examples=60)
@given(lengths, st.integers(1, 12), st.integers(1, 4), st.integers(0, 3))
def test_what_is_foreseen_is_the_users_own_and_later_but_not_too_late(
    sizes: list[int], most: int, draws: int, epoch: int
) -> None:
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    rows = np.repeat(np.arange(len(sizes)), sizes)
    places = np.setdiff1d(np.arange(offsets[-1]), offsets[1:] - 1)
    then = Ahead(offsets, most, draws, seed=0).epoch(epoch)(places)
    assert then.shape == (len(places), min(draws, most))
    np.testing.assert_array_equal(rows[then], np.broadcast_to(rows[places][:, None], then.shape))
    after = then - places[:, None]
    assert ((after > 0) & (after <= most)).all()


@pytest.mark.parametrize("draws", [1, 3])
def test_each_of_what_follows_is_foreseen_as_often(draws: int) -> None:
    drawn = Ahead(np.array([0, 6]), most=4, draws=draws, seed=0).epoch(0)(np.zeros(8000, np.int64))
    np.testing.assert_allclose(
        np.bincount(drawn.ravel(), minlength=6) / drawn.size, [0, 0.25, 0.25, 0.25, 0.25, 0], atol=0.02
    )


@settings(max_examples=40)
@given(st.lists(st.integers(3, 80), min_size=1, max_size=8), st.integers(2, 12))
def test_of_a_few_that_are_taken_away_one_is_asked_for(sizes: list[int], ahead: int) -> None:
    histories = Histories.of([list(range(size)) for size in sizes], now=[1e9] * len(sizes))
    left, asked, targets = hold_out(histories, most=100, seed=0, ahead=ahead)
    for size, kept, one, target in zip(sizes, left, asked, targets.tolist(), strict=True):
        taken = min(max(size // TAKEN, 1), ahead)
        assert kept.items.tolist() == one.items.tolist() == list(range(size - taken))
        assert size - taken <= target < size
        assert one.now.tolist() == [size - taken], "asked when the first of them happened"


def test_what_was_had_before_or_is_not_liked_is_not_asked_for() -> None:
    items, weights = [*range(30), 3, 4, 77], [1.0] * 33
    weights[31] = 0.0
    drawn = set()
    for seed in range(20):
        _, asked, targets = hold_out(Histories.of([items], weights=[weights]), 10, seed, ahead=3)
        assert asked.items.tolist() == items[:30]
        drawn |= set(targets.tolist())
    assert drawn == {77}
