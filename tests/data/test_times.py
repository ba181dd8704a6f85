"""Times of a unit that is found out: rows of another unit are told, not put into 1970."""

from __future__ import annotations

from collections.abc import Callable
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


@settings(max_examples=50, deadline=None)
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
