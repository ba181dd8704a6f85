"""Times as tables write them: numbers of a unit that is found out, and ISO 8601."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acclimate.words import counted

if TYPE_CHECKING:
    import polars as pl

TIME_FORMATS = (
    "times are read as seconds since 1970 (or milli-, micro-, nanoseconds), 2024-05-31, 2024/5/31, "
    "2024-05-31 18:30, 2024-05-31T18:30:59Z or 2024-05-31T18:30:59.5+02:00"
)
"""For whoever has others."""
_UNITS = ((1e17, 1e9, "nanoseconds"), (1e14, 1e6, "microseconds"), (1e11, 1e3, "milliseconds"))
_ZONE = r"([zZ]|[+-]\d{2}:?\d{2})$"


def read_times(written: pl.Series) -> tuple[pl.Series, list[str]]:
    """Return seconds since 1970 UTC, null where unreadable, and what was assumed, in sentences.

    Numbers are seconds, or milli-, micro- or nanoseconds if the middle one of the column would otherwise
    lie after the year 5138. Everything else is read as ISO 8601, with ``-`` or ``/`` between year, month and
    day; without a zone it is UTC.
    """
    import polars as pl

    text = written.str.strip_chars() if written.dtype == pl.String else written
    seconds = text.cast(pl.Float64, strict=False)
    middle = seconds.filter(seconds.is_finite()).median()
    remarks = []
    for least, divisor, name in _UNITS:
        if isinstance(middle, float) and abs(middle) >= least:
            seconds = seconds / divisor
            remarks.append(f"timestamps are in {name}")
            break
    if seconds.null_count() > text.null_count():
        moments = _iso_seconds(text)
        zoned = (text.str.contains(_ZONE) & moments.is_not_null()).sum()
        if naive := (moments.len() - moments.null_count() - zoned) if zoned else 0:
            local = counted(int(naive), "time without a zone is", "times without a zone are")
            remarks.append(f"{local} read as UTC, beside {zoned:,} with one")
        seconds = pl.select(pl.coalesce(seconds, moments)).to_series()
    return seconds, remarks


def order_notes(frame: pl.DataFrame) -> list[str]:
    """Return a note if a stream goes back in time; a table that is ordered by user is no stream."""
    back = (frame["time"].diff() < 0).sum()
    user = frame["user_id"]
    if not back or user.rle_id()[-1] + 1 == user.n_unique() < len(user):
        return []
    rows = counted(int(back), "row is", "rows are")
    return [f"{rows} earlier than the row before; events are taken in order of time"]


def _iso_seconds(text: pl.Series) -> pl.Series:
    import polars as pl

    text = (
        text.str.replace(r"^(\d{4})/(\d{1,2})/(\d{1,2})", "$1-$2-$3")
        .str.replace(" ", "T", literal=True)
        .str.replace(r"[zZ]$", "+00:00")
        .alias("text")
    )
    forms = (
        *("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"),
        "%Y-%m-%d",
    )
    moments = [
        pl.col("text").str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False) for form in forms
    ]
    return pl.DataFrame([text]).select(pl.coalesce(moments).dt.timestamp("us") / 1e6).to_series()
