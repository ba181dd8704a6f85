"""Files in, a Dataset out, with an account of every row that was not taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acclimate.config import EVENT_TYPES, EventsTable
from acclimate.data.catalogue import make_items, make_users
from acclimate.data.cleaning import Wanted, sweep
from acclimate.data.columns import Columns
from acclimate.data.dataset import Dataset, Searches
from acclimate.data.frames import Clean, Dropped, merge_dropped
from acclimate.data.gather import Gathering
from acclimate.data.sources import Asked, name_of, read_place
from acclimate.data.vocab import Vocabulary
from acclimate.data.weights import event_weights, parse_positive
from acclimate.errors import InputError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Tables:
    """What was read.

    Args:
        dataset: The rows that were taken.
        dropped: The others: a reason, a count and examples each.
        notes: What was assumed about the files, in sentences.
        clean: The checked tables; `acclimate.data.store.Store` keeps them.
    """

    dataset: Dataset
    dropped: list[Dropped]
    notes: list[str]
    clean: Clean


def read_tables(
    paths: str | Path | Sequence[str | Path],
    *,
    format: str | None = None,
    query: str | None = None,
    table: str | None = None,
    items: str | Path | None = None,
    users: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    positive: str = "all",
    name: str | None = None,
    events: EventsTable | None = None,
    wanted: Wanted | None = None,
) -> Tables:
    """Read interactions, items and users.

    Ids are text as it stands in the file: ``007`` is not ``7``. Items are numbered by their first event, in
    order of time, then in the order of the item table; users likewise.

    Args:
        paths: Files of interactions, globs of them, folders of them or in a published layout, which bring
            their items and users, or URLs of databases: ``sqlite:///shop.db``, ``postgresql://host/shop``.
        format: A key of `acclimate.data.sources.SOURCES`; found out if None.
        query: What to ask the databases for: one SELECT.
        table: Which table of the databases to read instead; so does ``#table`` behind a URL.
        items: A table of items, or a folder that has one.
        users: A table of users, or a folder that has one.
        columns: Our column -> that of the files, where they cannot be guessed: ``{"user": "uid"}``.
        encoding: In which all the files are written; found out for each if None.
        positive: Which rows of a ratings set are positive: "all", or a threshold such as ">=4".
        name: What a report calls it; by default from the first path.
        events: What each event type is worth.
        wanted: What suspicious or thin there is to remove; nothing if None.

    Raises:
        NotFoundError: No such file, format or table.
        AcclimateError: A database does not answer, or goes away.
        InputError: A file cannot be read as a table: empty, not text, without a column that it needs, or
            another kind of table.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "ratings.csv")
        >>> _ = file.write_text("user,movieId,rating,time\\n7,heat,5,20\\n7,alien,4,10\\n8,heat,x,30\\n")
        >>> tables = read_tables(file)
        >>> tables.dataset
        Dataset('ratings': 2 events, 1 users, 2 items)
        >>> tables.dropped[0].reason, tables.dropped[0].examples[0]["text"]
        ('unreadable value', '8,heat,x,30')
    """
    types = events or EventsTable()
    parse_positive(positive)
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise InputError("no files given; name at least one table of interactions", field="paths")
    finder, gathering = Columns(columns), Gathering(types)
    asked = Asked(query, table)
    asked.check(given)
    for place in given:
        for part in read_place(place, "events", finder, format, encoding, asked):
            gathering.take(part)
    for kind, other in (("items", items), ("users", users)):
        for part in () if other is None else read_place(other, kind, finder, encoding=encoding):
            gathering.take(part)
    finder.check_used()
    clean = gathering.clean()
    data = make_dataset(clean, positive, types, name or name_of(given[0]))
    if wanted:
        clean, removed = sweep(clean, data, wanted)
        gathering.dropped += removed
        data = make_dataset(clean, positive, types, data.name)
    return Tables(data, merge_dropped(gathering.dropped), gathering.notes, clean)


def make_dataset(clean: Clean, positive: str, table: EventsTable, name: str) -> Dataset:
    """Number users and items, weigh the events, and return the Dataset.

    Args:
        clean: Checked tables.
        positive: "all" or ">=NUMBER"; see `acclimate.data.weights.event_weights`.
        table: What each event type is worth.
        name: What a report calls it.
    """
    events, searches = _by_time(clean.events), _by_time(clean.searches)
    users = _vocabulary("user_id", events, clean.users, searches)
    items = _vocabulary("item_id", events, clean.items)
    return Dataset(
        users,
        items,
        _codes(events["user_id"], users),
        _codes(events["item_id"], items),
        events["time"].to_numpy(),
        value=events["value"].fill_null(float("nan")).to_numpy(),
        weight=event_weights(events, positive, table),
        kind=_kinds(events["event_type"]),
        catalogue=make_items(clean.items, items.ids) if len(clean.items) else None,
        people=make_users(clean.users, users.ids) if len(clean.users) else None,
        searches=Searches(
            _codes(searches["user_id"], users), searches["time"].to_numpy(), tuple(searches["query"])
        ),
        name=name,
        timed=clean.timed,
    )


def _by_time(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows in order of time; equal times keep their order."""
    if frame["time"].is_sorted():
        return frame
    order = np.argsort(frame["time"].to_numpy(), kind="stable")
    return frame[order]


def _kinds(types: pl.Series) -> NDArray[np.int8]:
    import polars as pl

    if types.null_count() == len(types):
        return np.full(len(types), -1, np.int8)
    places = {name: place for place, name in enumerate(EVENT_TYPES)}
    return types.replace_strict(places, default=-1, return_dtype=pl.Int8).to_numpy()


def _vocabulary(name: str, *tables: pl.DataFrame) -> Vocabulary:
    import polars as pl

    return Vocabulary(pl.concat([table[name] for table in tables]).unique(maintain_order=True).to_list())


def _codes(ids: pl.Series, vocabulary: Vocabulary) -> NDArray[Any]:
    import polars as pl

    return ids.cast(pl.Enum(vocabulary.ids)).to_physical().to_numpy()
