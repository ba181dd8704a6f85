"""Likes and item neighbours under single events, against a fit on everything and against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.models import likes as likes_module
from acclimate.models import live_neighbours
from acclimate.models.item_knn import ItemKNN
from acclimate.models.likes import Likes
from acclimate.types import Histories, Item

N_USERS, N_ITEMS = 12, 9
USERS, ITEMS = (Vocabulary(map(str, range(n))) for n in (N_USERS, N_ITEMS))
WEIGHTS = [1.0, 2.0, 0.5, -1.0, 0.0]  # halves and quarters add up exactly
EVENT = st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.sampled_from(WEIGHTS))


def dataset(rows: list[tuple[int, int, float]]) -> Dataset:
    user, item, weight = (np.array([row[at] for row in rows]) for at in range(3))
    return Dataset(USERS, ITEMS, user, item, np.arange(len(rows)), weight=weight)


def everything(model: ItemKNN) -> np.ndarray:
    rows = (
        [[n] for n in range(N_ITEMS)]
        + [[n, (n + 4) % N_ITEMS] for n in range(N_ITEMS)]
        + [list(range(N_ITEMS))]
    )
    return model.score(Histories.of(rows))


@settings(max_examples=150)
@example([(0, 0, 1.0), (0, 1, 0.5)], 0, 1, False)  # weights below 1 on nothing
@given(st.lists(EVENT, max_size=60), st.integers(0, 60), st.integers(1, 12), st.booleans())
def test_learning_is_a_fit_on_all(
    rows: list[tuple[int, int, float]], cut: int, neighbours: int, asked: bool
) -> None:
    data = dataset(rows)
    whole, part = ItemKNN(neighbours, shrink=1.0), ItemKNN(neighbours, shrink=1.0)
    whole.fit(data)
    part.fit(data.where(np.arange(len(data)) < cut))
    for at in range(cut, len(data)):
        if asked:  # rows of counts are at hand from now on, and have to keep up
            everything(part)
        part.learn(data.events.part(slice(at, at + 1)))
    np.testing.assert_allclose(everything(part), everything(whole), rtol=1e-5, atol=1e-6)
    codes = np.arange(N_ITEMS, dtype=np.int32)
    np.testing.assert_allclose(part.similarity(codes), whole.similarity(codes), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("room", [1, 2, 5])
def test_counts_that_do_not_fit_are_counted_anew(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = [(int(rng.integers(N_USERS)), int(rng.integers(N_ITEMS)), 1.0) for _ in range(120)]
    data = dataset(rows)
    whole, part = ItemKNN(3), ItemKNN(3)
    whole.fit(data)
    part.fit(data.where(np.arange(len(data)) < 40))
    monkeypatch.setattr(live_neighbours, "CACHE", 0)
    monkeypatch.setattr(live_neighbours, "FEWEST", room)
    for at in range(40, 120):
        everything(part)
        part.learn(data.events.part(slice(at, at + 1)))
    np.testing.assert_allclose(everything(part), everything(whole), rtol=1e-5, atol=1e-6)


def test_a_catalogue_may_grow_far_while_it_learns() -> None:
    model = ItemKNN(2)
    model.fit(dataset([(0, 0, 1.0), (0, 1, 1.0)]))
    for code in range(N_ITEMS, 200):
        model.put_items(np.array([code], np.int32), [Item(str(code))])
        events = dataset([(1, 0, 1.0)]).events
        model.learn(events._replace(user=np.array([code], np.int32)))
        model.learn(events._replace(user=np.array([code], np.int32), item=np.array([code], np.int32)))
    assert model.score(Histories.of([[199]]))[0, 0] > 0
    assert np.isnan(model.score(Histories.of([[199]]))[0, 2])


@settings(max_examples=100)
@given(st.lists(EVENT, max_size=60))
def test_likes_taken_one_by_one_are_those_of_the_histories(rows: list[tuple[int, int, float]]) -> None:
    data = dataset(rows)
    whole, single = Likes.of(data.histories()), Likes.of(Histories.of([]))
    for user, item, weight in rows:
        single.add(user, item, weight)
    for a, b in zip(whole.pairs, single.pairs, strict=True):
        np.testing.assert_array_equal(a, b)
    table = np.zeros((N_USERS, N_ITEMS))
    for user, item, weight in rows:
        table[user, item] = max(table[user, item], weight)
    for item in range(N_ITEMS):
        np.testing.assert_allclose(single.together(item, N_ITEMS), table[:, item] @ table)
    for user in range(N_USERS):
        items, weights = Likes.restored(single.state()).of_user(user)
        np.testing.assert_array_equal(np.sort(items), np.flatnonzero(table[user]))
        np.testing.assert_array_equal(weights, table[user, items])


def test_of_a_user_the_first_likes_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likes_module, "MOST", 3)
    rows = [(0, item, 1.0) for item in (5, 6, 5, 7, 8, 5, 2)]
    whole, single = Likes.of(dataset(rows).histories()), Likes.of(Histories.of([]))
    added = [single.add(*row) for row in rows]
    assert [one is not None for one in added] == [True, True, False, True, False, False, False]
    assert single.of_user(0)[0].tolist() == whole.of_user(0)[0].tolist() == [5, 6, 7]
    assert single.add(0, 6, 4.0) == (1.0, 4.0)
