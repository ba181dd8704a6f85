"""A stream knows before each event exactly what was known by then, and ranks what existed then."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.evaluate.stream import Stream, default_start
from acclimate.types import Item

NO = np.zeros(0, np.int32)


def made(rows: list[tuple[int, int, float, float]]) -> Dataset:
    """Return a dataset from (user, item, time, weight) with five users and five items."""
    user, item, time, weight = zip(*rows, strict=True)
    names = [f"u{n}" for n in range(5)], [f"i{n}" for n in range(5)]
    return Dataset(
        *map(Vocabulary, names), np.array(user), np.array(item), np.array(time), weight=np.array(weight)
    )


events = st.tuples(
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(0, 40).map(lambda n: n / 4),
    st.sampled_from([1.0, 0.0, -1.0]),
)


@given(
    st.lists(events, min_size=2, max_size=40),
    st.sampled_from([0.0, 0.5, 3.0]),
    st.sampled_from([0.0, 2.0, math.inf]),
)
def test_what_is_known_is_what_a_slow_look_at_the_events_says(
    rows: list[tuple[int, int, float, float]], delay: float, again: float
) -> None:
    data = made(rows)
    try:
        stream = Stream(data, default_start(data), delay, again)
    except InputError:
        return  # there is nothing before the start, or no time at all
    events = stream.events
    order = [(math.floor(time), int(user)) for time, user in zip(events.time, events.user, strict=True)]
    groups = [group for n, group in enumerate(order) if n == 0 or group != order[n - 1]]
    assert len(groups) == len(set(groups)), "all of one user in one second stand together"
    assert [second for second, _ in order] == sorted(second for second, _ in order)
    for at in range(stream.first, len(order)):
        known = int(stream.known[at])
        assert order[at] not in order[:known], "nothing of its own group is known"
        if not delay:
            assert known == max(order.index(order[at]), stream.first)
        assert all(time + delay <= max(events.time[: at + 1]) for time in events.time[stream.first : known])
    known = stream.known[stream.asked]
    for at, n, history in zip(stream.asked, known, stream.before(stream.asked), strict=True):
        mine = np.flatnonzero(events.user[:n] == events.user[at])
        assert history.items.tolist() == events.item[mine].tolist()
        assert history.now.tolist() == [events.time[at]]
    liked: list[int] = []
    seen: dict[tuple[int, int], float] = {}
    for at, (user, item, time, weight, _) in enumerate(zip(*events, strict=True)):
        if weight > 0:
            if time - seen.get((user, item), -math.inf) >= again:
                liked.append(at)
            seen[user, item] = time
    assert stream.asked.tolist() == [at for at in liked if at >= stream.first]


scores = st.lists(st.sampled_from([0.0, 1.0, 2.0, math.nan]), min_size=5, max_size=5)


@given(
    st.lists(events, min_size=6, max_size=30),
    st.lists(scores, min_size=30, max_size=30),
    st.sampled_from([0.0, 2.0, math.inf]),
)
def test_places_are_those_of_a_slow_ranking(
    rows: list[tuple[int, int, float, float]], told: list[list[float]], again: float
) -> None:
    data = made(rows)
    try:
        stream = Stream(data, default_start(data), again=again)
    except InputError:
        return
    histories = stream.before(stream.asked)
    matrix = np.array(told[: len(stream.asked)], np.float32).reshape(-1, 5)
    above, tied = stream.places(stream.asked, histories, matrix.copy())
    for row, at in enumerate(stream.asked):
        target, now = int(stream.events.item[at]), stream.events.time[at]
        last: dict[int, float] = {}
        out = set()
        for item, time, weight in zip(
            histories[row].items, histories[row].times, histories[row].weights, strict=True
        ):
            last[int(item)] = weight or last.get(int(item), 0.0)
            if weight > 0 and now - time < again:
                out.add(int(item))
        out = (out | {item for item, weight in last.items() if weight < 0}) - {target}
        there = [
            n
            for n in range(5)
            if any(item == n and time <= now for _, item, time, _ in rows) and n not in out
        ]
        key = [-1.0 if math.isnan(told[row][n]) else told[row][n] for n in range(5)]
        assert target in there
        assert above[row] == sum(key[n] > key[target] for n in there)
        assert tied[row] == sum(key[n] == key[target] for n in there)


def test_an_item_exists_from_its_date_or_its_first_event_on() -> None:
    rows = [("ann", "a", 1.0), ("bob", "b", 5.0), ("ann", "c", 9.0)]
    plain = Dataset.of(rows)
    dated = Dataset(
        plain.users,
        Vocabulary(["a", "b", "c", "d"]),
        plain.user,
        plain.item,
        plain.time,
        catalogue=[Item("a"), Item("b", created_at=2.0), Item("c", created_at=99.0), Item("d")],
    )
    assert Stream(dated, 5.0).born.tolist() == [1.0, 2.0, 9.0, np.inf]


def test_a_return_is_counted_from_the_users_event_before() -> None:
    stream = Stream(Dataset.of([("ann", "a", 1.0), ("bob", "a", 2.0), ("ann", "b", 7.0)]), 2.0)
    assert stream.since_last.tolist() == [np.inf, np.inf, 6.0]


@pytest.mark.parametrize(("start", "side"), [(0.5, "before"), (9.0, "from")])
def test_a_start_outside_of_the_times_is_named(start: float, side: str) -> None:
    with pytest.raises(InputError, match=f"no event lies {side} the start.*from 1970-01-01 00:00 to"):
        Stream(Dataset.of([("ann", "a", 1.0), ("ann", "b", 2.0)]), start)


@pytest.mark.parametrize("name", ["delay", "again"])
@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_a_negative_delay_is_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} must be 0 or more seconds, got {value}"):
        Stream(Dataset.of([("ann", "a", 1.0), ("ann", "b", 2.0)]), 2.0, **{name: value})


@pytest.mark.parametrize(
    ("n", "held", "mend"),
    [
        (1, "one event, at 2023-11-14 22:13, so there is nothing before it", "give more events"),
        (
            2,
            "2 events, all at one moment, 2023-11-14 22:13, so there is nothing before them",
            "see that the column with the times is taken, or use the protocol 'last'",
        ),
    ],
)
def test_one_moment_is_not_taken_for_no_times(n: int, held: str, mend: str) -> None:
    with pytest.raises(InputError) as refused:
        Stream(Dataset.of([(f"u{user}", "heat", 1.7e9) for user in range(n)]), start=1.7e9)
    what = f"'made' holds {held} to learn from. A replay needs events at two times or more; {mend}"
    assert (refused.value.message, refused.value.code) == (what, "one_moment")
