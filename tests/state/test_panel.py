"""Who judges is drawn by code alone, and is few."""

from __future__ import annotations

import json

import numpy as np

from acclimate.state.panel import EVENTS, Panel
from acclimate.types import Histories

NOTHING = float("nan")


def filled(users: list[int], most: int, each: int = 1) -> Panel:
    panel = Panel(most)
    for user in users:
        for n in range(each):
            panel.learn(user, (user % 7, float(n), 1.0, NOTHING))
    return panel


def test_who_is_in_it_does_not_depend_on_the_order() -> None:
    users = list(range(500))
    one, other = filled(users, 40), filled(users[::-1], 40)
    assert set(one._events) == set(other._events)
    assert 10 <= len(one) <= 40
    assert one.share == other.share
    assert all(one.holds(user) == (user in one._events) for user in users)


def test_it_begins_as_it_would_have_grown() -> None:
    rows = [[user % 7] for user in range(500)]
    begun = Panel.of(Histories.of(rows, [[0.0]] * 500), 40)
    grown = filled(list(range(500)), 40)
    assert begun.share == grown.share
    assert sorted(begun._events) == sorted(grown._events)
    some = next(iter(begun._events))
    assert begun.history(some, 9.0).items.tolist() == grown.history(some, 9.0).items.tolist() == [some % 7]
    assert begun.history(some, 9.0).now.tolist() == [9.0]


def test_only_the_newest_events_are_kept() -> None:
    panel = filled([3], 10, each=EVENTS + 5)
    history = panel.history(3, 1e6)
    assert len(history.items) == EVENTS
    assert history.times[0] == 5.0


def test_a_stranger_has_no_history() -> None:
    assert len(Panel().history(5, 1.0).items) == 0


def test_its_state_travels() -> None:
    panel = filled(list(range(50)), 20, each=3)
    arrays, document = panel.state()
    again = Panel.restored((arrays, json.loads(json.dumps(document))))
    for each in (panel, again):
        each.learn(next(iter(panel._events)), (4, 99.0, 1.0, 2.0))
    for name, array in panel.state()[0].items():
        np.testing.assert_array_equal(again.state()[0][name], array)
    assert len(Panel.restored(Panel().state())) == 0
