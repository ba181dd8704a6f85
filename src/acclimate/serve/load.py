"""From a home to what answers: the current snapshot, or the best that an empty home allows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from acclimate.adapt.around import Around
from acclimate.adapt.swapped import Swapped
from acclimate.config import EVENT_TYPES, EventsTable, Home, Repeat, Settings
from acclimate.data.dataset import Dataset
from acclimate.errors import InputError
from acclimate.events.log import EventLog, check_continues
from acclimate.models.popularity import Popularity
from acclimate.policies import make_policy
from acclimate.recommend import Recommender
from acclimate.snapshot import Registry, Snapshot
from acclimate.state.fold import LiveState
from acclimate.types import Model

log = logging.getLogger("acclimate.serve")
REMEMBERED, AT_START, AT_ONCE = 10_000, 3.0, 64
"""Users who are read at the start, the seconds that it may take, and how many are read together."""
NO_MODEL = "no model yet: run `acclimate train`"


def load_recommender(home: Home, settings: Settings) -> Recommender:
    """Return what answers in ``home``: the current snapshot, else popularity over what was imported.

    Args:
        home: The folder; nothing needs to be there.
        settings: Policy, the table of events, how many events of a user are kept, and whether items come
            again; of events and repeats it is as the snapshot was trained where they do not say.

    Raises:
        CorruptError: The current snapshot is incomplete or altered.
    """
    policy = make_policy(settings.policy)
    snapshot = Registry(home.snapshots).current()
    if snapshot is not None:
        loaded = snapshot.load(home.cache)
        for note in loaded.notes:
            log.warning("snapshot %s: %s", snapshot.id, note)
        loaded.state.keep(settings.serve.max_history)
        _tell_events(snapshot, loaded.state.weights.table, settings.events)
        return Recommender(
            _clocked(loaded.model, loaded.state, settings),
            loaded.state,
            policy,
            snapshot_id=snapshot.id,
            seed=settings.policy.seed,
            again=_again(snapshot, settings.repeat),
        )
    from acclimate.data.store import Store  # it brings polars, which a snapshot does not need

    store = Store(home.data)
    data = (
        Dataset.of([])
        if store.empty
        else store.load(positive=settings.train.positive, events=settings.events)
    )
    model = Popularity()
    model.fit(data)
    state = LiveState.of(data, settings.events, max_history=settings.serve.max_history)
    return Recommender(
        model,
        state,
        policy,
        seed=settings.policy.seed,
        fallback=NO_MODEL,
        again=settings.repeat.again,
    )


def _clocked(model: Model, state: LiveState, settings: Settings) -> Model:
    """Return the model with what of it is to change with each event."""
    makers: dict[str, Callable[[Model], Model]] = {"meta": _started, "step": _stepped, "prior": Swapped}
    for name, make in makers.items():
        if getattr(settings.adapt, name) == "on":
            try:
                model = make(model)
            except InputError as error:
                log.warning("adapt.%s is on, and stays off: %s", name, error.message)
    if isinstance(model, Around):
        model.go_on(state)
    return model


def _started(model: Model) -> Model:
    from acclimate.adapt.meta import Meta  # slow to import

    return Meta(model)


def _stepped(model: Model) -> Model:
    from acclimate.adapt.stepped import Stepped  # slow to import

    return Stepped(model)


def _again(snapshot: Snapshot, asked: Repeat) -> float:
    """Return the seconds after which an item may come again; warns if it was trained otherwise."""
    made = (snapshot.manifest["settings"] or {}).get("repeat", {})
    trained = Repeat(made.get("default", "auto"))
    if asked.default == "auto":
        return trained.again
    if asked.again != trained.again:
        log.warning(
            "snapshot %s: repeat.default is %s, but the snapshot was trained and measured with %s; "
            "leave the setting out to list as it was measured, or train anew",
            snapshot.id,
            asked.default,
            trained.in_words,
        )
    return asked.again


def _tell_events(snapshot: Snapshot, trained: EventsTable, asked: EventsTable) -> None:
    """Warn of event types that the settings weigh otherwise than the snapshot, whose weights hold."""
    for name in EVENT_TYPES:
        now, was = getattr(asked, name), getattr(trained, name)
        if now not in (was, getattr(EventsTable(), name)):
            log.warning(
                "snapshot %s: events.%s is %s, but what happens counts %s as the snapshot was trained; "
                "train anew to change it",
                snapshot.id,
                name,
                now,
                was,
            )


def check_log(recommender: Recommender, events: EventLog) -> None:
    """Look whether ``events`` is the log that ``recommender`` goes on from.

    Raises:
        CorruptError: It is another log, or ends before the snapshot begins: new feedback would get offsets
            that the snapshot seems to know already, and would not count.
    """
    state = recommender.state
    check_continues(events, state.log, state.offset, f"snapshot {recommender.snapshot_id}")


def catch_up(recommender: Recommender, events: EventLog, chunk: int = 10_000) -> set[str]:
    """Apply every record of ``events`` that ``recommender`` has not seen, oldest first.

    Returns:
        The users of whom the last ``chunk`` of them tell.
    """
    recommender.state.log, users = events.id, set[str]()
    while records := events.read(recommender.state.offset, chunk):
        users = recommender.apply(records).users
    return users


def remember(recommender: Recommender, most: int = REMEMBERED, seconds: float = AT_START) -> None:
    """Read the histories of the ``most`` users who acted last, for at most ``seconds``."""
    if not recommender.remembers:
        return
    users, until = recommender.state.newest(most), time.monotonic() + seconds
    for start in range(0, len(users), AT_ONCE):
        if time.monotonic() >= until:
            break
        recommender.remember(users[start : start + AT_ONCE])
