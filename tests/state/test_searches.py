"""Searches: the live state keeps the newest, histories carry those of before the question."""

from __future__ import annotations

import json

import numpy as np
import pytest

from acclimate.data.dataset import Dataset, Searches
from acclimate.data.held_out import last_positive
from acclimate.events.log import Record
from acclimate.histories import Searched
from acclimate.state.fold import LONGEST_SEARCH, MOST_SEARCHES, LiveState
from acclimate.types import Event, Histories


def search(offset: int, user: str, query: str) -> Record:
    body = {"user_id": user, "event_type": "search", "query": query, "timestamp": float(offset)}
    return Record(offset, "event", float(offset), body)


def of(histories: Histories) -> list[list[str]]:
    assert histories.searches is not None
    return [histories.searches.of_user(user) for user in range(len(histories))]


@pytest.fixture
def data() -> Dataset:
    rows = [("ann", "heat", 10.0), ("ann", "alien", 20.0), ("bob", "heat", 30.0), ("ann", "up", 40.0)]
    asked = Searches(
        np.array([0, 1, 0, 0, 0]),
        np.array([15.0, 25, 35, 40, 50]),
        ("space", "cars", "balloon", "at 40", "after"),
    )
    return Dataset.of(rows, searches=asked)


def test_histories_of_a_dataset_carry_all_searches(data: Dataset) -> None:
    assert of(data.histories()) == [["space", "balloon", "at 40", "after"], ["cars"]]
    assert of(data.histories()[[1, 0, 1]]) == [["cars"], ["space", "balloon", "at 40", "after"], ["cars"]]
    assert [of(each) for each in data.histories()][1] == [["cars"]]
    assert of(data.histories().liked().last(1)) == of(data.histories())
    assert Dataset.of([("ann", "heat", 1.0)]).histories().searches is None


def test_what_is_asked_at_a_time_knows_no_search_of_then_or_later(data: Dataset) -> None:
    asked = last_positive(data).histories(data)
    assert asked.items.tolist() == [0, 1]
    assert of(asked) == [["space", "balloon"]]
    assert of(data.histories().replace(now=np.array([15.0, 26.0]))) == [[], ["cars"]]
    assert of(data.histories().replace(items=np.zeros(4, int))) == of(data.histories())


def test_the_first_events_go_without_what_was_searched_for_after_them(data: Dataset) -> None:
    histories = data.histories()
    assert of(histories.first(np.array([0, 0, 0, 1]), np.array([1, 2, 3, 0]))) == [
        ["space"],
        ["space", "balloon"],
        ["space", "balloon", "at 40", "after"],
        ["cars"],
    ]


def test_nobody_is_fine() -> None:
    none = Searched.of([])
    assert len(none.take(np.zeros(0, int)).before(np.zeros(0)).queries) == 0


def test_a_search_is_known_to_the_next_question() -> None:
    state = LiveState()
    state.apply([search(1, "ann", "ships")])
    assert of(state.histories(["ann", None, "bob"], now=1.0)) == [["ships"], [], []]
    session = [Event("", "search", 9.0, query="trains")]
    assert of(state.histories(["ann", None], 9.0, [session, session])) == [["ships", "trains"], ["trains"]]
    assert state.histories(["bob"], now=5.0).searches is None
    assert state.searched("ann") == [(1.0, "ships")]
    assert state.searched("bob") == []


def test_the_state_starts_from_the_searches_of_its_data(data: Dataset) -> None:
    assert of(LiveState.of(data).histories(["bob", "ann"], now=99.0)) == [
        ["cars"],
        ["space", "balloon", "at 40", "after"],
    ]


def test_the_newest_searches_are_kept_and_travel_and_are_forgotten() -> None:
    records = [search(n + 1, "ann", f"query {n}") for n in range(3 * MOST_SEARCHES)]
    records += [search(1000, "bob", "x" * 9999)]
    whole, parts = LiveState(), LiveState()
    whole.apply(records)
    for start in range(0, len(records), 7):
        parts.apply(records[start : start + 7])
        arrays, document = parts.state()
        parts = LiveState()
        parts.restore((arrays, json.loads(json.dumps(document))))
    assert json.dumps(parts.state()[1]) == json.dumps(whole.state()[1])
    assert [query for _, query in parts.searched("ann")] == [f"query {n}" for n in range(100, 150)]
    assert len(parts.searched("bob")[0][1]) == LONGEST_SEARCH
    whole.apply([Record(1001, "user_deleted", 1.0, {"user_id": "ann"})])
    assert "query" not in json.dumps(whole.state()[1]["searches"])


def test_a_state_of_before_is_read() -> None:
    arrays, document = LiveState().state()
    del document["searches"]
    state = LiveState()
    state.restore((arrays, document))
    assert state.searched("ann") == []
