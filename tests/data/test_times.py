"""Times of a unit that is found out: rows of another unit are told, not put into 1970."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.tables import Tables, read_tables

Write = Callable[..., Path]
NOW = 1_700_000_000
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}


def reasons(tables: Tables) -> dict[str, int]:
    return {dropped.reason: dropped.count for dropped in tables.dropped}


@pytest.mark.parametrize("most", UNITS)
@pytest.mark.parametrize("few", UNITS)
def test_a_minority_in_another_unit_is_named(table: Write, most: str, few: str) -> None:
    rows = [f"a,x{n},{(NOW + n) * UNITS[few if n in (3, 7) else most]}" for n in range(10)]
    tables = read_tables(table("user,item,time\n" + "\n".join(rows)))
    times = [NOW + n for n in range(10) if most == few or n not in (3, 7)]
    assert tables.dataset.time.tolist() == times
    if most != few:
        (lost,) = tables.dropped
        assert (lost.reason, lost.count) == (f"time looks like {few}, the others are {most}", 2)
        assert [(one["line"], one["text"]) for one in lost.examples] == [(5, rows[3]), (9, rows[7])]


def test_a_minority_is_named_where_times_are_numbers(tmp_path: Path) -> None:
    times = [NOW * 1000 + n for n in range(9)] + [NOW]
    frame = pl.DataFrame({"user": ["a"] * 10, "item": [f"x{n}" for n in range(10)], "time": times})
    frame.write_parquet(tmp_path / "r.parquet")
    tables = read_tables(tmp_path / "r.parquet")
    assert reasons(tables) == {"time looks like seconds, the others are milliseconds": 1}
    assert tables.dropped[0].examples[0]["line"] == 10


def test_the_unit_is_that_of_the_rows_that_are_kept(table: Write) -> None:
    good = f"a,x,{NOW},4\nb,y,{NOW + 1},5\n"
    bad = "".join(f"{user},z,{NOW * 10**9},{value}\n" for user, value in [("", 1), ("c", "x"), ("d", "y")])
    tables = read_tables(table(f"user,item,time,rating\n{bad}{good}"))
    assert (tables.dataset.time.tolist(), tables.notes) == ([NOW, NOW + 1], [])
    assert reasons(tables) == {
        "missing user": 1,
        "time looks like nanoseconds, the others are seconds": 2,
    }


@pytest.mark.parametrize(
    "times",
    [
        [1, 5, 86_400],  # a clock that starts at 0
        [0, NOW, NOW + 1],
        [100_000_000, 150_000_000, NOW],  # a part is old
        [946_684_800_000, 100, 1_000_000_000_000],
    ],
)
def test_what_is_in_no_other_unit_is_kept(table: Write, times: list[int]) -> None:
    rows = "".join(f"a,x{n},{time}\n" for n, time in enumerate(times))
    assert read_tables(table("user,item,time\n" + rows)).dropped == []


def test_a_date_of_an_item_in_another_unit_is_left_out(table: Write) -> None:
    later = NOW + 5_000_000_00
    rows = "".join(f"i{n},{later * (1 if n == 2 else 1000)}\n" for n in range(4))
    items = table("item,expires_at\n" + rows, "items.csv")
    tables = read_tables(table("user,item,time\na,i0,1\n"), items=items)
    assert [item.expires_at for item in tables.dataset.catalogue] == [later, later, None, later]
    assert "1 time in expires_at is left out" in tables.notes[0]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(sorted(UNITS)), st.booleans()), min_size=1, max_size=12))
def test_rows_in_are_rows_kept_and_rows_reported(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, bool]]
) -> None:
    file = tmp_path_factory.mktemp("times") / "r.csv"
    lines = [f"{'a' if good else ''},x{n},{NOW * UNITS[unit]}" for n, (unit, good) in enumerate(rows)]
    file.write_text("user,item,time\n" + "\n".join(lines) + "\n")
    tables = read_tables(file)
    assert len(tables.dataset) + sum(reasons(tables).values()) == len(rows)
    assert all(time == NOW for time in tables.dataset.time)


DAYS = [f"2025{1 + n % 12:02}{1 + n % 28:02}" for n in range(40)]


def seconds_of(day: str) -> float:
    clock = day[8:].ljust(6, "0")
    return datetime.strptime(day[:8] + clock, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("clock", ["", "1530", "153059"])
def test_numbers_that_are_dates_are_dates(table: Write, tmp_path: Path, clock: str) -> None:
    days = [day + clock for day in DAYS[:11]]
    text = table("user,item,time\n" + "".join(f"a,x{n},{day}\n" for n, day in enumerate(days)))
    frame = pl.DataFrame({"user": ["a"] * 11, "item": [f"x{n}" for n in range(11)]})
    frame.with_columns(pl.Series("time", list(map(int, days)))).write_parquet(tmp_path / "r.parquet")
    frame.with_columns(pl.Series("time", list(map(float, days)))).write_parquet(tmp_path / "f.parquet")
    for file in (text, tmp_path / "r.parquet", tmp_path / "f.parquet"):
        tables = read_tables(file)
        assert tables.dataset.time.tolist() == sorted(map(seconds_of, days))
        assert tables.dropped == []
        assert f"{file.name}: numbers such as {days[0]} are read as dates, not as seconds" in tables.notes
        assert not any("milliseconds" in note for note in tables.notes)


def test_beside_dates_what_is_none_is_counted(table: Write) -> None:
    days = [*DAYS[:8], "20250230", "0", str(NOW), str(NOW * 1000)]
    tables = read_tables(table("user,item,time\n" + "".join(f"a,x{n},{day}\n" for n, day in enumerate(days))))
    assert tables.dataset.time.tolist() == sorted(map(seconds_of, DAYS[:8]))
    assert reasons(tables) == {
        "unreadable time": 2,
        "time looks like seconds, the others are dates": 1,
        "time looks like milliseconds, the others are dates": 1,
    }


@pytest.mark.parametrize("usual", ["2024-01-05T10:00:00Z", "2024-01-05"])
def test_a_date_without_dashes_among_others_is_one(table: Write, usual: str) -> None:
    rows = "".join(f"a,x{n},{usual}\n" for n in range(5))
    tables = read_tables(table(f"user,item,time\n{rows}a,y,20240105\na,z,{NOW}\n"))
    assert (reasons(tables), tables.dataset.time.min()) == ({}, NOW)
    assert sorted(set(tables.dataset.time))[1] == seconds_of("20240105")


@pytest.mark.parametrize("unit", UNITS)
def test_a_date_among_counts_of_seconds_is_not_put_into_1970(table: Write, unit: str) -> None:
    rows = "".join(f"a,x{n},{(NOW + n) * UNITS[unit]}\n" for n in range(5))
    tables = read_tables(table(f"user,item,time\n{rows}a,y,20240105\na,z,20240105120000\n"))
    assert reasons(tables) == {f"time looks like a date, the others are {unit}": 2}
    assert tables.dropped[0].examples[0]["text"] == "a,y,20240105"


def test_the_rows_that_are_kept_say_whether_numbers_are_dates(table: Write) -> None:
    bad = "".join(f",x{n},{NOW + n}\n" for n in range(9))
    tables = read_tables(table(f"user,item,time\na,x,20240105\na,y,20240106\na,z,{NOW}\n{bad}"))
    assert tables.dataset.time.tolist() == [seconds_of("20240105"), seconds_of("20240106")]


@pytest.mark.parametrize("times", [[20_259_999, 20_251_301, 20_250_100], [1, 5, 20_240_105]])
def test_a_clock_of_its_own_stays_one(table: Write, times: list[int]) -> None:
    rows = "".join(f"a,x{n},{time}\n" for n, time in enumerate(times))
    tables = read_tables(table("user,item,time\n" + rows))
    assert (tables.dataset.time.tolist(), tables.dropped) == (sorted(times), [])


def test_dates_of_items_may_be_numbers(table: Write) -> None:
    items = table("item,created_at\ni0,20250102\ni1,20250103\n", "items.csv")
    tables = read_tables(table("user,item,time\na,i0,1\n"), items=items)
    assert [item.created_at for item in tables.dataset.catalogue] == [
        seconds_of("20250102"),
        seconds_of("20250103"),
    ]
