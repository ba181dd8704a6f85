"""What a user had before: told rightly, learned to the optimum, and the same in a fit as in an answer."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.models import sequence_net
from acclimate.models.frequency import Frequency
from acclimate.models.repeats import HALF_LIFE, Had
from acclimate.models.sequence import SequenceModel
from acclimate.models.sequence_fit import Batches
from acclimate.models.sequence_net import SequenceNet
from acclimate.models.windows import hold_out
from acclimate.types import Histories, Item
from tests.models.test_sequence import SMALL

SHOP = {**SMALL, "repeats": True, "baskets": True, "item_bias": True, "validation_users": 0}


@settings(max_examples=50)
@given(
    rows=st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=12), max_size=5),
    later=st.integers(0, 100),
)
def test_how_an_item_was_had_is_told_as_counting_by_hand_does(
    rows: list[list[tuple[int, int]]], later: int
) -> None:
    rows = [sorted(row, key=lambda event: event[1]) for row in rows]
    items, times = ([[event[i] for event in row] for row in rows] for i in (0, 1))
    had = Had.of(Histories.of(items, times, now=[9.0 + later] * len(rows)))
    found = {(int(u), int(i)): told for u, i, told in zip(had.rows, had.items, had.told.numpy(), strict=True)}
    assert len(found) == len(had.rows) == sum(len(set(row)) for row in items)
    assert had.rows.tolist() == sorted(had.rows.tolist())
    for (user, item), told in found.items():
        at = [n for n, event in enumerate(items[user]) if event == item]
        seconds = [times[user][n] for n in at]
        every = (seconds[-1] - seconds[0]) / max(len(at) - 1, 1)
        faded = sum(0.5 ** ((times[user][-1] - second) / HALF_LIFE) for second in seconds)
        since, n = len(items[user]) - 1 - at[-1], len(items[user])
        logs = np.log1p([len(at), since, 9 + later - seconds[-1], every, n, 10 * faded])
        logs[2:4] /= 10
        np.testing.assert_allclose(told, [*logs, len(at) > 1], rtol=1e-5)


def rounds(n_users: int = 40, n_items: int = 40, own: int = 5, days: int = 20) -> Dataset:
    """Each user buys five things of their own in turn, one a day: what comes next was bought longest ago."""
    rng = np.random.default_rng(0)
    things = np.stack([rng.permutation(n_items)[:own] for _ in range(n_users)])
    item = np.tile(things, days // own).ravel()
    time = np.tile(np.arange(days) * 86_400.0, n_users)
    users = Vocabulary(f"u{n}" for n in range(n_users))
    catalogue = [Item(f"i{n}") for n in range(n_items)]
    ids = Vocabulary(each.item_id for each in catalogue)
    return Dataset(users, ids, np.repeat(np.arange(n_users), days), item, time, catalogue=catalogue)


@pytest.fixture(scope="module")
def shop() -> SequenceModel:
    own = {"layers": 1, "batch_tokens": 64, "learning_rate": 1e-2, "epochs": 8}
    model = SequenceModel(**SHOP | own)  # type: ignore[arg-type]
    model.fit(rounds())
    return model


def test_a_periodic_user_is_foreseen_to_the_optimum(shop: SequenceModel) -> None:
    data = rounds()
    asked = data.histories()
    due = asked.items.reshape(len(asked), -1)[:, -5]
    assert (shop.score(asked).argmax(axis=1) == due).mean() >= 0.98
    counted = Frequency()
    counted.fit(data)
    assert (counted.score(asked).argmax(axis=1) == due).mean() <= 0.5


def test_what_was_learned_is_in_the_state_and_new_items_have_none_of_it(shop: SequenceModel) -> None:
    asked = rounds().histories()[np.arange(3)]
    again = SequenceModel()
    again.restore(shop.state())
    np.testing.assert_allclose(again.score(asked), shop.score(asked), atol=1e-6)  # read among others before
    again.put_items(np.array([40], np.int32), [Item("new", title="a new thing")])
    np.testing.assert_allclose(again.score(asked)[:, :40], shop.score(asked), atol=1e-6)
    assert np.isnan(again.score(asked)[:, 40]).all()


def test_a_batch_equals_its_members_with_histories_of_any_length(shop: SequenceModel) -> None:
    asked = Histories.of([[3], [3, 3, 9, 1, 3], [], list(range(40)) * 2])
    whole = shop.score(asked)
    for one, row in zip(asked, whole, strict=True):
        np.testing.assert_allclose(shop.score(one)[0], row, atol=1e-5)


@pytest.mark.parametrize("time", [False, True])
@pytest.mark.parametrize("baskets", [False, True])
def test_a_fit_foresees_by_what_an_answer_would_say(
    baskets: bool, time: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of a net is the cross-entropy of the scores that its model answers at that moment."""
    monkeypatch.setattr(sequence_net, "bf16_helps", lambda device: False)  # it rounds to three digits
    rng = np.random.default_rng(3)
    user, second = np.repeat(np.arange(6), 12), np.sort(rng.integers(0, 8, size=(6, 12)), axis=1).ravel()
    rows = [
        (f"u{u}", f"i{i}", float(s)) for u, i, s in zip(user, rng.integers(9, size=72), second, strict=True)
    ]
    data = Dataset.of(rows)
    p = {**SHOP, "baskets": baskets, "time": time, "epochs": 1}
    model = SequenceModel(**p)  # type: ignore[arg-type]
    model.fit(data)
    net = model._net
    assert isinstance(net, SequenceNet)
    histories = data.histories()
    place = {int(code): n for n, code in enumerate(np.unique(histories.items))}
    own = histories.replace(items=np.array([place[int(code)] for code in histories.items]))
    table = model._items.vectors[sorted(place)]
    total, n = 0.0, 0
    losses, counts = [], []
    trained = SequenceNet(net.items, model.params, np.bincount(own.items))
    trained.load_state_dict(net.state_dict())
    for batch in Batches(own, model.params, len(table))(0):
        losses.append(float(trained.eval().loss(batch).detach()))
        counts.append(float(batch.weights.sum()))
    for u in range(len(histories)):
        times = histories.times[histories.offsets[u] : histories.offsets[u + 1]]
        for j in range(1, len(times)):
            until = int(np.searchsorted(times, times[j])) if baskets else j
            if not until:
                continue
            now = np.array([times[until] if time else times[until - 1]])
            asked = histories.first(np.array([u]), np.array([until])).replace(now=now)
            logits = torch.from_numpy(model.score(asked)) * float(net.scale)
            target = torch.tensor([int(histories.items[histories.offsets[u] + j])])
            total, n = total + float(F.cross_entropy(logits, target)), n + 1
    assert sum(counts) == n
    assert np.dot(losses, counts) / n == pytest.approx(total / n, rel=1e-4)


