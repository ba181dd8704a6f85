"""Items and users: from tables to our columns, merged by id, and to what the other rooms see."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.data.checks import check_ids
from acclimate.data.frames import Clean, Dropped, Raw
from acclimate.data.times import TIME_FORMATS, read_times
from acclimate.errors import InputError
from acclimate.types import Item, User
from acclimate.words import counted

if TYPE_CHECKING:
    import polars as pl

NO_CATEGORY = ("(no genres listed)", "unknown")
"""What MovieLens writes where it knows no genre."""
YES = (
    "true",
    "yes",
    "t",
    "y",
    "available",
    "in stock",
    "in_stock",
    "instock",
    "ja",
    "lieferbar",
    "oui",
    "sí",
    "是",
    "有货",
)
"""Words by which an item is available, as is any number but 0."""
NO = (
    "false",
    "no",
    "f",
    "n",
    "unavailable",
    "out of stock",
    "out_of_stock",
    "outofstock",
    "sold out",
    "nein",
    "ausverkauft",
    "non",
    "否",
    "缺货",
    "下架",
)
"""Words by which it is not, as 0."""
KINDS = ("events", "items", "users", "searches")
"""Tables of a `Clean`, in its order."""
MANY_ROWS = 12
"""From so many rows on, a table that repeats its ids is taken for another kind of table."""


def _schema(kind: str) -> dict[str, pl.DataType]:
    """Columns of a clean table of ``events``, ``items``, ``users`` or ``searches``; see `Clean`."""
    import polars as pl

    text = pl.String()
    if kind == "events":
        return {
            "user_id": text,
            "item_id": text,
            "time": pl.Float64(),
            "value": pl.Float32(),
            "event_type": text,
        }
    if kind == "searches":
        return {"user_id": text, "time": pl.Float64(), "query": text}
    if kind == "users":
        return {"user_id": text, "attributes": text}
    flags = {"available": pl.Boolean(), "created_at": pl.Float64(), "expires_at": pl.Float64()}
    words = {"item_id": text, "title": text, "text": text, "categories": pl.List(pl.String())}
    return {**words, **flags, "attributes": text}


def empty_clean() -> Clean:
    """Return clean tables without rows."""
    import polars as pl

    events, items, users, searches = (pl.DataFrame(schema=_schema(kind)) for kind in KINDS)
    return Clean(events, items, users, searches)


def clean_items(raw: Raw) -> tuple[pl.DataFrame, list[Dropped], list[str]]:
    """Return the items of a table in our columns (see `Clean`), the rows without a usable id, and notes.

    Categories are divided by ``|``, else by ``,``. ``available`` is one of `YES` or of `NO`, or a number;
    a note tells how often it is something else, which counts as available.

    Raises:
        InputError: It is not a table of items; see `check_one_row_each`.
    """
    import polars as pl

    frame, dropped = check_ids(raw, "item_id")
    missing = [name for name in _schema("items") if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    words = pl.col("categories")
    bars, commas = words.str.split("|"), words.str.split(",")
    labels = pl.when(words.str.contains("|", literal=True)).then(bars).otherwise(commas)
    labels = labels.list.eval(pl.element().str.strip_chars())
    labels = labels.list.filter((pl.element() != "") & ~pl.element().is_in(NO_CATEGORY))
    word = frame["available"].str.to_lowercase().str.strip_chars().replace("", None)
    number = word.cast(pl.Float64, strict=False)
    no = word.is_in(NO) | (number == 0).fill_null(False)
    times = [_times(frame[name]) for name in ("created_at", "expires_at")]
    notes = [
        *raw.notes,
        *check_one_row_each(raw.file, frame["item_id"]),
        *_unread(raw.file, word, no | number.is_not_null()),
    ]
    for seconds in times:
        written = frame[seconds.name].str.strip_chars().replace("", None)
        if lost := seconds.null_count() - written.null_count():
            times_lost = counted(lost, f"time in {seconds.name} is", f"times in {seconds.name} are")
            notes += [f"{raw.file.name}: {times_lost} left out; {TIME_FORMATS}"]
    return (
        frame.select(
            "item_id",
            pl.col("title", "text").str.strip_chars(),
            pl.when(labels.list.len() > 0).then(labels).alias("categories"),
            (~no).alias("available"),  # null where nothing is told
            *times,
            _attributes(frame),
        ),
        dropped,
        notes,
    )


def _unread(file: Path, word: pl.Series, read: pl.Series) -> list[str]:
    """Return a note if words of ``available`` are neither a yes nor a no; ``read`` says which are."""
    others = word.filter(word.is_not_null() & ~read & ~word.is_in(YES))
    if not len(others):
        return []
    shown = ", ".join(repr(each) for each in others.unique(maintain_order=True)[:3].to_list())
    return [
        f"{file.name}: available is neither yes nor no in {counted(len(others), 'row')} ({shown}), which "
        "count as available; for those that are not write false, no or 0"
    ]


def _times(written: pl.Series) -> pl.Series:
    """Return seconds, null where unreadable or of another unit than the others."""
    read = read_times(written)
    seconds = read.seconds
    for mask in read.others.values():
        seconds = seconds.set(mask, None)
    return seconds.alias(written.name)


def clean_users(raw: Raw) -> tuple[pl.DataFrame, list[Dropped], list[str]]:
    """Return the users of a table in our columns, the rows without a usable id, and notes."""
    frame, dropped = check_ids(raw, "user_id")
    notes = [*raw.notes, *check_one_row_each(raw.file, frame["user_id"])]
    return frame.select("user_id", _attributes(frame)), dropped, notes


def check_one_row_each(file: Path, ids: pl.Series) -> list[str]:
    """Return a note if some ids stand in several rows.

    Raises:
        InputError: Ids come three times on average: then the rows tell of something else.
    """
    rows, distinct, kind = len(ids), ids.n_unique(), ids.name.removesuffix("_id") + "s"
    if rows >= max(MANY_ROWS, 3 * distinct):
        raise InputError(
            f"{file.name} has {rows:,} rows and {distinct:,} different values of {ids.name}; a table of "
            f"{kind} has one row for each. Interactions are named first: acclimate data import {file.name}",
            code="wrong_table",
            field=kind,
        )
    count = rows - distinct
    repeat = counted(count, "row repeats", "rows repeat")
    article = "an" if kind == "items" else "a"
    note = (
        f"{file.name}: {repeat} {article} {ids.name}; rows of one id are merged, and what the later says wins"
    )
    return [note] if count else []


def _attributes(frame: pl.DataFrame) -> pl.Expr:
    """Columns that begin with ``@`` as one JSON object; null if all are empty."""
    import polars as pl

    names = [name for name in frame.columns if name.startswith("@")]
    if not names:
        return pl.lit(None, pl.String).alias("attributes")
    rows = frame.select(names).rename({name: name[1:] for name in names}).iter_rows(named=True)
    return pl.lit(pl.Series("attributes", [_as_json(row) for row in rows], dtype=pl.String))


def _as_json(row: dict[str, Any]) -> str | None:
    known = {name: value for name, value in row.items() if value is not None}
    return json.dumps(known, ensure_ascii=False) if known else None


def merge(tables: Sequence[pl.DataFrame], kind: str) -> pl.DataFrame:
    """Return one row for each id, in order of first appearance; later rows win, but empty fields do not."""
    import polars as pl

    name = "user_id" if kind == "users" else "item_id"
    frame = pl.concat([pl.DataFrame(schema=_schema(kind)), *tables])
    if not frame[name].is_duplicated().any():
        return frame
    others = [pl.col(c).drop_nulls().last() for c in frame.columns if c not in (name, "attributes")]
    every = pl.col("attributes").drop_nulls().unique(maintain_order=True).alias("every")
    merged = frame.group_by(name, maintain_order=True).agg(*others, every)
    objects = [_merge_json(texts) for texts in merged["every"].to_list()]
    return merged.with_columns(pl.Series("attributes", objects, dtype=pl.String)).select(frame.columns)


def disagreements(tables: Sequence[pl.DataFrame], kind: str) -> list[str]:
    """Return a note for each column of which several tables say something different of one id."""
    import polars as pl

    if len(tables) < 2:
        return []
    name = "user_id" if kind == "users" else "item_id"
    frame = pl.concat(tables)
    frame = frame.filter(frame[name].is_duplicated())
    notes = []
    for column in (each for each in frame.columns if each not in (name, "attributes")):
        told = frame.select(name, column).drop_nulls().unique(maintain_order=True)
        ids = told.filter(told[name].is_duplicated())[name].unique(maintain_order=True)
        if len(ids):
            notes.append(
                f"{counted(len(ids), f'of the {kind} has', f'of the {kind} have')} different {column} in "
                f"several tables, as {ids[0]!r} has; "
                "what the later table says wins"
            )
    return notes


def _merge_json(texts: list[str]) -> str | None:
    if len(texts) < 2:
        return texts[0] if texts else None
    together: dict[str, Any] = {}
    for text in texts:
        together |= json.loads(text)
    return _as_json(together)


def make_items(frame: pl.DataFrame, ids: Sequence[str]) -> list[Item]:
    """Return one Item for each of ``ids``; those that ``frame`` does not have are bare."""
    known = {row["item_id"]: row for row in frame.iter_rows(named=True)}
    return [_item(known[name]) if name in known else Item(name) for name in ids]


def make_users(frame: pl.DataFrame, ids: Sequence[str]) -> list[User]:
    """Return one User for each of ``ids``; those that ``frame`` does not have are bare."""
    known = dict(frame.select("user_id", "attributes").iter_rows())
    return [User(name, json.loads(text)) if (text := known.get(name)) else User(name) for name in ids]


def _item(row: dict[str, Any]) -> Item:
    return Item(
        row["item_id"],
        title=row["title"] or "",
        text=row["text"] or "",
        categories=tuple(row["categories"] or ()),
        available=row["available"] is not False,
        created_at=_known(row["created_at"]),
        expires_at=_known(row["expires_at"]),
        attributes=json.loads(row["attributes"]) if row["attributes"] else {},
    )


def _known(seconds: float | None) -> float | None:
    return seconds if seconds is not None and math.isfinite(seconds) else None
