from dataclasses import replace

import numpy as np
import pytest

from acclimate.adapt.gate import first_verdict
from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.encode.tfidf import TfidfEncoder
from acclimate.evaluate.protocols import evaluate
from acclimate.evaluate.results import ModelReport, Report
from acclimate.models.content import Content
from acclimate.models.item_knn import ItemKNN
from acclimate.models.popularity import Popularity
from acclimate.snapshot import Registry
from acclimate.state.fold import LiveState
from acclimate.types import Item
from tests.contract.models import WORLD


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


def snapshot_of(registry, model=None):
    model = model or ItemKNN()
    model.fit(WORLD)
    return registry.write(model, LiveState.of(WORLD), metrics={})


def report(ours, theirs, name="item-knn"):
    """A report in which each of 200 users has one of two figures, noise apart."""
    noise = np.random.default_rng(0).normal(0, 0.05, 200)
    models = [
        ModelReport(each, {}, {"ndcg@10": value + (noise if each == name else -noise)}, 0.0, 0.0)
        for each, value in ((name, ours), ("popularity", theirs))
    ]
    return Report("made", "last", "", 200, (10,), models, ())


def test_a_sound_model_passes_with_figures(registry):
    verdict = first_verdict(snapshot_of(registry), report=evaluate([ItemKNN(), Popularity()], WORLD))
    assert verdict.passed
    assert dict(verdict.checks) == {"loads": True, "equal": True, "valid": True, "not_worse": True}
    assert verdict.reasons[0] == "loads, every file is whole"
    assert verdict.reasons[-1].startswith("significantly better than popularity: ndcg@10 0.")
    assert verdict.figures["ndcg@10"] > verdict.figures["ndcg@10 of popularity"]
    assert verdict.figures["gain_low"] <= verdict.figures["gain"] <= verdict.figures["gain_high"]
    registry.publish(snapshot_of(registry), verdict)
    assert registry.current().verdict == verdict


@pytest.mark.parametrize(
    ("ours", "passes", "words"),
    [
        (0.3, True, "significantly better than popularity: "),
        (0.2, True, "better than popularity, not significantly: "),
        (0.19, True, "worse than popularity, not significantly: "),
        (0.1, False, "significantly worse than popularity: "),
    ],
)
def test_only_what_is_significantly_worse_fails(registry, ours, passes, words):
    verdict = first_verdict(snapshot_of(registry), report=report(ours, 0.2))
    assert verdict.passed == verdict.checks["not_worse"] == passes
    assert any(line.startswith(words) for line in verdict.reasons)
    advice = "popularity did better than item-knn, ndcg@10 0.1"
    assert any(line.startswith(advice) for line in verdict.reasons) == (verdict.figures["gain"] < 0)


def test_the_best_of_the_report_is_named_with_what_to_do(registry):
    two = report(0.3, 0.2)
    best = replace(two.models[0], name="ease", per_user={"ndcg@10": np.full(200, 0.4)})
    verdict = first_verdict(snapshot_of(registry), report=replace(two, models=[*two.models, best]))
    assert verdict.passed
    assert verdict.reasons[-1] == (
        "ease did better than item-knn, ndcg@10 0.4000 against 0.3008: publish it with "
        "acclimate train --model ease, or the best of several with acclimate train"
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "not compared with popularity: no report"),
        (
            report(0.1, 0.2, name="ease"),
            "not compared with popularity: no item-knn beside popularity in the report",
        ),
    ],
)
def test_a_check_that_was_not_made_is_named(registry, given, words):
    verdict = first_verdict(snapshot_of(registry), report=given)
    assert verdict.passed
    assert "not_worse" not in verdict.checks
    assert verdict.reasons[-1] == words


def test_a_damaged_snapshot_fails(registry):
    snapshot = snapshot_of(registry)
    (snapshot.path / "model.safetensors").write_bytes(b"")
    verdict = first_verdict(snapshot, report=None)
    assert not verdict.passed
    assert dict(verdict.checks) == {"loads": False}
    assert "model.safetensors" in verdict.reasons[0]


