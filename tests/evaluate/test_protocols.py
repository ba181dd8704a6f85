"""Evaluation on small worlds with known answers."""

from __future__ import annotations

import json
import math
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest

from acclimate.data.dataset import Dataset
from acclimate.data.split import SPLITS, Split, split_last, split_time
from acclimate.data.vocab import Vocabulary
from acclimate.errors import AcclimateError, InputError, NotFoundError
from acclimate.evaluate import ranking
from acclimate.evaluate.protocols import evaluate
from acclimate.evaluate.ranking import measure
from acclimate.evaluate.scene import ENOUGH, Scene, item_vectors
from acclimate.models import ease
from acclimate.models.ease import EASE
from acclimate.models.hybrid import Hybrid
from acclimate.models.item_knn import ItemKNN
from acclimate.models.popularity import Popularity
from acclimate.models.sequence import SequenceModel
from acclimate.state.histories import UserHistories
from acclimate.types import Codes, Floats, Histories, Item, User


class Clairvoyant(Popularity):
    """Knows the right items; nothing else has a score."""

    name = "clairvoyant"

    def __init__(self, splits: list[Split], worth: float = 1.0) -> None:
        super().__init__()
        self.splits, self.worth, self.fits = splits, worth, 0

    def fit(self, data: Dataset) -> None:
        super().fit(data)
        self.split = self.splits[self.fits % len(self.splits)]
        self.fits += 1

    def score(self, histories: Histories) -> Floats:
        out = np.zeros((len(histories), self.n_items), np.float32)
        out[self.split.rows, self.split.targets] = self.worth
        return out


