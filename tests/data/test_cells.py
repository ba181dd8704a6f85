"""Cells of formats that have types: an id is text or a number, or its row is not taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.sources.cells import Rows
from acclimate.data.tables import Tables, read_tables
from acclimate.errors import InputError

Write = Callable[..., Path]


def reasons(tables: Tables) -> dict[str, int]:
    return {dropped.reason: dropped.count for dropped in tables.dropped}


def lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_json_lines_whose_id_is_no_text_or_number_are_dropped(table: Write) -> None:
    good = {"user": "a", "item": 7, "ts": 1, "rating": 5}
    bad: list[dict[str, object]] = [
        {"user": {"id": 1}},
        {"user": ["a"], "item": True},
        {"user": False},
        {"item": []},
        {"item": True},
        {"ts": [1]},
        {"rating": {"stars": 5}},
    ]
    tables = read_tables(
        table(lines([good, *({**good, **row} for row in bad), {**good, "ts": 2}]), "r.jsonl")
    )
    assert (tables.dataset.users.ids, tables.dataset.items.ids, len(tables.dataset)) == (["a"], ["7"], 2)
    assert reasons(tables) == {
        "user id is a list or an object": 2,
        "user id is true or false": 1,
        "item id is a list or an object": 1,
        "item id is true or false": 1,
        "time is a list or an object": 1,
        "value is a list or an object": 1,
    }
    assert [one["line"] for one in tables.dropped[0].examples] == [2, 3]
    assert tables.dropped[0].examples[0]["text"].startswith('{"user": {"id": 1}')


def test_items_keep_their_lists_but_not_as_ids(table: Write) -> None:
    items = table(
        lines(
            [{"id": "7", "genres": ["A", "B"], "size": {"w": 1}, "new": True}, {"id": ["8"]}, {"id": True}]
        ),
        "items.jsonl",
    )
    tables = read_tables(table("user,item,time\na,7,1\n"), items=items)
    (item,) = tables.dataset.catalogue
    assert (item.categories, dict(item.attributes)) == (("A", "B"), {"size": '{"w": 1}', "new": "true"})
    assert reasons(tables) == {"item id is a list or an object": 1, "item id is true or false": 1}


@pytest.mark.parametrize(
    ("name", "cells", "what"),
    [
        ("user", [True, False], r"'user' has true and false \(Boolean\), and an id is text or a number"),
        ("item", [["a"], ["b", "c"]], r"'item' has lists or objects \(List.*--map item=COLUMN"),
        ("item", [{"id": 1}, {"id": 2}], r"'item' has lists or objects \(Struct"),
        ("time", [[1], [2]], r"'time' has lists or objects .*timestamp is one text or number"),
    ],
)
def test_a_parquet_column_that_is_no_id_is_refused(
    tmp_path: Path, name: str, cells: list[object], what: str
) -> None:
    columns = {"user": ["a", "b"], "item": ["x", "y"], "time": [1, 2], name: cells}
    pl.DataFrame(columns).write_parquet(tmp_path / "r.parquet")
    with pytest.raises(InputError, match=what):
        read_tables(tmp_path / "r.parquet")


def test_rows_of_a_database_are_held_to_the_same() -> None:
    rows = Rows(lambda name: True)
    for number, (user, item) in enumerate([("a", 1), (True, 2), ("b", [3]), ({"k": 1}, [4])], start=1):
        rows.add(number, {"user_id": user, "item_id": item})
    assert len(rows.frame()) == 4
    names = {"user_id": "user_id", "item_id": "item_id"}
    assert rows.odd(names, "events") == {
        "user id is true or false": [2],
        "user id is a list or an object": [4],
        "item id is a list or an object": [3],
    }


cells = st.sampled_from(["a", "b", 7, 7.0, True, False, None, [], ["a"], {"a": 1}])


@settings(max_examples=60)
@given(st.lists(st.fixed_dictionaries({"user": cells, "item": cells, "ts": cells}), min_size=1, max_size=8))
def test_rows_in_are_rows_kept_and_rows_reported(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    file = tmp_path_factory.mktemp("cells") / "r.jsonl"
    file.write_text(lines(rows))
    tables = read_tables(file)
    assert len(tables.dataset) + sum(reasons(tables).values()) == len(rows)
    assert set(tables.dataset.users.ids) <= {"a", "b", "7"}
