import numpy as np
import pytest

from acclimate.adapt.gate import first_verdict
from acclimate.evaluate.protocols import ModelReport, Report, evaluate
from acclimate.models.item_knn import ItemKNN
from acclimate.models.popularity import Popularity
from acclimate.snapshot import Registry
from acclimate.state.fold import LiveState
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
    return Report("made", "last", "", 200, 10, models, ())


def test_a_sound_model_passes_with_figures(registry):
    verdict = first_verdict(snapshot_of(registry), report=evaluate([ItemKNN(), Popularity()], WORLD))
    assert verdict.passed
    assert dict(verdict.checks) == {"loads": True, "equal": True, "valid": True, "not_worse": True}
    assert verdict.reasons[0] == "loads, every file is whole"
    assert verdict.reasons[-1].startswith("not significantly worse than popularity: ndcg@10 0.")
    assert verdict.figures["ndcg@10"] > verdict.figures["ndcg@10 of popularity"]
    assert verdict.figures["gain_low"] <= verdict.figures["gain"] <= verdict.figures["gain_high"]
    registry.publish(snapshot_of(registry), verdict)
    assert registry.current().verdict == verdict


@pytest.mark.parametrize(("ours", "passes"), [(0.3, True), (0.2, True), (0.199, True), (0.1, False)])
def test_only_what_is_significantly_worse_fails(registry, ours, passes):
    verdict = first_verdict(snapshot_of(registry), report=report(ours, 0.2))
    assert verdict.passed == verdict.checks["not_worse"] == passes
    assert ("not significantly worse" in verdict.reasons[-1]) == passes


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
        (lambda s: np.full_like(s, np.nan), "0% of its scores for a probe of users are numbers"),
    ],
)
def test_scores_have_to_be_usable(registry, monkeypatch, scores, reason):
    spoil(monkeypatch, scores)
    verdict = first_verdict(snapshot_of(registry, Popularity()), report=None)
    assert dict(verdict.checks) == {"loads": True, "equal": True, "valid": False}
    assert any(reason in line for line in verdict.reasons)


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
