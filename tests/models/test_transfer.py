"""What a sequence model learned in one catalogue is there in another one, from the first event on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.encode.adapters import Adapter
from acclimate.encode.text import TextEncoder
from acclimate.encode.tuning import Tuning
from acclimate.errors import InputError
from acclimate.models.ease import EASE
from acclimate.models.sequence import SequenceModel
from acclimate.types import Histories, Item
from tests.encode.tiny_bert import save_tiny_bert
from tests.models.test_sequence import SMALL, OneHot, kinds, ring

KINDS = 12
CHANCE = 1 / KINDS


def elsewhere() -> Dataset:
    """The world of `kinds` in another shop: other items under other ids, and three users of two events."""
    catalogue = [Item(f"sku-{n}", title=f"kind {n % KINDS} brand {n // KINDS}") for n in range(60)]
    items = Vocabulary(item.item_id for item in catalogue)
    user, item, time = np.repeat([0, 1, 2], 2), np.array([0, 13, 26, 3, 40, 5]), np.arange(6.0)
    return Dataset(Vocabulary(["a", "b", "c"]), items, user, item, time, catalogue=catalogue)


def share_right(model: SequenceModel) -> float:
    """How often the best item for one or two events is of the kind that comes next."""
    asked = Histories.of([[n] for n in range(60)] + [[n, (n + 1) % 60] for n in range(59)])
    last = asked.items[asked.offsets[1:] - 1]
    return float((model.score(asked).argmax(axis=1) % KINDS == (last + 1) % KINDS).mean())


def new(encoder: Any = None, **params: Any) -> SequenceModel:
    return SequenceModel(encoder or OneHot(), **SMALL | {"validation_users": 0} | params)


@pytest.fixture(scope="module")
def learned() -> SequenceModel:
    model = new(epochs=15)
    model.fit(kinds())
    return model


def test_in_another_catalogue_it_foresees_before_it_learned_anything_there(learned: SequenceModel) -> None:
    data = elsewhere()
    transferred, scratch = new(epochs=0), new(epochs=15)
    transferred.start_from(learned, kinds().catalogue)
    transferred.fit(data)
    scratch.fit(data)
    assert transferred.fitted is not None
    assert transferred.fitted.epochs == 0
    assert share_right(transferred) >= 0.9
    assert share_right(scratch) < 3 * CHANCE, "three users of two events tell nearly nothing"


def test_it_learns_on_from_there_and_a_restored_one_is_the_same(learned: SequenceModel) -> None:
    data = elsewhere()
    again = new()
    again.restore(learned.state())
    model = new(epochs=2)
    model.start_from(again, kinds().catalogue)
    model.fit(data)
    assert share_right(model) >= 0.8
    body = model.state()[0]["net.positions"]
    assert not np.array_equal(body, learned.state()[0]["net.positions"])
    kept = new()
    kept.restore(model.state())
    asked = Histories.of([[1, 2]])
    np.testing.assert_array_equal(kept.score(asked), model.score(asked))


def test_body_and_space_are_those_of_the_other_and_ids_begin_at_zero(learned: SequenceModel) -> None:
    model = new(epochs=0)
    model.start_from(learned, kinds().catalogue)
    model.fit(elsewhere())
    arrays, source = model.state()[0], learned.state()[0]
    for name in (name for name in source if name.startswith(("net.", "space."))):
        np.testing.assert_array_equal(arrays[name], source[name], err_msg=name)
    assert not arrays["ids"].any()
    assert source["ids"].any()


def test_ids_carry_over_where_id_and_text_are_the_same(learned: SequenceModel) -> None:
    data = kinds()
    changed = list(data.catalogue)
    changed[5] = replace(changed[5], title="kind 5 renamed")
    other = Dataset(data.users, data.items, data.user, data.item, data.time, catalogue=changed)
    model = new(epochs=0)
    model.start_from(learned, data.catalogue)
    model.fit(other)
    ids, before = model.state()[0]["ids"], learned.state()[0]["ids"]
    assert not ids[5].any()
    np.testing.assert_array_equal(np.delete(ids, 5, axis=0), np.delete(before, 5, axis=0))


def test_on_the_same_catalogue_nothing_changes_without_learning(learned: SequenceModel) -> None:
    model = new(epochs=0)
    model.start_from(learned, kinds().catalogue)
    model.fit(kinds())
    asked = Histories.of([[3], [4, 17], [50, 51, 64]])
    np.testing.assert_allclose(model.score(asked), learned.score(asked), atol=1e-6)


@pytest.mark.parametrize("params", [{"item_vector": "sum"}, {"item_vector": "text"}, {"user_text": "on"}])
def test_each_kind_of_item_vector_carries_over(params: dict[str, str]) -> None:
    source = new(epochs=15, **params)
    source.fit(kinds())
    model = new(epochs=0, **params)
    model.start_from(source, kinds().catalogue)
    model.fit(elsewhere())
    assert share_right(model) >= 0.7


def test_without_texts_the_ids_of_the_same_items_carry_over() -> None:
    source = SequenceModel(**SMALL, epochs=12, validation_users=0)
    source.fit(ring())
    model = SequenceModel(**SMALL, epochs=0, validation_users=0)
    model.start_from(source, ring().catalogue)
    model.fit(ring())
    asked = Histories.of([[2, 3], [7]])
    np.testing.assert_allclose(model.score(asked), source.score(asked), atol=1e-6)


def test_the_adapter_is_carried_and_not_tuned_anew(tmp_path: Path) -> None:
    base = save_tiny_bert(tmp_path / "base")
    tuning = Tuning("ia3", "text", epochs=1, steps=2, batch=8)
    source = new(TextEncoder(base, device="cpu", tuning=tuning), epochs=1)
    source.fit(kinds())
    made: Adapter = source.encoder.adapter  # type: ignore[union-attr]
    model = new(TextEncoder(base, device="cpu"), epochs=1)
    model.start_from(source, kinds().catalogue)
    model.fit(elsewhere())
    assert model.encoder.adapter.fingerprint == made.fingerprint  # type: ignore[union-attr]
    assert model.encoder.fingerprint == source.encoder.fingerprint  # type: ignore[union-attr]


def test_another_base_is_refused(tmp_path: Path) -> None:
    base = save_tiny_bert(tmp_path / "base")
    source = new(TextEncoder(base, device="cpu"), epochs=1)
    source.fit(kinds())
    source.encoder.state()  # type: ignore[union-attr]  # it has read its base
    other = TextEncoder(save_tiny_bert(base, seed=1), device="cpu")
    with pytest.raises(InputError, match=r"the weights of encoder .* here are not those"):
        new(other).start_from(source, kinds().catalogue)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"width": 16}, r"has width 32, this model 16: set train.params.width=32, or train from scratch"),
        (
            {"block": "gru"},
            r"has block 'convolution\+attention', this model 'gru': set train.params.block=conv",
        ),
    ],
)
def test_another_shape_is_refused(learned: SequenceModel, params: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        new(**params).start_from(learned, kinds().catalogue)


def test_what_does_not_fit_is_refused(learned: SequenceModel) -> None:
    ease = EASE()
    ease.fit(kinds())
    with pytest.raises(InputError, match="another sequence model has learned, this is ease"):
        new().start_from(ease, kinds().catalogue)
    with pytest.raises(InputError, match="the model 'sequence' is not fitted"):
        new().start_from(new(), [])
    with pytest.raises(InputError, match="catalogue must be the 96 items of the model"):
        new().start_from(learned, kinds().catalogue[:5])
    with pytest.raises(InputError, match=r"reads texts with 'one-hot', this model with None: set train.enc"):
        SequenceModel(**SMALL).start_from(learned, kinds().catalogue)
    blind = SequenceModel()
    blind.restore(learned.state())
    with pytest.raises(InputError, match="the encoder of what is started from is not on this machine"):
        new().start_from(blind, kinds().catalogue)
    with pytest.raises(
        InputError, match=r"epochs must be 1..1000000000, got 0; 0 is for a model that starts"
    ):
        new(epochs=0).fit(kinds())


def test_a_killed_fit_from_scratch_is_not_taken_for_one_that_starts_elsewhere(
    learned: SequenceModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []

    def note(*args: Any, key: str, **rest: Any) -> None:
        keys.append(key)
        raise KeyboardInterrupt

    monkeypatch.setattr("acclimate.models.sequence_fit.fit", note)
    for start in (False, True):
        model = new(epochs=3)
        if start:
            model.start_from(learned, kinds().catalogue)
        with pytest.raises(KeyboardInterrupt):
            model.fit(elsewhere())
    assert len(set(keys)) == 2
