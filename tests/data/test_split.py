from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.dataset import Dataset
from acclimate.data.held_out import targets_sha256
from acclimate.data.split import SPLITS, Split, split_last, split_time
from acclimate.data.tables import read_tables
from acclimate.errors import InputError

Row = tuple[str, str, float, float]


def made(rows: list[Row]) -> Dataset:
    """A Dataset of (user, item, time, weight) rows."""
    ordered = sorted(rows, key=lambda row: row[2])
    return Dataset.of([row[:3] for row in rows], weight=np.array([row[3] for row in ordered]))


def answers(split: Split) -> dict[str, list[str]]:
    """Targets by outside ids."""
    users, items = split.train.users.ids, split.train.items.ids
    ends = split.target_offsets
    return {
        users[user]: [items[item] for item in split.targets[ends[i] : ends[i + 1]]]
        for i, user in enumerate(split.users)
    }


def pasts(split: Split) -> dict[str, list[str]]:
    """Histories by outside ids."""
    users, items = split.train.users.ids, split.train.items.ids
    return {
        users[user]: [items[item] for item in history.items]
        for user, history in zip(split.users, split.histories, strict=True)
    }


rows = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from("wxyz"),
        st.integers(0, 5).map(float),
        st.sampled_from([1.0, 1.0, 0.0, -1.0]),
    ),
    max_size=25,
)


def slow_last(rows: list[Row]) -> tuple[dict[str, list[str]], dict[str, list[str]], int, int]:
    targets, past, few, had = {}, {}, 0, 0
    for user in {row[0] for row in rows}:
        own = sorted((row for row in rows if row[0] == user), key=lambda row: row[2])
        liked = [place for place, row in enumerate(own) if row[3] > 0]
        if len(liked) < 2:
            few += 1
        elif own[liked[-1]][1] in {own[place][1] for place in liked[:-1]}:
            had += 1
        else:
            targets[user] = [own[liked[-1]][1]]
            past[user] = [row[1] for row in own[: liked[-1]]]
    return targets, past, few, had


@given(rows)
def test_split_last_agrees_with_a_slow_oracle(rows: list[Row]) -> None:
    split = split_last(made(rows))
    targets, past, few, had = slow_last(rows)
    assert answers(split) == targets
    assert pasts(split) == past
    assert split.skipped == {"users with fewer than two positive events": few, "had before": had}
    everyone = {row[0] for row in rows}
    kept = sum(len(past[user]) if user in past else sum(r[0] == user for r in rows) for user in everyone)
    assert len(split.train) == kept


def slow_time(rows: list[Row], quantile: float) -> tuple[list[dict[str, list[str]]], dict[str, int]]:
    ordered = sorted(rows, key=lambda row: row[2])
    cut = ordered[int(quantile * len(ordered))][2] if ordered else 0.0
    past = [row for row in ordered if row[2] < cut and row[3] > 0]
    users, items = {row[0] for row in past}, {row[1] for row in past}
    had = {(row[0], row[1]) for row in past}
    unseen, skipped = set(), {"had before": 0, "items unseen before the cut": 0}
    main, new_users, new_items = dict[str, list[str]](), dict[str, list[str]](), dict[str, list[str]]()
    for user, item, time, weight in ordered:
        if time < cut or weight <= 0:
            continue
        if user not in users:
            unseen.add(user)
            if item not in new_users.setdefault(user, []):
                new_users[user].append(item)
        elif (user, item) in had:
            skipped["had before"] += 1
        else:
            had.add((user, item))
            (main if item in items else new_items).setdefault(user, []).append(item)
            skipped["items unseen before the cut"] += item not in items
    return [main, new_users, new_items], {"users unseen before the cut": len(unseen), **skipped}


@given(rows, st.floats(0.05, 0.95))
def test_split_time_agrees_with_a_slow_oracle(rows: list[Row], quantile: float) -> None:
    split = split_time(made(rows), quantile)
    targets, skipped = slow_time(rows, quantile)
    assert split.skipped == skipped
    assert list(split.beside) == ["new users", "new items"]
    for each, expected in zip([split, *(other for _, other in split.beside.values())], targets, strict=True):
        assert answers(each) == expected
        cut = each.histories.now
        assert all((each.train.time < moment).all() for moment in cut)
        assert (each.histories.times < np.repeat(cut, each.histories.lengths)).all()


def test_the_question_is_asked_at_the_time_of_the_target() -> None:
    split = split_last(Dataset.of([("ann", "x", 1.0), ("ann", "y", 5.0), ("bob", "x", 9.0)]))
    assert split.histories.now.tolist() == [5.0]
    assert split.train.until == 9.0


