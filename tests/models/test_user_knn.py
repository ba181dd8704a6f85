"""User neighbours, content and frequency, against a few lines of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.data.dataset import Dataset
from acclimate.encode import make_encoder
from acclimate.errors import InputError
from acclimate.models import user_knn as user_knn_module
from acclimate.models.content import Content
from acclimate.models.frequency import DAY, Frequency
from acclimate.models.user_knn import UserKNN
from acclimate.types import Histories, Item
from tests.models.test_factors import N_ITEMS, dense, tastes


@pytest.mark.parametrize("neighbours", [3, 1000])
@pytest.mark.parametrize("block", [256, 7])
def test_user_neighbours_are_the_nearest_by_shrunk_cosine(
    neighbours: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_knn_module, "BLOCK", block)
    data = tastes()
    model = UserKNN(neighbours, shrink=2.0)
    model.fit(data)
    x = dense(data)
    length = np.linalg.norm(x, axis=1)
    near = x @ x.T / (np.outer(length, length) + 2.0)
    edge = -np.sort(-near, axis=1)[:, min(neighbours, len(x)) - 1, None]
    clear = (near >= edge).sum(axis=1) <= neighbours  # where two are equally near, either may speak
    expected = np.where(near >= edge, near, 0) @ x
    assert clear.sum() > 20
    found = model.score(data.histories())
    np.testing.assert_allclose(found[clear], expected[clear], rtol=1e-4, atol=1e-5)

    norm = np.linalg.norm(x, axis=0)
    every = model.similarity(np.arange(N_ITEMS, dtype=np.int32))
    np.testing.assert_allclose(every, x.T @ x / np.outer(norm, norm), rtol=1e-4, atol=1e-5)


def test_user_knn_holds_nothing_that_names_a_user() -> None:
    model = UserKNN()
    model.fit(tastes())
    assert set(model.state()[0]) == {"known", "likes", "columns", "ends"}


FILMS = [
    Item("0", "war in space"),
    Item("1", "space war two"),
    Item("2", "a garden of roses"),
    Item("3", "roses in the garden"),
    Item("4"),
    Item("5", "space and roses"),
]


def content(half_life: float = 5.0) -> Content:
    model = Content(make_encoder("tfidf", progress=False), half_life)
    rows = [(f"u{n}", item.item_id, float(n)) for n, item in enumerate(FILMS)]
    model.fit(Dataset.of(rows, catalogue=FILMS))
    return model


def test_content_is_the_mean_of_what_was_liked_less_what_was_not() -> None:
    model = content(half_life=2.0)
    table = model.state()[0]["table"].astype(np.float64)
    found = model.score(Histories.of([[0, 2, 1]], weights=[[1.0, -1.0, 4.0]]))[0]
    user = table[0] / 2 - table[2] / np.sqrt(2) + 4 * table[1]
    known = [0, 1, 2, 3, 5]
    np.testing.assert_allclose(found[known], table[known] @ user / np.linalg.norm(user), atol=1e-5)
    assert np.isnan(found[4])


def test_content_knows_a_new_item_by_its_text() -> None:
    model = content()
    model.put_items(np.array([6, 7], np.int32), [Item("6", "war in space, again"), Item("7")])
    scores = model.score(Histories.of([[0]]))[0]
    assert scores[6] > max(scores[2], scores[3])
    assert np.isnan(scores[7])
    model.put_items(np.array([6], np.int32), [Item("6", "a garden of roses, again")])
    assert model.score(Histories.of([[0]]))[0, 6] < scores[6]
    assert model.similarity(np.array([6], np.int32))[0].argsort()[::-1][2] in (2, 3, 6)


def test_content_pushes_away_from_a_dislike_and_answers_likes_only() -> None:
    model = content()
    plain, cross = model.score(Histories.of([[0], [0, 2]], weights=[[1.0], [1.0, -1.0]]))
    assert cross[2] < plain[2]
    silent = model.score(Histories.of([[], [2], [4], [0, 0]], weights=[[], [-1.0], [1.0], [1.0, -1.0]]))
    assert np.isnan(silent[:3]).all()
    assert not np.isnan(np.delete(silent[3], 4)).any()


def test_content_says_that_it_needs_an_encoder() -> None:
    with pytest.raises(InputError, match="content reads texts and needs an encoder"):
        Content().fit(Dataset.of([("ann", "heat", 1.0)]))


def test_frequency_counts_what_the_user_had_and_lately_most() -> None:
    rows = [("a", "tea", 1.0), ("b", "tea", 2.0), ("b", "cup", 3.0), ("c", "pot", 4.0), ("d", "cup", 5.0)]
    model = Frequency(half_life=10.0)
    model.fit(Dataset.of([*rows, ("e", "cup", 6.0)]))  # cup 3, tea 2, pot 1
    found = model.score(Histories.of([[2, 2, 0, 1]], [[0.0, 5.0, 20.0, 30.0]], [[1.0, 2.0, 1.0, -1.0]]))[0]
    np.testing.assert_allclose(found, [1.0, 3 / 4 - 1, 0.25 + 2 * 0.5**1.5], rtol=1e-3)
    tied = model.score(Histories.of([[0, 1, 2]], [[7.0, 7.0, 7.0]]))[0]
    assert np.argsort(-tied).tolist() == [1, 0, 2], "of what came as often, the more popular is first"
    assert (model.score(Histories.of([[]]))[0] < 0).all()


def test_frequency_keeps_its_order_over_years() -> None:
    model = Frequency(half_life=30 * DAY)
    model.fit(Dataset.of([("a", "tea", 1.0), ("b", "cup", 2.0), ("b", "pot", 3.0)]))
    scores = model.score(Histories.of([[0, 1, 2]], [[0.0, DAY, 2000 * DAY]]))[0]
    assert 0 < scores[0] < scores[1] < scores[2]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: UserKNN(neighbours=0), "neighbours must be 1..100000, got 0"),
        (lambda: UserKNN(shrink=-1), "shrink must be 0 or a positive number, got -1"),
        (lambda: Frequency(half_life=0), "half_life must be a positive number, got 0"),
        (lambda: Content(half_life=-2), "half_life must be a positive number, got -2"),
    ],
)
def test_arguments_are_checked(build: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()  # type: ignore[operator]
