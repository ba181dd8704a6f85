import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from acclimate.config import EVENT_TYPES, EventsTable
from acclimate.data.dataset import Dataset
from acclimate.errors import CorruptError
from acclimate.events.log import Record
from acclimate.state.fold import KINDS, Changes, LiveState
from acclimate.types import Event, Item, User
from tests.state.worlds import ITEMS, USERS, SlowState, event, logs, put

bounds = st.integers(1, 5)


def restored(state):
    """The state after a way through files."""
    arrays, document = state.state()
    made = LiveState()
    made.restore((load(save(arrays)), json.loads(json.dumps(document))))
    return made


def same(one, other):
    arrays, document = one.state()
    others, documents = other.state()
    assert document == documents
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)


@given(logs, bounds)
def test_it_says_what_a_slow_reading_of_the_log_says(records, bound):
    state, slow = LiveState(max_history=bound), SlowState(records)
    state.apply(records)
    assert state.items.ids == slow.order
    for user in USERS:
        assert state.known(user) == (user in slow.people)
        found = state.user(user)
        assert (found and dict(found.attributes)) == slow.people.get(user)
        history = state.histories([user], now=99.0)
        expected = slow.history(user, bound)
        assert [state.items.ids[code] for code in history.items] == [item for item, _, _ in expected]
        assert history.times.tolist() == [time for _, time, _ in expected]
        assert state.has_older(user) == (len(slow.history(user, 99)) > bound)
        np.testing.assert_allclose(history.weights, [weight for _, _, weight in expected], rtol=1e-6)
        had, disliked = state.standing(user)
        assert {state.items.ids[code] for code in had} == slow.had(user)
        assert {state.items.ids[code] for code in disliked} == slow.disliked(user)
    for code, item in enumerate(slow.order):
        body = slow.shelf[item]
        assert bool(state.available(0.0)[code]) == (body is not None and body.get("available", True))
        assert state.liked[code] == slow.liked[item]
        assert (state.find_item(item) is None) == (body is None)


@given(logs, bounds, st.lists(st.integers(0, 30), max_size=6), st.booleans())
def test_chunking_and_saving_are_invisible(records, bound, cuts, saving):
    whole, parts = LiveState(max_history=bound), LiveState(max_history=bound)
    touched, items = set(), set()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(records)], strict=True):
        changes = parts.apply(records[start:end])
        touched |= changes.users
        items |= set(changes.items)
        parts = restored(parts) if saving else parts
    changes = whole.apply(records)
    assert (changes.users, set(changes.items)) == (touched, items)
    same(whole, parts)
    assert parts.offset == whole.offset == len(records)


@given(logs, bounds, bounds, st.integers(0, 30), st.booleans())
def test_a_state_that_keeps_fewer_is_one_that_always_did(records, one, other, cut, saving):
    fewer, more = sorted((one, other))
    always, late = LiveState(max_history=fewer), LiveState(max_history=more)
    always.apply(records)
    late.apply(records[:cut])
    late = restored(late) if saving else late
    late.keep(fewer)
    late.apply(records)
    same(always, late)
    assert always.counts.tolist() == late.counts.tolist()
    for user in USERS:
        assert always.has_older(user) == late.has_older(user)
        for since in (None, 10.0):
            standings = zip(always.standing(user, (), since), late.standing(user, (), since), strict=True)
            assert all(codes.tolist() == others.tolist() for codes, others in standings)


def test_what_was_cut_does_not_come_back():
    state = LiveState(max_history=2)
    state.apply(event(n, "ann", "like", f"i{n}") for n in range(1, 5))
    state = restored(state)
    state.keep(3)
    assert (state.past("ann")["item"].tolist(), state.has_older("ann")) == ([2, 3], True)
    state.apply(event(n, "ann", "like", f"i{n}") for n in range(5, 7))
    assert state.past("ann")["item"].tolist() == [3, 4, 5]
    assert state.standing("ann")[0].tolist() == [0, 1, 2, 3, 4, 5]


@given(logs)
def test_a_record_that_comes_again_is_skipped(records):
    once, twice = LiveState(), LiveState()
    once.apply(records)
    for end in range(len(records) + 1):
        twice.apply(records[:end])
    assert twice.apply(records) == Changes()
    same(once, twice)


