"""Foreseen ratings and chances, in worlds where they are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from acclimate.data.dataset import Dataset
from acclimate.data.split import SPLITS, split_last
from acclimate.evaluate.protocols import evaluate
from acclimate.models.popularity import Popularity
from acclimate.types import Codes, Floats, Histories
from tests.evaluate.test_protocols import world


def rated() -> Dataset:
    plain = world(n_users=60)
    value = np.random.default_rng(0).integers(1, 6, len(plain)).astype(float)
    return Dataset(plain.users, plain.items, plain.user, plain.item, plain.time, value=value)


class Three(Popularity):
    """Foresees 3 for all but the last item."""

    def predict_rating(self, histories: Histories) -> Floats:
        out = np.full((len(histories), self.n_items), 3.0, np.float32)
        out[:, -1] = np.nan
        return out


class Sure(Popularity):
    """Gives each item the same chance to be next, and knows no rating but that of the first half: 3."""

    def predict(self, histories: Histories, items: Codes) -> SimpleNamespace:
        click = np.full((len(histories), len(items)), 0.25, np.float32)
        rating = np.where(2 * items < self.n_items, 3.0, np.nan) * np.ones((len(histories), 1))
        return SimpleNamespace(click=click, rating=rating.astype(np.float32))


@pytest.mark.parametrize("protocol", SPLITS)
def test_ratings_of_the_targets(protocol: str) -> None:
    data = rated()
    report = evaluate([Three(), Popularity()], data, protocol=protocol)
    found, others = (model.forecasts for model in report.models)
    assert others == {}
    values = []
    for split in SPLITS[protocol](data, 0, np.inf):
        assert split.values is not None
        pairs = zip(split.users[split.rows], split.targets, split.values, strict=True)
        assert all(
            value in data.value[(data.user == user) & (data.item == item)] for user, item, value in pairs
        )
        values.append(np.sqrt(np.mean((split.values - 3.0) ** 2)))
    assert found["rmse"].mean == pytest.approx(np.mean(values))
    assert found["mae"].low < found["mae"].mean < found["mae"].high
    assert "popularity, how true its ratings or chances are: rmse " in str(report)


def test_chances_of_what_is_listed() -> None:
    data = rated()
    report = evaluate([Sure()], data, k=5).models[0]
    hits = report.metrics["precision@5"].mean
    assert report.forecasts["accuracy"].mean == pytest.approx(1 - hits)
    assert report.forecasts["calibration_error"].mean == pytest.approx(abs(0.25 - hits))
    assert report.forecasts["log_loss"].mean == pytest.approx(
        -hits * np.log(0.25) - (1 - hits) * np.log(0.75)
    )
    assert report.forecasts["grouped_auc"].mean == pytest.approx(0.5)


def test_ratings_beside_chances() -> None:
    data = rated()
    split = split_last(data)
    assert split.values is not None
    true = split.values[2 * split.targets < data.n_items]
    assert 0 < len(true) < len(split.values)
    found = evaluate([Sure()], data).models[0].forecasts
    assert found["rmse"].mean == pytest.approx(np.sqrt(np.mean((true - 3.0) ** 2)))
    assert found["mae"].mean == pytest.approx(np.mean(np.abs(true - 3.0)))
    assert "rmse" not in evaluate([Doubtful()], data).models[0].forecasts


class Doubtful(Popularity):
    """Gives items a chance by their code, which says little."""

    def predict(self, histories: Histories, items: Codes) -> SimpleNamespace:
        chances = (items + 1.0) / (self.n_items + 2) * np.ones((len(histories), 1))
        return SimpleNamespace(click=chances.astype(np.float32), rating=np.full(chances.shape, np.nan))


def test_how_well_chances_order_a_list_has_an_interval() -> None:
    found = evaluate([Doubtful()], rated(), k=5).models[0].forecasts["grouped_auc"]
    assert 0.0 <= found.low < found.mean < found.high <= 1.0


def test_without_values_there_are_no_ratings_to_foresee() -> None:
    assert split_last(world()).values is not None
    assert evaluate([Three()], world()).models[0].forecasts == {}
