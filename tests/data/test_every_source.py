"""Bad input through every registered source: nothing is lost in silence, and nothing is a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.config import EventsTable
from acclimate.data.frames import Part
from acclimate.data.sources import SOURCES
from acclimate.data.sources.csv import CSV
from acclimate.data.split import split_time
from acclimate.data.tables import Tables, read_tables
from acclimate.errors import AcclimateError, InputError
from acclimate.evaluate.stream import Stream
from tests.data.forms import FORMS, NAMED, TIMED, VALUED, Row

T = "2024-05-01T10:0{}Z"
GOOD: list[Row] = [(f"u{n}", f"i{n % 3}", T.format(n), str(n % 5 + 1)) for n in range(6)]


def read(name: str, path: Path, **options: object) -> Tables:
    return read_tables(path, format=name, **options)  # type: ignore[arg-type]


def reported(tables: Tables) -> int:
    return sum(dropped.count for dropped in tables.dropped)


def check_account(tables: Tables, rows: Sequence[Row]) -> None:
    """Rows in are rows kept and rows reported, with an example of each reason."""
    assert len(tables.dataset) + reported(tables) == len(rows)
    assert all(dropped.examples for dropped in tables.dropped)


def test_every_source_is_written_here() -> None:
    assert FORMS.keys() == SOURCES.keys()
    assert {*TIMED, *VALUED, *NAMED} <= FORMS.keys()


cells = st.sampled_from(["a", "b", "007", "7", "é☃", "x"])
rows = st.tuples(
    cells,
    st.one_of(st.none(), cells),
    st.sampled_from([None, "1700000000", "2024-05-01T10:00Z", "2024-05-01T10:00+02:00", "soon"]),
    st.sampled_from([None, "3", "five", "nan", "1e999", "-1"]),
)


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=12)
@given(st.lists(rows, min_size=2, max_size=8))
def test_rows_in_are_rows_kept_and_rows_reported(
    tmp_path_factory: pytest.TempPathFactory, name: str, rows: list[Row]
) -> None:
    tables = read(name, FORMS[name](tmp_path_factory.mktemp("rows"), rows))
    check_account(tables, rows)


@pytest.mark.parametrize("name", SOURCES)
def test_good_rows_are_all_kept(name: str, tmp_path: Path) -> None:
    tables = read(name, FORMS[name](tmp_path, GOOD))
    assert (len(tables.dataset), reported(tables)) == (len(GOOD), 0)


def test_a_source_that_loses_a_row_in_silence_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = CSV.read

    def silent(self: CSV, *args: Any) -> Part:
        raw = whole(self, *args).events
        assert raw is not None
        return Part(events=replace(raw, frame=raw.frame[1:]))

    monkeypatch.setattr(CSV, "read", silent)
    with pytest.raises(AssertionError):
        check_account(read("csv", FORMS["csv"](tmp_path, GOOD)), GOOD)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("name", SOURCES)
def test_a_file_that_is_cut_is_named_or_read_as_far_as_it_goes(
    name: str, part: float, tmp_path: Path
) -> None:
    path = FORMS[name](tmp_path, GOOD)
    file = max(path.iterdir(), key=lambda each: each.stat().st_size) if path.is_dir() else path
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * part)])
    told, tables = "", None
    try:
        tables = read(name, path)
    except AcclimateError as error:
        told = error.message
    if tables is None:
        assert file.name in told or str(path) in told
    else:
        assert file.suffix not in {".parquet", ".db"}, "half of it is no table"
        assert len(tables.dataset) + reported(tables) <= len(GOOD)


@pytest.mark.parametrize("name", TIMED)
def test_an_event_stream_that_goes_back_in_time_is_put_in_order(name: str, tmp_path: Path) -> None:
    data = read(name, FORMS[name](tmp_path, GOOD[::-1])).dataset
    assert (np.diff(data.time) > 0).all()
    assert [data.users.ids[user] for user in data.user] == [str(row[0]) for row in GOOD]


@pytest.mark.parametrize("name", TIMED)
def test_a_time_zone_is_heeded(name: str, tmp_path: Path) -> None:
    same = ["2024-05-01T10:00:00Z", "2024-05-01T12:00:00+02:00", "2024-05-01T04:30:00-05:30"]
    data = read(name, FORMS[name](tmp_path, [(f"u{n}", "x", at, "1") for n, at in enumerate(same)])).dataset
    assert data.time.tolist() == [1714557600.0] * 3


@pytest.mark.parametrize("name", sorted(SOURCES.keys() - set(TIMED)))
def test_without_times_what_needs_them_says_so(name: str, tmp_path: Path) -> None:
    data = read(name, FORMS[name](tmp_path, GOOD)).dataset
    for ask in (lambda: split_time(data), lambda: Stream(data, start=2.0)):
        with pytest.raises(InputError, match="has no times: the order of its rows stands for them") as told:
            ask()
        assert told.value.field == "timestamp"


@pytest.mark.parametrize("name", VALUED)
def test_a_scale_of_1_to_100_is_a_setting(name: str, tmp_path: Path) -> None:
    rows: list[Row] = [("u", f"i{value}", T.format(n), str(value)) for n, value in enumerate((1, 50, 100))]
    path = FORMS[name](tmp_path, rows)
    tables = read(name, path, events=EventsTable(rating="1..100"))
    assert sorted(tables.dataset.value.tolist()) == [1.0, 50.0, 100.0]
    assert reported(tables) == 0


@pytest.mark.parametrize("name", VALUED)
def test_a_column_that_lies_about_its_type_loses_its_bad_rows_alone(name: str, tmp_path: Path) -> None:
    rows = [*GOOD[:4], ("v", "i0", T.format(7), "five"), ("w", "i0", T.format(8), "nan")]
    tables = read(name, FORMS[name](tmp_path, rows))
    assert len(tables.dataset) == 4
    reasons = {dropped.reason: dropped.count for dropped in tables.dropped}
    assert reasons == {"unreadable value": 1, "value is not finite": 1}


@pytest.mark.parametrize("name", NAMED)
def test_a_map_to_a_column_that_is_not_there_names_the_nearest(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no column 'valeu'|--map value=valeu.*did you mean 'value'"):
        read(name, FORMS[name](tmp_path, GOOD), columns={"value": "valeu"})


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("other", NAMED)
def test_two_files_that_disagree_are_both_told(name: str, other: str, tmp_path: Path) -> None:
    """The same event with another value is another event, and what is the same counts once."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = FORMS[name](tmp_path / "one", GOOD)
    second = FORMS[other](tmp_path / "two", [*GOOD[:2], ("u2", "i2", T.format(2), "5")])
    tables = read_tables([first, second])
    assert len(tables.dataset) + reported(tables) == 9
    assert {dropped.reason: dropped.count for dropped in tables.dropped} == {"exact duplicate": 2}
