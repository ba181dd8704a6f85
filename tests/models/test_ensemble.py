"""An ensemble of seeds is their mean; of models it trusts the better one; ranks forget outliers."""

from collections.abc import Callable

import numpy as np
import pytest

from acclimate.data.dataset import Dataset
from acclimate.encode import make_encoder
from acclimate.errors import InputError
from acclimate.models import make_model
from acclimate.models.als import ALS
from acclimate.models.ease import EASE
from acclimate.models.ensemble import Ensemble
from acclimate.models.hybrid import Hybrid
from acclimate.models.popularity import Popularity
from acclimate.types import Histories
from tests.contract.models import CHECKS, WORLD, Make, fitted, questions

SMALL = {"factors": 8, "l2": 1.0}


def chain(users: int = 60, items: int = 12) -> Dataset:
    """Users of two tastes: even users like even items."""
    rng = np.random.default_rng(0)
    rows = [
        (f"u{u}", f"i{i}", float(n))
        for u in range(users)
        for n, i in enumerate(rng.permutation(np.arange(u % 2, items, 2))[:5])
    ]
    return Dataset.of(rows)


def test_seeds_of_one_model_are_their_mean_and_cost_no_second_fit() -> None:
    fits = 0

    class Counted(ALS):
        def fit(self, data: Dataset) -> None:
            nonlocal fits
            fits += 1
            super().fit(data)

    data = chain()
    model = Ensemble(sources=["als"], seeds=3, seed=5)
    model.sources = [Counted(8, 1.0, seed=seed) for seed in (5, 6, 7)]
    model.fit(data)
    assert fits == 3
    asked = data.histories()[:4]
    singles = [Hybrid(sources=[source]) for source in model.sources]
    for single in singles:
        single.weights, single.known = np.ones(1, np.float32), model.known
    mean = np.mean([single.score(asked) for single in singles], axis=0)
    np.testing.assert_allclose(model.score(asked), mean, rtol=1e-4, atol=1e-5)


def test_each_seed_is_another_one_and_models_without_one_come_once() -> None:
    model = Ensemble(sources=["als", "ease", Popularity()], seeds=3, seed=5)
    assert [source.name for source in model.sources] == ["als"] * 3 + ["ease", "popularity"]
    assert [source.seed for source in model.sources[:3]] == [5, 6, 7]  # type: ignore[attr-defined]
    assert model.groups.tolist() == [0, 0, 0, 1, 2]


@pytest.mark.parametrize("fusion", ["score", "rank"])
def test_the_model_that_is_right_weighs_more_and_its_seeds_weigh_alike(fusion: str) -> None:
    model = Ensemble(sources=["als", "popularity"], seeds=2, fusion=fusion)
    model.sources[:2] = [ALS(**SMALL, seed=seed) for seed in (0, 1)]  # type: ignore[arg-type]
    model.fit(chain())
    assert model.weights is not None
    first, second, popular = model.weights
    assert first == second
    assert first + second > popular
    own = Histories.of([[model.data.items.codes(["i0"])[0]]])  # type: ignore[union-attr]
    scores = model.score(own)[0]
    even = model.data.items.codes([f"i{n}" for n in range(2, 12, 2)])  # type: ignore[union-attr]
    odd = model.data.items.codes([f"i{n}" for n in range(1, 12, 2)])  # type: ignore[union-attr]
    assert scores[even].mean() > scores[odd].mean()


class Fixed(Popularity):
    """Says what it is told to."""

    def __init__(self, told: list[float]) -> None:
        super().__init__()
        self.told = np.array(told, np.float32)

    def score(self, histories: Histories) -> np.ndarray:
        return np.tile(self.told, (len(histories), 1))


def test_ranks_are_places_among_the_known_and_equal_scores_share_theirs() -> None:
    data = Dataset.of([("u", "a", 1.0), ("u", "b", 2.0), ("u", "c", 3.0), ("u", "d", 4.0)])
    model = Ensemble(sources=[Fixed([1e9, 2.0, 2.0, np.nan])], fusion="rank")
    model.fit(data)
    places = 61 / model.score(data.histories())[0] - 60
    assert np.isnan(places[3]), "nobody can score it"
    np.testing.assert_allclose(places[:3], [1, 2.5, 2.5], rtol=1e-4)
    mixed = Ensemble(sources=[Fixed([1e9, 2.0, 2.0, np.nan]), Fixed([4.0, 3.0, 2.0, 1.0])], fusion="rank")
    mixed.fit(data)
    stands = 61 / mixed.stands_out(data.histories())[:, 0] - 60
    np.testing.assert_allclose(stands, [[1, 2.5, 2.5, 4], [1, 2, 3, 4]], rtol=1e-4)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_fused_ranks_keep_the_contract_too(check: Callable[[Make], None]) -> None:
    params = {"sources": ["item-knn", "popularity"], "fusion": "rank"}
    check(lambda: make_model("ensemble", make_encoder("tfidf", progress=False), **params))


def test_a_restored_ensemble_can_be_fitted_again() -> None:
    model = fitted(lambda: Ensemble(sources=["als", "ease"], seeds=2))
    again = Ensemble()
    again.restore(model.state())
    np.testing.assert_array_equal(again.score(questions()), model.score(questions()))
    again.fit(WORLD)
    np.testing.assert_allclose(again.score(questions()), model.score(questions()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"seeds": 0}, "seeds must be 1..100, got 0"),
        ({"fusion": "ranks"}, "no fusion 'ranks': did you mean 'rank'?"),
        ({"sources": []}, "sources must be a list of one model or more"),
        ({"sources": "ease"}, "sources must be a list of one model or more"),
        ({"sources": ["eaze"]}, "no model 'eaze': did you mean 'ease'?"),
    ],
)
def test_wrong_arguments_are_told(params: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as told:
        Ensemble(**params)  # type: ignore[arg-type]
    assert message in str(told.value)


def test_nothing_liked_is_told() -> None:
    data = Dataset.of([("u", "a", 1.0)], weight=-np.ones(1))
    with pytest.raises(InputError, match="ensemble needs at least one positive event"):
        Ensemble(sources=[EASE()]).fit(data)


def test_an_ensemble_of_ensembles_is_refused() -> None:
    with pytest.raises(InputError, match="cannot name ensemble"):
        Ensemble(sources=["ensemble"])
