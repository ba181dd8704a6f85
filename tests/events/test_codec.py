import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.errors import CorruptError, InputError
from acclimate.events.codec import (
    event_entry,
    event_from,
    event_of,
    item_deleted_entry,
    item_entry,
    item_from,
    slate_entry,
    slate_from,
    to_body,
    user_entry,
    user_from,
)
from acclimate.events.log import Entry, Record
from acclimate.types import Event, Item, Listed, Reason, Slate, User

name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
number = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
attributes = st.dictionaries(name, st.integers(-(2**53), 2**53) | text | st.booleans() | number, max_size=3)
events = st.builds(
    Event,
    name,
    name,
    number,
    item_id=st.none() | name,
    value=st.none() | number,
    event_id=st.none() | name,
    query=st.none() | name,
    request_id=st.none() | name,
    context=attributes,
)
listed = st.builds(
    Listed, name, st.integers(1, 1000), number, number, st.tuples(st.builds(Reason, name, text))
)
slates = st.builds(
    Slate, name, st.none() | name, st.tuples(listed, listed) | st.just(()), st.none() | name,
    st.integers(0, 10**12), name, st.integers(), st.none() | name, number,
)  # fmt: skip
catalogue = st.builds(
    Item,
    name,
    text,
    text,
    st.lists(text).map(tuple),
    st.booleans(),
    st.none() | number,
    st.none() | number,
    attributes,
)


def through_json(body):
    return msgspec.json.decode(msgspec.json.encode(body))


@given(events)
def test_events_come_back_as_they_were(event):
    assert event_from(through_json(to_body(event))) == event


@given(catalogue)
def test_items_come_back_as_they_were(item):
    assert item_from(through_json(to_body(item))) == item


@given(slates.filter(lambda slate: abs(slate.seed) < 2**63))
def test_slates_come_back_as_they_were(slate):
    assert slate_from(through_json(to_body(slate))) == slate


def test_users_come_back_as_they_were():
    user = User("42", {"age": 7, "tags": ["a"]})
    assert user_from(through_json(to_body(user))) == user


def test_entries_know_their_kind_time_and_key():
    assert event_entry(Event("ann", "like", 5.0, event_id="e")) == Entry(
        "event", {"user_id": "ann", "event_type": "like", "timestamp": 5.0, "event_id": "e"}, 5.0, "e"
    )
    assert item_entry(Item("heat", available=False), 2.0) == Entry(
        "item", {"item_id": "heat", "available": False}, 2.0
    )
    assert item_deleted_entry("heat", 2.0) == Entry("item_deleted", {"item_id": "heat"}, 2.0)
    assert user_entry(User("ann"), 2.0) == Entry("user", {"user_id": "ann"}, 2.0)
    slate = Slate("r", None, (), None, 0, "greedy", 0, None, 3.0)
    assert (slate_entry(slate).kind, slate_entry(slate).key, slate_entry(slate).time) == ("slate", "r", 3.0)


def test_a_time_made_up_on_receipt_is_no_part_of_the_content():
    first = event_entry(Event("ann", "like", 5.0, event_id="e"), timed=False)
    again = event_entry(Event("ann", "like", 9.0, event_id="e"), timed=False)
    assert first.body == again.body
    assert event_of(Record(1, "event", first.time, first.body)).timestamp == 5.0


def nested(depth):
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Event("ann", "rating", 1.0, value=float("nan")), "Event.value must be a finite number, got nan"),
        (Event("ann", "rating", float("inf")), "Event.timestamp must be a finite number"),
        (Event("ann", "like", 1.0, context={"a": [{"b": float("inf")}]}), "finite"),
        (Item("heat", attributes={"x": object()}), "Item holds something that is not JSON"),
        (Event("ann", "like", 1.0, context=nested(5000)), "nested too deeply"),
        (Event("", "like", 1.0), "user_id must not be empty"),
        (Event("ann", "like", 1.0, item_id=""), "item_id must not be empty"),
        (Event("ann", "", 1.0), "event_type must not be empty"),
        (Item(""), "item_id must not be empty"),
        (User(""), "user_id must not be empty"),
    ],
)
def test_what_a_log_cannot_hold_is_refused(value, message):
    with pytest.raises(InputError, match=message):
        to_body(value)


@pytest.mark.parametrize("body", [{}, {"user_id": 5, "event_type": "like"}, {"user_id": "ann"}])
def test_a_broken_record_is_named(body):
    with pytest.raises(CorruptError, match="not a valid Event"):
        event_from(body)


def test_what_a_newer_version_adds_is_skipped():
    assert item_from({"item_id": "heat", "colour": "blue"}) == Item("heat")
