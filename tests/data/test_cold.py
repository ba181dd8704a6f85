"""Whole users and whole items held out: nothing of them is trained on, and a seed decides who."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.cold import split_cold_item, split_cold_user, split_kfold
from acclimate.data.dataset import Dataset
from acclimate.data.held_out import last_positive, since_last, targets_sha256
from acclimate.data.split import split_last
from acclimate.errors import InputError
from tests.data.test_split import Row, answers, made, pasts, rows


def shop(n_users: int = 20, n_items: int = 15, seed: int = 0) -> Dataset:
    """Users with 2 to 14 events, each with an item that is new to them."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, n_items, n_users)
    bought = [(u, i) for u in range(n_users) for i in rng.permutation(n_items)[: lengths[u]]]
    return Dataset.of([(f"u{u}", f"i{i}", float(t)) for t, (u, i) in enumerate(bought)])


@given(rows)
def test_since_last_is_the_time_to_the_positive_event_before(rows: list[Row]) -> None:
    data = made(rows)
    found = since_last(data)
    for place in range(len(data)):
        same = (data.user == data.user[place]) & (data.item == data.item[place]) & (data.weight > 0)
        before = np.flatnonzero(same[:place])
        known = data.weight[place] > 0 and len(before)
        assert found[place] == (data.time[place] - data.time[before[-1]] if known else np.inf)


def test_each_user_is_in_one_fold_and_is_not_trained_on() -> None:
    data = shop()
    splits, whole = split_kfold(data, 5), split_last(data)
    asked = np.concatenate([split.users for split in splits])
    assert sorted(asked) == whole.users.tolist()
    assert {len(split.users) for split in splits} == {4}
    targets = np.concatenate([split.targets for split in splits])
    assert sorted(targets) == sorted(whole.targets)
    hashes = {targets_sha256(split_kfold(data, 5, seed=seed)) for seed in (0, 0, 1)}
    assert len(hashes) == 2, "who is asked together is part of the task"
    assert whole.targets_sha256 not in hashes
    for split in splits:
        assert not np.isin(split.train.user, split.users).any()
        assert len(split.train) == (~np.isin(data.user, split.users)).sum()
        own = {name: past for name, past in pasts(whole).items() if name in pasts(split)}
        assert pasts(split) == own, "the model is told all that came before"
    assert sum(split.skipped.get("had before", 0) for split in splits) == whole.skipped["had before"]


def test_a_seed_decides_who_and_what() -> None:
    data = shop()
    for split in (split_kfold, split_cold_user, split_cold_item):
        one, two, other = (split(data, seed=seed) for seed in (1, 1, 2))
        hashes = [(each[0] if isinstance(each, list) else each).targets_sha256 for each in (one, two, other)]
        assert hashes[0] == hashes[1] != hashes[2]


def test_there_are_no_more_folds_than_users() -> None:
    rows = [(user, item, n) for user in "ab" for n, item in enumerate("xy")]
    assert [len(split.users) for split in split_kfold(Dataset.of(rows))] == [1, 1]
    (alone,) = split_kfold(Dataset.of(rows[:2]))
    assert alone.n_targets == 0
    assert alone.skipped["the only one who can be asked"] == 1


def test_a_cold_user_is_asked_with_the_first_events_alone() -> None:
    data = shop(30)
    split = split_cold_user(data)
    cold = np.unique(split.users)
    assert len(cold) == 6, "a fifth of those who can be asked"
    assert not np.isin(split.train.user, cold).any()
    last = split_last(data)
    assert split.had is not None
    for row, user in enumerate(split.users):
        whole = last.histories[int(np.searchsorted(last.users, user))].items
        told = split.histories[row].items
        assert told.tolist() == whole[: len(told)].tolist()
        assert split.targets[row] == last.targets[np.searchsorted(last.users, user)]
        assert split.had[row].items.tolist() == whole.tolist(), "what was had by then is in no ranking"
        assert set(split.closed()[row].items) == set(whole)
    for n in (1, 3, 10):
        keep = split.parts[f"{n} event{'s' * (n > 1)}"][1]
        assert set(split.histories.lengths[keep]) <= {n}
        enough = [user for user in cold if last.histories.lengths[np.searchsorted(last.users, user)] >= n]
        assert split.users[keep].tolist() == enough


def test_of_a_cold_item_nothing_is_trained_on() -> None:
    data = shop(40)
    split = split_cold_item(data, seed=3)
    words, cold = split.among["among the cold"]
    assert cold.sum() == 3, "a fifth of 15"
    assert words == "ranked among the 3 cold items alone"
    assert cold[split.targets].all()
    assert not cold[split.train.item].any()
    assert split.train.n_items == data.n_items, "their texts are known"
    for user, (target,) in answers(split).items():
        own = np.flatnonzero(data.user == data.users.code(user))
        cold_ones = own[cold[data.item[own]]]
        assert target == data.items.ids[data.item[cold_ones[-1]]]
        before = own[own < cold_ones[-1]]
        assert pasts(split)[user] == [data.items.ids[item] for item in data.item[before]]
        mine = split.train.user == data.users.code(user)
        assert (split.train.time[mine] < data.time[cold_ones[-1]]).all()


def test_shares_and_folds_outside_are_refused() -> None:
    for share in (0.0, 1.0, float("nan")):
        for split in (split_cold_item, split_cold_user):
            with pytest.raises(InputError, match="share must be above 0 and below 1, got"):
                split(shop(), share)
    with pytest.raises(InputError, match=r"folds must be 2\.\.1000, got 1"):
        split_kfold(shop(), 1)


@given(rows, st.sampled_from([0.0, 1.0, 2.0, np.inf]))
def test_the_last_may_be_had_before_if_that_is_long_ago(rows: list[Row], again: float) -> None:
    data = made(rows)
    last = last_positive(data, again)
    for user in range(data.n_users):
        liked = np.flatnonzero((data.user == user) & (data.weight > 0))
        if len(liked) < 2:
            assert user not in last.users
            continue
        same = [place for place in liked[:-1] if data.item[place] == data.item[liked[-1]]]
        fresh = not same or (again < np.inf and data.time[liked[-1]] - data.time[same[-1]] >= again)
        assert (user in last.users) == fresh
