"""What a model may learn from: the imported tables and the feedback of the log, as one Dataset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from acclimate.config import Home, Settings
from acclimate.data.dataset import Dataset, Searches
from acclimate.data.store import Store
from acclimate.errors import InputError, NotFoundError
from acclimate.events.log import Record
from acclimate.events.sqlite import SqliteLog
from acclimate.state.fold import LiveState
from acclimate.types import Codes, User
from acclimate.words import counted

NO_DATA = "no data yet: acclimate data import ratings.csv, or acclimate demo"


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything known in a home, twice: to learn from, and as a server would know it.

    Args:
        data: Imported interactions and the feedback of the log, without the users that were forgotten.
        state: The fold of the log over the imported data, up to ``state.offset``. Its codes are those of
            ``data``.
    """

    data: Dataset
    state: LiveState


def check_data(home: Home) -> None:
    """Look whether ``home`` may hold something to learn from, at no cost.

    Raises:
        NotFoundError: Nothing was imported, and there is no log; says how to begin.
    """
    if Store(home.data).empty and not home.log.exists():
        raise NotFoundError(NO_DATA, code="no_data")


def gather(home: Home, settings: Settings) -> Gathered:
    """Read the imported tables of ``home`` and fold its log into them. Writes nothing.

    Of a user's feedback the newest ``serve.max_history`` events are taken, as a server does.

    Raises:
        NotFoundError: Nothing was imported and nothing was logged; says how to begin.
        InputError: None of the events is positive.
        CorruptError: A file of the home is damaged.
    """
    store = Store(home.data)
    imported = (
        Dataset.of([])
        if store.empty
        else store.load(positive=settings.train.positive, events=settings.events)
    )
    bound = settings.serve.max_history
    state = LiveState.of(imported, settings.events, max_history=bound)
    logged = LiveState(settings.events, max_history=bound)
    forgotten: set[str] = set()
    if home.log.exists():
        with closing(SqliteLog(home.log, readonly=True)) as log:
            state.log = log.id
            for records in _records(log):
                state.apply(records)
                logged.apply(records)
                forgotten |= {each.body["user_id"] for each in records if each.kind == "user_deleted"}
    data = _joined(imported, state, logged, forgotten)
    if not len(data):
        searched = (
            "only searches so far, and no model learns from these alone: acclimate data import ratings.csv"
        )
        raise NotFoundError(searched if len(imported.searches) else NO_DATA, code="no_data")
    if not (data.weight > 0).any():
        raise InputError(
            f"none of {counted(len(data), 'event')} is positive with train.positive = "
            f"{settings.train.positive!r}: import what users liked, choose a lower threshold of ratings, "
            "or give an event type a weight above 0 in [events]",
            code="no_positives",
            field="train.positive",
        )
    return Gathered(data, state)


def _records(log: SqliteLog, chunk: int = 10_000) -> Iterator[list[Record]]:
    offset = 0
    while records := log.read(offset, chunk):
        yield records
        offset = records[-1].offset


def _joined(imported: Dataset, state: LiveState, logged: LiveState, forgotten: set[str]) -> Dataset:
    """Append to the imported events those of ``logged``, with the weights that ``state`` gave them."""
    names = [name for name in logged.users.ids if name]
    counts = logged.counts[logged.users.codes(names)]
    past = [state.past(name) for name in names]
    fed_back = np.concatenate([state.past(""), *(p[len(p) - n :] for p, n in zip(past, counts, strict=True))])
    erased = imported.users.codes(sorted(forgotten))
    keep = ~np.isin(imported.user, erased)
    users = np.repeat(state.users.codes(names), counts)
    return Dataset(
        state.users.copy(),
        state.items.copy(),
        np.concatenate([imported.user[keep], users]),
        np.concatenate([imported.item[keep], fed_back["item"]]),
        np.concatenate([imported.time[keep], fed_back["time"]]),
        value=np.concatenate([imported.value[keep], fed_back["value"]]),
        weight=np.concatenate([imported.weight[keep], fed_back["weight"]]),
        kind=np.concatenate([imported.kind[keep], fed_back["kind"]]),
        catalogue=state.catalogue,
        people=[state.user(name) or User("") for name in state.users.ids],
        searches=_searches(imported, state, logged, erased),
        name=imported.name if len(imported) else state.name,
        timed=imported.timed,
    )


def _searches(imported: Dataset, state: LiveState, logged: LiveState, erased: Codes) -> Searches:
    """Return those that were imported, without the users ``erased``, and those of ``logged``."""
    kept = imported.searches.where(~np.isin(imported.searches.user, erased))
    told = [(name, time, query) for name in logged.users.ids if name for time, query in logged.searched(name)]
    return Searches(
        np.concatenate([kept.user, state.users.codes([name for name, _, _ in told])]),
        np.concatenate([kept.time, [time for _, time, _ in told]]),
        (*kept.queries, *(query for _, _, query in told)),
    )
