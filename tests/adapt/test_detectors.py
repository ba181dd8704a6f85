"""A change of the mean is found soon and where it was; where nothing changed, nothing is found."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from acclimate.adapt import adwin
from acclimate.adapt.adwin import Adwin
from acclimate.adapt.detectors import Change, PageHinkley
from acclimate.errors import InputError
from acclimate.types import State
from tests.adapt.states import equal, travelled

Values = NDArray[np.float64]
Make = Callable[[], Any]


def hits(seed: int, *parts: tuple[int, float]) -> Values:
    """Return a stream of 0 and 1: (events, share of 1) after each other."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.random(n) < share for n, share in parts]).astype(np.float64)


def found(detector: Any, values: Values, every: int = 32) -> list[Change]:
    """Return the changes that are found, as they come."""
    changes = []
    for low in range(0, len(values), every):
        count = detector.changes
        detector.learn(values[low : low + every])
        if detector.changes > count:
            changes.append(detector.change)
    return changes


# What any detector promises


def check_a_fall_is_found_within_300_events(make: Make) -> None:
    off = []
    for seed in range(10):
        changes = found(make(), hits(seed, (5000, 0.3), (300, 0.1)))
        assert changes
        change = changes[0]
        assert change.at <= 5312
        assert change.before == pytest.approx(0.3, abs=0.02)
        assert change.after == pytest.approx(0.1, abs=0.12)
        off.append(abs(change.since - 5000))
    assert np.median(off) < 40
    assert max(off) < 400


def check_nothing_is_found_where_nothing_changed(make: Make) -> None:
    for share in (0.05, 0.3):
        alarms = [bool(found(make(), hits(seed, (20_000, share)), 20_000)) for seed in range(20)]
        assert sum(alarms) <= 1


def check_a_slow_fall_is_found_before_it_is_through(make: Make) -> None:
    share = np.concatenate([np.full(5000, 0.3), np.linspace(0.3, 0.1, 4000)])
    for seed in range(5):
        values = (np.random.default_rng(seed).random(9000) < share).astype(np.float64)
        changes = found(make(), values)
        assert changes
        assert 4500 < changes[0].since < changes[0].at < 8000


def check_what_comes_back_is_found_again(make: Make) -> None:
    for seed in range(3):
        detector = make()
        detector.learn(hits(seed, (4000, 0.3), (2000, 0.1), (4000, 0.3)))
        count = detector.changes
        assert count >= 1
        changes = found(detector, hits(seed + 90, (600, 0.1)))
        assert changes
        assert abs(changes[0].since - 10_000) < 150


def check_any_chunking_ends_in_the_same_state(make: Make) -> None:
    values = hits(0, (700, 0.5), (300, 0.0), (500, 0.9))
    whole = make()
    whole.learn(values)
    for size in (1, 31, 64, 700):
        parts = make()
        found(parts, values, size)
        equal(parts.state(), whole.state())


def check_its_state_travels(make: Make) -> None:
    one = make()
    one.learn(hits(1, (1500, 0.5), (333, 0.0)))
    assert one.changes
    other = type(one).restored(travelled(one.state()))
    equal(other.state(), one.state())
    for each in (one, other):
        each.learn(hits(2, (700, 0.6), (200, 0.0)))
    equal(other.state(), one.state())


def check_what_is_no_number_is_refused_whole(make: Make) -> None:
    detector = make()
    detector.learn(hits(0, (100, 0.5)))
    before = travelled(detector.state())
    for wrong in (np.nan, np.inf):
        with pytest.raises(InputError, match=r"values must be .* numbers in one row, got (nan|inf)"):
            detector.learn([0.0, 1.0, wrong])
    with pytest.raises(InputError, match=r"got shape \(2, 2\)"):
        detector.learn(np.zeros((2, 2)))
    equal(detector.state(), before)


CHECKS = [each for name, each in list(globals().items()) if name.startswith("check_")]
DETECTORS: dict[str, Make] = {"adwin": Adwin, "page-hinkley": PageHinkley}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_keeps_its_promises(name: str, check: Callable[[Make], None]) -> None:
    assert len(CHECKS) == 7
    check(DETECTORS[name])


