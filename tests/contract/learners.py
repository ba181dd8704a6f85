"""The promises of the `Learner` protocol; each check is given a function that makes an unfitted one."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import cast

import numpy as np

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.types import Events, Histories, Item, Learner
from tests.contract.models import N_ITEMS, NEW, WORLD, Make, equal, one, questions, refuses, travelled

EXACT = ("popularity", "recent-popularity", "frequency", "item-knn", "isgd")
"""Learners that end where a fit on all events ends, by registered name."""
N_NEW = N_ITEMS + len(NEW)
PART = WORLD.where(np.arange(len(WORLD)) < len(WORLD) // 2)
"""What is fitted; the rest of the world is learned."""


def stream() -> Events:
    """The rest of the world, then new users and new items, repeats of other weights, dislikes, exposures."""
    rows = [
        *[(40 + n, item, 1.0) for n in range(6) for item in (n % 2, N_ITEMS + n % 2, 2 + n % 2)],
        *[(3, 1, 2.0), (3, 1, 0.5), (60, 5, 1.0), (60, 4, -1.0), (60, 8, 0.0), (60, 22, 1.0), (0, 0, 4.0)],
    ]
    user, item, weight = (np.array(column) for column in zip(*rows, strict=True))
    time = WORLD.until + 60.0 * np.arange(1, len(rows) + 1)
    more = Events(user, item, time, weight, 3 + 2 * weight)
    rest = WORLD.events.part(slice(len(PART), None))
    columns = zip(rest, more, strict=True)
    return read_only(Events(*(np.concatenate(column).astype(column[0].dtype) for column in columns)))


def read_only(events: Events) -> Events:
    for column in events:
        column.flags.writeable = False
    return events


STREAM = stream()
LATE = read_only(STREAM.part(np.random.default_rng(0).permutation(len(STREAM.time))))
"""The same, as a log may have it: times go back."""


def later(events: Events, seconds: float) -> Events:
    return read_only(events._replace(time=events.time + seconds))


def begun(make: Make) -> Learner:
    """Return a learner that was fitted on `PART` and knows of the new items."""
    model = cast("Learner", make())
    model.fit(PART)
    model.put_items(np.arange(N_ITEMS, N_NEW, dtype=np.int32), NEW)
    return model


def learns(model: Learner, events: Events) -> Learner:
    """Let ``model`` learn; whatever goes wrong is a broken promise."""
    try:
        model.learn(events)
    except Exception as error:
        raise AssertionError(f"could not learn: {error!r}") from error
    return model


def same(a: Learner, b: Learner, tolerance: float = 1e-5) -> None:
    """Demand that two learners answer alike."""
    equal(a.score(questions()), b.score(questions()), tolerance)
    codes = np.arange(N_NEW, dtype=np.int32)
    equal(a.similarity(codes), b.similarity(codes), tolerance)


def check_unfitted_refuses_to_learn(make: Make) -> None:
    assert "fit" in refuses(InputError, lambda: cast("Learner", make()).learn(STREAM))


def check_no_events_change_nothing(make: Make) -> None:
    model = begun(make)
    for _ in range(3):
        learns(model, STREAM.part(slice(0, 0)))
    same(model, begun(make), 0.0)


def check_chunks_are_invisible(make: Make) -> None:
    for events in (STREAM, LATE):
        whole = learns(begun(make), events)
        for pieces in (len(events.time), 7):
            model = begun(make)
            for part in np.array_split(np.arange(len(events.time)), pieces):
                learns(model, events.part(part))
            same(model, whole)
            for name, array in model.state()[0].items():
                equal(array, whole.state()[0][name], 1e-5)


def check_asking_in_between_changes_nothing(make: Make) -> None:
    model = begun(make)
    for part in np.array_split(np.arange(len(STREAM.time)), 9):
        model.score(questions())
        model.similarity(np.array([0, N_ITEMS], np.int32))
        model.state()
        learns(model, STREAM.part(part))
    same(model, learns(begun(make), STREAM))


def check_what_is_learned_counts(make: Make) -> None:
    """Twenty users like the first new item and an old one: it is known now, and above the other new one."""
    user = np.repeat(np.arange(100, 120, dtype=np.int32), 2)
    item = np.tile(np.array([0, N_ITEMS], np.int32), 20)
    ones = np.ones(40, np.float32)
    model = learns(begun(make), Events(user, item, WORLD.until + np.arange(40.0), ones, 5 * ones))
    scores = model.score(one([0]))[0]
    assert not np.isnan(scores[N_ITEMS])
    assert not scores[N_ITEMS + 1] >= scores[N_ITEMS]


def check_events_do_not_change_the_catalogue(make: Make) -> None:
    model = learns(begun(make), STREAM)
    assert model.n_items == N_NEW
    assert model.score(questions()).shape == (len(questions()), N_NEW)
    model.put_items(np.array([N_NEW], np.int32), [Item("newer", "film 102 of the space")])
    assert learns(model, later(STREAM, 1e6)).score(questions()).shape == (len(questions()), N_NEW + 1)


def check_state_travels_and_goes_on_learning(make: Make) -> None:
    first, rest = STREAM.part(slice(0, 90)), STREAM.part(slice(90, None))
    model = learns(begun(make), first)
    again = cast("Learner", make())
    again.restore(travelled(model.state()))
    same(again, model)
    same(learns(again, rest), learns(model, rest))


def check_a_stranger_is_answered_by_the_history(make: Make) -> None:
    model, asked = learns(begun(make), STREAM), questions()
    expected = model.score(asked)
    for codes in (np.full(len(asked), -1), np.full(len(asked), 1_000_000)):
        strangers = Histories(
            asked.items,
            asked.times,
            asked.weights,
            asked.offsets,
            asked.now,
            values=asked.values,
            users=codes,
        )
        equal(model.score(strangers), expected, 1e-5)


def check_memory_is_bounded(make: Make) -> None:
    """What happens over and over again takes no more memory, in the state and beside it."""
    model, span = begun(make), 60.0 + STREAM.time[-1] - STREAM.time[0]

    def live(start: int, end: int) -> int:
        for lap in range(start, end):
            learns(model, later(STREAM, lap * span))
            model.score(questions())
        return sum(array.nbytes for array in model.state()[0].values())

    before = live(0, 6)
    tracemalloc.start()
    at_first = tracemalloc.get_traced_memory()[0]
    assert live(6, 16) <= before
    grown = tracemalloc.get_traced_memory()[0] - at_first
    tracemalloc.stop()
    assert grown < 16 * 10 * len(STREAM.time), f"{grown} bytes for {10 * len(STREAM.time)} events"


def check_learning_ends_where_a_fit_would(make: Make) -> None:
    users = Vocabulary(f"u{n}" for n in range(int(STREAM.user.max()) + 1))
    catalogue = [*WORLD.catalogue, *NEW]
    items = Vocabulary(item.item_id for item in catalogue)
    user, item, time, weight, value = (
        np.concatenate(columns) for columns in zip(PART.events, STREAM, strict=True)
    )
    every = Dataset(users, items, user, item, time, value=value, weight=weight, catalogue=catalogue)
    whole = cast("Learner", make())
    whole.fit(every)
    same(learns(begun(make), STREAM), whole)


CHECKS: list[Callable[[Make], None]] = [
    check_unfitted_refuses_to_learn,
    check_no_events_change_nothing,
    check_chunks_are_invisible,
    check_asking_in_between_changes_nothing,
    check_what_is_learned_counts,
    check_events_do_not_change_the_catalogue,
    check_state_travels_and_goes_on_learning,
    check_a_stranger_is_answered_by_the_history,
    check_memory_is_bounded,
]
"""For every learner; `check_learning_ends_where_a_fit_would` is for those in `EXACT` besides."""
