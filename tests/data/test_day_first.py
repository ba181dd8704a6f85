from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.day_first import year_first
from acclimate.data.times import read_times


@given(st.lists(st.dates(), min_size=1, max_size=8))
def test_dates_with_dots_are_read_with_the_day_first(dates: list) -> None:
    written = pl.Series([f"{day.day}.{day.month:02}.{day.year:04} 20:53" for day in dates])
    expected = [f"{day.isoformat()} 20:53" for day in dates]
    assert year_first(written)[0].to_list() == expected


@pytest.mark.parametrize(
    ("written", "read", "note"),
    [
        (["03/04/2024", "31/05/2024 10:00"], ["2024-04-03", "2024-05-31 10:00"], "with the day first"),
        (["03/04/2024", "5/31/2024"], ["2024-03-04", "2024-05-31"], "with the month first"),
        (["03/04/2024", "05/06/2024"], None, "none has a number above 12"),
        (["31/04/2024", "05/31/2024"], None, "some have a first number above 12, some a second"),
    ],
)
def test_with_slashes_the_column_tells(written: list[str], read: list[str] | None, note: str) -> None:
    found, (said,) = year_first(pl.Series(written))
    assert found.to_list() == (read or written)
    assert note in said


def test_a_column_of_european_times_is_read() -> None:
    read = read_times(pl.Series(["01.06.2024 20:53", "02.06.2024 08:00:30", "oops", None]))
    assert read.seconds.to_list() == [1717275180.0, 1717315230.0, None, None]


def test_days_that_are_not_in_the_month_are_unreadable() -> None:
    assert read_times(pl.Series(["31.02.2024", "28.02.2024"])).seconds.to_list() == [None, 1709078400.0]


def test_hours_of_twelve_are_read() -> None:
    written = ["1/31/2024 6:05 PM", "1/31/2024 12:30 am", "2024-05-31 06:05:07pm", "1/31/2024 18:05"]
    assert read_times(pl.Series(written)).seconds.to_list() == [
        1706724300.0,
        1706661000.0,
        1717178707.0,
        1706724300.0,
    ]