class Deaf(PageHinkley):
    """Never finds anything, and takes anything."""

    def learn(self, values: ArrayLike) -> None:
        self.taken += np.size(values)


class Nervous(PageHinkley):
    """Finds a change whenever it is told something, and forgets it when it travels."""

    def learn(self, values: ArrayLike) -> None:
        super().learn(values)
        self.changes, self.change = self.changes + 1, Change(1.0, 0.0, 0, self.taken, 1)

    @classmethod
    def restored(cls, state: State) -> Nervous:
        return cls()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_can_fail(check: Callable[[Make], None]) -> None:
    fails = []
    for broken in (Deaf, Nervous):
        try:
            check(broken)
        except (AssertionError, ValueError, pytest.fail.Exception):
            fails.append(broken)
    assert fails


# ADWIN


def all_cuts(values: Values, delta: float) -> list[tuple[int, int]]:
    """ADWIN as the paper has it, with each value kept and each cut tried: (time, width) of each change."""
    window: list[float] = []
    changes = []
    for at, value in enumerate(values, 1):
        window.append(value)
        width = len(window)
        while any(
            abs(np.mean(window[:cut]) - np.mean(window[cut:])) > epsilon(window, cut, delta)
            for cut in range(1, len(window))
        ):
            window.pop(0)
        if len(window) < width:
            changes.append((at, len(window)))
    return changes


def epsilon(window: list[float], cut: int, delta: float) -> float:
    n = len(window)
    m = 1 / (1 / cut + 1 / (n - cut))
    log = np.log(2 * max(np.log(n), 1) / delta)
    return float(np.sqrt(2 / m * np.var(window) * log) + 2 / (3 * m) * log)


@pytest.mark.parametrize("seed", range(3))
def test_with_single_observations_adwin_is_that_of_the_paper(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adwin, "BUCKETS", 10**6)
    values = hits(seed, (60, 0.9), (60, 0.1), (40, 0.8))
    fast, changes = Adwin(delta=0.1, block=1), []
    for value in values:
        count = fast.changes
        fast.learn([value])
        if fast.changes > count:
            changes.append((fast.taken, fast.width))
    assert changes == all_cuts(values, 0.1)
    assert len(changes) >= 2


def test_adwin_with_buckets_finds_what_it_finds_with_all_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(5):
        values = hits(seed, (3000, 0.3), (600, 0.1))
        few = found(Adwin(), values)[0]
        with monkeypatch.context() as patched:
            patched.setattr(adwin, "BUCKETS", 10**6)
            every = found(Adwin(), values)
        assert 0 <= few.at - every[0].at <= 64


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 150), st.sampled_from([0.0, 0.2, 0.9])), min_size=1, max_size=4),
    st.sampled_from([1, 4, 32]),
)
def test_its_window_is_the_newest_observations(parts: list[tuple[int, float]], block: int) -> None:
    values, detector = hits(0, *parts), Adwin(block=block)
    detector.learn(values)
    window = values[detector.taken - detector.width : detector.taken]
    sizes = detector._buckets[0]
    assert detector.taken == len(values) // block * block
    np.testing.assert_allclose(detector._buckets[1].sum(), window.sum())
    np.testing.assert_allclose(detector._buckets[2].sum(), (window**2).sum())
    ends = np.append(0, np.cumsum(sizes)).astype(int)
    for (low, high), total in zip(pairwise(ends.tolist()), detector._buckets[1], strict=True):
        assert window[low:high].sum() == pytest.approx(total)
    assert (np.diff(sizes) <= 0).all()
    assert max(np.unique(sizes, return_counts=True)[1], default=0) <= adwin.BUCKETS
    if len(window):
        assert detector.mean == pytest.approx(window.mean())


