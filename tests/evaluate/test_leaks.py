"""Planted leaks are found and named; in clean worlds, also with attributes that are worth much, none is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

from acclimate.data.dataset import Dataset
from acclimate.data.split import SPLITS, split_last
from acclimate.evaluate.leaks import find_leaks, find_model_leak
from acclimate.evaluate.protocols import evaluate
from acclimate.evaluate.report import remarks
from acclimate.models.ease import EASE
from acclimate.models.item_knn import ItemKNN
from acclimate.models.popularity import Popularity
from acclimate.types import Floats, Histories, Item, User
from tests.evaluate.test_protocols import Clairvoyant, world

N_USERS, N_ITEMS = 120, 60


def shop(
    seed: int = 0, items: Mapping[str, Any] | None = None, users: Mapping[str, Any] | None = None
) -> Dataset:
    """Two tastes and a long tail, with ratings; ``items`` and ``users`` are columns of attributes."""
    rng = np.random.default_rng(seed)
    chance = 1 / (1 + np.arange(N_ITEMS))
    user, item = np.repeat(np.arange(N_USERS), 10), []
    for who in range(N_USERS):
        mine = np.where(np.arange(N_ITEMS) % 2 == who % 2, chance, chance / 20)
        item += rng.choice(N_ITEMS, 10, replace=False, p=mine / mine.sum()).tolist()
    time, value = rng.permutation(len(user)) + 1.0, rng.integers(1, 6, len(user)).astype(float)
    plain = world(n_users=N_USERS, n_items=N_ITEMS)
    catalogue = [
        Item(f"i{n}", title=f"Film {n} ({1950 + n * 7 % 60})", attributes=_row(items, n))
        for n in range(N_ITEMS)
    ]
    people = [User(f"u{n}", _row(users, n)) for n in range(N_USERS)]
    return Dataset(
        plain.users, plain.items, user, np.array(item), time, value=value, catalogue=catalogue, people=people
    )


def _row(columns: Mapping[str, Any] | None, n: int) -> dict[str, Any]:
    return {name: values[n] for name, values in (columns or {}).items()}


def last_items(data: Dataset) -> list[int]:
    split = split_last(data)
    last = dict(zip(split.users.tolist(), split.targets.tolist(), strict=True))
    return [last.get(user, -1) for user in range(N_USERS)]


def named(data: Dataset, protocol: str = "last") -> list[tuple[str, str]]:
    return [(leak.kind, leak.name) for leak in find_leaks(data, SPLITS[protocol](data, 0, np.inf)[0])]


@pytest.mark.parametrize("protocol", SPLITS)
@pytest.mark.parametrize("seed", range(3))
def test_a_clean_world_has_no_leak(protocol: str, seed: int) -> None:
    rng, base = np.random.default_rng(seed), shop(seed)
    honest = {
        "price": rng.random(N_ITEMS),
        "sold elsewhere": rng.poisson(500 / (1 + np.arange(N_ITEMS))),
        "kind": [["a", "b"][n % 2] for n in range(N_ITEMS)],
    }
    who = {
        "age": rng.integers(18, 60, N_USERS),
        "taste": [["odd", "even"][n % 2] for n in range(N_USERS)],
        "first": [base.items.ids[base.item[base.user == n][0]] for n in range(N_USERS)],
    }
    assert named(shop(seed, honest, who), protocol) == []


def test_a_count_of_the_training_part_is_no_leak() -> None:
    counts = np.bincount(split_last(shop()).train.item, minlength=N_ITEMS)
    assert named(shop(items={"count": counts})) == []


def mean_values(data: Dataset) -> Any:
    sums = np.bincount(data.item, weights=data.value, minlength=N_ITEMS)
    return np.round(sums / np.maximum(np.bincount(data.item, minlength=N_ITEMS), 1), 2)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("count", lambda data: np.bincount(data.item, minlength=N_ITEMS)),
        ("log count", lambda data: np.log1p(np.bincount(data.item, minlength=N_ITEMS)).round(2)),
        ("place", lambda data: rankdata(-np.bincount(data.item, minlength=N_ITEMS), "min")),
        ("mean", mean_values),
        ("last seen", lambda data: [str(data.time[data.item == n].max(initial=0)) for n in range(N_ITEMS)]),
    ],
)
def test_an_item_attribute_made_of_all_events_is_named(name: str, made: Any) -> None:
    found = named(shop(items={name: made(shop()), "price": np.random.default_rng(1).random(N_ITEMS)}))
    assert found == [("item attribute", name)]


def test_a_text_with_a_count_or_with_its_users_is_named() -> None:
    data = shop()
    counts, last = np.bincount(data.item, minlength=N_ITEMS), last_items(data)

    def told(texts: list[str]) -> Dataset:
        catalogue = [Item(f"i{n}", text=text) for n, text in enumerate(texts)]
        codes = data.user, data.item, data.time
        return Dataset(data.users, data.items, *codes, value=data.value, catalogue=catalogue)

    assert named(told([f"Liked by {n} people" for n in counts])) == [("item text", "number 1")]
    buyers = [" ".join(f"u{u}" for u in range(N_USERS) if last[u] == n) for n in range(N_ITEMS)]
    assert ("item text", "text") in named(told([f"A film for {who}." for who in buyers]))


def test_a_user_attribute_that_is_the_target_is_named() -> None:
    last = last_items(shop())
    ids, titles = [f"i{n}" for n in last], [f"Film {n} ({1950 + n * 7 % 60})" for n in last]
    codes = [f"segment {n * 37 % 101}" for n in last]
    found = named(shop(users={"next": ids, "wish": titles, "segment": codes, "age": range(N_USERS)}))
    assert found == [("user attribute", name) for name in ("next", "segment", "wish")]


class FromElsewhere(ItemKNN):
    """Fits on what it was given when it was made, whatever it is given later."""

    name = "from elsewhere"

    def __init__(self, secret: Dataset) -> None:
        super().__init__()
        self.secret = secret

    def fit(self, data: Dataset) -> None:
        super().fit(self.secret)


class ByCode(Popularity):
    """Knows the target of each user by her code."""

    name = "by code"

    def __init__(self, targets: list[int]) -> None:
        super().__init__()
        self.targets = targets

    def score(self, histories: Histories) -> Floats:
        assert histories.users is not None
        out = super().score(histories)
        out[np.arange(len(histories)), np.array(self.targets)[histories.users]] = 1e6
        return out


def test_a_model_that_knows_the_future_is_named() -> None:
    data = shop()
    split, last = split_last(data), last_items(data)
    report = evaluate([EASE(l2=5.0), Clairvoyant([split]), ByCode(last), FromElsewhere(data)], data)
    assert [(leak.kind, leak.name) for leak in report.leaks] == [
        ("model", "clairvoyant"),
        ("model", "by code"),
        ("model", "from elsewhere"),
    ]
    document = report.document()
    assert document["leaks"][2]["why"] == f"was fitted on data with {split.n_targets} of the " + (
        f"{split.n_targets} targets"
    )
    lines = remarks(document)
    assert lines[1].startswith(
        "warning: this knows the answers: model 'by code' foresees 1.000 (ndcg@10), and 0."
    )
    assert "warning: this knows" in str(report)


def test_a_world_that_can_be_foreseen_is_no_leak() -> None:
    """Each item is followed by the same one, always."""
    rows = [(f"u{u}", f"i{(u + n) % 40}", 100.0 * u + n) for u in range(200) for n in range(6)]
    data = Dataset.of(rows)
    model, split = ItemKNN(), split_last(data)
    model.fit(split.train)
    report = evaluate([ItemKNN()], data, k=10)
    assert report.models[0].metrics["ndcg@10"].mean > 0.5
    assert report.leaks == []
    assert find_model_leak(model, split, 1.0, 10) is None or report.models[0].metrics["ndcg@10"].mean < 1
