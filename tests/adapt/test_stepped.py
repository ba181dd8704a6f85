"""Items that move with those who choose them: found where they were not, left alone where it does not pay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from acclimate.adapt.stepped import RATES, Stepped
from acclimate.data.dataset import Dataset
from acclimate.data.synthetic import drifting_world
from acclimate.encode import make_encoder
from acclimate.errors import InputError
from acclimate.models.ease import EASE
from acclimate.models.going_on import user_states
from acclimate.models.sequence import SequenceModel
from acclimate.state import panel
from acclimate.types import Clocked, Histories, Item
from tests.contract.learners import (
    CHECKS,
    STREAM,
    begun,
    check_memory_is_bounded,
    check_what_is_learned_counts,
    later,
    learns,
)
from tests.contract.models import FAST_PARAMS, travelled


def fast() -> Stepped:
    return Stepped(SequenceModel(make_encoder("tfidf", progress=False), **FAST_PARAMS["sequence"]))


LEFT_OUT = check_what_is_learned_counts, check_memory_is_bounded
"""It need not be taken; and the model remembers states of users, up to a number of its own: see below."""
OTHERS = [check for check in CHECKS if check not in LEFT_OUT]


@pytest.mark.parametrize("check", OTHERS, ids=lambda check: check.__name__)
def test_it_keeps_the_promises_of_learners(
    check: Callable[[Callable[[], Stepped]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "EVENTS", 3)
    check(fast)


def taken(model: Stepped, way: int) -> None:
    """Let one way be clearly the best."""
    for _ in range(400):
        model.contest.judge(np.array([0.0, *(0.3 if n == way else 0.1 for n in range(1, 1 + len(RATES)))]))


def test_what_it_stands_around_stays_as_it_was_fitted() -> None:
    model = begun(fast)
    assert isinstance(model, Stepped)
    assert isinstance(model, Clocked)
    before = travelled(model.base.state())
    model.learn(STREAM)
    for name, array in before[0].items():
        np.testing.assert_array_equal(model.base.state()[0][name], array)
    assert model.contest.asked > 0
    assert model.taken.sum() > 0


def test_what_is_added_is_the_mean_of_those_who_chose() -> None:
    model = begun(fast)
    assert isinstance(model, Stepped)
    asked = Histories.of([[0, 1], [2]])
    plain = model.base.score(asked)
    np.testing.assert_array_equal(model.score(asked), plain)
    model.learn(STREAM)
    taken(model, 2)
    assert model.rate == RATES[1]
    states = user_states(model.model, asked)
    np.testing.assert_allclose(np.linalg.norm(states, axis=1), 1, atol=1e-5)
    held = model.taken + 4 * np.sqrt(model.counts + 1)
    expected = plain + RATES[1] * states @ (model.sums / held[:, None]).T
    np.testing.assert_allclose(model.score(asked), expected, atol=1e-5)
    assert np.linalg.norm(model.sums / held[:, None], axis=1).max() < 1, "bounded, however many come"


def test_an_item_without_text_is_found_by_those_like_who_chose_it() -> None:
    """Nothing is known of it but who chose it: the model cannot score it, and now it can."""
    world = drifting_world("none", n_users=120, n_items=60, n_events=3_000, tastes=3)
    model = Stepped(SequenceModel(width=16, heads=1, layers=1, epochs=20, batch_tokens=256, max_length=20))
    data = world.data.where(np.arange(3_000) < 2_000)
    model.fit(data)
    new = data.n_items
    model.put_items(np.array([new], np.int32), [Item("new", "")])
    rows = data.histories()
    assert np.isnan(model.score(rows)[:, new]).all()
    tastes = np.arange(data.n_users) % 3
    some = np.flatnonzero(tastes == 1)[:25].astype(np.int32)
    events = STREAM.part(slice(0, len(some)))._replace(
        user=some, item=np.full(len(some), new, np.int32), time=np.full(len(some), data.time.max() + 1)
    )
    model.learn(events._replace(weight=np.ones(len(some), np.float32)))
    taken(model, 2)
    scores = model.score(rows)[:, new]
    others = ~np.isin(np.arange(data.n_users), some)
    like, unlike = scores[others & (tastes == 1)], scores[others & (tastes != 1)]
    assert like.mean() > unlike.mean() + unlike.std()


def test_one_account_moves_an_item_by_one_event() -> None:
    model = begun(fast)
    assert isinstance(model, Stepped)
    user, item = int(STREAM.user[0]), int(STREAM.item[5])
    before = model.taken.sum()
    for n in range(2_000):
        one = STREAM.part(slice(0, 1))
        model.learn(
            one._replace(
                user=np.array([user], np.int32),
                item=np.array([item], np.int32),
                time=np.array([2e9 + n / 10]),
                weight=np.ones(1, np.float32),
            )
        )
    assert model.taken.sum() - before < 1.01
    assert np.linalg.norm(model.sums[item]) < 1.01


def test_what_is_kept_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "EVENTS", 3)
    model, span = begun(fast), 60.0 + STREAM.time[-1] - STREAM.time[0]
    sizes = []
    for lap in range(6):
        learns(model, later(STREAM, lap * span))
        sizes.append(sum(array.nbytes for array in model.state()[0].values()))
    assert sizes[-1] <= sizes[1]


def test_another_model_or_one_that_reads_users_says_so() -> None:
    with pytest.raises(InputError, match="the items of ease cannot be moved: take sequence"):
        Stepped(EASE())
    reads = SequenceModel(make_encoder("tfidf", progress=False), user_text="on")
    with pytest.raises(InputError, match="with user_text"):
        Stepped(reads)


def test_without_a_state_nothing_is_taken_in() -> None:
    """The first event of a stranger moves nothing, as nothing was known of them."""
    model = begun(fast)
    assert isinstance(model, Stepped)
    n = Dataset.of([("a", "b", 1.0)]).n_users
    one = STREAM.part(slice(0, n))._replace(user=np.array([10**6], np.int32), weight=np.ones(n, np.float32))
    model.learn(one)
    assert model.taken.sum() == 0
