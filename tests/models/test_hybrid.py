"""What is held back, how sources are made comparable, and whom the weights trust."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError, NotFoundError
from acclimate.models.ensemble import Ensemble
from acclimate.models.examples import hold_back
from acclimate.models.hybrid import Hybrid
from acclimate.models.item_knn import ItemKNN
from acclimate.models.popularity import Popularity
from acclimate.models.ranker import Ranker
from acclimate.models.sequence import SequenceModel
from acclimate.models.vae import VAE
from acclimate.rng import generator
from acclimate.training import Training
from acclimate.types import Floats, Histories
from tests.models.two_tastes import knows_the_taste, two_tastes

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 6), st.integers(0, 9), st.sampled_from([1.0, 4.0, 0.0, -1.0])
    ),
    min_size=1,
    max_size=40,
)


@given(EVENTS, st.integers(1, 4))
def test_what_is_held_back_is_new_and_nobody_sees_it_or_what_followed(
    rows: list[tuple[int, int, int, float]], each: int
) -> None:
    user, item, time, weight = (np.array(column) for column in zip(*rows, strict=True))
    ids = Vocabulary(map(str, range(4))), Vocabulary(map(str, range(7)))
    data = Dataset(*ids, user, item, time.astype(float), weight=weight)
    left, examples = hold_back(data, each, most=1000, seed=0)
    whole, kept = data.histories(), left.histories()
    for code in range(4):
        mine, my_left = whole[code], kept[code]
        n = int(my_left.lengths[0])
        np.testing.assert_array_equal(mine.items[:n], my_left.items)
        likes, likes_left = int((mine.weights > 0).sum()), int((my_left.weights > 0).sum())
        assert likes - likes_left == min(each, likes // 3)
        at = [n + i for i in range(len(mine.items) - n) if mine.weights[n + i] > 0]
        before = [mine.items[:i][mine.weights[:i] != 0].tolist() for i in range(len(mine.items))]
        fresh = [i for i in at if mine.items[i] not in before[i]]
        told = np.flatnonzero(examples.users == code)
        assert examples.items[told].tolist() == mine.items[fresh].tolist()
        for row, i in zip(told, fresh, strict=True):
            assert examples.histories[int(row)].items.tolist() == before[i]
            assert examples.histories.now[row] == mine.times[i]


class Random(Popularity):
    """Says anything of anything."""

    def score(self, histories: Histories) -> Floats:
        rng = generator(int(histories.items.sum()))
        return rng.random((len(histories), self.n_items)).astype(np.float32)


class Says(Popularity):
    """Says what it is told, of four items."""

    def __init__(self, *rows: list[float]) -> None:
        super().__init__()
        self.rows = np.array(rows, np.float32)

    def score(self, histories: Histories) -> Floats:
        return self.rows[: len(histories)].copy()


FOUR = Dataset.of([(f"u{n % 2}", f"i{n}", float(n)) for n in range(4)])
NAN = float("nan")


def test_sources_are_counted_in_standard_deviations() -> None:
    one = Says([1, 2, 3, NAN], [NAN] * 4, [5, 5, 5, NAN])
    other = Says([0, 0, 9, NAN], [1, 3, NAN, NAN], [1, 3, 1, 3])
    model = Hybrid(sources=[one, other])
    model.fit(FOUR)
    stands = model.stands_out(Histories.of([[0], [1], [2]]))
    step = np.sqrt(1.5)
    np.testing.assert_allclose(stands[0, 0], [-step, 0, step, NAN], atol=1e-6)
    np.testing.assert_allclose(stands[1, 0], [-(0.5**0.5), -(0.5**0.5), 2**0.5, NAN], atol=1e-6)
    np.testing.assert_allclose(stands[:, 1], [[0, 0, NAN, NAN], [-1, 1, NAN, NAN]], atol=1e-6)
    np.testing.assert_allclose(stands[:, 2], [[0, 0, 0, 0], [-1, 1, -1, 1]], atol=1e-6)


def test_who_is_right_is_trusted() -> None:
    model = Hybrid(sources=[Random(), ItemKNN()])
    model.fit(two_tastes())
    noise, right = model._fitted()
    assert noise < 0.1 * right
    assert knows_the_taste(model)


def test_without_anything_to_hold_back_all_count_alike() -> None:
    model = Hybrid(sources=[Popularity(), ItemKNN()])
    model.fit(FOUR)
    assert model.state()[0]["weights"].tolist() == [0.5, 0.5]


def test_sources_that_are_not_there_are_refused() -> None:
    with pytest.raises(InputError, match="sources must be a list of one model or more"):
        Hybrid(sources=[])
    with pytest.raises(InputError, match="sources must be a list of one model or more"):
        Hybrid(sources="ease")
    with pytest.raises(NotFoundError, match="no model 'eese': did you mean 'ease'"):
        Hybrid(sources=["eese"])


def test_sources_by_name_get_the_seed_and_where_to_run() -> None:
    training = Training(device="cpu", resume=False)
    (source,) = Hybrid(sources=["vae"], seed=3, training=training).sources
    assert isinstance(source, VAE)
    assert source.params["seed"] == 3
    assert source.training is training


@pytest.mark.parametrize("seed", [-1, 2**32, 10**20])
@pytest.mark.parametrize("make", [Hybrid, Ranker, Ensemble, SequenceModel, VAE], ids=lambda make: make.name)
def test_all_that_take_a_seed_take_the_same_ones(make: Any, seed: int) -> None:
    with pytest.raises(InputError, match=f"seed must be 0..4294967295, got {seed}"):
        make(seed=seed)
