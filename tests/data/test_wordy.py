"""Items whose titles are in a column of another name are not called items without titles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.data.advice import advise, wrong
from acclimate.data.tables import Tables, read_tables
from acclimate.data.wordy import text_column
from acclimate.types import Item

Write = Callable[..., Path]
WORDS = ["Green tea", "Brown bread", "A pot of honey", "Sea salt", "Black pepper", "Rye flour"]


def imported(table: Write, column: str, cells: list[str], columns: dict[str, str] | None = None) -> Tables:
    rows = "".join(f"i{n},SKU-{n},{cell}\n" for n, cell in enumerate(cells))
    items = table(f"item,sku,{column}\n{rows}", "items.csv")
    return read_tables(table("user,item,time\na,i0,1\nb,i1,2\n"), items=items, columns=columns)


def test_the_column_that_reads_like_a_title_is_named(table: Write) -> None:
    data = imported(table, "label", WORDS).dataset
    (said,) = [one for one in advise(data) if one.topic in ("texts", "titles")]
    assert (said.severity, said.todo) == ("warning", "import the items again with --map title=label")
    assert said.finding == (
        "no item has a title or a text, but the column 'label' looks like one (as 'Green tea')"
    )
    assert [one.topic for one in wrong(data) if one.topic == "titles"] == ["titles"]
    mapped = imported(table, "label", WORDS, {"title": "label"}).dataset
    assert [one.severity for one in advise(mapped) if one.topic in ("texts", "titles")] == ["fine"]
    assert not [one for one in wrong(mapped) if one.topic == "titles"]


def test_without_such_a_column_the_advice_stays(table: Write) -> None:
    data = imported(table, "size", ["1", "2", "3", "4", "5", "6"]).dataset
    (said,) = [one for one in advise(data) if one.topic in ("texts", "titles")]
    assert (said.topic, said.finding) == ("texts", "0% of the items have a title, a text or categories")


def test_of_several_columns_the_most_texty_is_named() -> None:
    long = "It was a dark and stormy night, and nobody had thought of an umbrella or a way home: {}"
    items = [
        Item(str(n), attributes={"blurb": long.format(n), "brand": f"Brand {n % 2}", "product_label": word})
        for n, word in enumerate(WORDS)
    ]
    assert text_column(items) == ("title", "product_label", "Green tea")
    blurbs = [Item(item.item_id, attributes={"blurb": item.attributes["blurb"]}) for item in items]
    assert text_column(blurbs) == ("text", "blurb", long[:40])


@pytest.mark.parametrize(
    ("name", "cells"),
    [("商品名", ["绿茶", "黑面包", "蜂蜜"]), ("label", ["Teapot", "Kettle", "Spoon"]), ("what", WORDS[:3])],
)
def test_titles_of_many_kinds(name: str, cells: list[str]) -> None:
    items = [Item("bare"), *(Item(str(n), attributes={name: cell}) for n, cell in enumerate(cells))]
    assert text_column(items) == ("title", name, cells[0])


@pytest.mark.parametrize(
    "cells",
    [
        ["https://shop.example/a b", "https://shop.example/b b"],
        ["A-17 X", "B-18 Y", "C-99 Z"],
        ["2024-05-31 10:00", "2024-05-30 11:00"],
        ['{"a": "some words"}', '{"b": "other words"}'],
        ["Red wine", "Red wine", "Red wine", "White wine", "Red wine"],
        ["f3ab9c", "ab12de", "ffaa00"],
        ["small", "large", "huge"],
        [],
    ],
)
def test_what_is_no_title(cells: list[str]) -> None:
    assert text_column([Item(str(n), attributes={"what": cell}) for n, cell in enumerate(cells)]) is None
