"""Formats that have types: what is kept, what is counted, and what is said of a damaged file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.tables import Tables, read_tables
from acclimate.errors import InputError, NotFoundError

Write = Callable[..., Path]
NAMES = ("user", "item", "time", "rating", "query")


def reasons(tables: Tables) -> dict[str, int]:
    return {dropped.reason: dropped.count for dropped in tables.dropped}


def as_csv(folder: Path, rows: list[tuple[object, ...]]) -> Path:
    pl.DataFrame(rows, NAMES, orient="row", infer_schema_length=None).write_csv(
        folder / "r.csv", quote_style="always"
    )
    return folder / "r.csv"


def as_parquet(folder: Path, rows: list[tuple[object, ...]]) -> Path:
    frame = pl.DataFrame(rows, NAMES, orient="row", infer_schema_length=None)
    frame.write_parquet(folder / "r.parquet")
    return folder / "r.parquet"


def as_jsonl(folder: Path, rows: list[tuple[object, ...]]) -> Path:
    lines = [json.dumps(dict(zip(NAMES, row, strict=True))) for row in rows]
    (folder / "r.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "r.jsonl"


def as_sqlite(folder: Path, rows: list[tuple[object, ...]]) -> Path:
    with closing(sqlite3.connect(folder / "r.db")) as connection, connection:
        connection.execute(f"create table events ({', '.join(NAMES)})")
        connection.executemany("insert into events values (?, ?, ?, ?, ?)", rows)
    return folder / "r.db"


def as_atomic(folder: Path, rows: list[tuple[object, ...]]) -> Path:
    header = "\t".join(f"{name}:token" for name in NAMES)
    lines = ["\t".join("" if cell is None else str(cell) for cell in row) for row in rows]
    (folder / "r.inter").write_text("\n".join([header, *lines]) + "\n")
    return folder / "r.inter"


FORMS = [as_csv, as_parquet, as_jsonl, as_sqlite, as_atomic]
words = st.one_of(st.none(), st.sampled_from(["a", "b", " ", "007", "é☃"]))
times = st.one_of(st.none(), st.sampled_from(["1", "2024-05-01T10:00Z", "soon", "-4"]))
rows = st.tuples(
    words, words, times, st.sampled_from([None, "3", "x", "nan"]), st.sampled_from([None, "tea"])
)


@settings(max_examples=60)
@given(st.lists(rows, min_size=1, max_size=8), st.sampled_from(FORMS))
def test_rows_in_are_rows_kept_and_rows_reported(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[object, ...]],
    form: Callable[[Path, list[tuple[object, ...]]], Path],
) -> None:
    rows = [row for row in rows if any(str(cell or "").strip() for cell in row)] or [
        ("a", "b", "1", "2", None)
    ]
    tables = read_tables(form(tmp_path_factory.mktemp("rows"), rows))
    kept = len(tables.dataset) + len(tables.dataset.searches)
    assert kept + sum(reasons(tables).values()) == len(rows)


@pytest.mark.parametrize("form", FORMS)
def test_each_format_tells_the_same(tmp_path: Path, form: Callable[..., Path]) -> None:
    rows = [
        ("a", "x", "2024-05-01T10:00+02:00", "5", None),
        ("b", "x", "2024-05-01T08:00Z", "4", None),
        ("a", "x", "2024-05-01T08:00:00Z", "5.0", None),
        ("c", None, "2024-05-01", None, "tea pot"),
        ("d", None, "2024-05-01", None, None),
        (None, "x", "2024-05-01", "1", None),
        ("e", "x", "tomorrow", "1", None),
        ("e", "x", "2024-05-01", "five", None),
    ]
    tables = read_tables(form(tmp_path, rows))
    data = tables.dataset
    assert reasons(tables) == {
        "exact duplicate": 1,
        "missing item": 1,
        "missing user": 1,
        "unreadable time": 1,
        "unreadable value": 1,
    }
    at = datetime(2024, 5, 1, 8, tzinfo=UTC).timestamp()
    assert (data.time.tolist(), data.value.tolist(), data.users.ids) == ([at, at], [5, 4], ["a", "b", "c"])
    assert (data.searches.user.tolist(), data.searches.queries) == ([2], ("tea pot",))
    assert data.searches.time.tolist() == [at - 8 * 3600]
    assert all(example["text"] for dropped in tables.dropped for example in dropped.examples)


def test_types_of_parquet_become_ids_times_and_values(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "user_id": [7.0, None, 8.5],
            "item_id": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
            "timestamp": [datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)] * 3,
            "rating": [1, None, 3],
        }
    )
    frame.write_parquet(tmp_path / "r.parquet")
    items = pl.DataFrame(
        {"item_id": ["x"], "genres": [["A", "B"]], "released": [date(1999, 1, 1)], "size": [{"w": 1}]}
    )
    items.write_parquet(tmp_path / "items.parquet")
    tables = read_tables(tmp_path / "r.parquet", items=tmp_path / "items.parquet")
    data = tables.dataset
    assert (data.users.ids, data.time.tolist(), data.value.tolist()) == (["7", "8.5"], [1e9, 1e9], [1, 3])
    assert (reasons(tables), tables.dropped[0].examples[0]["text"][:3]) == ({"missing user": 1}, ",y,")
    assert data.catalogue[0].categories == ("A", "B")
    assert dict(data.catalogue[0].attributes) == {"released": "1999-01-01", "size": '{"w":1}'}
    assert tables.notes == ["r.parquet: 'user_id' has numbers with a point: 7.0 is read as 7"]


@pytest.mark.parametrize("left", [0.0, 0.5, 0.99])
def test_a_parquet_file_that_is_cut_is_named(tmp_path: Path, left: float) -> None:
    whole = as_parquet(tmp_path, [("a", "x", "1", "1", None)] * 50).read_bytes()
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole[: int(len(whole) * left)])
    with pytest.raises(InputError, match=r"cut\.parquet is no whole Parquet file: its end is missing"):
        read_tables(cut)


def test_a_parquet_file_with_a_damaged_inside_is_named(tmp_path: Path) -> None:
    whole = as_parquet(tmp_path, [("a", "x", "1", "1", None)] * 50).read_bytes()
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(whole[:4] + b"\xff" * (len(whole) - 8) + whole[-4:])
    with pytest.raises(InputError, match=r"bad\.parquet cannot be read as Parquet"):
        read_tables(bad)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("r.parquet", r"no Parquet file: it begins with 'user,item.*--format csv"),
        ("r.jsonl", r"has no line that is a JSON object; its first one is 'user,item'.*--format csv"),
    ],
)
def test_a_file_of_another_format_says_what_it_is(table: Write, name: str, message: str) -> None:
    file = table("user,item\nann,x\n", name)
    with pytest.raises(InputError, match=message):
        read_tables(file)
    assert len(read_tables(file, format="csv").dataset) == 1


@pytest.mark.parametrize("kind", [pl.Duration("us"), pl.Time()])
def test_a_length_of_time_is_no_time(tmp_path: Path, kind: pl.DataType) -> None:
    times = pl.Series("ts", [1, 2]).cast(kind)
    pl.DataFrame([pl.Series("user", ["a", "b"]), pl.Series("item", ["x", "y"]), times]).write_parquet(
        tmp_path / "r.parquet"
    )
    with pytest.raises(InputError, match=r"'ts' has .*, and a time is a date .*--map timestamp=COLUMN"):
        read_tables(tmp_path / "r.parquet")


def test_a_row_is_no_header(table: Write) -> None:
    with pytest.raises(InputError, match=r"If that is a row, write a header line above it .*user_id,item_id"):
        read_tables(table("1,2,5,1600000000\n3,4,5,1600000001\n", "r.csv"))


def test_a_folder_a_glob_and_a_partition_are_many_files(tmp_path: Path) -> None:
    for day in (1, 2):
        folder = tmp_path / "lake" / f"date=2024-05-0{day}"
        folder.mkdir(parents=True)
        pl.DataFrame({"user": [f"u{day}"], "item": ["x"]}).write_parquet(folder / "part-0.parquet")
        (folder / "_SUCCESS").touch()
    pl.DataFrame({"item": ["x"], "title": ["Ex"]}).write_parquet(tmp_path / "lake" / "items.parquet")
    whole = read_tables(tmp_path / "lake").dataset
    days = [datetime(2024, 5, day, tzinfo=UTC).timestamp() for day in (1, 2)]
    assert (whole.users.ids, whole.time.tolist(), whole.catalogue[0].title) == (["u1", "u2"], days, "Ex")
    assert len(read_tables(str(tmp_path / "lake" / "*=2024*" / "*.parquet")).dataset) == 2


def test_a_folder_of_atomic_files_has_all_its_tables(tmp_path: Path) -> None:
    (tmp_path / "s.inter").write_text("user_id:token\titem_id:token\ttimestamp:float\nu\ti\t1\n")
    (tmp_path / "s.item").write_text(
        "item_id:token\tmovie_title:token_seq\tclass:token_seq\ni\tToy Story\tA B\n"
    )
    (tmp_path / "s.user").write_text("user_id:token\tage:float\nu\t30\n")
    (tmp_path / "s.link").write_text("item_id:token\tentity_id:token\ni\tm.1\n")
    (tmp_path / "s.kg").write_text("head_id:token\trelation_id:token\ttail_id:token\nm.1\tr\tm.2\n")
    tables = read_tables(tmp_path)
    (item,), (user,) = tables.dataset.catalogue, tables.dataset.people
    assert (item.title, item.categories, dict(item.attributes)) == (
        "Toy Story",
        ("A", "B"),
        {"entity_id": "m.1"},
    )
    assert dict(user.attributes) == {"age": "30"}
    assert tables.notes == ["s.kg: 1 triple of a graph is not taken: no model reads one"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user_id\titem_id:token\n1\t2\n", "name:type, divided by tabs.*got 'user_id'"),
        ("user_id:tokn\titem_id:token\n1\t2\n", "did you mean 'token'"),
    ],
)
def test_a_wrong_atomic_header_is_named(table: Write, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_tables(table(content, "s.inter"))
    with pytest.raises(InputError, match="is a table of users, a table of items is wanted"):
        read_tables(table("user_id:token\titem_id:token\n1\t2\n", "t.inter"), items=table("x", "t.user"))


def test_json_lines_lose_only_broken_lines(table: Write) -> None:
    file = table(
        '{"user": 7, "item": "x", "ts": 1, "tags": ["a"]}\n{"user": 7, "item":\n[1]\n\n'
        '{"item": "y", "ts": 2, "user": 8.0}\n',
        "r.json",
    )
    tables = read_tables(file)
    assert tables.dataset.users.ids == ["7", "8"]
    assert reasons(tables) == {"not a JSON object": 2}
    assert [example["line"] for example in tables.dropped[0].examples] == [2, 3]


@pytest.mark.parametrize(
    "content", ['[{"user": 1, "item": 2}]', '{\n "user": 1,\n "item": 2\n}\n', "[\n{}\n]"]
)
def test_one_json_document_is_no_table(table: Write, content: str) -> None:
    with pytest.raises(InputError, match="is one JSON document; what is read has one object a line: jq -c"):
        read_tables(table(content, "r.json"))


def test_tables_that_disagree_are_told_and_the_later_wins(table: Write) -> None:
    (items := table("item,title\nx,Old\ny,Same\n", "lake/items.csv")).parent.joinpath("r.csv").write_text(
        "user,item,time\na,x,1\n"
    )
    (items.parent / "more").mkdir()
    (items.parent / "more" / "items.csv").write_text("item,title\nx,New\ny,Same\n")
    tables = read_tables(items.parent)
    assert tables.dataset.catalogue[0].title == "New"
    assert tables.notes == [
        "1 of the items has different title in several tables, as 'x' has; what the later table says wins"
    ]


def test_a_stream_that_goes_back_in_time_is_sorted_and_told(table: Write) -> None:
    tables = read_tables(table("user,item,time\na,x,3\nb,x,1\na,y,2\nb,y,4\n"))
    assert tables.dataset.time.tolist() == [1, 2, 3, 4]
    assert tables.notes == [
        "ratings.csv: 1 row is earlier than the row before; events are taken in order of time"
    ]
    assert not read_tables(table("user,item,time\na,x,3\na,y,4\nb,x,1\n")).notes, "in order of users"


def test_ratings_up_to_100_are_kept_and_told(table: Write) -> None:
    plain = read_tables(table("user,item,time,rating\na,x,1,1\na,y,2,60\na,z,3,100\n"))
    assert plain.dataset.value.tolist() == [1, 60, 100]
    assert "values go from 1 to 100 and are kept so" in plain.notes[0]
    assert 'train.positive=">=60"' in plain.notes[0]
    typed = read_tables(table("user,item,time,rating,event\na,x,1,100,rating\n"))
    assert "read on a scale of 1 to 5; if theirs is another one: --set events.rating=" in typed.notes[0]


def test_times_with_and_without_a_zone_are_told(table: Write) -> None:
    tables = read_tables(table("user,item,time\na,x,2024-05-01T10:00\na,y,2024-05-01T12:30+02:00\n"))
    first, second = tables.dataset.time.tolist()
    assert second - first == 1800
    assert tables.notes == ["ratings.csv: 1 time without a zone is read as UTC, beside 1 with one"]


def test_searches_alone_are_a_table(table: Write) -> None:
    tables = read_tables(table("user,time,event_type,query\na,1,search,tea\nb,2,search,\na,3,search,cup\n"))
    assert reasons(tables) == {"missing query": 1}
    searches = tables.dataset.searches
    assert (searches.queries, len(tables.dataset), tables.dataset.until) == (("tea", "cup"), 0, 3.0)
    assert tables.dataset.before(3.0).searches.queries == ("tea",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"query": "select 1"}, "--query is for databases, and none was given"),
        ({"table": "t"}, "--table is for databases"),
    ],
)
def test_a_query_needs_a_database(table: Write, words: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_tables(table("user,item\na,x\n"), **words)


def test_a_missing_place_in_a_list_is_told_before_anything_is_taken(table: Write, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no file or folder"):
        read_tables([table("user,item\na,x\n"), tmp_path / "none.parquet"])