def spoil(monkeypatch, scores):
    original = Popularity.score
    monkeypatch.setattr(Popularity, "score", lambda self, histories: scores(original(self, histories)))


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (lambda s: np.where(s == s.max(), np.inf, s), "scores are infinite"),
        (
            lambda s: np.full_like(s, np.nan),
            "for a sample of users no item has a score: train again",
        ),
    ],
)
def test_scores_have_to_be_usable(registry, monkeypatch, scores, reason):
    spoil(monkeypatch, scores)
    verdict = first_verdict(snapshot_of(registry, Popularity()), report=None)
    assert dict(verdict.checks) == {"loads": True, "equal": True, "valid": False}
    assert any(reason in line for line in verdict.reasons)


def valid(registry, model, data):
    model.fit(data)
    verdict = first_verdict(registry.write(model, LiveState.of(data), metrics={}), report=None)
    assert verdict.passed
    return verdict.figures["scored"], verdict.reasons[-2]


def test_a_user_without_history_is_not_counted_as_items_without_a_score(registry):
    data = Dataset.of([(f"u{u}", f"i{(u + n) % 4}", 10.0 * u + n) for u in range(8) for n in range(3)])
    assert valid(registry, ItemKNN(), data) == (1.0, "for a sample of users each item has a score")


def test_items_without_a_score_are_counted_with_why_and_what_to_do(registry):
    told = [*(Item(f"i{n}", f"Fish {n}") for n in range(4)), Item("bare"), Item("new", "Fish and chips")]
    user, step = np.divmod(np.arange(24), 3)
    names, items = Vocabulary(f"u{n}" for n in range(8)), Vocabulary(item.item_id for item in told)
    data = Dataset(names, items, user, (user + step) % 4, np.arange(24.0), catalogue=told)
    share, words = valid(registry, ItemKNN(), data)
    assert share == pytest.approx(4 / 6)
    assert words == (
        f"2 of 6 items that were tried have no score, and come last: {ItemKNN.new_item} "
        "To mend: a model that reads texts can score them by theirs: acclimate train --model sequence"
    )
    share, words = valid(registry, Content(TfidfEncoder()), data)
    assert share == pytest.approx(5 / 6)
    assert words == (
        f"1 of 6 items that were tried have no score, and come last: {Content.new_item} "
        "To mend: give them a title or a text with acclimate data import --items, and train again"
    )


def test_items_that_some_users_get_no_score_for_are_counted(registry, monkeypatch):
    def some(scores):
        scores = scores.copy()
        scores[1, :3] = np.nan
        return scores

    spoil(monkeypatch, some)
    verdict = first_verdict(snapshot_of(registry, Popularity()), report=None)
    words = "items up to 3 have no score for some of a sample of users, and come last for them"
    assert f"of {WORLD.n_items} {words}" in verdict.reasons


def test_scores_have_to_be_those_of_before(registry, monkeypatch):
    snapshot = snapshot_of(registry, Popularity())
    spoil(monkeypatch, lambda s: s * 1.001)
    verdict = first_verdict(snapshot, report=None)
    assert dict(verdict.checks) == {"loads": True, "equal": False, "valid": True}
    assert "its scores are not those it had when it was written" in verdict.reasons


def test_a_candidate_that_fails_fails_alone(registry, monkeypatch):
    snapshot = snapshot_of(registry, Popularity())
    spoil(monkeypatch, lambda s: 1 / 0)
    verdict = first_verdict(snapshot, report=None)
    assert (verdict.passed, verdict.reasons) == (False, ("does not load: division by zero",))


def test_an_empty_world_is_no_fault(registry):
    model = Popularity()
    model.fit(type(WORLD).of([]))
    verdict = first_verdict(registry.write(model, LiveState(), metrics={}), report=None)
    assert verdict.passed
