"""The ranker in shops whose rules are known, and features that never look ahead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.dataset import Dataset
from acclimate.data.features import SCALINGS, Scaling
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.models.calibrate import calibration_error, platt, temperature
from acclimate.models.popularity import Popularity
from acclimate.models.ranker import FAR, Ranker, _scaled
from acclimate.models.ranker_features import N_FEATURES, Content, ItemTimes, features
from acclimate.models.ranker_learn import Meaning
from acclimate.models.ranker_net import Table, ndcg_of_first
from acclimate.types import Histories, Item
from tests.contract.models import travelled

HOUR, DAY = 3600.0, 86_400.0
N_USERS, N_ITEMS = 160, 40
KINDS = ("breakfast", "supper")


def shop() -> Dataset:
    """Items of even code are chosen at 8, those of odd code at 20; supper is bought, and rated 5, not 2."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(N_USERS):
        morning, evening = (2 * rng.permutation(N_ITEMS // 2) + late for late in (0, 1))
        for day in range(15):
            late = int(rng.integers(2))
            item = int((evening if late else morning)[day])
            rows.append((user, item, day * DAY + (20 if late else 8) * HOUR + user, late))
    user, item, time, late = (np.array(column) for column in zip(*rows, strict=True))
    catalogue = [Item(f"i{n}", categories=(KINDS[n % 2],)) for n in range(N_ITEMS)]
    ids = Vocabulary(f"u{n}" for n in range(N_USERS)), Vocabulary(each.item_id for each in catalogue)
    weight, value = np.where(late, 4.0, 1.0), np.where(late, 5.0, 2.0)
    return Dataset(*ids, user, item, time, weight=weight, value=value, catalogue=catalogue)


@pytest.fixture(scope="module")
def model() -> Ranker:
    made = Ranker(sources=[Popularity()], epochs=40, patience=40, learning_rate=0.01)
    made.fit(shop())
    return made


def asked(hour: int, n: int = 30) -> Histories:
    known = shop().histories()[:n]
    return known.replace(now=np.full(n, 15 * DAY + hour * HOUR))


def test_the_hour_decides_what_is_shown(model: Ranker) -> None:
    for hour, parity in ((8, 0), (20, 1)):
        best = model.score(asked(hour)).argmax(axis=1)
        assert (best % 2 == parity).mean() >= 0.95
    first = Popularity()
    first.fit(shop())
    assert len(set((first.score(asked(8)).argmax(axis=1) % 2).tolist())) == 1, "the first stage cannot know"
    assert model.report["ndcg@10"] > model.report["ndcg@10 of the first stage"] + 0.05


def test_chances_are_those_of_the_shop(model: Ranker) -> None:
    items = np.arange(N_ITEMS, dtype=np.int32)
    morning, evening = (model.predict(asked(hour), items) for hour in (8, 20))
    np.testing.assert_allclose(morning.click.sum(axis=1), 1.0, atol=0.02)
    assert morning.click[:, ::2].sum(axis=1).mean() > 0.9
    assert evening.click[:, 1::2].sum(axis=1).mean() > 0.9
    for told, odd, wanted, rating in ((morning, 0, 0.0, 2.0), (evening, 1, 1.0, 5.0)):
        bought = told.purchase[:, odd::2].sum() / told.click[:, odd::2].sum()
        assert abs(bought - wanted) < 0.1
        assert abs(told.rating[:, odd::2] - rating).mean() < 0.3
    assert model.report["calibration error of clicks"] < 0.03
    assert model.report["calibration error of purchases"] < 0.1
    assert model.report["rmse of ratings"] < 0.3


def test_what_the_first_stage_does_not_find_stands_below_and_shares_the_rest() -> None:
    made = Ranker(sources=[Popularity()], candidates=6, epochs=2)
    made.fit(shop())
    history = Histories.of([[0, 1]], now=[9 * DAY])
    scores, first = made.score(history)[0], made.sources[0].score(history)[0]
    order, wanted = np.argsort(-scores, kind="stable"), np.argsort(-first, kind="stable")
    candidates = [item for item in wanted.tolist() if item not in (0, 1)][:6]
    assert set(order[:6].tolist()) == set(candidates)
    assert order[6:].tolist() == [item for item in wanted.tolist() if item not in candidates]
    chances = made.predict(history, np.arange(N_ITEMS, dtype=np.int32)).click[0]
    others = np.delete(chances, candidates)
    np.testing.assert_allclose(others, others[0])
    assert chances.sum() == pytest.approx(1.0, abs=1e-5)


def test_all_of_it_travels(model: Ranker) -> None:
    again = Ranker(sources=[Popularity()])
    again.restore(travelled(model.state()))
    items = np.arange(N_ITEMS, dtype=np.int32)
    for mine, its in zip(model.predict(asked(8), items), again.predict(asked(8), items), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert again.report == model.report
    assert isinstance(again._meaning, Meaning)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_its_scaling_travels(scaling: str) -> None:
    made = Ranker(sources=[Popularity()], scaling=scaling, epochs=2)
    made.fit(shop())
    assert made._scaling.name == scaling
    again = Ranker(sources=[Popularity()])
    again.restore(travelled(made.state()))
    np.testing.assert_array_equal(made.score(asked(8)), again.score(asked(8)))


def test_a_feature_ends_far_from_all_that_taught() -> None:
    blank = np.zeros((1, 2), np.float32)
    table = Table(np.array([[[5.0], [99.0]]], np.float32), blank, blank, blank)
    scaling = Scaling("standard", np.array([[1.0], [2.0]]))
    assert _scaled(table, scaling).features.ravel().tolist() == [2.0, FAR]


def test_a_new_item_is_read_by_its_categories(model: Ranker) -> None:
    again = Ranker(sources=[Popularity()])
    again.restore(travelled(model.state()))
    new = [Item("a", categories=("breakfast",)), Item("b", categories=("supper",))]
    again.put_items(np.array([N_ITEMS, N_ITEMS + 1], np.int32), new)
    for hour, which in ((8, N_ITEMS), (20, N_ITEMS + 1)):
        scores = again.score(asked(hour))[:, N_ITEMS:]
        assert (scores.argmax(axis=1) + N_ITEMS == which).mean() > 0.9


def test_users_with_few_likes_leave_the_first_stage_alone() -> None:
    data = Dataset.of([(f"u{n}", f"i{n % 3}", float(n)) for n in range(9)])
    made, first = Ranker(sources=[Popularity()]), Popularity()
    made.fit(data)
    first.fit(data)
    scores = made.score(data.histories())
    assert (scores.argsort(axis=1) == first.score(data.histories()).argsort(axis=1)).all()
    assert np.isnan(made.predict(data.histories(), np.arange(3, dtype=np.int32)).click).all()


LIKES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 8)), max_size=30)


