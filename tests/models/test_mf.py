"""Matrix factorisation for ratings: made worlds with a known answer, and the closed form."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.dataset import Dataset
from acclimate.data.fetch import fetch
from acclimate.data.tables import read_tables
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.models.mf import BIAS, PRIOR, MatrixFactorisation
from acclimate.types import Histories, Item

N_USERS, N_ITEMS = 200, 60


def made(seed: int = 0, low: float = 1.0, high: float = 5.0) -> Dataset:
    """Biases and two tastes explain every rating but for a little noise; one pair in ten is missing."""
    rng = np.random.default_rng(seed)
    p, q = rng.normal(0, 0.7, (N_USERS, 2)), rng.normal(0, 0.7, (N_ITEMS, 2))
    rating = 3.0 + rng.normal(0, 0.4, (N_USERS, 1)) + rng.normal(0, 0.4, N_ITEMS) + p @ q.T
    rating = np.clip(rating + rng.normal(0, 0.1, rating.shape), 1.0, 5.0)
    value = low + (rating - 1.0) * (high - low) / 4.0
    user, item = np.nonzero(rng.random(rating.shape) < 0.9)
    names = (Vocabulary(map(str, range(n))) for n in (N_USERS, N_ITEMS))
    return Dataset(*names, user, item, rng.permutation(len(user)).astype(float), value=value[user, item])


def rmse(model: MatrixFactorisation, train: Dataset, test: Dataset) -> float:
    foreseen = model.predict_rating(train.histories())[test.user, test.item]
    return float(np.sqrt(np.nanmean((foreseen - test.value) ** 2)))


def halves(data: Dataset, share: float = 0.9) -> tuple[Dataset, Dataset]:
    kept = np.random.default_rng(1).random(len(data)) < share
    return data.where(kept), data.where(~kept)


@pytest.mark.parametrize(("low", "high"), [(1.0, 5.0), (0.0, 100.0)])
def test_it_foresees_what_biases_and_tastes_explain(low: float, high: float) -> None:
    train, test = halves(made(low=low, high=high))
    model = MatrixFactorisation(factors=2, l2=0.01)
    model.fit(train)
    unit = (high - low) / 4
    assert rmse(model, train, test) < 0.2 * unit
    assert float(np.std(test.value)) > 0.7 * unit
    assert model.scale == (float(train.value.min()), float(train.value.max()))
    foreseen = model.predict_rating(train.histories())
    assert foreseen.min() >= model.scale[0]
    assert foreseen.max() <= model.scale[1]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, N_ITEMS - 1), st.integers(1, 5)), max_size=12, unique_by=lambda r: r[0])
)
def test_who_asks_is_solved_for_as_a_user_of_the_fit(rows: list[tuple[int, int]]) -> None:
    table = FITTED.state()[0]["table"].astype(np.float64)
    mean = float(FITTED.state()[1]["mean"])
    items, values = [row[0] for row in rows], [float(row[1]) for row in rows]
    z = np.column_stack([table[items, :-1], np.ones(len(items))])
    penalty = np.diag([FITTED.l2 * (len(rows) + PRIOR)] * 3 + [BIAS])
    user = np.linalg.solve(z.T @ z + penalty, z.T @ (np.array(values) - mean - table[items, -1]))
    expected = mean + user[-1] + table[:, -1] + table[:, :-1] @ user[:-1]
    found = FITTED.score(Histories.of([items], values=[values]))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


FITTED = MatrixFactorisation(factors=3)
FITTED.fit(made())


def test_the_fold_in_is_where_the_fit_ended() -> None:
    """One more round of users and items moves a fit that has settled very little."""
    data = made()
    longer = MatrixFactorisation(factors=3, iterations=16)
    longer.fit(data)
    a, b = FITTED.score(data.histories()), longer.score(data.histories())
    assert np.abs(a - b).max() < 0.05


def test_of_two_ratings_the_newest_counts() -> None:
    a = FITTED.score(Histories.of([[3, 8, 3]], values=[[1.0, 4.0, 5.0]]))
    b = FITTED.score(Histories.of([[8, 3]], values=[[4.0, 5.0]]))
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert not np.allclose(a, FITTED.score(Histories.of([[3, 8]], values=[[1.0, 4.0]])))


def test_an_event_without_a_value_says_nothing() -> None:
    nobody = FITTED.score(Histories.of([[]]))
    nan = float("nan")
    for history in (Histories.of([[3, 8]]), Histories.of([[3, 8]], values=[[nan, nan]])):
        np.testing.assert_array_equal(FITTED.score(history), nobody)
    best = np.nanargmax(nobody)
    assert best == np.argmax(FITTED.state()[0]["table"][:, -1])


def test_a_better_rating_raises_an_item_and_what_is_like_it() -> None:
    low, high = FITTED.predict_rating(Histories.of([[3], [3]], values=[[1.0], [5.0]]))
    assert high[3] > low[3]
    near = np.argsort(-FITTED.similarity(np.array([3], np.int32))[0])[:5]
    assert (high[near] > low[near]).all()


def test_an_item_that_nobody_rated_is_nan() -> None:
    model = MatrixFactorisation(factors=2)
    model.fit(made().where(made().item != 5))
    model.put_items(np.array([N_ITEMS], np.int32), [Item("new")])
    asked = Histories.of([[3, 5, N_ITEMS, 999]], values=[[4.0, 1.0, 1.0, 1.0]])
    found = model.predict_rating(asked, np.array([5, 3, N_ITEMS], np.int32))
    assert np.isnan(found).tolist() == [[True, False, True]]
    np.testing.assert_array_equal(model.score(asked), model.score(Histories.of([[3]], values=[[4.0]])))


def test_without_ratings_it_says_what_to_do() -> None:
    data = Dataset.of([("ann", "heat", 1.0), ("bob", "heat", 2.0)])
    with pytest.raises(InputError, match="none of 2 events has a value: import a column 'rating'"):
        MatrixFactorisation().fit(data)


def test_ml_100k_comes_out_as_published(tmp_path: Path) -> None:
    if not os.environ.get("ACCLIMATE_DATA"):
        pytest.skip("ACCLIMATE_DATA is not set: no real data to read")
    data = read_tables([fetch("ml-100k", cache=tmp_path).path], name="ml-100k").dataset
    train, test = halves(data)
    model = MatrixFactorisation()
    model.fit(train)
    assert 0.88 < rmse(model, train, test) < 0.93
