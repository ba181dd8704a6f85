"""The sequence model in worlds whose right answer is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from acclimate.config import EVENT_TYPES
from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.errors import AcclimateError, InputError
from acclimate.models.sequence import SequenceModel
from acclimate.rng import generator
from acclimate.types import Floats, Histories, Item, State

LIKE, CART, BUY = map(EVENT_TYPES.index, ("like", "add_to_cart", "purchase"))
SMALL = {
    "width": 32,
    "heads": 2,
    "layers": 2,
    "batch_tokens": 512,
    "max_length": 30,
    "dropout": 0.1,
    "learning_rate": 6e-3,
}
"""So small and so fast that a world is learned in a second or two."""


class OneHot:
    """Reads texts of the form "kind 3": a unit vector that names the kind, plus a little of its own."""

    name, note = "one-hot", None
    fingerprint = "one-hot"

    def encode(self, texts: Sequence[str]) -> Floats:
        out = np.zeros((len(texts), 12), np.float32)
        for row, text in enumerate(texts):
            if text:
                noise = generator(0, text).normal(size=12)
                out[row] = np.eye(12)[int(text.split()[1])] + 0.05 * noise
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)

    def fit(self, texts: Sequence[str], histories: Histories | None = None) -> None:
        return

    def state(self) -> State:
        return {}, {}

    def restore(self, state: State) -> None:
        return


def ring(n_items: int = 12, n_users: int = 150, length: int = 12) -> Dataset:
    """Item i is followed by i + 1, always; each user starts elsewhere and stops before one round."""
    rng = np.random.default_rng(0)
    start = rng.integers(n_items, size=n_users)
    user = np.repeat(np.arange(n_users), length)
    item = (start[:, None] + np.arange(length)) % n_items
    time = np.tile(np.arange(length), n_users) + user / n_users
    ids = Vocabulary(f"i{n}" for n in range(n_items))
    return Dataset(Vocabulary(f"u{n}" for n in range(n_users)), ids, user, item.ravel(), time)


@pytest.fixture(scope="module")
def walker() -> SequenceModel:
    model = SequenceModel(**SMALL, epochs=8, validation_users=0)
    model.fit(ring())
    return model


def test_a_chain_is_learned_to_its_optimum(walker: SequenceModel) -> None:
    asked = Histories.of([[(i + n) % 12 for n in range(length)] for i in range(12) for length in (1, 2, 5)])
    next_items = (asked.items[asked.offsets[1:] - 1] + 1) % 12
    assert (walker.score(asked).argmax(axis=1) == next_items).mean() >= 0.98


def test_order_matters(walker: SequenceModel) -> None:
    forth, back = walker.score(Histories.of([[2, 3], [3, 2]]))
    assert forth.argmax() == 4
    assert back.argmax() == 3 or not np.allclose(forth, back, atol=1e-3)


def test_only_the_newest_events_within_reach_are_read(walker: SequenceModel) -> None:
    recent = [(n % 12) for n in range(30)]
    times = [float(n) for n in range(33)]
    long = walker.score(Histories.of([[5, 5, 9, *recent]], [times]))
    other = walker.score(Histories.of([[7, *recent]], [times[2:]]))
    np.testing.assert_allclose(long, other, atol=1e-5)


def test_disliked_events_are_not_read(walker: SequenceModel) -> None:
    both = Histories.of([[1, 7, 2]], weights=[[1.0, -1.0, 1.0]])
    np.testing.assert_array_equal(walker.score(both), walker.score(Histories.of([[1, 2]])))


def test_an_item_without_text_or_events_cannot_be_scored(walker: SequenceModel) -> None:
    model = SequenceModel()
    model.restore(walker.state())
    model.put_items(np.array([12], np.int32), [Item("new", title="kind 3")])
    scores = model.score(Histories.of([[1]]))
    assert np.isnan(scores[0, 12])
    assert np.isfinite(scores[0, :12]).all()
    assert np.isnan(model.similarity(np.array([12], np.int32))).all()


def kinds(n_items: int = 96, n_users: int = 240, cold: int = 12) -> Dataset:
    """The kind of an item is followed by the next kind; items of a kind are alike but for their ids.

    The last ``cold`` items, one of each kind, have no events.
    """
    rng = np.random.default_rng(1)
    warm = n_items - cold
    start = rng.integers(12, size=n_users)
    kind = (start[:, None] + np.arange(8)) % 12
    item = kind + 12 * rng.integers(warm // 12, size=kind.shape)
    user = np.repeat(np.arange(n_users), 8)
    time = np.tile(np.arange(8.0), n_users)
    catalogue = [Item(f"i{n}", title=f"kind {n % 12} copy {n // 12}") for n in range(n_items)]
    ids = Vocabulary(each.item_id for each in catalogue)
    users = Vocabulary(f"u{n}" for n in range(n_users))
    return Dataset(users, ids, user, item.ravel(), time, catalogue=catalogue)


@pytest.fixture(scope="module")
def reader() -> SequenceModel:
    model = SequenceModel(OneHot(), **SMALL, epochs=16, validation_users=0)
    model.fit(kinds())
    return model


def test_a_cold_item_stands_where_its_text_puts_it(reader: SequenceModel) -> None:
    cold = np.arange(84, 96)
    for kind in range(12):
        scores = reader.score(Histories.of([[kind]]))[0, cold]
        assert cold[scores.argmax()] % 12 == (kind + 1) % 12


def test_a_new_item_is_placed_by_its_text_at_once(reader: SequenceModel) -> None:
    model = SequenceModel(OneHot())
    model.restore(reader.state())
    model.put_items(
        np.array([96, 97], np.int32), [Item("a", title="kind 5 new"), Item("b", title="kind 0 new")]
    )
    follows_4 = model.score(Histories.of([[4]]))[0]
    assert follows_4[96] > follows_4[97]
    np.testing.assert_allclose(follows_4[:96], reader.score(Histories.of([[4]]))[0], atol=1e-6)
    read = model.score(Histories.of([[96]]))[0]
    assert read[84:96].argmax() == 6, "and it is understood in a history, too"


def test_what_is_remembered_of_users_is_never_stale(reader: SequenceModel) -> None:
    model = SequenceModel(OneHot())
    model.restore(reader.state())
    many = Histories.of([[4, 84], [4], [84, 4], [4, 84]])
    alone = [model.score(each)[0] for each in many]
    assert len(model._items.states) == 3, "of four, two did the same"
    np.testing.assert_array_equal(alone[0], alone[3])
    np.testing.assert_allclose(model.score(many), alone, atol=1e-6)
    everybody = model.score(many[np.arange(100) % 4])
    np.testing.assert_allclose(everybody[:4], alone, atol=1e-5, err_msg="as without remembering")

    new = Item("new", title="kind 1 new")
    model.put_items(np.array([96], np.int32), [new])
    assert len(model._items.states) == 3, "nobody has read what is new"
    model.put_items(np.array([84], np.int32), [Item("i84", title="kind 7 moved")])
    moved = model.score(many)
    assert np.abs(moved[0, :84] - alone[0][:84]).max() > 0.01, "who has read the item is read anew"
    np.testing.assert_allclose(moved[:, :84], model.score(many[np.arange(100) % 4])[:4, :84], atol=1e-5)


def test_users_may_be_read_before_they_ask(reader: SequenceModel) -> None:
    model = SequenceModel(OneHot())
    model.restore(reader.state())
    many = Histories.of([[4, 84], [], [7]])
    model.remember(many)
    assert len(model._items.states) == 2, "nothing is known of who did nothing"
    np.testing.assert_allclose(model.score(many[:1]), reader.score(many[:1]), atol=1e-6)
    assert len(model._items.states) == 2, "it was known"
    model.remember(many[1:2])
    assert model.score(many[:0]).shape == (0, 96)


@pytest.mark.parametrize(
    ("reads", "before", "after"),
    [
        ("time", {"now": [2.0]}, {"now": [1e9]}),
        ("feedback", {"weights": [[1.0, 1.0]]}, {"weights": [[1.0, -1.0]]}),
    ],
)
def test_all_that_a_state_depends_on_is_remembered_with_it(
    reads: str, before: dict[str, list[Any]], after: dict[str, list[Any]]
) -> None:
    model = SequenceModel(**SMALL | {reads: True}, epochs=1, validation_users=0)  # type: ignore[arg-type]
    model.fit(ring())
    scores = [model.score(Histories.of([[1, 2]], **told)) for told in (before, after)]
    assert np.abs(scores[0] - scores[1]).max() > 1e-6


def test_a_newcomer_beside_others_does_not_make_them_forgotten(reader: SequenceModel) -> None:
    model = SequenceModel(OneHot())
    model.restore(reader.state())
    model.score(Histories.of([[4, 84], [], [7]]))
    assert len(model._items.states) == 2


def test_a_changed_text_moves_a_cold_item_and_keeps_a_warm_items_id(reader: SequenceModel) -> None:
    model = SequenceModel(OneHot())
    model.restore(reader.state())
    ids = model.state()[0]["ids"].copy()
    model.put_items(
        np.array([84, 3], np.int32), [Item("i84", title="kind 7 moved"), Item("i3", title="kind 3 x")]
    )
    near = model.similarity(np.array([84], np.int32))[0]
    assert near[91] > near[85]
    np.testing.assert_array_equal(model.state()[0]["ids"], ids)


@pytest.mark.parametrize("block", ["gru", "convolution", "hstu", "decay", "decay+attention"])
def test_the_other_blocks_learn_the_chain_and_travel(block: str) -> None:
    model = SequenceModel(**SMALL, block=block, epochs=7, validation_users=0)
    model.fit(ring())
    asked = Histories.of([[(i + n) % 12 for n in range(length)] for i in range(12) for length in (1, 2, 5)])
    next_items = (asked.items[asked.offsets[1:] - 1] + 1) % 12
    assert (model.score(asked).argmax(axis=1) == next_items).mean() >= 0.98
    again = SequenceModel()
    again.restore(model.state())
    np.testing.assert_array_equal(again.score(asked), model.score(asked))


@pytest.mark.parametrize("loss", ["sampled", "gbce", "bpr"])
def test_the_other_losses_learn_the_chain(loss: str) -> None:
    model = SequenceModel(
        **SMALL, loss=loss, negatives=8, epochs=20 if loss == "gbce" else 10, validation_users=0
    )
    model.fit(ring())
    asked = Histories.of([[(i + n) % 12 for n in range(3)] for i in range(12)])
    next_items = (asked.items[asked.offsets[1:] - 1] + 1) % 12
    assert (model.score(asked).argmax(axis=1) == next_items).mean() >= 0.98


def told_world(*, by_time: bool, n_users: int = 200, length: int = 12) -> Dataset:
    """After a short wait comes the next item, after a long one that behind it.

    Or what was seen is followed by the next item, what was disliked by that behind it.
    """
    rng = np.random.default_rng(0)
    rows = []
    for user in range(n_users):
        item, time = int(rng.integers(12)), float(user)
        for _ in range(length):
            far = bool(rng.integers(2))
            if by_time:
                rows.append((f"u{user}", f"i{item}", time, 1.0))
                time += 86_400.0 if far else 60.0
            else:
                rows.append((f"u{user}", f"i{item}", time, -1.0 if far else 0.0))
                rows.append((f"u{user}", f"i{(item + (2 if far else 1)) % 12}", time + 1, 1.0))
                time += 10.0
            item = (item + (2 if far else 1)) % 12 if by_time else int(rng.integers(12))
    return world_of(rows)


def world_of(rows: list[tuple[str, str, float, float]]) -> Dataset:
    users, items = Vocabulary(dict.fromkeys(row[0] for row in rows)), Vocabulary(f"i{n}" for n in range(12))
    return Dataset(
        users,
        items,
        users.codes([row[0] for row in rows]),
        items.codes([row[1] for row in rows]),
        np.array([row[2] for row in rows]),
        weight=np.array([row[3] for row in rows], np.float32),
    )


@pytest.mark.parametrize("block", ["attention", "hstu", "decay", "decay+attention"])
def test_who_hears_of_time_knows_what_comes_after_a_wait(block: str) -> None:
    data, found = told_world(by_time=True), {}
    item = 3
    soon, late = (
        Histories.of([[item - 1, item]], times=[[0.0, 60.0]], now=[60.0 + wait]) for wait in (60.0, 86_400.0)
    )
    for time in (True, False):
        model = SequenceModel(**SMALL, block=block, time=time, epochs=15 if time else 1, validation_users=0)
        model.fit(data)
        found[time] = [int(model.score(asked).argmax()) for asked in (soon, late)]
    assert found[True] == [item + 1, item + 2]
    assert found[False][0] == found[False][1]


def test_who_reads_feedback_knows_what_comes_after_a_dislike() -> None:
    data = told_world(by_time=False)
    model = SequenceModel(**SMALL, feedback=True, epochs=12, validation_users=0)
    model.fit(data)
    asked = Histories.of([[5, 2], [5, 2]], weights=[[1.0, 0.0], [1.0, -1.0]])
    assert model.score(asked).argmax(axis=1).tolist() == [3, 4]
    again = SequenceModel()
    again.restore(model.state())
    np.testing.assert_array_equal(again.score(asked), model.score(asked))


def test_who_reads_feedback_knows_what_comes_after_each_type_of_event() -> None:
    told = told_world(by_time=False)  # what follows an event is known from its weight
    kind = np.select([told.weight > 0, told.weight < 0], [BUY, CART], LIKE)
    same = Dataset(
        told.users, told.items, told.user, told.item, told.time, kind=kind
    )  # the weight tells nothing
    model = SequenceModel(**SMALL, feedback=True, epochs=30, validation_users=0)
    model.fit(same)
    asked = Histories.of([[5, 2], [5, 2]], kinds=[[BUY, LIKE], [BUY, CART]])
    assert model.score(asked).argmax(axis=1).tolist() == [3, 4]
    blind = model.score(Histories.of([[5, 2]]))
    assert blind.shape == (1, same.n_items), "a table may not tell the types"
    again = SequenceModel()
    again.restore(model.state())
    np.testing.assert_array_equal(again.score(asked), model.score(asked))


def test_a_model_from_before_types_were_heard_still_answers() -> None:
    model = SequenceModel(**SMALL, feedback=True, epochs=1, validation_users=0)
    model.fit(ring())
    arrays, document = model.state()
    earlier = {name: array for name, array in arrays.items() if name != "net.kinds"}
    assert len(earlier) < len(arrays)
    again = SequenceModel()
    again.restore((earlier, document))
    asked = Histories.of([[1, 2]])
    np.testing.assert_allclose(again.score(asked), model.score(asked), atol=1e-6)


def test_smoothing_draws_the_cosines_together() -> None:
    spread = []
    for smoothing in (0.0, 0.3):
        model = SequenceModel(**SMALL, label_smoothing=smoothing, epochs=3, validation_users=0)
        model.fit(ring())
        scores = model.score(Histories.of([[0, 1]]))
        spread.append(float(scores.max() - scores.min()))
    assert spread[1] < spread[0]


def test_weights_of_another_version_are_told(walker: SequenceModel) -> None:
    arrays, document = walker.state()
    older = {name.replace("mixer", "attention"): array for name, array in arrays.items()}
    with pytest.raises(InputError, match="these weights are of another version of sequence: train anew"):
        SequenceModel().restore((older, document))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"width": 30, "heads": 4}, "width must be a multiple of heads, got 30 and 4"),
        (
            {"block": "grru"},
            "no block 'grru': did you mean 'gru'[?] Allowed: attention, convolution, decay, gru, hstu",
        ),
        ({"loss": "ful"}, "no loss 'ful': did you mean 'full'[?] Allowed: bpr, full, gbce, sampled"),
        ({"block": "decay+atention"}, "no block 'atention': did you mean 'attention'"),
        ({"block": "decay+"}, "block takes attention, hstu, .*, or some joined by [+], got 'decay[+]'"),
        ({"block": 3}, "no block 3"),
        ({"places": True, "block": "gru"}, "places wants a block of attention or hstu, got gru"),
        ({"label_smoothing": 1.5}, "label_smoothing must be at least 0 and below 1, got 1.5"),
        ({"drawn_by": 2}, "drawn_by must be 0..1, got 2"),
        ({"negatives": 0}, "negatives must be 1..1000000, got 0"),
        ({"id_share": 0}, "id_share must be above 0 and at most 1, got 0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"epochs": -1}, "epochs must be 0..1000000000, got -1"),
        ({"learning_rate": -1}, "learning_rate must be above 0 and below 1, got -1"),
    ],
)
def test_arguments_out_of_range_are_refused(params: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SequenceModel(**params)  # type: ignore[arg-type]


def test_data_without_positives_is_refused() -> None:
    data = ring().where(np.zeros(len(ring()), bool))
    with pytest.raises(InputError, match="needs at least one positive event"):
        SequenceModel().fit(data)


@pytest.mark.parametrize("params", [{"max_length": 10**9}, {"width": 10**7, "heads": 1}])
def test_a_net_that_cannot_fit_into_memory_is_refused_before_it_is_made(params: dict[str, Any]) -> None:
    with pytest.raises(AcclimateError, match=r"out of memory: a net with width .* lower train.params.width"):
        SequenceModel(**SMALL | params).fit(ring())


def test_where_memory_runs_out_the_settings_to_lower_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("acclimate.models.sequence.learn", fail)
    with pytest.raises(AcclimateError, match=r"out of memory: lower train\.params\.batch_tokens, now 512"):
        SequenceModel(**SMALL).fit(ring())
