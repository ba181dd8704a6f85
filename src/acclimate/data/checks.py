"""What a row has to be to be taken, and why it is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from acclimate.data.frames import Dropped, Raw
from acclimate.data.kinds import UNKNOWN
from acclimate.data.times import TIME_FORMATS, TimesRead, order_notes, read_times

if TYPE_CHECKING:
    import polars as pl

DECIMAL_COMMA = r"^\s*[+-]?\d+,\d+\s*$"
"""A number such as 4,5."""
MAX_ID = 10_000
"""Longest id that is taken, in characters."""
EVENT_COLUMNS = ("user_id", "item_id", "time", "value", "event_type")
SEARCH_COLUMNS = ("user_id", "time", "query")
SEARCH = "search"
"""The event type of a search, which has a query and needs no item."""
_DAY = 86_400.0
_LARGEST = 3.4e38  # of a float32
_SCALE = 10.0
"""Highest value of usual scales of ratings."""


def check_events(raw: Raw, event_types: frozenset[str]) -> tuple[pl.DataFrame, list[Dropped], list[str]]:
    """Return the rows that can be taken, what was dropped, and notes.

    A row with a query and without an item, of type ``search`` or of none, is a search.

    Args:
        raw: One table of interactions, as read.
        event_types: Those that mean something; a row of another type is dropped.

    Returns:
        A frame of ``user_id str, item_id str, time f64, value f32, event_type str, query str, line u32``;
        ``time`` is null in all rows if the table has no timestamp, ``value``, ``event_type`` and ``query``
        where there is none; ``item_id`` is null in searches alone.
    """
    import polars as pl

    frame, name = raw.frame, raw.file.name
    absent = {"item_id", "timestamp", "value", "event_type", "query"} - set(frame.columns)
    frame = frame.with_columns(pl.lit(None, pl.String).alias(column) for column in absent)
    written = frame["value"]
    number = written.str.strip_chars() if written.dtype == pl.String else written
    frame = frame.with_columns(number.cast(pl.Float64, strict=False), written.alias("written"))
    del number, written
    before, after = _reasons(frame.schema, event_types)
    times = read_times(frame["timestamp"], kept=lambda: _free_of(frame, {**before, **after}))
    frame = frame.with_columns(times.seconds.alias("time"))
    late = _time_reasons(raw, frame.schema["timestamp"], times)
    remarks = times.remarks
    del times
    frame, dropped = _sieve(frame, {**before, **late, **after}, raw)
    if any(lost.reason == "unreadable time" for lost in dropped):
        remarks.append(TIME_FORMATS)
    if any(lost.reason == "impossible time" for lost in dropped):
        remarks.append("times may lie from 1970-01-01 on, and at most 1 day ahead of now")
    remarks += [*order_notes(frame), *_scale_notes(frame)]
    frame = frame.select(*EVENT_COLUMNS, "query", "line").cast({"value": pl.Float32})
    searched = pl.when(~_blank("item_id")).then("item_id").alias("item_id")
    notes = [*raw.notes, *(f"{name}: {remark}" for remark in remarks)]
    if not (raw.timed or raw.by_user):
        notes.append(f"{name} has no timestamp: the order of its rows stands for the time")
    return frame.with_columns(searched), dropped, notes


def _reasons(schema: pl.Schema, event_types: frozenset[str]) -> tuple[dict[str, pl.Expr], dict[str, pl.Expr]]:
    """Return why a row is not taken -> whether that holds: those before reasons of time, those after.

    The column ``written`` is the value as it stands there.
    """
    import polars as pl

    value, written, kind = pl.col("value"), pl.col("written"), pl.col("event_type")
    comma = written.str.contains(DECIMAL_COMMA) if schema["written"] == pl.String else pl.lit(False)
    asks = (kind.fill_null(SEARCH) == SEARCH) & ~_blank("query")
    long = {
        f"{word} longer than {MAX_ID} characters": pl.col(name).str.len_chars() > MAX_ID
        for word, name in (("user id", "user_id"), ("item id", "item_id"), ("query", "query"))
    }
    before = {
        "missing user": _blank("user_id"),
        "missing query": _blank("item_id") & (kind == SEARCH) & _blank("query"),
        "missing item": _blank("item_id") & ~asks,
        **long,
    }
    after = {
        "value with a decimal comma": value.is_null() & comma,
        "unreadable value": value.is_null() & written.is_not_null(),
        "value is not finite": value.is_nan() | (value.abs() > _LARGEST),
        UNKNOWN: ~kind.is_in(list(event_types)),
    }
    return before, after


def _time_reasons(raw: Raw, dtype: pl.DataType, times: TimesRead) -> dict[str, pl.Expr]:
    """Return what may be wrong with the column ``time``, of which ``timestamp`` is what stands there."""
    import polars as pl

    no_time = _blank("timestamp") if dtype == pl.String else pl.col("timestamp").is_null()
    mixed = {
        f"time looks like {unit}, the others are {times.unit}": pl.lit(mask)
        for unit, mask in times.others.items()
    }
    return {
        "missing time": no_time & raw.timed,
        "unreadable time": ~pl.col("time").is_finite().fill_null(not raw.timed),
        **mixed,
        "impossible time": (pl.col("time") < 0) | (pl.col("time") > time.time() + _DAY),
    }


def _free_of(frame: pl.DataFrame, reasons: dict[str, pl.Expr]) -> pl.Series:
    """Return to which rows, bool[n], no reason applies."""
    import polars as pl

    return frame.select((~pl.any_horizontal(*reasons.values()).fill_null(False)).alias("kept")).to_series()


def _scale_notes(frame: pl.DataFrame) -> list[str]:
    """Return a note if ratings are on a wide scale, of which a threshold would make better use."""
    import polars as pl

    rated = frame.filter(pl.col("event_type").is_null() | (pl.col("event_type") == "rating"))
    values = rated["value"].drop_nulls()
    low, high, middle = (float(str(values.quantile(share))) if len(values) else 0.0 for share in (0, 1, 0.5))
    if low >= 0 and high <= _SCALE:
        return []
    if rated["event_type"].is_not_null().any():
        return [
            f"ratings go from {low:g} to {high:g}, and are read on a scale of 1 to 5; if theirs is another "
            f"one: --set events.rating={low:g}..{high:g}"
        ]
    return [
        f"values go from {low:g} to {high:g} and are kept so; every row counts as positive, unless a "
        f'threshold says which do: --set train.positive=">={middle:g}"'
    ]


def check_ids(raw: Raw, name: str) -> tuple[pl.DataFrame, list[Dropped]]:
    """Return the rows of an item or user table that have an id in the column ``name``."""
    import polars as pl

    word = name.removesuffix("_id")
    long = f"{word} id longer than {MAX_ID} characters"
    reasons = {f"missing {word}": _blank(name), long: pl.col(name).str.len_chars() > MAX_ID}
    return _sieve(raw.frame, reasons, raw)


def _blank(name: str) -> pl.Expr:
    import polars as pl

    return pl.col(name).is_null() | (pl.col(name).str.strip_chars() == "")


def _sieve(frame: pl.DataFrame, reasons: dict[str, pl.Expr], raw: Raw) -> tuple[pl.DataFrame, list[Dropped]]:
    """Return the rows to which no reason applies; the others are counted under the first that does."""
    import polars as pl

    number = {reason: pl.lit(place, pl.Int8) for place, reason in enumerate(reasons)}
    why = pl.coalesce(pl.when(applies).then(number[reason]) for reason, applies in reasons.items())
    why_series = frame.select(why.alias("why")).to_series()
    if why_series.null_count() == len(frame):
        return frame, []
    bad = frame.select("line").with_columns(why_series).filter(why_series.is_not_null())
    dropped = []
    for place, reason in enumerate(reasons):
        lines = bad.filter(pl.col("why") == place)["line"]
        if lines.len():
            dropped.append(Dropped(reason, lines.len(), raw.examples(lines)))
    return frame.filter(why_series.is_null()), dropped
