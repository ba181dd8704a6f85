"""First the slow clock is hastened, then a deep fit is asked for, then a person is warned; calm returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.adapt.drift import BLOCK, RAISED, UNHEEDED, Drift
from acclimate.adapt.observed import Observed
from acclimate.adapt.watch import Watch
from acclimate.errors import InputError
from tests.adapt.states import equal, travelled

WINDOW, PATIENCE = 512, 2048
N_ITEMS = 1000
SHARES = 1 / np.arange(1, N_ITEMS + 1)
Make = Callable[[], Drift]


def seen(
    n: int,
    seed: int,
    *,
    hit: float = 0.3,
    score: tuple[float, float] = (8.0, 1.0),
    turned: int = 0,
    genre: int = 0,
) -> Observed:
    """Return n events of a world: how often it is foreseen, how scored, and how far its mixes are turned."""
    rng = np.random.default_rng([seed, n])
    item = (rng.choice(N_ITEMS, n, p=SHARES / SHARES.sum()) + turned) % N_ITEMS
    many = rng.integers(0, 4, n)
    categories = (rng.geometric(0.3, many.sum()) + genre) % 19
    hits, scores = (rng.random(n) < hit).astype(np.float64), rng.beta(*score, n)
    return Observed(hits, scores, item, categories, np.append(0, np.cumsum(many)).astype(np.int64))


def small() -> Drift:
    """Return one that has seen a calm world."""
    drift = Drift(window=WINDOW, patience=PATIENCE)
    drift.learn(seen(8192, 0))
    return drift


def until(drift: Drift, level: str, most: int, **world: Any) -> int:
    """Go on until it tells that level; return after how many events, or fail."""
    for n in range(0, most, BLOCK):
        drift.learn(seen(BLOCK, 1000 + n, **world))
        if drift.finding.level == level:
            return n + BLOCK
    raise AssertionError(f"{drift.finding} after {most} events")


# What drift promises


def check_nothing_is_told_where_nothing_changed(make: Make) -> None:
    drift = make()
    for seed in range(60):
        drift.learn(seen(1024, seed))
        assert drift.finding.level == "calm"
    assert drift.finding.rate == 1
    assert (drift.finding.deep, drift.finding.warning, drift.finding.reasons) == (None, None, ())


def check_a_fall_is_found_within_512_events(make: Make) -> None:
    drift = make()
    assert until(drift, "shifting", 512, hit=0.1) <= 512
    assert drift.finding.rate == RAISED > 1
    (line,) = drift.finding.reasons
    assert line.startswith("hit rate fell from 0.3")
    assert abs(int(line.rpartition(" ")[2].replace(",", "")) - 8192) <= 192


def check_each_clock_is_given_its_time(make: Make) -> None:
    drift = make()
    until(drift, "shifting", 512, hit=0.1)
    assert drift.finding.deep is None
    assert until(drift, "lasting", PATIENCE, hit=0.1) == PATIENCE
    assert drift.finding.rate == RAISED
    assert drift.finding.deep == drift.taken
    assert drift.finding.warning is None
    drift.learn(seen(1024, 1, hit=0.1))
    assert drift.finding.deep == drift.taken - 1024, "it is asked for once"
    drift.fitted()
    assert drift.finding.deep is None
    fitted = drift.taken
    assert until(drift, "alarming", PATIENCE, hit=0.1) == PATIENCE
    assert drift.finding.deep is None, "not again in this episode"
    warning = drift.finding.warning or ""
    assert warning.startswith("hit rate fell from 0.3")
    assert f"The deep fit at event {fitted:,} did not mend it: look at" in warning


def check_it_is_calm_again_when_the_figures_are_back(make: Make) -> None:
    drift = make()
    until(drift, "alarming", (2 + UNHEEDED) * PATIENCE, hit=0.1)
    until(drift, "calm", 8 * WINDOW)
    assert drift.finding.rate == 1
    assert (drift.finding.deep, drift.finding.warning, drift.finding.reasons) == (None, None, ())
    drift.learn(seen(4096, 5))
    until(drift, "shifting", 1024, hit=0.1)
    until(drift, "lasting", PATIENCE, hit=0.1)
    assert drift.finding.deep == drift.taken, "another episode may ask again"


def check_a_deep_fit_that_mends_it_alarms_nobody(make: Make) -> None:
    drift = make()
    until(drift, "lasting", 2 * PATIENCE, hit=0.1)
    drift.fitted()
    until(drift, "calm", PATIENCE, hit=0.3)
    drift.learn(seen(2 * PATIENCE, 7))
    assert drift.finding.level == "calm"


def check_a_turned_mix_is_told_with_what_moved(make: Make) -> None:
    for world, what in (
        ({"turned": 50}, "mix of items"),
        ({"genre": 5}, "mix of categories"),
        ({"score": (2.0, 0.25)}, "spread of score quantiles"),
    ):
        drift = make()
        until(drift, "shifting", 1024, **world)
        assert [line.split(" moved")[0] for line in drift.finding.reasons] == [what]
        assert "stability index" in drift.finding.reasons[0]


def check_any_chunking_ends_in_the_same_state(make: Make) -> None:
    data = seen(4000, 9, hit=0.05, turned=100)
    whole = make()
    whole.learn(data)
    assert whole.finding.level == "lasting"
    for size in (1, 100, 256, 3000):
        parts = make()
        for low in range(0, len(data), size):
            parts.learn(data.part(low, min(low + size, len(data))))
        equal(parts.state(), whole.state())


def check_its_state_travels(make: Make) -> None:
    one = make()
    one.learn(seen(PATIENCE + 777, 3, hit=0.1, genre=5))
    assert one.finding.level == "lasting"
    other = type(one).restored(travelled(one.state()))
    equal(other.state(), one.state())
    assert other.finding == one.finding
    for each in (one, other):
        each.fitted()
        each.learn(seen(PATIENCE + 600, 4, hit=0.1))
    equal(other.state(), one.state())
    assert other.finding == one.finding
    assert one.finding.level == "alarming"


CHECKS = [each for name, each in list(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_its_promises(check: Callable[[Make], None]) -> None:
    assert len(CHECKS) == 8
    check(small)


class Deaf(Drift):
    """Never tells anything."""

    def _judge(self, seen: bool) -> None:
        super()._judge(False)


class Nervous(Drift):
    """Always tells something."""

    def _judge(self, seen: bool) -> None:
        super()._judge(True)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_can_fail(check: Callable[[Make], None]) -> None:
    fails = []
    for broken in (Deaf, Nervous):

        def make(kind: type[Drift] = broken) -> Drift:
            drift = kind(window=WINDOW, patience=PATIENCE)
            drift.learn(seen(8192, 0))
            return drift

        try:
            check(make)
        except (AssertionError, ValueError):
            fails.append(broken)
    assert fails


# The fold


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 1500), max_size=8), st.integers(0, 1500), st.booleans())
def test_cuts_and_a_deep_fit_between_leave_no_trace(cuts: list[int], fit: int, gaps: bool) -> None:
    data = seen(1500, 2, hit=0.5)
    if gaps:
        some = np.arange(1500) % 3 == 0
        data = Observed(
            np.where(some, np.nan, data.hit), data.score, data.item, data.categories, data.offsets
        )
    states = []
    for ends in ([fit], sorted([*cuts, fit])):
        drift, low, done = Drift(window=512, patience=256), 0, False
        for high in [*ends, 1500]:
            drift.learn(data.part(low, high))
            low = high
            if high == fit and not done:
                drift.fitted()
                done = True
        states.append(drift.state())
    equal(*states)


def held(drift: Drift) -> int:
    return sum(part.nbytes for part in drift.state()[0].values())


def test_memory_does_not_grow_with_items_categories_or_events() -> None:
    drift = small()
    few = held(drift)
    data = seen(BLOCK * 40, 1)
    drift.learn(Observed(data.hit, data.score, data.item * 10**9, data.categories * 10**7, data.offsets))
    assert held(drift) <= few + 2 * 6 * 4 * 8, "but for some buckets of ADWIN"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_million_unchanged_events_tell_nothing_and_take_no_memory() -> None:
    drift, told = Drift(), 0
    for seed in range(256):
        drift.learn(seen(4096, seed))
        told += drift.finding.level != "calm"
        if seed == 63:
            few = held(drift)
    assert drift.taken == 2**20
    assert told == 0
    assert held(drift) <= few + 2 * 2 * 6 * 4 * 8, "but for a few buckets of ADWIN, two more sizes of each"


# Levels


def test_a_fall_that_is_made_good_asks_for_no_deep_fit() -> None:
    drift = small()
    until(drift, "shifting", 512, hit=0.1)
    until(drift, "calm", PATIENCE)
    drift.learn(seen(2 * PATIENCE, 8))
    assert drift.finding.level == "calm"


def test_the_figures_being_back_is_told_until_it_is_calm() -> None:
    drift, lines = small(), set()
    until(drift, "shifting", 512, hit=0.1)
    while drift.finding.level != "calm":
        drift.learn(seen(BLOCK, drift.taken))
        lines |= {line.split(" since")[0] for line in drift.finding.reasons}
    assert "the figures are back" in lines


def test_a_slow_fall_is_found() -> None:
    drift = small()
    for step in range(16):
        drift.learn(seen(BLOCK, step, hit=0.3 - 0.2 * step / 16))
    assert drift.finding.level != "calm"
    assert drift.finding.reasons[0].startswith("hit rate fell")


def test_a_fit_that_nobody_makes_is_told() -> None:
    drift = small()
    until(drift, "lasting", 2 * PATIENCE, hit=0.1)
    asked = drift.finding.deep
    assert until(drift, "alarming", UNHEEDED * PATIENCE, hit=0.1) == UNHEEDED * PATIENCE
    assert f"The deep fit that was asked for at event {asked:,} was not made" in (drift.finding.warning or "")
    drift.fitted()
    assert drift.finding.level == "lasting"
    assert drift.finding.warning is None


def test_what_is_new_becomes_normal() -> None:
    drift = Drift(window=WINDOW, patience=256)
    drift.learn(seen(8192, 0))
    until(drift, "shifting", 1024, hit=0.2)
    until(drift, "calm", 12_000, hit=0.2)
    until(drift, "shifting", 1024, hit=0.05)


def test_that_it_is_foreseen_better_is_no_drift() -> None:
    drift = small()
    drift.learn(seen(4096, 1, hit=0.6))
    assert drift.finding.level == "calm"


def test_scores_that_fall_are_told() -> None:
    drift = small()
    until(drift, "shifting", 512, score=(3.0, 1.0))
    assert any(line.startswith("score quantile fell from 0.8") for line in drift.finding.reasons)


# What is seen


def test_what_is_unknown_is_passed_over() -> None:
    told = np.random.default_rng(0).random(2000)
    one, other = Watch(512, 8192.0), Watch(512, 8192.0)
    one.learn(told)
    other.learn(np.column_stack([told, np.full(2000, np.nan)]).ravel())
    equal(one.state(), other.state())


def test_all_unknown_and_without_categories_is_calm() -> None:
    n = 40 * BLOCK
    nothing = np.full(n, np.nan)
    drift = Drift(window=WINDOW)
    empty = np.zeros(0, np.int64)
    drift.learn(Observed(nothing, nothing, np.arange(n) % 7, empty, np.zeros(n + 1, np.int64)))
    assert drift.finding.level == "calm"


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        (([1.5], [0.5], [0], [[]]), r"hit must be 0\.\.1, or NaN for unknown, got 1\.5"),
        (([1.0], [np.inf], [0], [[]]), r"score must be 0\.\.1, or NaN for unknown, got inf"),
        (([1.0], [0.5], [-1], [[]]), "item must be codes from 0 on, got -1"),
        (([1.0], [0.5], [0], [[3, -2]]), "categories must be codes from 0 on, got -2"),
        (([1.0], [0.5, 0.5], [0], [[]]), "hit, score and item must be equally long, got 1, 2, 1"),
    ],
)
def test_what_cannot_be_is_refused(given_: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Observed.of(*given_)


def test_offsets_have_to_fit() -> None:
    one = np.zeros(1)
    with pytest.raises(InputError, match="offsets must rise from 0 to the number of categories"):
        Observed(one, one, np.zeros(1, np.int64), np.zeros(3, np.int64), np.array([0, 2]))


def test_parts_join_to_the_whole() -> None:
    data = seen(50, 0)
    again = Observed.joined([data.part(0, 7), data.part(7, 7), data.part(7, 50)])
    for name in ("hit", "score", "item", "categories", "offsets"):
        np.testing.assert_array_equal(getattr(again, name), getattr(data, name))


def test_windows_are_checked() -> None:
    with pytest.raises(InputError, match=r"window must be 512\.\.1000000000, got 100"):
        Drift(window=100)
    with pytest.raises(InputError, match="window must be a multiple of 256, got 700"):
        Drift(window=700)
    with pytest.raises(InputError, match=r"patience must be 256\.\.1000000000, got 0"):
        Drift(patience=0)


def test_what_waits_is_no_longer_the_callers() -> None:
    drift, data = small(), seen(100, 0)
    drift.learn(data)
    before = travelled(drift.state())
    data.hit[:] = 0.5
    equal(drift.state(), before)
    drift.learn(seen(100_000, 1))
    assert all(part.base is None or part.base.nbytes < 10_000 for part in vars(drift._waiting).values())
