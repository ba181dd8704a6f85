"""EASE against the few lines of its paper in float64, where real data are there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.data.fetch import fetch
from acclimate.data.split import Split, split_last
from acclimate.data.tables import read_tables
from acclimate.evaluate.ranking import measure
from acclimate.models.ease import EASE
from acclimate.types import Floats, Histories
from tests.evaluate.test_protocols import world

FOLDER = os.environ.get("ACCLIMATE_DATA")


def by_the_paper(split: Split, l2: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return float64[m, n_items] by Steck 2019, equation 8, and which items somebody liked."""
    train, told = split.train, split.histories
    x = np.zeros((train.n_users, train.n_items))
    x[train.user, train.item] = 1.0
    p = np.linalg.inv(x.T @ x + l2 * np.eye(train.n_items))
    weights = -p / np.diag(p)
    np.fill_diagonal(weights, 0.0)
    asked = np.zeros((len(told), train.n_items))
    asked[told.rows, told.items] = 1.0
    return asked @ weights, x.any(axis=0)


class Fixed(EASE):
    """Answers with scores that were computed elsewhere."""

    def __init__(self, scores: Floats) -> None:
        super().__init__()
        self.scores = scores

    def score(self, histories: Histories) -> Floats:
        return self.scores


def agree(data: Dataset, l2: float) -> float:
    split = split_last(data)
    expected, known = by_the_paper(split, l2)
    model = EASE(l2=l2)
    model.fit(split.train)
    found = model.score(split.histories)
    assert np.array_equal(~np.isnan(found).all(axis=0), known)
    np.testing.assert_allclose(found[:, known], expected[:, known], atol=1e-5)
    expected[:, ~known] = np.nan
    oracle = Fixed(expected.astype(np.float32))
    ours, theirs = (measure(each, split).metrics["ndcg@10"].mean for each in (model, oracle))
    assert ours == pytest.approx(theirs, abs=1e-6)
    return ours


def test_on_a_made_world() -> None:
    assert agree(world(n_users=100), l2=5.0) > 0.3


@pytest.mark.skipif(FOLDER is None, reason="ACCLIMATE_DATA names no folder of data sets")
def test_on_ml_100k(tmp_path: Path) -> None:
    found = fetch("ml-100k", cache=tmp_path, from_dir=Path(str(FOLDER)))
    assert agree(read_tables(found.path).dataset, l2=200.0) == pytest.approx(0.0727, abs=1e-4)
