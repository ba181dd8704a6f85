"""Columns of interactions that are not used are told, and what may be an event type most of all."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from acclimate.config import EVENT_TYPES
from acclimate.data.kinds import meaning_of
from acclimate.data.tables import read_tables
from acclimate.data.unused import unused_notes

KINDS = ["view", "view", "cart", "view", "cart", "buy"]
TYPES = "where TYPE is one of view, click, like, add_to_cart, purchase, rating, dislike, impression, search"


def as_csv(folder: Path, columns: dict[str, list[object]]) -> Path:
    pl.DataFrame(columns).write_csv(folder / "r.csv")
    return folder / "r.csv"


def as_quoted(folder: Path, columns: dict[str, list[object]]) -> Path:
    pl.DataFrame(columns).write_csv(folder / "r.csv", quote_style="always")
    return folder / "r.csv"


def as_parquet(folder: Path, columns: dict[str, list[object]]) -> Path:
    pl.DataFrame(columns).write_parquet(folder / "r.parquet")
    return folder / "r.parquet"


def as_jsonl(folder: Path, columns: dict[str, list[object]]) -> Path:
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    (folder / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "r.jsonl"


def as_sqlite(folder: Path, columns: dict[str, list[object]]) -> Path:
    with closing(sqlite3.connect(folder / "r.db")) as connection, connection:
        connection.execute(f"create table events ({', '.join(columns)})")
        marks = ", ".join("?" for _ in columns)
        connection.executemany(f"insert into events values ({marks})", zip(*columns.values(), strict=True))
    return folder / "r.db"


def as_atomic(folder: Path, columns: dict[str, list[object]]) -> Path:
    rows = [[f"{name}:token" for name in columns], *zip(*columns.values(), strict=True)]
    (folder / "r.inter").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return folder / "r.inter"


FORMS = [as_csv, as_quoted, as_parquet, as_jsonl, as_sqlite, as_atomic]


def events(**more: Sequence[object]) -> dict[str, list[object]]:
    n = len(KINDS)
    given = {"user": ["a"] * n, "item": [f"x{i}" for i in range(n)], "time": list(range(1, n + 1)), **more}
    return {name: list(cells) for name, cells in given.items()}


@pytest.mark.parametrize("form", FORMS)
def test_what_may_be_an_event_type_is_named_in_each_format(tmp_path: Path, form: Callable[..., Path]) -> None:
    prices = [7, 8, 9, 7, 8, 9]
    file = form(tmp_path, events(price=prices, action_kind=KINDS))
    (first, second) = read_tables(file).notes
    assert first == (
        f"{file.name}: column 'action_kind' is not used (values view, cart, buy); "
        "if it says what happened: --map event_type=action_kind"
    )
    assert second == f"{file.name}: not used: column 'price'"
    mapped = read_tables(file, columns={"event_type": "action_kind"})
    assert [EVENT_TYPES[kind] for kind in mapped.dataset.kind] == [
        *("view", "view", "add_to_cart", "view", "add_to_cart", "purchase"),
    ]
    assert f"{file.name}: not used: column 'price'" in mapped.notes
    assert mapped.dropped == []
    assert any(note.startswith("event types: 'cart' as add_to_cart, 'buy' as pur") for note in mapped.notes)


def test_the_rows_of_a_query_are_looked_at(tmp_path: Path) -> None:
    place = f"sqlite:///{as_sqlite(tmp_path, events(kind=KINDS))}"
    (note,) = read_tables(place, query="select * from events").notes
    assert "column 'kind' is not used (values view, cart, buy)" in note


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("行为", ["点击", "购买"]),
        ("behavior_type", ["1", "2", "1", "4"]),
        ("event_name", ["open", "close"]),
        ("actionKind", ["x", "y"]),
        ("kind", ["view", "cart"]),
        ("what", ["pv", "fav", "buy"]),
    ],
)
def test_event_types_are_known_by_their_names_or_values(name: str, values: list[str]) -> None:
    (note,) = unused_notes(["user", name], {0: "user_id"}, Path("r.csv"), lambda few: {1: values})
    call = f"if it says what happened: --map event_type={name}"
    unknown = [value for value in dict.fromkeys(values) if meaning_of(value) is None]
    maps = "".join(f" --map event_type.{value}=TYPE" for value in unknown)
    assert note.endswith(f"{call}{maps}, {TYPES}" if unknown else call)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("event_time", ["10:00", "11:00"]),
        ("event_id", ["e1", "e2"]),
        ("price", ["1", "2", "1", "2"]),
        ("session", [f"s{n}" for n in range(50)]),
        ("comment", ["what a long text this is, and nobody would call it a type"] * 9),
        ("empty", []),
    ],
)
def test_other_columns_are_listed_only(name: str, values: list[str]) -> None:
    notes = unused_notes(["user", name], {0: "user_id"}, Path("r.csv"), lambda few: {1: values})
    assert notes == [f"r.csv: not used: column {name!r}"]


def test_a_column_of_few_words_is_asked_about() -> None:
    cells = {1: ["mobile", "desktop", "mobile", "mobile"], 2: ["1", "2", "3", "4"]}
    notes = unused_notes(["user", "device", "price"], {0: "user_id"}, Path("r.csv"), lambda few: cells)
    assert notes == [
        "r.csv: not used: columns 'device' (values mobile, desktop), 'price'; "
        "if one of them says what happened: --map event_type=device "
        f"--map event_type.mobile=TYPE --map event_type.desktop=TYPE, {TYPES}"
    ]


def test_where_types_are_known_nothing_is_asked_or_read() -> None:
    names = {0: "user_id", 1: "event_type"}
    header = ["user", "event_type", *(f"c{n}" for n in range(14)), ""]
    (note,) = unused_notes(header, names, Path("r.csv"), lambda few: pytest.fail("read in vain"))
    assert note.startswith("r.csv: not used: columns 'c0', 'c1'")
    assert note.endswith("'c11' and 2 more")
    assert unused_notes(["user", ""], {0: "user_id"}, Path("r.csv"), lambda few: {}) == []


def test_of_many_columns_some_are_looked_at_and_a_name_that_fits_is_among_them() -> None:
    asked: list[int] = []

    def sample(few: Sequence[int]) -> dict[int, list[str]]:
        asked.extend(few)
        return {index: ["open", "close"] for index in few}

    header = ["user", *(f"c{n}" for n in range(400)), "event_name"]
    first, _ = unused_notes(header, {0: "user_id"}, Path("r.csv"), sample)
    assert (len(asked), asked[0]) == (30, 401)
    assert "if it says what happened: --map event_type=event_name --map event_type.open=TYPE" in first


def test_many_files_are_told_once(tmp_path: Path) -> None:
    for n in range(4):
        (tmp_path / str(n)).mkdir()
        as_csv(tmp_path / str(n), events(price=range(6)) | {"user": [f"u{n}"] * 6})
    assert [note for note in read_tables(tmp_path).notes if "not used" in note] == [
        "r.csv: not used: column 'price'"
    ]


def test_items_and_users_keep_all_their_columns(tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("item,action\nx0,view\n")
    assert read_tables(as_csv(tmp_path, events()), items=items).notes == []


def test_a_large_file_is_looked_at_from_its_beginning(tmp_path: Path) -> None:
    rows = itertools.chain.from_iterable([[f"a,x{n},{n},view\n"] for n in range(1, 12_000)])
    (tmp_path / "r.csv").write_text("user,item,time,doing\n" + "".join(rows))
    assert "(values view); if it says what happened" in read_tables(tmp_path / "r.csv").notes[0]
