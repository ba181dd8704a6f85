"""What changes with each event while it serves is the same wherever the log is cut."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from acclimate.adapt.gate import first_verdict
from acclimate.adapt.meta import Meta
from acclimate.adapt.stepped import Stepped
from acclimate.adapt.swapped import Swapped
from acclimate.config import Adapt, Home, Settings
from acclimate.data.dataset import Dataset
from acclimate.errors import InputError
from acclimate.events.log import Record
from acclimate.models.ease import EASE
from acclimate.models.sequence import SequenceModel
from acclimate.recommend import Recommender
from acclimate.serve.load import load_recommender
from acclimate.snapshot import Registry
from acclimate.state.fold import LiveState
from acclimate.types import Model, Query
from tests.contract.models import travelled
from tests.state.worlds import event, put

ON = Settings(adapt=Adapt(prior="on"))
BOTH = Settings(adapt=Adapt(prior="on", step="on"))
EVERY = Settings(adapt=Adapt(prior="on", step="on", meta="on"))
DAY = 86_400.0


def ring() -> Dataset:
    return Dataset.of((f"u{u}", f"i{(u + t) % 12}", float(t)) for u in range(30) for t in range(8))


def published(folder: Path, model: Model) -> Home:
    home, data = Home(folder), ring()
    model.fit(data)
    registry = Registry(home.snapshots)
    snapshot = registry.write(model, LiveState.of(data), metrics={})
    registry.publish(snapshot, first_verdict(snapshot, report=None))
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    small = {"width": 16, "heads": 1, "epochs": 2, "validation_users": 0, "batch_tokens": 128}
    return published(tmp_path_factory.mktemp("home"), SequenceModel(**small))  # type: ignore[arg-type]


def happened() -> list[Record]:
    """Likes of old and new users, of old items, new ones, and such as were put in between."""
    rng = np.random.default_rng(5)
    records: list[Record] = []
    for n in range(1, 241):
        who, at = f"u{rng.integers(0, 45)}", n * DAY / 20
        if n % 60 == 0:
            records.append(put(n, f"put{n}", title="of the shelf", time=at))
        else:
            name = f"new{n}" if n % 50 == 0 else f"i{min(rng.integers(0, 12), rng.integers(0, 12))}"
            records.append(event(n, who, "dislike" if n % 17 == 0 else "like", name, time=at))
    return records


def state_of(recommender: Recommender) -> dict[str, np.ndarray]:
    assert isinstance(recommender.model, Swapped)
    return travelled(recommender.model.state())[0]


def test_the_prior_is_folded_the_same_however_the_log_is_cut(home: Home) -> None:
    whole = load_recommender(home, ON)
    changes = whole.apply(happened())
    assert {whole.state.item(code).item_id for code in changes.items} >= {"put60", "new50"}
    assert len(changes.events) == 236
    for size in (1, 7, 100):
        parts = load_recommender(home, ON)
        for start in range(0, 240, size):
            parts.apply(happened()[start : start + size])
        for name, array in state_of(whole).items():
            np.testing.assert_allclose(state_of(parts)[name], array, atol=1e-6, err_msg=name)
    assert isinstance(whole.model, Swapped)
    assert whole.model.contest.asked > 20
    assert whole.model.n_items == whole.state.n_items == len(whole.model.prior.counts)


def test_items_move_the_same_however_the_log_is_cut(home: Home) -> None:
    whole, parts = load_recommender(home, BOTH), load_recommender(home, BOTH)
    whole.apply(happened())
    for start in range(0, 240, 7):
        parts.apply(happened()[start : start + 7])
    for name, array in state_of(whole).items():
        np.testing.assert_allclose(state_of(parts)[name], array, atol=1e-5, err_msg=name)
    assert isinstance(whole.model, Swapped)
    assert isinstance(whole.model.base, Stepped)
    assert whole.model.base.taken.sum() > 100
    assert len(whole.model.base.taken) == whole.state.n_items


def test_new_users_are_started_the_same_however_the_log_is_cut(home: Home) -> None:
    whole, parts = load_recommender(home, EVERY), load_recommender(home, EVERY)
    whole.apply(happened())
    for start in range(0, 240, 7):
        parts.apply(happened()[start : start + 7])
    for name, array in state_of(whole).items():
        np.testing.assert_allclose(state_of(parts)[name], array, atol=1e-5, err_msg=name)
    assert isinstance(whole.model, Swapped)
    assert isinstance(whole.model.base, Stepped)
    meta = whole.model.base.base
    assert isinstance(meta, Meta)
    assert np.abs(meta.start).max() > 0, "learned from what the snapshot holds"
    assert meta.contest.asked > 20, "users who came later are new"


@pytest.mark.parametrize("settings", [ON, BOTH, EVERY])
def test_lists_go_on_while_it_learns(home: Home, settings: Settings) -> None:
    recommender, plain = load_recommender(home, settings), load_recommender(home, Settings())
    assert recommender.snapshot_id == plain.snapshot_id
    asked = Query("u3", k=5, request_id="r", now=1.0)
    assert recommender.recommend(asked) == plain.recommend(asked), "nothing was seen to pay so far"
    recommender.apply(happened())
    recommender.remember(["u3", "u40"])
    listed = recommender.recommend(Query("u40", k=5)).items
    assert len(listed) == 5
    assert recommender.similar("i1", 3).items


def test_what_was_logged_with_a_clock_ahead_counts_when_it_came(home: Home) -> None:
    def counted(time: float) -> float:
        recommender = load_recommender(home, ON)
        body = {"user_id": "u1", "event_type": "like", "item_id": "i1", "timestamp": time}
        recommender.apply([Record(1, "event", 50.0, body)])
        assert isinstance(recommender.model, Swapped)
        return recommender.model.prior.until

    assert counted(40.0) == 40.0
    assert counted(9e12) == 50.0


def test_a_user_who_is_deleted_leaves_the_panel(home: Home) -> None:
    recommender = load_recommender(home, ON)
    model = recommender.model
    assert isinstance(model, Swapped)
    code = recommender.state.users.code("u3")
    assert len(model.panel.history(code, 1.0).items) == 8
    recommender.apply([Record(1, "user_deleted", 9.0, {"user_id": "u3"})])
    assert len(model.panel.history(code, 1.0).items) == 0
    recommender.apply([event(2, "u3", "like", "i1")])
    assert len(model.panel.history(recommender.state.users.code("u3"), 1.0).items) == 1


def test_a_model_without_logits_serves_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = published(tmp_path, EASE())
    with caplog.at_level(logging.WARNING, "acclimate.serve"):
        recommender = load_recommender(home, EVERY)
    assert recommender.model.name == "ease"
    assert not isinstance(recommender.model, Swapped)
    assert "adapt.prior is on, and stays off: the prior of ease cannot be swapped" in caplog.text
    assert "adapt.step is on, and stays off: the items of ease cannot be moved" in caplog.text
    assert "adapt.meta is on, and stays off: ease has no state to start from" in caplog.text


def test_a_switch_is_on_or_off() -> None:
    with pytest.raises(InputError, match="no prior 'yes': take off or on"):
        Adapt(prior="yes")
    with pytest.raises(InputError, match="no step 'yes': take off or on"):
        Adapt(step="yes")
    with pytest.raises(InputError, match="no meta 'yes': take off or on"):
        Adapt(meta="yes")
    with pytest.raises(InputError, match="no adapter 'on': take off or lora or adalora or drift"):
        Adapt(adapter="on")