@given(
    st.lists(st.tuples(st.sampled_from(USERS), st.sampled_from(ITEMS), st.floats(0, 1e9)), max_size=30),
    bounds,
)
def test_a_dataset_and_its_log_make_the_same_state(rows, bound):
    rows = sorted(rows, key=lambda row: row[2])
    table = EventsTable(like=1.0)
    data = Dataset.of(rows, kind=np.full(len(rows), KINDS["like"]))
    of, folded = LiveState.of(data, table, max_history=bound), LiveState(table, max_history=bound)
    folded.apply(event(at, user, "like", item, time) for at, (user, item, time) in enumerate(rows, 1))
    of.offset, of.name = folded.offset, folded.name
    same(of, folded)


def test_a_dataset_brings_its_items_users_ratings_and_offset():
    data = Dataset(
        *(
            Dataset.of([("ann", "heat", 1.0), ("bob", "up", 2.0)]).__dict__[name]
            for name in ("users", "items")
        ),
        user=[0, 1, 0],
        item=[0, 1, 1],
        time=[1.0, 2.0, 3.0],
        value=[5.0, np.nan, 5.0],
        weight=[1.0, 0.0, -1.0],
        kind=[-1, KINDS["impression"], KINDS["rating"]],
        catalogue=[Item("heat", title="Heat"), Item("up", expires_at=5.0)],
        people=[User("ann", {"age": 7}), User("bob")],
    )
    state = LiveState.of(data, offset=7)
    assert (state.offset, state.name, state.item(0).title) == (7, "made", "Heat")
    assert state.available(4.0).tolist() == [True, True]
    assert state.available(5.0).tolist() == [True, False]
    assert state.expired(5.0).tolist() == [False, True]
    assert state.user("ann") == User("ann", {"age": 7})
    assert state.user("bob") == User("bob")
    assert state.user("zed") is None
    assert state.histories(["ann", "bob"], 9.0).lengths.tolist() == [2, 0], "an exposure is no history"
    assert state.liked.tolist() == [1, 0]
    state.apply([event(7, "ann", "like", "up"), event(8, "ann", "rating", "up", value=4.0)])
    ann = state.histories(["ann"], 9.0)
    assert ann.weights[-1] == pytest.approx((4 - 20 / 5) / 2 or 0.05)
    assert (ann.values.tolist(), ann.users.tolist()) == ([5.0, 5.0, 4.0], [0])
    assert data.n_items == 2
    assert data.n_users == 2


def test_the_last_word_on_an_item_counts_and_had_stays():
    state = LiveState()
    state.apply([event(1, "ann", "dislike", "heat"), event(2, "ann", "view", "up")])
    had, disliked = state.standing("ann")
    assert (had.tolist(), disliked.tolist()) == ([1], [0])
    state.apply([event(3, "ann", "like", "heat"), event(4, "ann", "dislike", "up")])
    had, disliked = state.standing("ann")
    assert (had.tolist(), disliked.tolist()) == ([0, 1], [1])


def test_a_session_counts_for_its_answer_only():
    state = LiveState()
    state.apply([event(1, "ann", "like", "heat"), put(2, "up"), put(3, "alien")])
    session = [
        Event("", "like", 5.0, "up"),
        Event("", "dislike", 6.0, "alien"),
        Event("", "impression", 6.0, "up"),
        Event("", "search", 6.0, query="ships"),
        Event("", "like", 7.0, "never heard of"),
        Event("", "rating", 8.0, "alien", value=5.0),
    ]
    histories = state.histories(["ann", None, "zed"], [9.0, 10.0, 11.0], [session, session, ()])
    assert [h.items.tolist() for h in histories] == [[0, 1, 2, 2], [1, 2, 2], []]
    assert histories.now.tolist() == [9.0, 10.0, 11.0]
    assert histories[1].weights.tolist() == pytest.approx([2.0, -1.0, 2 / 3])
    had, disliked = state.standing(None, session[:2])
    assert (had.tolist(), disliked.tolist()) == ([1], [2])
    assert state.histories(["ann"], 9.0).items.tolist() == [0]
    assert state.items.ids == ["heat", "up", "alien"]


def test_the_past_says_what_each_event_was():
    records = [event(1, "ann", "rating", "heat", value=0.5), event(2, "ann", "view", "up")]
    state = LiveState(max_history=3)
    state.apply(records)
    for held in (state, restored(state)):
        past = held.past("ann")
        assert [EVENT_TYPES[kind] for kind in past["kind"]] == ["rating", "view"]
        np.testing.assert_array_equal(past["value"], [0.5, np.nan])
        assert len(held.past("zed")) == 0
        held.apply([event(n, "ann", "like", "up") for n in (3, 4)])
        assert [EVENT_TYPES[kind] for kind in held.past("ann")["kind"]] == ["view", "like", "like"]
        assert (held.counts.tolist(), held.has_older("ann")) == ([3], True)