def test_its_memory_grows_with_the_logarithm_alone() -> None:
    detector = Adwin(block=1)
    detector.learn(np.arange(4096) % 2)
    few = detector._used
    assert few <= adwin.BUCKETS * 12
    detector.learn(np.arange(4096) % 2)
    assert detector._used <= few + adwin.BUCKETS
    assert detector.width == 8192


def sessions(seed: int, n: int, each: int = 20) -> Values:
    """Return hits of users who act ``each`` times in a row, and are foreseen unlike well."""
    rng = np.random.default_rng(seed)
    share = np.repeat(rng.beta(0.6, 1.4, n // each), each)
    return (rng.random(len(share)) < share).astype(np.float64)


def test_neighbours_that_are_alike_are_no_change() -> None:
    alarms = [bool(found(Adwin(block=64), sessions(seed, 20_000), 20_000)) for seed in range(20)]
    assert sum(alarms) <= 1
    plain = [bool(found(Adwin(block=1), sessions(seed, 3000), 3000)) for seed in range(4)]
    assert sum(plain) >= 2, "or that would say nothing: as if they were independent it is fooled"


def test_a_change_among_neighbours_that_are_alike_is_found() -> None:
    for seed in range(5):
        changes = found(Adwin(block=64), np.append(sessions(seed, 8000), 0.3 * sessions(seed + 50, 2000)))
        assert 8000 < changes[0].at < 9500


def test_what_adwin_is_not_made_for_is_refused() -> None:
    with pytest.raises(InputError, match=r"values must be 0\.\.1 numbers in one row, got 1\.5"):
        Adwin().learn([0.5, 1.5])
    with pytest.raises(InputError, match="delta must be between 0 and 1, got 1"):
        Adwin(delta=1)
    with pytest.raises(InputError, match="block must be 1 or more, got 0"):
        Adwin(block=0)
    assert np.isnan(Adwin().mean)


# Page-Hinkley


def slow_test(values: Values, allowance: float, threshold: float) -> tuple[int, int] | None:
    """One side of it, written plainly: (since, at) of the first fall."""
    walk = low = 0.0
    since = 0
    for n in range(1, len(values) + 1):
        seen = values[:n]
        if n > 30 and seen.std() > 0:
            walk += (seen.mean() - seen[-1]) / seen.std() - allowance
        if walk <= low:
            low, since = walk, n
        if walk - low > threshold:
            return since, n
    return None


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_test_that_is_written_plainly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.append(rng.normal(50, 5, 400), rng.normal(46, 5, 200))
    test = PageHinkley(allowance=0.1, threshold=20)
    (change,) = found(test, values, 600)
    assert (change.since, change.at) == slow_test(values, 0.1, 20)
    assert change.before == pytest.approx(values[: change.since].mean())
    assert change.after == pytest.approx(values[change.since : change.at].mean())


def test_rises_are_told_if_they_are_asked_for() -> None:
    values = hits(0, (3000, 0.1), (500, 0.3))
    assert not found(PageHinkley(), values)
    (change,) = found(PageHinkley(rises=True), values)
    assert change.after > 2 * change.before
    assert abs(change.since - 3000) < 60


def test_no_scale_has_to_be_set() -> None:
    values = hits(3, (3000, 0.3), (500, 0.1))
    one, other = PageHinkley(), PageHinkley()
    one.learn(values)
    other.learn(1e4 + 1e-3 * values)
    assert one.change
    assert other.change
    assert (one.change.since, one.change.at) == (other.change.since, other.change.at)


def test_what_never_moved_and_then_does_is_found() -> None:
    test = PageHinkley()
    test.learn(np.full(1000, 0.25))
    assert not test.changes
    test.learn(np.full(50, 0.2))
    assert test.change == Change(0.25, pytest.approx(0.2), 1000, test.change.at if test.change else 0, 1000)


def test_allowance_and_threshold_are_checked() -> None:
    with pytest.raises(InputError, match="allowance must be positive standard deviations, got 0"):
        PageHinkley(allowance=0)
    with pytest.raises(InputError, match="threshold must be positive standard deviations, got nan"):
        PageHinkley(threshold=float("nan"))
