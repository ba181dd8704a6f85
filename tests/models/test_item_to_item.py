"""EASE and item neighbours, against a few lines of NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg.lapack import spotrf

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.models import ease as ease_module
from acclimate.models.ease import EASE
from acclimate.models.item_knn import ItemKNN
from acclimate.types import Histories

N_USERS, N_ITEMS, N_COLD = 120, 70, 3


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Five tastes, weights of several sizes, repeats, dislikes, three items that nobody had."""
    rng = np.random.default_rng(7)
    user = np.repeat(np.arange(N_USERS), 15)
    item = (user % 5 + 5 * rng.integers(0, 20, len(user)) * (rng.random(len(user)) < 0.8)) % (
        N_ITEMS - N_COLD
    )
    weight = rng.choice([0.2, 1.0, 4.0, -1.0, 0.0], len(user), p=[0.2, 0.5, 0.1, 0.1, 0.1])
    time = rng.permutation(len(user)).astype(float)
    users, items = (Vocabulary(map(str, range(n))) for n in (N_USERS, N_ITEMS))
    return Dataset(users, items, user, item, time, weight=weight)


def dense(histories: Histories) -> np.ndarray:
    x = np.zeros((len(histories), N_ITEMS))
    for row, item, weight in zip(histories.rows, histories.items, histories.weights, strict=True):
        x[row, item] = max(x[row, item], weight)
    return x


def same_top_ten(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_array_equal(np.argsort(-a, axis=1)[:, :10], np.argsort(-b, axis=1)[:, :10])


@pytest.mark.parametrize("block", [512, 16])
def test_ease_is_the_closed_form(data: Dataset, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease_module, "BLOCK", block)
    model = EASE(l2=20.0)
    model.fit(data)
    found = model.score(data.histories())

    x = dense(data.histories())
    p = np.linalg.inv(x.T @ x + 20.0 * np.eye(N_ITEMS))
    expected = x @ (np.eye(N_ITEMS) - p / np.diag(p))
    warm = x.any(axis=0)
    assert np.isnan(found[:, ~warm]).all()
    np.testing.assert_allclose(found[:, warm], expected[:, warm], rtol=1e-4, atol=1e-4 * abs(expected).max())
    same_top_ten(found[:, warm], expected[:, warm])

    partial = -p / np.sqrt(np.outer(np.diag(p), np.diag(p)))
    np.fill_diagonal(partial, 1.0)
    near = model.similarity(np.arange(N_ITEMS, dtype=np.int32))
    np.testing.assert_allclose(near[np.ix_(warm, warm)], partial[np.ix_(warm, warm)], atol=1e-5)
    assert np.isnan(near[~warm]).all()


def test_ease_inverts_in_the_array_it_was_given() -> None:
    matrix = np.eye(4, dtype=np.float32) * 2
    factor, _ = spotrf(matrix.T, lower=1, overwrite_a=1)
    assert np.shares_memory(factor, matrix)


def test_ease_asks_for_more_l2_when_it_cannot_invert() -> None:
    users, items = Vocabulary(["u"]), Vocabulary(map(str, range(30)))
    codes = np.arange(30)
    twins = Dataset(users, items, 0 * codes, codes, 1.0 * codes, weight=np.full(30, 1e4))
    with pytest.raises(InputError, match=r"cannot invert its matrix with l2 = 1e-09: give a larger l2"):
        EASE(l2=1e-9).fit(twins)


def test_ease_names_another_model_for_a_catalogue_too_large(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ease_module, "MAX_ITEMS", 10)
    with pytest.raises(InputError, match="takes up to 10 items: use item-knn"):
        EASE().fit(data)


@pytest.mark.parametrize("neighbours", [3, 1000])
def test_neighbours_are_the_nearest_by_shrunk_cosine(data: Dataset, neighbours: int) -> None:
    model = ItemKNN(neighbours=neighbours, shrink=2.0)
    model.fit(data)
    x = dense(data.histories())
    warm = x.any(axis=0)
    x = x[:, warm]
    norm = np.linalg.norm(x, axis=0)
    near = x.T @ x / (np.outer(norm, norm) + 2.0)
    np.fill_diagonal(near, 0.0)
    keep = np.argsort(np.argsort(-near, axis=1, kind="stable"), axis=1) < neighbours
    expected = x @ (near * keep)
    found = model.score(data.histories())
    np.testing.assert_allclose(found[:, warm], expected, rtol=1e-5, atol=1e-6)
    assert np.isnan(found[:, ~warm]).all()
    np.fill_diagonal(near, 1.0)
    np.fill_diagonal(keep, True)
    every = model.similarity(np.flatnonzero(warm).astype(np.int32))
    np.testing.assert_allclose(every[:, warm], near * keep, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", [ItemKNN(), EASE()], ids=lambda model: model.name)
def test_what_it_cannot_know_is_nan(data: Dataset, model: ItemKNN | EASE) -> None:
    model.fit(data)
    cold = N_ITEMS - 1
    rows = model.score(Histories.of([[], [cold], [0], [0, cold, 10_000]], weights=[[], [1], [-1], [1, 1, 1]]))
    assert np.isnan(rows[:3]).all()
    assert np.isnan(rows[3]).sum() == N_COLD
    np.testing.assert_array_equal(rows[3], model.score(Histories.of([[0]]))[0])


def test_an_event_that_comes_twice_counts_once(data: Dataset) -> None:
    model = EASE()
    model.fit(data)
    rows = model.score(Histories.of([[3, 4], [3, 4, 3]], weights=[[1, 0.2], [0.2, 0.2, 1]]))
    np.testing.assert_array_equal(rows[0], rows[1])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: EASE(l2=0), "l2 must be a positive number, got 0"),
        (lambda: EASE(l2=float("nan")), "l2 must be a positive number, got nan"),
        (lambda: ItemKNN(neighbours=0), "neighbours must be 1..100000, got 0"),
        (lambda: ItemKNN(shrink=-1), "shrink must be 0 or a positive number, got -1"),
    ],
)
def test_arguments_are_checked(build: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()  # type: ignore[operator]
