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
from acclimate.data.kinds import EventWords, split_told
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

    @property
    def empty(self) -> bool:
        """Whether no interaction and no search could be taken."""
        return not (len(self.clean.events) or len(self.clean.searches))


def read_tables(
    paths: str | Path | Sequence[str | Path],
    *,
    format: str | None = None,
    query: str | None = None,
    table: str | None = None,
    items: str | Path | None = None,
    users: str | Path | None = None,
    columns: Mapping[str, str | Sequence[str]] | None = None,
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
        columns: Our column -> that of the files, where it cannot be guessed: ``{"user": "uid"}``. Several
            names, of which each table has one: ``{"item": ["sku", "code"]}``; for one table alone:
            ``{"items.item": "code"}``, as for ``interactions`` and ``users``. And what a value of the event
            types means: ``{"event_type.购买": "purchase"}``; see `acclimate.data.kinds.WORDS` for known ones.
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
        Dataset('ratings': 2 events, 1 user, 2 items)
        >>> tables.dropped[0].reason, tables.dropped[0].examples[0]["text"]
        ('unreadable value', '8,heat,x,30')
    """
    types = events or EventsTable()
    parse_positive(positive)
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise InputError("no files given; name at least one table of interactions", field="paths")
    named, words = split_told(columns)
    finder, gathering = Columns(named), Gathering(types, EventWords(words))
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
    import polars as pl

    events, searches = clean.events, clean.searches
    order, asked = _time_order(events), _time_order(searches)
    user_ids, asking = _taken(events["user_id"], order), _taken(searches["user_id"], asked)
    users = _vocabulary(user_ids, clean.users["user_id"], asking)
    user = _codes(user_ids, users)
    del user_ids  # one column at a time: a copy of a whole table is what memory cannot spare
    item_ids = _taken(events["item_id"], order)
    items = _vocabulary(item_ids, clean.items["item_id"])
    item = _codes(item_ids, items)
    del item_ids
    types = events["event_type"].cast(pl.Enum(EVENT_TYPES), strict=False)
    told = pl.DataFrame(
        {"user_id": user, "value": _taken(events["value"], order), "event_type": _taken(types, order)}
    )
    return Dataset(
        users,
        items,
        user,
        item,
        _taken(events["time"], order).to_numpy(),
        value=told["value"].fill_null(float("nan")).to_numpy(),
        weight=event_weights(told, positive, table),
        kind=told["event_type"].to_physical().cast(pl.Int8).fill_null(-1).to_numpy(),
        catalogue=make_items(clean.items, items.ids) if len(clean.items) else None,
        people=make_users(clean.users, users.ids) if len(clean.users) else None,
        searches=Searches(
            _codes(asking, users),
            _taken(searches["time"], asked).to_numpy(),
            tuple(_taken(searches["query"], asked)),
        ),
        name=name,
        timed=clean.timed,
    )


def _time_order(frame: pl.DataFrame) -> NDArray[np.uint32] | None:
    """Return the places of the rows in order of time, equal times as they stand; None if they are so."""
    if frame["time"].is_sorted():
        return None
    return np.argsort(frame["time"].to_numpy(), kind="stable").astype(np.uint32)


def _taken(column: pl.Series, order: NDArray[np.uint32] | None) -> pl.Series:
    return column if order is None else column.gather(order)


def _vocabulary(*columns: pl.Series) -> Vocabulary:
    import polars as pl

    return Vocabulary(pl.concat(columns).unique(maintain_order=True).to_list())


def _codes(ids: pl.Series, vocabulary: Vocabulary) -> NDArray[Any]:
    import polars as pl

    return ids.cast(pl.Enum(vocabulary.ids)).to_physical().cast(pl.Int32).to_numpy()
