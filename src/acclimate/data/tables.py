"""Files in, a Dataset out, with an account of every row that was not taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acclimate.config import EVENT_TYPES, EventsTable
from acclimate.data.catalogue import clean_items, clean_users, make_items, make_users, merge
from acclimate.data.checks import EVENT_COLUMNS, check_events, require_rows
from acclimate.data.columns import Columns
from acclimate.data.dataset import Dataset
from acclimate.data.frames import MAX_EXAMPLES, Clean, Dropped, Part, Raw, merge_dropped, show_lines
from acclimate.data.sources import read_path
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
    items: str | Path | None = None,
    users: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    positive: str = "all",
    name: str | None = None,
    events: EventsTable | None = None,
) -> Tables:
    """Read interactions, items and users.

    Ids are text as it stands in the file: ``007`` is not ``7``. Items are numbered by their first event, in
    order of time, then in the order of the item table; users likewise.

    Args:
        paths: Files of interactions, or folders in a published layout, which bring their items and users.
        format: A key of `acclimate.data.sources.SOURCES`; found out if None.
        items: A table of items, or a folder that has one.
        users: A table of users, or a folder that has one.
        columns: Our column -> that of the files, where they cannot be guessed: ``{"user": "uid"}``.
        encoding: In which all the files are written; found out for each if None.
        positive: Which rows of a ratings set are positive: "all", or a threshold such as ">=4".
        name: What a report calls it; by default from the first path.
        events: What each event type is worth.

    Raises:
        NotFoundError: No such file or format.
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
    table = events or EventsTable()
    parse_positive(positive)
    given = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not given:
        raise InputError("no files given; name at least one table of interactions", field="paths")
    finder = Columns(columns)
    parts = [read_path(path, "events", finder, format, encoding) for path in given]
    for kind, path in (("items", items), ("users", users)):
        parts += [] if path is None else [read_path(Path(path), kind, finder, encoding=encoding)]
    finder.check_used()
    clean, dropped, notes = _clean(parts, table)
    label = name or (given[0].resolve().name if given[0].is_dir() else given[0].stem)
    return Tables(make_dataset(clean, positive, table, label), merge_dropped(dropped), notes, clean)


def _clean(parts: list[Part], table: EventsTable) -> tuple[Clean, list[Dropped], list[str]]:
    """Check every table; return them joined by kind, what was dropped, and notes."""
    dropped: list[Dropped] = []
    notes: list[str] = []
    raws = [part.events for part in parts if part.events]
    require_rows(raws)
    events = []
    for raw in raws:
        frame, lost, remarks = check_events(raw, frozenset(table.__struct_fields__))
        events.append(frame)
        dropped += [*raw.dropped, *lost]
        notes += remarks
    joined = _join(raws, events, dropped)
    tables: dict[str, list[pl.DataFrame]] = {"items": [], "users": []}
    for kind, clean in (("items", clean_items), ("users", clean_users)):
        for raw in filter(None, (getattr(part, kind) for part in parts)):
            frame, lost, remarks = clean(raw)
            tables[kind].append(frame)
            dropped += [*raw.dropped, *lost]
            notes += remarks
    return Clean(joined, merge(tables["items"], "items"), merge(tables["users"], "users")), dropped, notes


def _join(raws: list[Raw], events: list[pl.DataFrame], dropped: list[Dropped]) -> pl.DataFrame:
    """Return the events of all files without exact copies; where there is no time, the row number is it."""
    import polars as pl

    timed = ["timestamp" in raw.frame.columns for raw in raws]
    if any(timed) and not all(timed):
        without = ", ".join(raw.file.name for raw, has in zip(raws, timed, strict=True) if not has)
        raise InputError(f"some files have a timestamp and {without} has none; give all of them one or none")
    numbers = [pl.lit(number, pl.UInt32).alias("file") for number in range(len(events))]
    joined = pl.concat(frame.with_columns(n) for frame, n in zip(events, numbers, strict=True))
    if not all(timed):
        return joined.with_columns(pl.int_range(pl.len()).cast(pl.Float64).alias("time")).select(
            EVENT_COLUMNS
        )
    first = _first_of_equals(joined.select(EVENT_COLUMNS))
    copies = joined.filter(~first)
    for number, raw in enumerate(raws):
        lines = copies.filter(pl.col("file") == number)["line"]
        if lines.len():
            examples = show_lines(raw.file, lines[:MAX_EXAMPLES].to_list(), raw.encoding)
            dropped.append(Dropped("exact duplicate", lines.len(), examples))
    return joined.filter(first).select(EVENT_COLUMNS)


def _first_of_equals(frame: pl.DataFrame) -> pl.Series:
    """Return bool[n], false for a row that equals an earlier one; only rows of equal hash are compared."""
    import polars as pl

    first = np.ones(len(frame), bool)
    suspects = np.flatnonzero(frame.hash_rows().is_duplicated().to_numpy())
    if len(suspects):
        rows = frame[suspects].select(pl.struct(pl.all()).is_first_distinct().alias("first"))
        first[suspects] = rows["first"].to_numpy()
    return pl.Series("first", first)


def make_dataset(clean: Clean, positive: str, table: EventsTable, name: str) -> Dataset:
    """Number users and items, weigh the events, and return the Dataset.

    Args:
        clean: Checked tables.
        positive: "all" or ">=NUMBER"; see `acclimate.data.weights.event_weights`.
        table: What each event type is worth.
        name: What a report calls it.
    """
    events = clean.events.sort("time", maintain_order=True)
    users, items = _vocabulary(events, clean.users, "user_id"), _vocabulary(events, clean.items, "item_id")
    return Dataset(
        users,
        items,
        _codes(events["user_id"], users),
        _codes(events["item_id"], items),
        events["time"].to_numpy(),
        value=events["value"].fill_null(float("nan")).to_numpy(),
        weight=event_weights(events, positive, table),
        kind=_kinds(events["event_type"]),
        catalogue=make_items(clean.items, items.ids),
        people=make_users(clean.users, users.ids),
        name=name,
    )


def _kinds(types: pl.Series) -> NDArray[np.int8]:
    import polars as pl

    places = {name: place for place, name in enumerate(EVENT_TYPES)}
    return types.replace_strict(places, default=-1, return_dtype=pl.Int8).to_numpy()


def _vocabulary(events: pl.DataFrame, others: pl.DataFrame, name: str) -> Vocabulary:
    import polars as pl

    return Vocabulary(pl.concat([events[name], others[name]]).unique(maintain_order=True).to_list())


def _codes(ids: pl.Series, vocabulary: Vocabulary) -> NDArray[Any]:
    import polars as pl

    return ids.cast(pl.Enum(vocabulary.ids)).to_physical().to_numpy()