def test_what_happened_with_the_event_held_out_is_held_out_too() -> None:
    histories = Histories.of([[1, 2, 3, 2], [4, 5, 6], [7, 7, 7]], [[0, 5, 5.2, 5.9], [0, 1, 2], [3, 3, 3]])
    left, asked, targets = hold_out(histories, 9, 0, again=True, together=True)
    assert [row.items.tolist() for row in left] == [[1], [4, 5], [7, 7, 7]]  # the third did nothing before
    assert [row.items.tolist() for row in asked] == [[1], [4, 5]]
    assert (targets.tolist(), asked.now.tolist()) == ([2, 6], [5.9, 2])
    assert Counter(hold_out(histories, 9, 0)[2].tolist()) == {6: 1}


def test_repeats_want_the_loss_over_all_items() -> None:
    with pytest.raises(InputError, match="repeats wants loss='full', got 'sampled'"):
        SequenceModel(repeats=True, loss="sampled")


def test_users_with_one_basket_each_or_no_times_are_no_error() -> None:
    rows = [(f"u{u}", f"i{(u + n) % 5}", float(u)) for u in range(6) for n in range(3)]
    for data in (Dataset.of(rows), Dataset.of([(user, item, 0.0) for user, item, _ in rows])):
        model = SequenceModel(**SHOP, epochs=1)  # type: ignore[arg-type]
        model.fit(data)
        assert np.isfinite(model.score(Histories.of([[1, 2]]))).all()
    assert not model.params["baskets"]


def test_the_reason_of_what_comes_again_is_that_it_was_had(shop: SequenceModel) -> None:
    history = Histories.of([[3, 7, 3]])
    assert shop.times_had(np.array([3, 7, 8], np.int32), history).tolist() == [2, 1, 0]
    other = SequenceModel()
    assert not other.times_had(np.array([3], np.int32), history).any(), "it goes by what is near"
