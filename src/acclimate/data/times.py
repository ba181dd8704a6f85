"""Times as tables write them: numbers of a unit that is found out, and ISO 8601."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acclimate.data.day_first import year_first
from acclimate.words import counted

if TYPE_CHECKING:
    import polars as pl

TIME_FORMATS = (
    "times are read as seconds since 1970 (or milli-, micro-, nanoseconds), 2024-05-31, 2024/5/31, 20240531, "
    "20240531183059, 31.05.2024 18:30, 31/05/2024, 2024-05-31 18:30, 2024-05-31T18:30:59Z or "
    "2024-05-31T18:30:59.5+02:00"
)
"""For whoever has others."""
_UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
"""Name -> how many of them are a second."""
_MOST = 1e11
"""Seconds; a larger number is of the next unit, whose bound is a thousand times as large, and so on."""
_PLAUSIBLE = (631_152_000.0, 4_102_444_800.0)
"""1990 and 2100, between which most events of most tables are."""
_DATES = {"%Y%m%d": 10**4, "%Y%m%d%H%M": 10**8, "%Y%m%d%H%M%S": 10**10}
"""Form of a date that is written as a number -> what its year is multiplied by."""
_YEARS = (1900, 2100)
"""In which a number may be a date, both included."""
_ZONE = r"([zZ]|[+-]\d{2}:?\d{2})$"


@dataclass(frozen=True)
class TimesRead:
    """The times of a column.

    Args:
        seconds: Since 1970 UTC, float64[n], null where unreadable.
        unit: Of those that are numbers; ``dates`` where they are written as 20240531.
        others: Unit or ``a date`` -> which numbers, bool[n], look as if they were of it, not of ``unit``.
        remarks: What was assumed, in sentences.
    """

    seconds: pl.Series
    unit: str
    others: dict[str, pl.Series]
    remarks: list[str]


def read_times(written: pl.Series, kept: Callable[[], pl.Series] | None = None) -> TimesRead:
    """Read a column of times.

    Numbers are seconds, or milli-, micro- or nanoseconds if the middle one of the column would otherwise
    lie after the year 5138. One that then lies before 1990 or after 2100, and would not in another unit,
    looks as if it were of that, provided that the middle one lies between. If more than half of the numbers
    are written as dates (20240531, 202405311830, 20240531183059; 1900 to 2100), they are dates, and the
    others are none; beside a majority of times in ISO 8601 each number is for itself. Everything else is read
    as ISO 8601, with ``-`` or ``/`` between year, month and day, or with the year last (see `day_first`);
    without a zone it is UTC.

    Args:
        written: Text or numbers, n of them.
        kept: Returns which rows, bool[n], have a say in the unit; asked where there may be several units.
    """
    import polars as pl

    text = written.str.strip_chars() if written.dtype == pl.String else written
    numbers = text.cast(pl.Float64, strict=False)
    dates = _dates(numbers)
    seconds, unit, others, remarks = _from_numbers(numbers, dates, text.len() - text.null_count(), kept)
    if seconds.null_count() > text.null_count():
        text, assumed = year_first(text)
        remarks = [*remarks, *assumed]
        moments = _iso_seconds(text)
        zoned = (text.str.contains(_ZONE) & moments.is_not_null()).sum()
        if naive := (moments.len() - moments.null_count() - zoned) if zoned else 0:
            local = counted(int(naive), "time without a zone is", "times without a zone are")
            remarks.append(f"{local} read as UTC, beside {zoned:,} with one")
        seconds = pl.select(pl.coalesce(seconds, moments)).to_series()
    return TimesRead(seconds, unit, others, remarks)


def _from_numbers(
    numbers: pl.Series, dates: pl.Series | None, n_written: int, kept: Callable[[], pl.Series] | None
) -> tuple[pl.Series, str, dict[str, pl.Series], list[str]]:
    """Return seconds, unit, others and remarks of a column's numbers, of which ``dates`` may be dates."""
    import polars as pl

    if dates is None:
        return _of_a_unit(numbers, kept)
    told, finite = dates.is_not_null(), numbers.is_finite().fill_null(False)
    voters = finite & kept() if kept is not None and (finite & ~told).any() else finite
    voters = voters if (voters & told).any() or not (finite & ~told).any() else finite
    first = int(numbers.filter(told)[0])
    remark = f"numbers such as {first} are read as dates, not as seconds"
    if 2 * (told & voters).sum() > voters.sum():
        odd = numbers.set(told, None)
        others = {
            name: (odd / parts).is_between(*_PLAUSIBLE, closed="left").fill_null(False)
            for name, parts in _UNITS.items()
        }
        others = {name: mask for name, mask in others.items() if mask.any()}
        for name, mask in others.items():
            dates = dates.zip_with(~mask, numbers / _UNITS[name])
        return dates, "dates", others, [remark]
    if 2 * finite.sum() < n_written:
        seconds, unit, others, remarks = _of_a_unit(numbers.set(told, None), kept)
        return pl.select(pl.coalesce(dates, seconds)).to_series(), unit, others, [*remarks, remark]
    seconds, unit, others, remarks = _of_a_unit(numbers, kept)
    middle = seconds.filter(finite).median()
    if isinstance(middle, float) and _is_plausible(middle):
        odd = told & ~seconds.is_between(*_PLAUSIBLE, closed="left").fill_null(False)
        others = {name: mask & ~odd for name, mask in others.items()} | {"a date": odd}
    return seconds, unit, {name: mask for name, mask in others.items() if mask.any()}, remarks