def test_equal_times_keep_the_order_of_the_file(table: Callable[..., Path]) -> None:
    first = read_tables(table("user,item,time\na,x,1\na,y,1\n")).dataset
    second = read_tables(table("user,item,time\na,y,1\na,x,1\n")).dataset
    assert answers(split_last(first)) == {"a": ["y"]}
    assert answers(split_last(second)) == {"a": ["x"]}


def test_an_exposure_after_the_target_is_in_no_part() -> None:
    data = made([("a", "x", 1, 1), ("a", "y", 2, 1), ("a", "z", 3, 0), ("b", "z", 4, 1)])
    split = split_last(data)
    assert answers(split) == {"a": ["y"]}
    assert split.train.time.tolist() == [1, 4]


def test_an_item_only_seen_before_may_be_the_target() -> None:
    split = split_last(made([("a", "x", 1, 1), ("a", "y", 2, 0), ("a", "y", 3, 1)]))
    assert answers(split) == {"a": ["y"]}
    assert split.histories.weights.tolist() == [1, 0]


def test_ten_shufflings_of_the_rows_have_the_same_targets(table: Callable[..., Path]) -> None:
    draw = random.Random(0)
    lines = [f"u{draw.randrange(9)},i{draw.randrange(30)},{time}\n" for time in range(400)]
    data = read_tables(table("user,item,time\n" + "".join(lines))).dataset
    for _ in range(10):
        draw.shuffle(lines)
        again = read_tables(table("user,item,time\n" + "".join(lines))).dataset
        assert again.items.ids == data.items.ids
        for protocol in SPLITS.values():
            assert targets_sha256(protocol(again, 1, np.inf)) == targets_sha256(protocol(data, 1, np.inf))


def test_a_repeat_is_a_target_after_a_time_and_takes_a_place() -> None:
    rows = [("a", "x", 0.0), ("a", "y", 5.0), ("a", "x", 10.0)]
    assert split_last(Dataset.of(rows)).skipped["had before"] == 1
    assert split_last(Dataset.of(rows), again=10.1).skipped["had before"] == 1
    for again in (10.0, 0.0):
        split = split_last(Dataset.of(rows), again=again)
        assert answers(split) == {"a": ["x"]}
    split = split_last(Dataset.of([*rows[:2], ("a", "z", 10.0)]), again=7.0)
    assert [split.train.items.ids[item] for item in split.closed().items] == ["y"], "x may come again"
    later = split_time(Dataset.of([*rows, ("b", "x", 1.0)]), 0.75, again=10.0)
    assert answers(later) == {"a": ["x"]}


def test_the_hash_is_that_of_the_sorted_lines() -> None:
    split = split_last(Dataset.of([("b", "x", 1.0), ("b", "y", 2.0), ("a", "x", 3.0), ("a", "é", 4.0)]))
    assert split.targets_sha256 == hashlib.sha256("a\té\nb\ty\n".encode()).hexdigest()
    assert split.n_targets == 2


@pytest.mark.parametrize("protocol", SPLITS)
@pytest.mark.parametrize("n", [0, 1])
def test_no_event_or_one_gives_no_target(protocol: str, n: int) -> None:
    (split,) = SPLITS[protocol](Dataset.of([("a", "x", 1.0)][:n]), 0, np.inf)
    assert split.n_targets == 0
    assert len(split.histories) == len(split.users) == 0
    assert split.target_offsets.tolist() == [0]


@pytest.mark.parametrize("protocol", SPLITS)
def test_arrays_are_read_only_and_typed(protocol: str) -> None:
    data = Dataset.of([(u, i, float(t)) for t, (i, u) in enumerate((i, u) for i in "vwxyz" for u in "ab")])
    split = SPLITS[protocol](data, 0, np.inf)[0]
    assert split.protocol == protocol
    assert split.n_targets
    assert {split.users.dtype.name, split.targets.dtype.name} == {"int32"}
    assert split.target_offsets.dtype == np.int64
    assert not any(array.flags.writeable for array in (split.users, split.targets, split.target_offsets))


@pytest.mark.parametrize("quantile", [0.0, 1.0, -1.0, float("nan")])
def test_a_quantile_outside_is_refused(quantile: float) -> None:
    with pytest.raises(InputError, match="quantile must be above 0 and below 1, got"):
        split_time(Dataset.of([("a", "x", 1.0)]), quantile)
