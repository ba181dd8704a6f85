"""Worlds of which the best possible NDCG@10 is known: the sequence model comes within 2 % of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.models.sequence import SequenceModel
from acclimate.types import Floats, Histories, Item
from tests.models.test_sequence import OneHot

SHARE = 0.98
SMALL = {
    "width": 32,
    "heads": 2,
    "layers": 1,
    "batch_tokens": 512,
    "validation_users": 0,
    "learning_rate": 6e-3,
}


def expected_ndcg(scores: Floats, chances: NDArray[np.float64]) -> float:
    """Return the mean NDCG@10 of rankings by ``scores`` [n, m] where one item comes by ``chances`` [n, m]."""
    ranks = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1, kind="stable") + 1
    gains = np.where(ranks <= 10, 1 / np.log2(1 + ranks), 0.0)
    return float((chances * gains).sum(axis=1).mean())


def share_of_best(scores: Floats, chances: NDArray[np.float64]) -> float:
    """Return which share of the best possible NDCG@10 a ranking reaches."""
    return expected_ndcg(scores, chances) / expected_ndcg(chances, chances)


def data_of(items: NDArray[np.int64], catalogue: list[Item]) -> Dataset:
    """Return one user for each row of items int64[n, length]."""
    n, length = items.shape
    users = Vocabulary(f"u{u}" for u in range(n))
    ids = Vocabulary(item.item_id for item in catalogue)
    time = np.tile(np.arange(float(length)), n)
    return Dataset(users, ids, np.repeat(np.arange(n), length), items.ravel(), time, catalogue=catalogue)


@pytest.mark.parametrize("block", ["attention", "hstu", "decay", "gru", "convolution"])
def test_a_markov_chain_is_foreseen_as_well_as_can_be(block: str) -> None:
    n, rng = 24, np.random.default_rng(0)
    chances = np.zeros((n, n))
    for row in chances:
        row[rng.permutation(n)[:5]] = [0.4, 0.25, 0.15, 0.12, 0.08]
    items = np.empty((400, 20), np.int64)
    items[:, 0] = rng.integers(n, size=400)
    for t in range(1, 20):
        drawn = chances[items[:, t - 1]].cumsum(axis=1) > rng.random((400, 1))
        items[:, t] = drawn.argmax(axis=1)
    model = SequenceModel(**SMALL, block=block, epochs=8)
    model.fit(data_of(items, [Item(f"i{i}") for i in range(n)]))
    asked = items[:, :10]
    reached = share_of_best(model.score(Histories.of(asked.tolist())), chances[asked[:, -1]])
    assert reached >= SHARE
    by_count = np.tile(np.bincount(items.ravel(), minlength=n), (len(asked), 1))
    assert share_of_best(by_count, chances[asked[:, -1]]) < 0.6, "the world is no test"


def test_a_periodic_user_is_foreseen_as_well_as_can_be() -> None:
    """Each user goes round in a circle of five things of her own; one event in ten is by chance."""
    n, period, rng = 40, 5, np.random.default_rng(1)
    own = np.stack([rng.permutation(n)[:period] for _ in range(400)])
    items = np.tile(own, (1, 6))
    chance = rng.random(items.shape) < 0.1
    chance[:, -2 * period :] = False  # what is asked is due by what was seen
    items[chance] = rng.integers(n, size=int(chance.sum()))
    model = SequenceModel(**SMALL | {"layers": 2}, repeats=True, epochs=8)
    model.fit(data_of(items, [Item(f"i{i}") for i in range(n)]))
    due = np.full((len(own), n), 0.1 / n)
    due[np.arange(len(own)), own[:, 0]] += 0.9
    assert share_of_best(model.score(Histories.of(items.tolist())), due) >= SHARE


def test_new_items_are_foreseen_by_their_texts_as_well_as_can_be() -> None:
    """After a thing of one kind comes one of the next kind; half of the things nobody has had yet."""
    kinds, copies, rng = 12, 10, np.random.default_rng(2)
    catalogue = [Item(f"i{i}", title=f"kind {i % kinds}") for i in range(kinds * copies)]
    walk = (rng.integers(kinds, size=(400, 1)) + np.arange(12)) % kinds
    items = walk + kinds * rng.integers(copies // 2, size=walk.shape)
    model = SequenceModel(OneHot(), **SMALL, epochs=8)
    model.fit(data_of(items, catalogue))
    new = np.arange(kinds * copies // 2, kinds * copies)
    for history in (items[:, :6], new[rng.integers(len(new), size=(100, 1))]):  # also after a new one
        after = (history[:, -1] + 1) % kinds
        chances = (new[None] % kinds == after[:, None]) / (copies // 2)
        scores = model.score(Histories.of(history.tolist()))[:, new]
        assert share_of_best(scores, chances) >= SHARE
