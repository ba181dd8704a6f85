"""Profiles and statistics as of a time: nothing looks ahead, and event by event is as all at once."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.dataset import Dataset
from acclimate.data.item_statistics import LONG, SHORT, ItemStatistics, shift
from acclimate.data.profile import HALF_LIFE, Profile, UserProfile, in_words
from acclimate.data.vocab import Vocabulary
from acclimate.types import Events
from tests.data.noise import DAY, START

LABELS = [("Drama",), ("Drama", "Crime"), (), ("Comedy",)]
rows = st.tuples(
    st.integers(0, 3),
    st.integers(0, 400).map(lambda n: START + n * 7 * DAY / 8),
    st.sampled_from([-1.0, 0.0, 0.5, 1.0, 4.0]),
    st.sampled_from([float("nan"), 1.0, 3.5, 5.0]),
)
histories = st.lists(rows, max_size=40).map(lambda events: sorted(events, key=lambda event: event[1]))
Rows = list[tuple[int, float, float, float]]


def columns(events: Rows) -> tuple[np.ndarray, ...]:
    items, times, weights, values = np.array(events, np.float64).reshape(-1, 4).T
    return items.astype(np.int32), times, weights.astype(np.float32), values.astype(np.float32)


def learned(user: UserProfile, events: Rows) -> UserProfile:
    user.learn(*columns(events), [LABELS[event[0]] for event in events])
    return user


def dataset(events: Rows) -> Dataset:
    items, times, weights, values = columns(events)
    vocabularies = Vocabulary(["u"]), Vocabulary([f"i{n}" for n in range(4)])
    return Dataset(
        *vocabularies, np.zeros(len(events), np.int32), items, times, weight=weights, value=values, until=1e10
    )


def close(one: object, other: object) -> None:
    """Two frozen values of numbers, arrays and tuples are equal but for rounding."""
    for name, value in asdict(one).items():  # type: ignore[call-overload]
        expected = getattr(other, name)
        if name == "tastes":
            assert dict(value) == pytest.approx(dict(expected))
        elif isinstance(value, np.ndarray):
            np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-300, err_msg=name)
        else:
            assert value == pytest.approx(expected), name


def slow_profile(events: Rows, now: float) -> dict[str, object]:
    """The same, told by lists."""
    acted = [event for event in events if event[2]]
    liked = [event for event in acted if event[2] > 0]
    rated = [event[3] for event in acted if event[3] == event[3]]
    tastes: dict[str, float] = {}
    weight = 1.0
    for place, (item, time, _, _) in reversed(list(enumerate(liked))):
        if place + 1 < len(liked):
            weight *= max(0.5, 0.5 ** ((liked[place + 1][1] - time) / HALF_LIFE))
        for label in LABELS[item]:
            tastes[label] = tastes.get(label, 0) + weight / len(LABELS[item])
    whole = sum(tastes.values())
    return {
        "likes": len(liked),
        "dislikes": len(acted) - len(liked),
        "items": len({event[0] for event in acted}),
        "since_last": now - acted[-1][1] if acted else None,
        "active_days": len({event[1] // DAY for event in acted}),
        "mean_value": sum(rated) / len(rated) if rated else None,
        "tastes": {label: taste / whole for label, taste in tastes.items()},
        "hours": [sum(event[1] % DAY // 3600 == hour for event in acted) / len(acted) for hour in range(24)]
        if acted
        else [],
    }


@given(histories)
def test_a_profile_is_what_lists_say(events: Rows) -> None:
    now = START + 400 * DAY
    profile, expected = learned(UserProfile(), events).at(now), slow_profile(events, now)
    for name in ("likes", "dislikes", "items", "since_last", "active_days", "mean_value"):
        assert getattr(profile, name) == pytest.approx(expected[name]), name
    assert dict(profile.tastes) == pytest.approx(expected["tastes"])
    assert list(profile.hours) == pytest.approx(expected["hours"])


@given(histories, st.lists(st.integers(0, 40), max_size=5))
def test_event_by_event_is_as_all_at_once(events: Rows, cuts: list[int]) -> None:
    now = START + 400 * DAY
    whole, user = learned(UserProfile(), events), UserProfile()
    statistics, data = ItemStatistics(4), dataset(events)
    bounds = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    for begin, end in pairwise(bounds):
        learned(user, events[begin:end])
        statistics.learn(data.events.part(slice(begin, end)))
    close(user.at(now), whole.at(now))
    close(statistics.at(now), ItemStatistics.of(data).at(now))


@given(histories, histories, st.integers(0, 400).map(lambda n: START + n * 7 * DAY / 8))
def test_nothing_looks_ahead(events: Rows, others: Rows, now: float) -> None:
    check_the_future_is_not_seen(events, others, now)


def check_the_future_is_not_seen(events: Rows, others: Rows, now: float) -> None:
    """What comes at the time of the question or later may be removed, or be another: figures stay."""
    past = [event for event in events if event[1] < now]
    changed = past + [event for event in others if event[1] >= now]
    expected = ItemStatistics.of(dataset(past)).at(now)
    for data in (dataset(events), dataset(changed)):
        close(ItemStatistics.of(data.before(now)).at(now), expected)
        history = data.before(now).histories()
        user = UserProfile()
        assert history.values is not None
        labels = [LABELS[item] for item in history.items]
        user.learn(history.items, history.times, history.weights, history.values, labels)
        close(user.at(now), learned(UserProfile(), past).at(now))


@given(histories)
def test_statistics_are_what_lists_say(events: Rows) -> None:
    now = START + 400 * DAY
    figures = ItemStatistics.of(dataset(events)).at(now)
    fades = {}
    for half_life in (SHORT, LONG):
        faded = [
            sum(
                0.5 ** ((now - time) / half_life)
                for item, time, weight, _ in events
                if item == i and weight > 0
            )
            for i in range(4)
        ]
        fades[half_life] = [one / sum(faded) if sum(faded) else 0.0 for one in faded]
    for item in range(4):
        times = [time for code, time, weight, _ in events if code == item and weight > 0]
        assert figures.likes[item] == len(times)
        values = [value for code, _, _, value in events if code == item and value == value]
        expected = [
            now - min(times) if times else np.nan,
            now - max(times) if times else np.nan,
            fades[SHORT][item] / fades[LONG][item] if times else np.nan,
            np.mean(values) if values else np.nan,
        ]
        found = [
            each[item]
            for each in (figures.since_first, figures.since_last, figures.trend, figures.mean_value)
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_question_about_the_past_is_refused() -> None:
    statistics = ItemStatistics.of(Dataset.of([("a", "x", 5.0)]))
    with pytest.raises(ValueError, match=r"now is 4\.0, but events up to 5\.0 are counted"):
        statistics.at(4.0)


def test_what_rises_and_what_falls() -> None:
    events = [("a", "old", START + day * DAY) for day in range(30)]
    events += [("a", "new", START + day * DAY) for day in range(40, 60)]
    data = Dataset.of(events)
    figures = ItemStatistics.of(data).at(START + 60 * DAY)
    assert figures.trend[data.items.code("new")] > 1 > figures.trend[data.items.code("old")]
    assert shift(data) == (0.0, 1.0)
    assert ItemStatistics(2).learn(Events(*(column[:0] for column in data.events))) is None


def test_a_profile_in_words() -> None:
    evenings = [(0, START // DAY * DAY + day * 7 * DAY + 19 * 3600, 1.0, 4.0) for day in range(25)]
    user = learned(UserProfile(), [*evenings, (3, START + 200 * DAY, -1.0, np.nan)])
    assert in_words(user.at(START + 201 * DAY)) == [
        "26 events with 2 items, on 26 days; the last 1 day ago",
        "likes Drama (100 %)",
        "said no 1 time",
        "rates 4.0 on average",
        "comes mostly in the evening (UTC) and on Fridays",
    ]
    assert in_words(UserProfile().at(0.0)) == []


def test_an_absence_takes_at_most_half() -> None:
    """Thirty years later one like is one like, whenever the others were."""
    year = 365 * DAY
    old = [(0, START + n * DAY, 1.0, np.nan) for n in range(10)]
    for away in (year, 30 * year):
        back = [*old, (3, START + away, 1.0, np.nan)]
        tastes = dict(learned(UserProfile(), back).at(START + away).tastes)
        assert tastes["Comedy"] == pytest.approx(1 / (1 + 0.5 * 9.666), rel=1e-3)
    late = learned(learned(UserProfile(), back[5:]), back[:5]).at(START + away)
    assert dict(late.tastes) == pytest.approx(tastes), "in any order"


def test_what_rounds_to_nothing_is_not_named() -> None:
    many = [(0, START + n, 1.0, np.nan) for n in range(250)]
    user = learned(UserProfile(), [*many, (3, START + 300, 1.0, np.nan)])
    assert in_words(user.at(START + 300))[1] == "likes Drama (100 %)"
    user = UserProfile()
    user.learn(*columns([(0, START, 1.0, np.nan)]), [[f"tag {n}" for n in range(500)]])
    assert in_words(user.at(START)) == ["1 event with 1 item, on 1 day; the last within the hour"]


def test_an_order_without_dates_has_no_rhythm() -> None:
    profile: Profile = learned(UserProfile(), [(0, float(n), 1.0, np.nan) for n in range(30)]).at(2e9)
    assert (profile.hours, profile.since_last, profile.active_days) == ((), None, 0)
    assert in_words(profile) == ["30 events with 1 item", "likes Drama (100 %)"]


def test_one_that_counts_the_future_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dataset, "before", lambda self, cutoff: self)
    past, future = (0, START, 1.0, 5.0), (0, START + DAY, 1.0, 1.0)
    with pytest.raises(AssertionError, match="likes"):
        check_the_future_is_not_seen([past, future], [], START + DAY)


def test_an_amount_is_told_as_no_rating() -> None:
    user = UserProfile()
    user.learn(np.array([7]), np.array([1e9]), np.array([1.0]), np.array([102.3]), [()])
    assert in_words(user.at(1e9))[-1] == "values of 102.3 on average"
