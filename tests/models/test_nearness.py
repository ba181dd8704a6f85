"""Nearness of texts beside the cosines: what it says, how its weight is chosen, and where new items stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.models import sequence_fit
from acclimate.models.nearness import (
    HALF_LIFE,
    LEVEL,
    NEIGHBOURS,
    NEWEST,
    SHARPNESS,
    UNLEARNED,
    USUAL,
    Nearness,
)
from acclimate.models.sequence import SequenceModel
from acclimate.rng import generator
from acclimate.types import Codes, Floats, Histories, Item
from tests.models.test_sequence import SMALL, OneHot, kinds, ring

COLD = 12
QUICK: dict[str, Any] = SMALL | {"epochs": 2, "layers": 1}
NARROW: dict[str, Any] = QUICK | {"width": 8}


def texts(n: int = 60, width: int = 8, seed: int = 0) -> Floats:
    """Text vectors of some items; the third has none."""
    out = generator(seed, "texts").normal(size=(n, width)).astype(np.float32)
    out[2] = 0
    return out


def near(n: int = 60) -> Nearness:
    return Nearness.fit(texts(n), np.arange(n - COLD, dtype=np.int32))


class Brands(OneHot):
    """Reads texts of the form "brand 3 copy 5": each brand has a direction of its own, of 64."""

    def encode(self, texts: Sequence[str]) -> Floats:
        out = np.zeros((len(texts), 64), np.float32)
        for row, text in enumerate(texts):
            if text:
                out[row] = generator(0, " ".join(text.split()[:2])).normal(size=64)
                out[row] += 0.3 * generator(0, text).normal(size=64)
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


def alike(n_users: int = 300, events: int = 6) -> Dataset:
    """Who had something of a brand has more of it, in no order."""
    rng = np.random.default_rng(3)
    brand = rng.integers(48, size=n_users)
    copies = np.argsort(rng.random((n_users, 8)), axis=1)[:, :events]
    user = np.repeat(np.arange(n_users), events)
    catalogue = [Item(f"i{n}", title=f"brand {n % 48} copy {n // 48}") for n in range(48 * 8)]
    ids = Vocabulary(each.item_id for each in catalogue)
    users = Vocabulary(f"u{n}" for n in range(n_users))
    item = brand[:, None] + 48 * copies
    time = np.tile(np.arange(1.0 * events), n_users)
    return Dataset(users, ids, user, item.ravel(), time, catalogue=catalogue)


def test_the_newest_likes_count_most_and_dislikes_do_not() -> None:
    found = near()
    history = Histories.of([[5, 9, 4, 7]], weights=[[1, 1, -1, 1]])
    profile = found.table[7] + found.table[9] * 2 ** (-1 / HALF_LIFE) + found.table[5] * 2 ** (-2 / HALF_LIFE)
    expected = found.table @ profile / np.linalg.norm(profile)
    both = Histories.of([[5, 9, 4, 7], [3]], weights=[[1, 1, -1, 1], [1]])
    np.testing.assert_allclose(found.cosines(history)[0], expected, atol=1e-5)
    np.testing.assert_allclose(found.cosines(both)[0], expected, atol=1e-5)
    some = np.array([50, 3], np.int32)
    np.testing.assert_allclose(found.cosines(both, some)[0], expected[some], atol=1e-5)


def test_nothing_is_near_without_a_text_or_a_like() -> None:
    found = near()
    nothing = Histories.of([[2], [], [4]], weights=[[1], [], [-1]])
    assert not found.cosines(nothing).any()
    assert not found.cosines(Histories.of([[2]])).any()
    assert not found.cosines(Histories.of([[5]]))[0, 2]


def test_what_lies_far_behind_does_not_count() -> None:
    found = near()
    items = generator(1, "likes").integers(48, size=NEWEST + 40).tolist()
    np.testing.assert_allclose(
        found.cosines(Histories.of([items])), found.cosines(Histories.of([items[20:]])), atol=1e-4
    )


def test_half_a_whitening_stands_between_none_and_all() -> None:
    raw = texts() * np.array([9, 3, 1, 1, 1, 1, 1, 0.1], np.float32)
    raw[2] = 0
    found = Nearness.fit(raw, np.arange(48, dtype=np.int32))
    spread = (found.space.place(raw[:48])[np.arange(48) != 2]).std(axis=0, ddof=1)
    _, axes = np.linalg.eigh(np.cov(np.delete(raw[:48], 2, axis=0), rowvar=False))
    usual = (np.delete(raw[:48], 2, axis=0) @ axes).std(axis=0, ddof=1)[::-1]
    np.testing.assert_allclose(spread, np.sqrt(usual), rtol=1e-3)


def test_what_reads_like_it_stands_for_half_of_a_new_item() -> None:
    raw = texts()
    raw[50] = raw[7]
    raw[51] = 0
    found = Nearness.fit(raw, np.arange(48, dtype=np.int32))
    unit = generator(2, "unit").normal(size=(60, 5)).astype(np.float32)
    found.look(unit, np.arange(60, dtype=np.int32))
    aims = found.aims(unit)
    for code in (50, 55):
        cosines = found.table[code] @ found.table[:48].T
        cosines[2] = -9
        nearest = np.argsort(-cosines)[:NEIGHBOURS]
        shares = np.exp(SHARPNESS * (cosines[nearest] - 1))
        expected = (unit[code] + shares @ unit[nearest] / shares.sum()) / 2
        np.testing.assert_allclose(aims[code], expected, atol=1e-4)
    np.testing.assert_array_equal(aims[51], unit[51], "without a text nothing reads like it")
    np.testing.assert_array_equal(aims[:48], unit[:48], "what was learned stands for itself")


@pytest.mark.parametrize("warm", [1, 3])
def test_few_items_are_enough_to_stand_for_others(warm: int) -> None:
    found = Nearness.fit(texts(6), np.arange(warm, dtype=np.int32))
    unit = np.array([[2, 0]] * warm + [[0, 2]] * (6 - warm), np.float32)
    found.look(unit, np.arange(6, dtype=np.int32))
    np.testing.assert_allclose(found.aims(unit)[5], [1, 1] if warm > 1 else [0, 2], atol=1e-5)


def test_among_very_many_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acclimate.models.nearness.KNOWN", 20)
    found = near()
    unit = np.eye(60, dtype=np.float32)
    found.look(unit, np.arange(60, dtype=np.int32))
    used = np.flatnonzero(found.means.any(axis=0))
    assert 2 <= len(used) <= 20
    assert found.warm[used].all()


def scores_of(model: SequenceModel, *histories: list[int]) -> Floats:
    return model.score(Histories.of(list(histories)))


def test_where_likes_read_alike_it_gets_a_weight_and_finds_more() -> None:
    data = alike()
    model = SequenceModel(Brands(), **NARROW)
    plain = SequenceModel(Brands(), **NARROW, nearness=0.0)
    for each in (model, plain):
        each.fit(data)
    assert model.fitted
    assert plain.fitted
    assert model.refit["nearness"] > 0
    assert model.fitted.figure > plain.fitted.figure + 0.01
    assert "nearness" not in plain.refit
    assert not any(name.startswith("near.") for name in plain.state()[0])


def test_where_texts_say_nothing_it_gets_next_to_none() -> None:
    class Mute(OneHot):
        def encode(self, texts: Any) -> Floats:
            rows = [generator(5, text).normal(size=12) for text in texts]
            return np.array(rows, np.float32).reshape(len(rows), 12)

    data = ring(n_items=40, n_users=300, length=9)
    told = Dataset(
        data.users,
        data.items,
        data.user,
        data.item,
        data.time,
        catalogue=[Item(f"i{n}", f"a {n}") for n in range(40)],
    )
    model = SequenceModel(Mute(), **SMALL, epochs=6)
    model.fit(told)
    assert model.refit["nearness"] < 0.1, "of texts drawn by chance some read like what follows"
    assert model.fitted is not None
    assert model.fitted.figure == 1.0


def test_where_other_texts_follow_it_gets_none() -> None:
    model = SequenceModel(OneHot(), **SMALL, epochs=8, validation_users=200)
    model.fit(kinds())
    assert model.refit["nearness"] == 0.0


def test_the_weight_is_the_likeliest() -> None:
    found, rng = near(), np.random.default_rng(4)
    asked = Histories.of(rng.integers(48, size=(2000, 3)).tolist())
    items = np.arange(48, dtype=np.int32)
    scores = rng.normal(size=(2000, 48)).astype(np.float32) / 3
    logits = 6.0 * (scores + 0.4 * found.cosines(asked, items))
    logits[asked.rows, asked.items] = -np.inf
    targets = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1).astype(np.int32)
    found.choose(scores, asked, targets, items, scale=5.0, again=False)
    assert abs(found.weight - 0.4) < 0.03


def test_a_weight_may_be_given_and_with_few_users_is_the_usual() -> None:
    given, usual = SequenceModel(Brands(), **QUICK, nearness=0.7), SequenceModel(Brands(), **QUICK)
    given.fit(alike())
    usual.fit(alike(n_users=60))
    assert (given.refit["nearness"], usual.refit["nearness"]) == (0.7, USUAL)
    unwatched = SequenceModel(Brands(), **QUICK, validation_users=0)
    unwatched.fit(alike(n_users=60))
    assert unwatched.refit == {}
    assert unwatched.state()[1]["nearness"] == USUAL


def test_held_out_users_are_ranked_a_few_at_a_time_to_the_same_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fitted(cells: int) -> SequenceModel:
        monkeypatch.setattr(sequence_fit, "CELLS", cells)
        model = SequenceModel(Brands(), **QUICK, nearness=0.4)
        model.fit(alike())
        return model

    whole, parted = fitted(10**9), fitted(700)
    assert whole.fitted
    assert parted.fitted
    assert 0.1 < whole.fitted.figure < 1
    assert whole.fitted.figure == pytest.approx(parted.fitted.figure, abs=1e-6)
    curves = [[row["figure"] for row in model.fitted.curve] for model in (whole, parted) if model.fitted]
    assert curves[0] == pytest.approx(curves[1], abs=1e-6)


@pytest.mark.parametrize("given", [-0.1, float("nan"), "much", True])
def test_a_weight_is_a_number_of_at_least_nought(given: Any) -> None:
    with pytest.raises(InputError, match="nearness must be"):
        SequenceModel(nearness=given)


def test_the_score_is_the_sum_of_both() -> None:
    model = SequenceModel(OneHot(), **QUICK, nearness=0.5)
    model.fit(kinds())
    with_it = scores_of(model, [3, 16], [5])
    assert model._near
    more = model._near.cosines(Histories.of([[3, 16], [5]]))
    more[:, :84] *= 0.5
    more[:, 84:] = UNLEARNED * (more[:, 84:] - LEVEL)
    assert model._near.unlearned == UNLEARNED
    model._near = None
    np.testing.assert_allclose(with_it, scores_of(model, [3, 16], [5]) + more, atol=1e-5)


def test_what_was_had_is_left_to_repeats() -> None:
    model = SequenceModel(Brands(), **QUICK, repeats=True, nearness=5.0)
    model.fit(alike())
    asked = [3, 15, 3]
    had = scores_of(model, asked)[0, [3, 15]]
    assert model._near
    model._near.weight = 0.0
    np.testing.assert_array_equal(had, scores_of(model, asked)[0, [3, 15]])


def test_a_model_travels_with_it() -> None:
    model = SequenceModel(OneHot(), **QUICK, nearness=0.3)
    model.fit(kinds())
    again = SequenceModel(OneHot())
    again.restore(model.state())
    asked = [[3, 16], [90], [5, 86]]
    np.testing.assert_array_equal(scores_of(again, *asked), scores_of(model, *asked))
    assert again.state()[1]["nearness"] == 0.3


def test_a_model_of_before_scores_as_it_did() -> None:
    model = SequenceModel(OneHot(), **QUICK, nearness=0.0)
    model.fit(kinds())
    arrays, document = model.state()
    del document["params"]["nearness"]
    again = SequenceModel(OneHot())
    again.restore((arrays, document))
    np.testing.assert_array_equal(scores_of(again, [3, 90]), scores_of(model, [3, 90]))


def placed(model: SequenceModel, title: str, code: int) -> Floats:
    model.put_items(np.array([code], np.int32), [Item("new", title=title)])
    return scores_of(model, [4, 17])[0]


def test_an_item_that_comes_later_stands_as_if_it_had_been_there() -> None:
    model = SequenceModel(OneHot(), **SMALL, epochs=8, nearness=0.2, validation_users=0)
    model.fit(kinds())
    there = scores_of(model, [4, 17])[0]
    again = SequenceModel(OneHot())
    again.restore(model.state())
    later = placed(again, "kind 5 copy 7", 96)
    assert model.data
    same = next(n for n, item in enumerate(model.data.catalogue) if item.title == "kind 5 copy 7")
    np.testing.assert_allclose(later[96], there[same], atol=1e-5)
    np.testing.assert_allclose(later[:96], there, atol=1e-6)
    moved = placed(again, "kind 0 copy 7", 96)
    assert moved[96] < later[96]
    assert np.isnan(placed(again, "", 97)[97])


@pytest.mark.parametrize("codes", [[0], [0, 5, 11]])
def test_the_text_of_a_learned_item_changes_what_is_near_it_and_not_what_was_learned(codes: Codes) -> None:
    model = SequenceModel(OneHot(), **QUICK, nearness=0.2)
    model.fit(kinds())
    assert model._near
    model.put_items(np.array(codes, np.int32), [Item(f"i{code}", title="kind 9 anew") for code in codes])
    assert model._near.warm[codes].all()
    assert not model._near.means[codes].any()


def test_without_the_encoder_it_goes_on_with_what_it_knows() -> None:
    model = SequenceModel(OneHot(), **QUICK, nearness=0.2)
    model.fit(kinds())
    alone = SequenceModel()
    alone.restore(model.state())
    alone.put_items(np.array([96, 3], np.int32), [Item("new", title="kind 1"), Item("i3", title="kind 2")])
    scores = scores_of(alone, [4, 17])[0]
    assert np.isnan(scores[96])
    np.testing.assert_allclose(scores[:96], scores_of(model, [4, 17])[0], atol=1e-6)
