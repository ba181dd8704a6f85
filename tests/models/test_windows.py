"""Windows: every step is learned, nothing crosses from one user to another, nothing is padded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.models.sequence_fit import held
from acclimate.models.windows import Windows, hold_out
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
    params = {"repeats": False, "baskets": False, "validation_users": None, "seed": 0}
    assert len(held(own, params)[1]) == users
    assert len(held(own, params | {"validation_users": 7})[1]) == 7
    assert not len(held(own, params | {"validation_users": 0})[1])