def world(seed: int = 0, n_users: int = 40, n_items: int = 30) -> Dataset:
    """A two-taste world; the last item has no event."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(n_users), 8)
    item = np.concatenate([rng.permutation(np.arange(u % 2, n_items - 1, 2))[:8] for u in range(n_users)])
    time = rng.permutation(len(user)) + 1.0
    vocabularies = Vocabulary(f"u{n}" for n in range(n_users)), Vocabulary(f"i{n}" for n in range(n_items))
    return Dataset(*vocabularies, user, item, time, name="two tastes")


@pytest.mark.parametrize("protocol", SPLITS)
def test_who_knows_the_answers_gets_everything(protocol: str) -> None:
    data = world()
    splits = SPLITS[protocol](data, 0, np.inf)
    right, wrong = Clairvoyant(splits), Clairvoyant(splits, worth=-1.0)
    report = evaluate([right, wrong], data, protocol=protocol, k=12)
    best, worst = (model.metrics for model in report.models)
    assert best["auc"].mean == 1.0
    assert worst["auc"].mean == 0.0
    assert best["ndcg@12"].mean == best["map@12"].mean == best["mrr@12"].low == best["recall@12"].mean == 1.0
    assert worst["hr@12"].mean == 0.0
    (tested,) = report.comparisons
    found = tested.comparison
    assert (found.model, found.against) == ("clairvoyant (2)", "clairvoyant")
    assert found.difference.mean == pytest.approx(-1.0)
    assert tested.p == tested.p_holm < 0.05


def test_taste_beats_popularity_and_chance_is_chance() -> None:
    data = world(n_users=120)
    constant = Clairvoyant([split_last(data)], worth=0.0)
    report = evaluate([Popularity(), EASE(l2=5.0), constant], data, k=5)
    popularity, ease, chance = (model.metrics["hr@5"] for model in report.models)
    assert ease.low > popularity.high
    assert chance.mean == pytest.approx(5 / (30 - 7))
    assert {each.comparison.against for each in report.comparisons} == {"ease"}
    assert all(each.comparison.difference.sign == -1 for each in report.comparisons)
    assert all(each.p_holm >= each.p for each in report.comparisons)


def test_items_of_the_history_are_left_out_but_not_the_targets() -> None:
    users, items = Vocabulary(["ann", "bob"]), Vocabulary(["a", "b", "c"])
    codes = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 0]), np.arange(4.0)
    data = Dataset(users, items, *codes, weight=np.array([1, 0, 1, 1]))
    report = evaluate([Popularity()], data, k=1)
    assert report.n_users == 1
    assert report.models[0].metrics["hr@1"].mean == pytest.approx(1 / 2)


@pytest.mark.parametrize("again", [math.inf, 9.0])
def test_what_is_ranked_is_what_may_be_listed(again: float) -> None:
    rng, n = np.random.default_rng(0), 400
    users, items = (Vocabulary([f"{n}" for n in range(size)]) for size in (12, 40))
    codes = rng.integers(0, 12, n), rng.integers(0, 40, n), np.sort(rng.uniform(0, 100, n))
    data = Dataset(users, items, *codes, weight=rng.choice([1.0, 0.2, 0.0, -1.0], n))
    split = split_last(data, again=again)
    lists = UserHistories(split.histories, 1000)
    ranked_though_seen = 0
    for row, told in enumerate(split.histories):
        since = None if again == math.inf else float(told.now[0]) - again
        had, disliked = lists.standing(row, since=since)
        out = (set(had) | set(disliked)) - {split.targets[row]}
        assert set(split.closed()[row].items) == out
        ranked_though_seen += len(set(told.items) - out)
    assert ranked_though_seen > len(split.users)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    data = world()
    split = split_time(data)
    model = ItemKNN()
    model.fit(split.train)
    whole = measure(model, split)
    monkeypatch.setattr(ranking, "SCORES_AT_ONCE", 70)
    parts = measure(model, split)
    assert parts.metrics == whole.metrics
    assert parts.segments == whole.segments
    assert whole.fit_seconds is None


def test_segments_are_parts_of_the_whole() -> None:
    data = world(n_users=90)
    report = evaluate([ItemKNN()], data).models[0]
    assert not {"few events", "some events", "many events"} & set(report.segments), "all are equally long"
    head, tail = report.segments["head items"], report.segments["tail items"]
    assert head.n_users + tail.n_users == 90
    mean = (head.n_users * head.metrics["ndcg@10"].mean + tail.n_users * tail.metrics["ndcg@10"].mean) / 90
    assert mean == pytest.approx(report.metrics["ndcg@10"].mean)


def test_items_that_nobody_liked_before_are_a_segment() -> None:
    rows = [(f"u{u}", f"i{n % 3}", 10.0 * u + n) for u in range(9) for n in range(2)]
    rows += [("u0", "x", 500.0), ("u1", "y", 501.0), ("u8", "y", 600.0)]
    split = split_last(Dataset.of(rows))
    (new,) = (each for each in Scene(split).portions if each.name == "new items")
    users, items = split.train.users.ids, split.train.items.ids
    pairs = zip(split.users[new.keep], split.targets[new.keep], strict=True)
    assert [(users[user], items[item]) for user, item in pairs] == [("u0", "x"), ("u1", "y"), ("u8", "y")]
    known = Scene(split_last(Dataset.of(rows[:-3])))
    assert "new items" not in {each.name for each in known.portions}


def test_activity_is_cut_into_thirds_and_head_holds_80_percent() -> None:
    rows = [(f"u{u}", f"i{min(n, 3 + u % 7)}", 10.0 * u + n) for u in range(30) for n in range(3 + u // 3)]
    data = Dataset.of(list(dict.fromkeys(rows)))
    split = split_last(data)
    segments = {name: (what, keep) for name, _, what, keep in Scene(split).portions}
    lengths = split.histories.lengths
    thirds = [segments[name][1] for name in ("few events", "some events", "many events")]
    assert np.array_equal(np.sum(thirds, axis=0), np.ones(len(lengths)))
    assert lengths[thirds[0]].max() < lengths[thirds[1]].min() <= lengths[thirds[1]].max()
    assert lengths[thirds[1]].max() < lengths[thirds[2]].min()
    for name, third in zip(("few events", "some events", "many events"), thirds, strict=True):
        low, high = lengths[third].min(), lengths[third].max()
        assert segments[name][0] == f"users with {low} to {high} events in their history"
    counts = np.bincount(split.train.item, minlength=data.n_items)
    head = np.unique(split.targets[segments["head items"][1]])
    tail = np.unique(split.targets[segments["tail items"][1]])
    assert counts[head].min() >= counts[tail].max()
    size = int(segments["head items"][0].split("the ")[1].split()[0])
    share = np.sort(counts)[::-1].cumsum() / counts.sum()
    assert share[size - 1] >= 0.8 > share[size - 2]


@pytest.mark.parametrize(
    ("lengths", "told"),
    [
        ((1, 1, 1, 1, 4), {"few events": "1 event", "many events": "4 events"}),
        ((1, 2, 2, 5, 5), {"few events": "1 to 2 events", "many events": "5 events"}),
        ((2, 3, 3, 3, 3), {}),
    ],
)
def test_a_segment_by_activity_says_which_histories_are_in_it(
    lengths: tuple[int, ...], told: dict[str, str]
) -> None:
    rows = [(f"u{u}", f"i{n}", 10.0 * n + u) for u, length in enumerate(lengths) for n in range(length + 1)]
    portions = Scene(split_last(Dataset.of(rows))).portions
    found = {each.name: each.what for each in portions if each.group == "activity"}
    assert found == {name: f"users with {events} in their history" for name, events in told.items()}


RANKING = ["hr", "recall", "precision", "f1", "ndcg", "mrr", "map"]
LISTS = ["coverage", "gini", "novelty", "serendipity", "popularity", "lift"]


def test_the_document_is_that_of_the_interface() -> None:
    report = evaluate([Popularity(), ItemKNN()], world(), protocol="time", k=3)
    document = json.loads(json.dumps(report.document()))
    assert document["dataset"] == "two tastes"
    assert document["protocol"] == "time"
    assert document["targets_sha256"] == split_time(world()).targets_sha256
    assert document["n_targets"] == split_time(world()).n_targets
    names = {f"{name}@3" for name in [*RANKING, *LISTS]} | {"auc"}
    for model in document["models"]:
        assert set(model["metrics"]) == names
        assert all(set(each) == {"mean", "low", "high"} for each in model["metrics"].values())
        assert all(each["low"] <= each["mean"] <= each["high"] for each in model["metrics"].values())
        assert model["fit_seconds"] >= 0
    keys = {"model", "against", "metric", "mean", "low", "high", "p", "p_holm"}
    assert keys == set(document["comparisons"][0])


def test_what_cannot_be_scored_is_told_and_ranks_last() -> None:
    rows = [("ann", "a", 1.0), ("ann", "b", 2.0), ("bob", "b", 3.0), ("bob", "a", 4.0), ("eve", "a", 5.0)]
    report = evaluate([ItemKNN()], Dataset.of([*rows, ("eve", "new", 6.0)]), k=1)
    assert report.models[0].notes == ("1 of 3 targets cannot be scored and ranks last",)


def test_the_same_seed_gives_the_same_report() -> None:
    one, two = (evaluate([ItemKNN()], world(), seed=3) for _ in range(2))
    assert one.models[0].metrics == two.models[0].metrics
    other = evaluate([ItemKNN()], world(), seed=4).models[0].metrics["ndcg@10"]
    assert other.mean == one.models[0].metrics["ndcg@10"].mean
    assert other != one.models[0].metrics["ndcg@10"]


class Noisy(Popularity):
    """Popularity with noise that depends on its seed."""

    name = "noisy"

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def score(self, histories: Histories) -> Floats:
        noise = np.random.default_rng(self.seed).normal(0, 5, self.n_items)
        return (super().score(histories) + noise).astype(np.float32)


@pytest.mark.parametrize("protocol", SPLITS)
def test_several_seeds_are_the_mean_of_the_single_ones(protocol: str) -> None:
    data = world(n_users=90)
    alone = [evaluate([Noisy(seed)], data, protocol=protocol).models[0] for seed in range(3)]
    report = evaluate([[Noisy(seed) for seed in range(3)], Popularity()], data, protocol=protocol)
    ours, other = report.models
    assert (ours.name, other.name) == ("noisy", "popularity")
    assert ours.seeds is not None
    assert len(ours.seeds) == 3
    for metric in ("ndcg@10", "recall@10", "coverage@10"):
        values = [each.metrics[metric].mean for each in alone]
        assert ours.seeds.values[metric] == pytest.approx(values)
        assert ours.metrics[metric].mean == pytest.approx(np.mean(values))
        assert ours.seeds.deviation(metric) == pytest.approx(np.std(values, ddof=1))
    np.testing.assert_allclose(
        ours.per_user["ndcg@10"], np.mean([each.per_user["ndcg@10"] for each in alone], axis=0)
    )
    assert ours.segments.keys() == alone[0].segments.keys()
    for part, segment in ours.segments.items():
        values = [each.segments[part].metrics["ndcg@10"].mean for each in alone]
        assert segment.metrics["ndcg@10"].mean == pytest.approx(np.mean(values))
        assert segment.n_users == alone[0].segments[part].n_users
    document = json.loads(json.dumps(report.document()))
    assert document["models"][0]["seeds"]["n"] == 3
    assert document["models"][0]["seeds"]["metrics"]["ndcg@10"]["values"] == pytest.approx(
        [each.metrics["ndcg@10"].mean for each in alone]
    )
    assert document["models"][1]["seeds"] is None


def test_a_model_that_refuses_the_data_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "MAX_ITEMS", 3)
    report = evaluate([EASE(), Popularity()], world())
    assert [model.name for model in report.models] == ["popularity"]
    assert "it takes up to 3 items: use item-knn" in report.left_out["ease"]
    assert report.document()["left_out"].keys() == {"ease"}
    with pytest.raises(InputError, match="it takes up to 3 items: use item-knn"):
        evaluate([EASE()], world())


@pytest.mark.parametrize("code", ["loss_not_finite", "out_of_memory"])
def test_a_fit_that_fails_leaves_the_other_models_in_the_report(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(self: ItemKNN, data: Dataset) -> None:
        raise AcclimateError("the loss is nan", code=code)

    monkeypatch.setattr(ItemKNN, "fit", failing)
    report = evaluate([Popularity(), ItemKNN()], world())
    assert report.left_out == {"item-knn": "the loss is nan"}
    assert [each.name for each in report.models] == ["popularity"]
    with pytest.raises(AcclimateError, match="the loss is nan"):
        evaluate([ItemKNN()], world())


def test_a_model_that_knows_when_it_is_asked_stands_apart() -> None:
    small: dict[str, Any] = {"width": 8, "heads": 1, "layers": 1, "epochs": 1, "validation_users": 0}
    blind, aware = SequenceModel(**small), SequenceModel(**small, time=True)
    both = Hybrid(sources=[SequenceModel(**small, time=True), Popularity()])
    report = evaluate([blind, aware, both], world())
    told = ["knows when it is asked (time=true)" in " ".join(each.notes) for each in report.models]
    assert told == [False, True, True]
    assert str(report).count("its figures stand apart from those of models that do not") == 2


def test_several_lengths_at_once() -> None:
    several = evaluate([ItemKNN()], world(), k=(5, 3, 5))
    assert (several.k, several.ks, several.document()["ks"]) == (5, (5, 3), [5, 3])
    for k in (3, 5):
        alone = evaluate([ItemKNN()], world(), k=k).models[0].metrics
        for name in alone:
            assert astuple(several.models[0].metrics[name]) == pytest.approx(astuple(alone[name]), abs=1e-12)
    with pytest.raises(InputError, match=r"k must be 1\.\.1000, got nothing"):
        evaluate([ItemKNN()], world(), k=())


def test_folds_are_joined_and_their_spread_is_told() -> None:
    data = world(n_users=60)
    report = evaluate([Popularity(), ItemKNN()], data, protocol="kfold", seed=4)
    splits = SPLITS["kfold"](data, 4, np.inf)
    for ours, model in zip(report.models, (Popularity(), ItemKNN()), strict=True):
        folds = []
        for split in splits:
            model.fit(split.train)
            folds.append(measure(model, split))
        assert ours.folds is not None
        for name in ("ndcg@10", "auc", "coverage@10"):
            values = [fold.metrics[name].mean for fold in folds]
            assert ours.folds.values[name] == pytest.approx(values)
        values = np.concatenate([fold.per_user["ndcg@10"] for fold in folds])
        np.testing.assert_array_equal(ours.per_user["ndcg@10"], values)
        assert ours.document()["folds"]["n"] == 5
    assert report.n_targets == report.n_users == sum(split.n_targets for split in splits)


def test_new_users_and_items_are_reported_apart() -> None:
    rows = [(f"u{n % 30}", f"i{n % 13}", float(n)) for n in range(350)]
    late = [("late", "i1", 360.0), ("late", "i2", 361.0), ("u1", "fresh", 362.0), ("u1", "i12", 363.0)]
    data = Dataset.of([*rows[:340], *late])
    report = evaluate([Popularity()], data, protocol="time", k=2)
    split = split_time(data)
    assert report.n_targets == split.n_targets
    segments = report.models[0].segments
    assert {"new users", "new items"} <= segments.keys()
    assert (segments["new users"].n_users, segments["new items"].n_users) == (1, 1)
    assert segments["new items"].metrics["hr@2"].mean < 1
    _, asked = split.beside["new users"]
    model = Popularity()
    model.fit(split.train)
    assert segments["new users"].metrics["ndcg@2"] == measure(model, asked, k=2).metrics["ndcg@2"]


def test_cold_users_are_averaged_over_their_questions() -> None:
    data = world(n_users=60)
    (split,) = SPLITS["cold-user"](data, 0, np.inf)
    report = evaluate([ItemKNN()], data, protocol="cold-user").models[0]
    assert report.segments["1 event"].n_users == report.segments["3 events"].n_users == 12
    assert "10 events" not in report.segments, "nobody has so many"
    assert len(report.per_user["ndcg@10"]) == 12 == len(np.unique(split.users))
    parts = [report.segments[name].metrics["ndcg@10"].mean for name in ("1 event", "3 events")]
    assert report.metrics["ndcg@10"].mean == pytest.approx(np.mean(parts))


def test_cold_items_are_ranked_among_all_and_among_the_cold() -> None:
    data = world(n_users=60)
    (split,) = SPLITS["cold-item"](data, 0, np.inf)
    cold = split.among["among the cold"][1]
    report = evaluate([Clairvoyant([split], worth=0.0)], data, protocol="cold-item", k=5).models[0]
    narrow = report.segments["among the cold"]
    assert narrow.n_users == len(split.users)
    left = [cold.sum() - cold[np.unique(split.closed()[row].items)].sum() for row in range(len(split.users))]
    assert narrow.metrics["hr@5"].mean == pytest.approx(np.mean([min(5 / n, 1) for n in left]))
    assert narrow.metrics["hr@5"].mean > report.metrics["hr@5"].mean
    assert narrow.metrics["auc"].mean == pytest.approx(0.5)


def test_where_items_come_again_they_are_ranked_and_may_be_targets() -> None:
    rows = [(user, item, t + 0.1 * n) for n, user in enumerate("abcd") for t, item in enumerate("xyzx", 1)]
    with pytest.raises(InputError, match="had before: 4"):
        evaluate([Popularity()], Dataset.of(rows), k=1)
    always = evaluate([Popularity()], Dataset.of(rows), k=1, again=0.0)
    assert always.n_targets == 4
    assert always.models[0].metrics["hr@1"].mean == pytest.approx(1 / 3), "all three are equally popular"


def test_the_report_says_whether_what_was_had_is_ranked() -> None:
    rows = [(user, item, 86_400.0 * n) for user in "ab" for n, item in enumerate("xyzx")]
    data = Dataset.of(rows)
    for again, key, words in (
        (math.inf, None, "all items but those the user had;"),
        (0.0, 0.0, "all items, those the user had included;"),
        (172_800.0, 172_800.0, "all items but those the user had in the 2 days before;"),
    ):
        report = evaluate([Popularity()], data.where(data.time < 86_400 * (3 if again else 4)), again=again)
        assert report.document()["again"] == key
        assert words in " ".join(str(report).split())


def test_values_of_user_attributes_are_segments() -> None:
    data = world(n_users=ENOUGH * 2 + 5)
    people = [
        User(name, {"sex": "f" if n < ENOUGH else "m", "rare": n, "list": ["f"]})
        for n, name in enumerate(data.users.ids)
    ]
    told = Dataset(data.users, data.items, data.user, data.item, data.time, people=people)
    report = evaluate([ItemKNN()], told).models[0]
    mine = {name: part for name, part in report.segments.items() if part.group == "user attribute"}
    assert {name: part.n_users for name, part in mine.items()} == {"sex: f": ENOUGH, "sex: m": ENOUGH + 5}
    women = report.per_user["ndcg@10"][:ENOUGH]
    assert mine["sex: f"].metrics["ndcg@10"].mean == pytest.approx(women.mean())


def test_numbers_of_users_are_cut_in_thirds_and_codes_are_not() -> None:
    data = world(n_users=ENOUGH * 4 + 1)
    people = [
        User(name, {"age": str(20 + n % 30) if n < 120 else "", "zip": f"0{n % 15}", "floor": n % 2})
        for n, name in enumerate(data.users.ids)
    ]
    told = Dataset(data.users, data.items, data.user, data.item, data.time, people=people)
    segments = evaluate([ItemKNN()], told).models[0].segments
    mine = {name: part.n_users for name, part in segments.items() if part.group == "user attribute"}
    ages = {"age: up to 29": 40, "age: 29 to 39": 40, "age: above 39": 40}
    assert mine == ages | {"floor: 0": 61, "floor: 1": 60}
    assert segments["age: 29 to 39"].what == "users whose age is above 29 and up to 39"


def test_what_items_are_like() -> None:
    data = world(n_users=10, n_items=30)

    def known(*items: Item) -> Dataset:
        catalogue = [*items, *(Item(name) for name in data.items.ids[len(items) :])]
        return Dataset(data.users, data.items, data.user, data.item, data.time, catalogue=catalogue)

    assert item_vectors(data) is None
    by_words = item_vectors(known(Item("i0", "black tea"), Item("i1", "black tea"), Item("i2", "pot")))
    assert by_words is not None
    assert by_words[0] @ by_words[1] > 0.9 > by_words[0] @ by_words[2]
    by_label = item_vectors(known(*(Item(f"i{n}", "same", categories=("a", "bc"[n % 2])) for n in range(16))))
    assert by_label is not None
    assert by_label[0] @ by_label[2] == pytest.approx(1.0)
    assert by_label[0] @ by_label[1] == pytest.approx(0.5)
    report = evaluate([Popularity()], known(*(Item(f"i{n}", categories=("a",)) for n in range(30))))
    assert report.models[0].metrics["diversity@10"].mean == 0.0, "all are of one kind"


def test_progress_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate([Popularity()], world(), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "fitting popularity on Dataset('two tastes'" in err
    evaluate([Popularity()], world())
    assert capsys.readouterr() == ("", "")


SINGLE = Dataset.of([("ann", "heat", 1.0)])


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (SINGLE, {"k": 0}, InputError, r"k must be 1\.\.1000, got 0"),
        (SINGLE, {"k": -1}, InputError, r"k must be 1\.\.1000, got -1"),
        (SINGLE, {"k": 10**9}, InputError, r"k must be 1\.\.1000, got 1000000000"),
        (SINGLE, {"k": "ten"}, InputError, r"k must be 1\.\.1000, got 'ten'"),
        (SINGLE, {"protocol": "lst"}, NotFoundError, "no protocol 'lst': did you mean 'last'"),
        (SINGLE, {"protocol": "prequential"}, InputError, "it is acclimate replay"),
        (SINGLE, {}, InputError, r"'last' can hold nothing out of 'made' \(users with fewer .*: 1\)"),
        (SINGLE, {"protocol": "time"}, InputError, "'time' can hold nothing out"),
        (SINGLE.before(0.0), {}, InputError, "can hold nothing out"),
        (SINGLE.before(0.0), {"protocol": "time"}, InputError, "can hold nothing out"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(data: Any, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate([Popularity()], data, **options)


def test_no_model_is_refused() -> None:
    for none in ([], [[]]):
        with pytest.raises(InputError, match="give at least one"):
            evaluate(none, world())


def test_a_model_that_answers_for_other_items_is_found_out() -> None:
    class Short(Popularity):
        def score(self, histories: Histories) -> Floats:
            return super().score(histories)[:, 1:]

        def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
            raise NotImplementedError

    with pytest.raises(
        ValueError, match=r"popularity scored \(40, 29\) users and items, asked for \(40, 30\)"
    ):
        evaluate([Short()], world())
