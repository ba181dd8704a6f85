"""Detectors find what was planted, name nobody else, and are silent where nothing was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acclimate.data.dataset import Dataset
from acclimate.data.suspects import DETECTORS, find_suspects
from acclimate.data.synthetic import CHANGES, drifting_world
from acclimate.data.tables import read_tables
from tests.data.noise import DAY, START, clock, made, people, pushed, racer, sleepless

SEEDS = range(4)


def found(data: Dataset) -> dict[str, set[str]]:
    """What each detector that found something names: users, items, or rows."""
    names = {}
    for flag in find_suspects(data):
        users, items = data.users.ids, data.items.ids
        named = {users[u] for u in flag.users} | {items[i] for i in flag.items}
        names[flag.name] = named or {str(row) for row in np.flatnonzero(flag.events)}
    return names


@pytest.mark.parametrize("seed", SEEDS)
def test_people_are_not_suspected(seed: int) -> None:
    assert found(made(people(np.random.default_rng(seed)))) == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_planted_users_are_found_and_nobody_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = people(rng)
    rows += [row for n in range(3) for row in clock(f"clock{n}", rng, gap=[5, 30, 3600][n])]
    rows += [row for n in range(3) for row in racer(f"racer{n}", rng)] + sleepless("sleepless", rng)
    names = found(made(rows))
    assert names["bots"] == {"clock0", "clock1", "clock2", "sleepless"}  # precision and recall 1
    assert names["rates"] == {"racer0", "racer1", "racer2"}
    assert names.keys() == {"bots", "rates"}


@pytest.mark.parametrize("seed", SEEDS)
def test_pushed_items_are_found_and_no_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = people(rng) + [row for n in range(2) for row in pushed(f"pushed{n}", rng)]
    assert found(made(rows)) == {"bursts": {"pushed0", "pushed1"}}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("n_users", [20, 200])
def test_made_worlds_are_clean(change: str, n_users: int) -> None:
    world = drifting_world(change, n_users=n_users, n_events=3_000, new_items=0.3, repeats=True)
    assert found(world.data) == {}


def test_movielens_is_clean(known_set: Callable[[str], Path]) -> None:
    for name in ("ml-latest-small-2016", "ml-100k"):
        assert found(read_tables(known_set(name)).dataset) == {}


def test_news_that_live_for_an_hour_are_no_bursts() -> None:
    rng = np.random.default_rng(0)
    rows = [row for n in range(40) for row in pushed(f"news{n}", rng)]
    assert found(made(rows)) == {}


def test_a_new_item_is_no_burst() -> None:
    rng = np.random.default_rng(0)
    rows = people(rng)
    end = max(row[2] for row in rows)
    new = [(f"u{n}", "new", end - 600 * rng.uniform()) for n in range(9)]
    assert found(made(rows + new)) == {}


def test_weekly_shopping_by_date_is_no_bot() -> None:
    rows = [
        (f"u{user}", f"i{n % 7}", START // DAY * DAY + 7 * DAY * n) for user in range(5) for n in range(99)
    ]
    assert found(made(rows)) == {}


def test_a_batch_of_one_second_is_not_called_fast() -> None:
    rows = [("importer", f"i{n}", START) for n in range(1_000)]
    assert found(made(rows + people(np.random.default_rng(0)))) == {}


def test_values_far_out_are_found_on_their_scale() -> None:
    rng = np.random.default_rng(0)
    rows = people(rng)
    stars = rng.choice([1, 2, 3, 4, 5], len(rows), p=[0.05, 0.05, 0.1, 0.3, 0.5]).astype(np.float32)
    amounts = rng.lognormal(2, 1.2, len(rows)).astype(np.float32)
    for values in (stars, amounts):
        assert found(made(rows, value=values)) == {}
        broken = values.copy()
        broken[[3, 40]] = 1e7
        assert found(made(rows, value=broken)) == {"outliers": {"3", "40"}}


def test_a_repeat_with_another_value_and_a_time_before_1990() -> None:
    rows = [("a", "x", START), ("a", "x", START), ("a", "y", START), ("b", "x", 5.0)]
    data = made(rows, value=np.array([1.0, 2.0, 3.0, 4.0]))
    assert found(data) == {"copies": {"2"}, "early": {"0"}}
    assert found(made([("a", "x", 1.0), ("b", "x", 2.0)])) == {}  # all count from somewhere else


def test_another_type_at_the_same_time_is_no_copy() -> None:
    rows = [("a", "x", START), ("a", "x", START)]
    assert found(made(rows, kind=np.array([0, 1]))) == {}


def test_without_times_nothing_is_said_of_times() -> None:
    rng = np.random.default_rng(0)
    rows = people(rng) + clock("clock", rng) + racer("racer", rng) + pushed("pushed", rng)
    assert found(made(rows, timed=False)) == {}


CHECKS: dict[str, Callable[[], None]] = {
    "copies": test_a_repeat_with_another_value_and_a_time_before_1990,
    "early": test_a_repeat_with_another_value_and_a_time_before_1990,
    "outliers": test_values_far_out_are_found_on_their_scale,
    "rates": lambda: test_planted_users_are_found_and_nobody_else(0),
    "bots": lambda: test_planted_users_are_found_and_nobody_else(0),
    "bursts": lambda: test_pushed_items_are_found_and_no_others(0),
}


@pytest.mark.parametrize("name", DETECTORS)
def test_a_blind_detector_and_one_that_sees_ghosts_are_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    CHECKS[name]()
    see = DETECTORS[name]
    monkeypatch.setitem(DETECTORS, name, lambda data: replace(see(data), events=np.zeros(len(data), bool)))
    with pytest.raises((AssertionError, KeyError)):
        CHECKS[name]()
    monkeypatch.setitem(DETECTORS, name, lambda data: replace(see(data), events=np.ones(len(data), bool)))
    with pytest.raises(AssertionError):
        test_people_are_not_suspected(0)
