"""What a row has to be to be taken, and why it is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from acclimate.data.frames import MAX_EXAMPLES, Dropped, Raw, show_lines
from acclimate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

DECIMAL_COMMA = r"^\s*[+-]?\d+,\d+\s*$"
"""A number such as 4,5."""
MAX_ID = 10_000
"""Longest id that is taken, in characters."""
TIME_FORMATS = (
    "times are read as seconds since 1970 (or milli-, micro-, nanoseconds), 2024-05-31, 2024/5/31, "
    "2024-05-31 18:30, 2024-05-31T18:30:59Z or 2024-05-31T18:30:59.5+02:00"
)
"""For whoever has others."""
EVENT_COLUMNS = ("user_id", "item_id", "time", "value", "event_type")
_DAY = 86_400.0
_LARGEST = 3.4e38  # of a float32
_UNITS = ((1e17, 1e9, "nanoseconds"), (1e14, 1e6, "microseconds"), (1e11, 1e3, "milliseconds"))


def check_events(raw: Raw, event_types: frozenset[str]) -> tuple[pl.DataFrame, list[Dropped], list[str]]:
    """Return the rows that can be taken, what was dropped, and notes.

    Args:
        raw: One table of interactions, as read.
        event_types: Those that mean something; a row of another type is dropped.

    Returns:
        A frame of ``user_id str, item_id str, time f64, value f32, event_type str, line u32``; ``time`` is
        null in all rows if the table has no timestamp, ``value`` and ``event_type`` where there is none.
    """
    import polars as pl

    frame, notes = raw.frame, list(raw.notes)
    for name in ("timestamp", "value", "event_type"):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.String).alias(name))
    timed = "timestamp" in raw.frame.columns
    seconds, unit = read_times(frame["timestamp"])
    if unit:
        notes.append(f"{raw.file.name}: timestamps are in {unit}")
    if not timed:
        notes.append(f"{raw.file.name} has no timestamp: the order of its rows stands for the time")
    value, written = pl.col("value"), pl.col("written")
    frame = frame.rename({"value": "written"}).with_columns(
        seconds.alias("time"), written.str.strip_chars().cast(pl.Float64, strict=False).alias("value")
    )
    reasons = {
        "missing user": _blank("user_id"),
        "missing item": _blank("item_id"),
        f"user id longer than {MAX_ID} characters": pl.col("user_id").str.len_chars() > MAX_ID,
        f"item id longer than {MAX_ID} characters": pl.col("item_id").str.len_chars() > MAX_ID,
        "missing time": _blank("timestamp") & timed,
        "unreadable time": ~pl.col("time").is_finite().fill_null(not timed),
        "impossible time": (pl.col("time") < 0) | (pl.col("time") > time.time() + _DAY),
        "value with a decimal comma": value.is_null() & written.str.contains(DECIMAL_COMMA),
        "unreadable value": value.is_null() & written.is_not_null(),
        "value is not finite": value.is_nan() | (value.abs() > _LARGEST),
        "unknown event type": ~pl.col("event_type").is_in(list(event_types)),
    }
    frame, dropped = _sieve(frame, reasons, raw)
    if any(lost.reason == "unreadable time" for lost in dropped):
        notes.append(f"{raw.file.name}: {TIME_FORMATS}")
    return frame.select(*EVENT_COLUMNS, "line").cast({"value": pl.Float32}), dropped, notes


def check_ids(raw: Raw, name: str) -> tuple[pl.DataFrame, list[Dropped]]:
    """Return the rows of an item or user table that have an id in the column ``name``."""
    import polars as pl

    word = name.removesuffix("_id")
    long = f"{word} id longer than {MAX_ID} characters"
    reasons = {f"missing {word}": _blank(name), long: pl.col(name).str.len_chars() > MAX_ID}
    return _sieve(raw.frame, reasons, raw)


def read_times(text: pl.Series) -> tuple[pl.Series, str | None]:
    """Return seconds since 1970 UTC, null where unreadable, and the unit of numbers if not seconds.

    Numbers are seconds, or milli-, micro- or nanoseconds if the middle one of the column would otherwise
    lie after the year 5138. Everything else is read as ISO 8601, with ``-`` or ``/`` between year, month and
    day; without a zone it is UTC.
    """
    import polars as pl

    text = text.str.strip_chars()
    seconds = text.cast(pl.Float64, strict=False)
    middle = seconds.filter(seconds.is_finite()).median()
    unit = None
    for least, divisor, name in _UNITS:
        if isinstance(middle, float) and abs(middle) >= least:
            seconds, unit = seconds / divisor, name
            break
    if seconds.null_count() > text.null_count():
        seconds = pl.select(pl.coalesce(seconds, _iso_seconds(text))).to_series()
    return seconds, unit


def _iso_seconds(text: pl.Series) -> pl.Series:
    import polars as pl

    text = (
        text.str.replace(r"^(\d{4})/(\d{1,2})/(\d{1,2})", "$1-$2-$3")
        .str.replace(" ", "T", literal=True)
        .str.replace(r"[zZ]$", "+00:00")
        .alias("text")
    )
    forms = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
    moments = [
        pl.col("text").str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False) for form in forms
    ]
    return pl.DataFrame([text]).select(pl.coalesce(moments).dt.timestamp("us") / 1e6).to_series()


def _blank(name: str) -> pl.Expr:
    import polars as pl

    return pl.col(name).is_null() | (pl.col(name).str.strip_chars() == "")


def _sieve(frame: pl.DataFrame, reasons: dict[str, pl.Expr], raw: Raw) -> tuple[pl.DataFrame, list[Dropped]]:
    """Return the rows to which no reason applies; the others are counted under the first that does."""
    import polars as pl

    why = pl.coalesce(pl.when(applies).then(pl.lit(reason)) for reason, applies in reasons.items())
    why_series = frame.select(why.alias("why")).to_series()
    bad = frame.select("line").with_columns(why_series).filter(why_series.is_not_null())
    dropped = []
    for reason in reasons:
        lines = bad.filter(pl.col("why") == reason)["line"]
        if lines.len():
            dropped.append(
                Dropped(
                    reason, lines.len(), show_lines(raw.file, lines[:MAX_EXAMPLES].to_list(), raw.encoding)
                )
            )
    return frame.filter(why_series.is_null()), dropped


def require_rows(raws: list[Raw]) -> None:
    """Raise InputError if all tables together have no row at all."""
    if not any(raw.frame.height or raw.dropped for raw in raws):
        names = ", ".join(str(raw.file) for raw in raws)
        raise InputError(f"{names}: a header and no rows; a table needs at least one row", code="empty_file")
