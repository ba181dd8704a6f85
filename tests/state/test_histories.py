import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from acclimate.state.histories import EVENT, UserHistories
from acclimate.types import Histories

events = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 5), st.sampled_from([1.0, 0.2, -1.0])), max_size=60
)


def row(item, time, weight):
    """An event whose value and kind follow from its item, so that they can be told."""
    return item, float(time), float(np.float32(weight)), item / 2, item % 3


@given(events, events, st.integers(1, 4), st.booleans(), st.booleans())
def test_one_long_history_is_what_a_list_says(before, after, bound, saving, forgetting):
    all_events = [row(*event) for event in before]
    items, times, weights, values, kinds = zip(*all_events, strict=True) if before else [()] * 5
    start = Histories.of([items], [times], [weights], values=[values])
    histories = UserHistories(start, bound, np.array(kinds, np.int8))
    for place, event in enumerate(after):
        histories.append(0, *row(*event))
        all_events.append(row(*event))
        if place == 10 and forgetting:
            histories.forget(0)
            all_events = []
        if place == 20 and saving:
            histories = UserHistories.restore(histories.state(1), bound)
    assert histories.of(0).tolist() == all_events[-bound:]
    assert histories.counts(2).tolist() == [min(len(all_events), bound), 0]
    had, disliked = histories.standing(0)
    last = {item: weight for item, _, weight, *_ in all_events}
    assert had.tolist() == sorted({item for item, _, weight, *_ in all_events if weight > 0})
    assert disliked.tolist() == sorted(item for item, weight in last.items() if weight < 0)
    for since in (-1.0, 2.0, 9.0):
        newest = [event for event in all_events[-bound:] if event[1] > since and event[2] > 0]
        assert histories.standing(0, since=since)[0].tolist() == sorted({item for item, *_ in newest})
    assert histories.of(1).tolist() == histories.of(-1).tolist() == []


def test_users_are_gathered_in_the_order_asked_for():
    histories = UserHistories(Histories.of([[1, 2], [3]]), max_history=2)
    histories.append(1, 4, 9.0, 1.0)
    extra = np.array([(7, 1.0, 1.0, np.nan, -1)], EVENT)
    found, offsets = histories.gather([1, -1, 0, 5, 1], [extra[:0], extra, extra, extra[:0], extra[:0]])
    assert found["item"].tolist() == [3, 4, 7, 2, 7, 3, 4]
    assert offsets.tolist() == [0, 2, 3, 5, 5, 7]
    found, offsets = histories.gather([], [])
    assert (len(found), offsets.tolist()) == (0, [0])


def test_the_start_is_not_changed_by_forgetting():
    start = Histories.of([[1, 2], [3]])
    histories = UserHistories(start, max_history=2)
    histories.forget(0)
    assert start.items.tolist() == [1, 2, 3]
    assert histories.of(0).tolist() == []
    assert not histories._start["time"][:2].any(), "no trace is left"


def test_what_is_kept_in_brief_stays_with_its_user():
    histories = UserHistories(Histories.of([[], [], []]), max_history=1)
    for item in (1, 2, 3):
        histories.append(0, item, 0.0, 1.0)
    for item in (4, 5):
        histories.append(2, item, 0.0, -1.0)
    again = UserHistories.restore(histories.state(3), max_history=1)
    for user, (had, disliked) in enumerate([([1, 2, 3], []), ([], []), ([], [4, 5])]):
        for kept in (histories, again):
            assert [codes.tolist() for codes in kept.standing(user)] == [had, disliked]


def test_the_newest_users_come_first_and_the_forgotten_not_at_all():
    histories = UserHistories(Histories.of([[1], [2, 3], [], [4]], times=[[5.0], [1.0, 9.0], [], [7.0]]), 10)
    assert histories.newest(9).tolist() == [1, 3, 0]
    histories.append(2, 5, 8.0, 1.0)
    histories.append(7, 5, 9.0, 1.0)
    histories.append(0, 6, 2.0, 1.0)
    histories.forget(3)
    assert histories.newest(9).tolist() == [1, 7, 2, 0]
    assert histories.newest(2).tolist() == [1, 7]
    assert UserHistories(Histories.of([]), 10).newest(3).tolist() == []