def test_a_snapshot_from_before_events_had_types_is_read():
    arrays, document = LiveState.of(Dataset.of([("ann", "heat", 1.0)])).state()
    made = LiveState()
    made.restore(({name: held for name, held in arrays.items() if name not in {"value", "kind"}}, document))
    assert (made.past("ann")["kind"].tolist(), made.counts.tolist()) == ([-1], [1])


def test_a_session_is_part_of_the_bound():
    state = LiveState(max_history=2)
    state.apply([event(n, "ann", "like", item) for n, item in enumerate(ITEMS, 1)])
    session = [Event("", "like", 9.0, "heat")]
    assert state.histories(["ann"], 9.0, [session]).items.tolist() == [3, 0]
    assert state.standing("ann", session)[0].tolist() == [0, 1, 2, 3], "had reaches back behind the bound"


def test_a_user_who_was_forgotten_is_a_stranger():
    state = LiveState()
    state.apply([event(1, "ann", "rating", "heat", value=5.0), Record(2, "user", 2.0, {"user_id": "ann"})])
    assert state.apply([Record(3, "user_deleted", 3.0, {"user_id": "ann"})]) == Changes({"ann"}, [], [], [0])
    assert not state.known("ann")
    assert state.user("ann") is None
    assert "ann" not in json.dumps(state.state()[1])
    assert not state.state()[0]["rating_count"].any()
    assert state.histories(["ann"], 5.0).lengths.tolist() == [0]
    state = restored(state)
    state.apply([event(4, "ann", "like", "up")])
    assert state.users.ids == ["", "ann"]
    assert state.histories(["ann"], 5.0).items.tolist() == [1]


def test_items_come_change_and_go():
    state = LiveState()
    assert state.apply([put(1, "heat", title="Heat"), event(2, "ann", "like", "up")]).items == [0, 1]
    assert state.item(1) == Item("up")
    assert state.apply([put(3, "up", title="Up", available=False), put(4, "up", title="Up!")]).items == [1]
    assert state.available(0.0).tolist() == [True, True]
    assert state.apply([Record(5, "item_deleted", 5.0, {"item_id": "heat"})]).items == [0]
    assert state.find_item("heat") is None
    assert state.catalogue[0] == Item("heat", available=False)
    assert state.available(0.0).tolist() == [False, True]
    state.apply([event(6, "ann", "like", "heat")])
    assert state.find_item("heat") is None, "an event does not bring an item back"
    state.apply([put(7, "heat", title="Heat again")])
    assert state.find_item("heat").title == "Heat again"
    assert state.apply([Record(8, "item_deleted", 8.0, {"item_id": "never there"})]).items == []


def test_the_log_decides_the_order_not_the_clock():
    state = LiveState()
    state.apply([event(1, "ann", "like", "heat", time=50.0), event(2, "ann", "dislike", "heat", time=10.0)])
    history = state.histories(["ann"], 60.0)
    assert history.times.tolist() == [50.0, 10.0]
    assert state.standing("ann")[1].tolist() == [0]


def test_what_is_only_shown_pushes_nothing_out():
    state = LiveState(max_history=3)
    state.apply([event(1, "ann", "like", "heat")])
    state.apply([event(n, "ann", "impression", "up") for n in range(2, 50)])
    assert state.histories(["ann"], 60.0).items.tolist() == [0]


def test_memory_of_a_user_is_bounded():
    state = LiveState(max_history=10)
    state.apply([event(n, "ann", "like", f"i{n % 25}") for n in range(1, 5000)])
    buffer = state._histories._buffers[0]
    assert len(buffer.events) <= 20
    assert len(buffer.brief) <= 25
    assert len(state.standing("ann")[0]) == 25


def test_slates_are_passed_over_and_broken_records_named():
    state = LiveState()
    assert state.apply([Record(1, "slate", 1.0, {"request_id": "r"})]) == Changes()
    assert state.offset == 1
    with pytest.raises(CorruptError, match="not a valid Event"):
        state.apply([Record(2, "event", 2.0, {"user_id": "ann"})])
    assert state.offset == 1
    with pytest.raises(ValueError, match="max_history must be 1 or more"):
        LiveState(max_history=0)


def test_what_it_hands_out_cannot_be_written():
    state = LiveState.of(Dataset.of([("ann", "heat", 1.0)]))
    for array in (state.liked, state.open, state.histories(["ann"], 2.0).items):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