def _of_a_unit(
    numbers: pl.Series, kept: Callable[[], pl.Series] | None
) -> tuple[pl.Series, str, dict[str, pl.Series], list[str]]:
    """Return seconds, unit, others and remarks of numbers of which none is a date."""
    unit, middle = _unit_of(numbers, kept)
    seconds = numbers / _UNITS[unit] if unit != "seconds" else numbers
    others = _others(numbers, seconds, unit) if _is_plausible(middle / _UNITS[unit]) else {}
    return seconds, unit, others, [f"timestamps are in {unit}"] if unit != "seconds" else []


def _dates(numbers: pl.Series) -> pl.Series | None:
    """Return the seconds of the numbers that are valid dates, null for others; None if none is."""
    import polars as pl

    found: pl.Series | None = None
    for form, scale in _DATES.items():
        near = numbers.is_between(_YEARS[0] * scale, (_YEARS[1] + 1) * scale, closed="left")
        near &= numbers == numbers.floor()
        if not near.any():
            continue
        whole = pl.select(pl.when(near).then(numbers)).to_series().cast(pl.Int64).cast(pl.String)
        moments = whole.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
        seconds = moments.dt.timestamp("us") / 1e6
        found = seconds if found is None else pl.select(pl.coalesce(found, seconds)).to_series()
    return None if found is None or found.null_count() == len(found) else found


def _unit_of(numbers: pl.Series, kept: Callable[[], pl.Series] | None) -> tuple[str, float]:
    """Return the unit of the middle one of those that are kept, and that number; 0 if there is none."""
    finite = numbers.filter(numbers.is_finite())
    low, high = (_unit(float(str(end))) if len(finite) else "" for end in (finite.min(), finite.max()))
    if kept is not None and low != high:
        theirs = numbers.filter(numbers.is_finite() & kept())
        finite = theirs if len(theirs) else finite
    middle = float(str(finite.median())) if len(finite) else 0.0
    return _unit(middle), middle


def _unit(number: float) -> str:
    return next((name for name, parts in _UNITS.items() if abs(number) < _MOST * parts), "nanoseconds")


def _is_plausible(seconds: float) -> bool:
    return _PLAUSIBLE[0] <= seconds < _PLAUSIBLE[1]


def _others(numbers: pl.Series, seconds: pl.Series, unit: str) -> dict[str, pl.Series]:
    odd = ~seconds.is_between(*_PLAUSIBLE, closed="left")
    if not odd.any():
        return {}
    masks = {
        name: (odd & (numbers / parts).is_between(*_PLAUSIBLE, closed="left")).fill_null(False)
        for name, parts in _UNITS.items()
        if name != unit
    }
    return {name: mask for name, mask in masks.items() if mask.any()}


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
    forms: tuple[str, ...] = (
        *("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"),
        "%Y-%m-%d",
    )
    if text.str.contains(r"(?i)\d ?[ap]m$").any():
        text = text.str.replace(r"(?i) ?([ap]m)$", " $1").str.to_uppercase()
        forms = (*forms, "%Y-%m-%dT%I:%M:%S %p", "%Y-%m-%dT%I:%M %p")
    moments = [
        pl.col("text").str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False) for form in forms
    ]
    return pl.DataFrame([text]).select(pl.coalesce(moments).dt.timestamp("us") / 1e6).to_series()