@given(LIKES, st.integers(0, 9))
def test_counts_are_those_before_the_question(likes: list[tuple[int, int]], now: int) -> None:
    likes = sorted(likes, key=lambda like: like[1])
    times, items = np.array([t for _, t in likes], float), np.array([i for i, _ in likes], np.int32)
    so_far, lately, age = ItemTimes(times, items).at(np.arange(5)[None], np.array([float(now)]))
    past = [item for item, t in likes if t < now]
    window = len(likes) // 20 + 1
    for item in range(5):
        assert so_far[0, item] == past.count(item)
        assert lately[0, item] == past[-window:].count(item)
        assert age[0, item] == (len(past) - past.index(item) if item in past else 0)


def test_what_comes_later_changes_no_feature() -> None:
    data, content = shop(), Content(None)
    content.fit(data, np.arange(N_ITEMS, dtype=np.int32))
    now, items = 4 * DAY, np.tile(np.arange(N_ITEMS, dtype=np.int32), (N_USERS, 1))
    past = data.before(now)
    histories = past.histories().replace(now=np.full(N_USERS, now))
    seen = [ItemTimes(each.time, each.item) for each in (data, past)]
    short, long = (features(histories, items, each, content, content.tastes(histories)) for each in seen)
    assert short.shape == (N_USERS, N_ITEMS, N_FEATURES)
    exact = [column for column in range(N_FEATURES) if column not in (10, 11, 12)]
    np.testing.assert_array_equal(short[..., exact], long[..., exact])
    later = Dataset(
        data.users,
        data.items,
        data.user,
        data.item,
        np.where(data.time < now, data.time, data.time + 5 * DAY),
    )
    moved = ItemTimes(later.time, later.item)
    np.testing.assert_array_equal(
        features(histories, items, moved, content, content.tastes(histories)), short
    )


def test_temperature_and_platt_find_what_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 5)).astype(np.float32)
    p = np.exp(logits / 2) / np.exp(logits / 2).sum(axis=1, keepdims=True)
    right = (p.cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)
    rows = np.arange(4000)
    logits[rows, right], logits[rows, 0] = logits[rows, 0], logits[rows, right]
    assert temperature(logits) == pytest.approx(2.0, rel=0.1)
    x = rng.normal(size=4000).astype(np.float32)
    happened = rng.random(4000) < 1 / (1 + np.exp(-(2 * x - 1)))
    a, b = platt(x, happened)
    assert (a, b) == (pytest.approx(2.0, abs=0.2), pytest.approx(-1.0, abs=0.2))
    assert calibration_error(1 / (1 + np.exp(-(a * x + b))), happened) < 0.02
    assert calibration_error(1 / (1 + np.exp(-(a * x + b + 2))), happened) > 0.2


def test_the_ndcg_of_ties_is_their_mean() -> None:
    logits = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    assert ndcg_of_first(logits, k=2) == pytest.approx(((1 + 1 / np.log2(3)) / 2 + 0.0) / 2)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"candidates": 1}, "candidates must be 2..100000, got 1"),
        ({"width": 0}, "width must be 1..100000, got 0"),
        ({"learning_rate": 2.0}, "learning_rate must be above 0 and below 1, got 2.0"),
        ({"held_back": 0}, "held_back must be 1..1000, got 0"),
        ({"scaling": "logs"}, "no scaling 'logs': did you mean 'log'"),
        ({"purchase": 0.0}, "purchase must be a positive number, got 0.0"),
    ],
)
def test_arguments_out_of_range_are_refused(params: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Ranker(**params)  # type: ignore[arg-type]
