"""Values of event types: spelt in whatever way, called by other words, told by the caller, or counted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from acclimate.config import EVENT_TYPES
from acclimate.data.kinds import WORDS, folded, guess
from acclimate.data.tables import Tables, read_tables
from acclimate.errors import InputError

Write = Callable[..., Path]


def log(table: Write, words: Sequence[str], column: str = "event_type", name: str = "r.csv") -> Path:
    rows = "".join(f"a,x{n},{n + 1},{word}\n" for n, word in enumerate(words))
    return table(f"user,item,time,{column}\n{rows}", name)


def kinds(tables: Tables) -> list[str]:
    return [EVENT_TYPES[kind] for kind in tables.dataset.kind]


def lost(tables: Tables) -> dict[str, int]:
    return {dropped.reason: dropped.count for dropped in tables.dropped}


def test_spelling_does_not_matter(table: Write) -> None:
    words = ["PURCHASE", "add-to-cart", "Add to cart", " addToCart", "View", "ｖｉｅｗ", "purchase"]
    tables = read_tables(log(table, words))
    assert kinds(tables) == ["purchase", *["add_to_cart"] * 3, "view", "view", "purchase"]
    assert (tables.dropped, tables.notes) == ([], [])


def test_a_column_without_forgiveness_needed_is_left_alone(table: Write) -> None:
    tables = read_tables(log(table, ["view", "", "click"]))
    assert (tables.dataset.kind.tolist(), tables.notes) == ([0, -1, 1], [])


def test_other_words_are_read_and_told(table: Write) -> None:
    words = ["buy", "Bought", "order", "cart", "addtocart", "fav", "favorite", "pv", "浏览", "点击", "收藏"]
    tables = read_tables(log(table, [*words, "加购", "购买", "view", "BUY"]))
    assert kinds(tables) == [
        *(*["purchase"] * 3, "add_to_cart", "add_to_cart", "like", "like", "view", "view", "click"),
        *("like", "add_to_cart", "purchase", "view", "purchase"),
    ]
    (note,) = tables.notes
    read = dict(re.findall(r"((?:'[^']+'(?:, | and )?)+) as (\w+)", note))
    assert {kind: set(re.findall("'([^']+)'", named)) for named, kind in read.items()} == {
        "view": {"pv", "浏览"},
        "click": {"点击"},
        "like": {"fav", "favorite", "收藏"},
        "add_to_cart": {"cart", "加购"},
        "purchase": {"Bought", "order", "购买"} | (set(re.findall("'(buy|BUY)'", note))),
    }
    assert "--map event_type." in note


def test_the_table_of_words_is_sound() -> None:
    assert list(WORDS) == list(EVENT_TYPES)
    every = [folded(word) for kind, words in WORDS.items() for word in (kind, *words)]
    assert len(every) == len(set(every)), "a word has one meaning"


def test_words_are_told_by_the_caller(table: Write) -> None:
    told = {"event_type.4": "purchase", "event.watch": "view", "event_type.order": "add_to_cart"}
    file = log(table, ["4", "WATCH", "order", "buy", "watch"], "doing")
    tables = read_tables(file, columns={"event_type": "doing", **told, "event_type.x.y z": ["Add to cart"]})
    assert kinds(tables) == ["purchase", "view", "add_to_cart", "purchase", "view"]
    assert lost(tables) == {}
    assert "--map event_type names 'x.y z', which no row has" in tables.notes


def test_what_is_not_known_is_counted_and_the_note_leads_on(table: Write) -> None:
    file = log(table, ["purchse", "purchse", "open it", "unlike", "view"])
    tables = read_tables(file)
    assert (kinds(tables), lost(tables)) == (["view"], {"unknown event type": 4})
    (note,) = tables.notes
    assert note.startswith("3 event types are not known: 'purchse' (did you mean purchase?), ")
    assert "--map event_type.purchse=purchase" in note
    options = shlex.split(re.findall(r"means: (.*?); event", note)[0])[1::2]
    named = dict(option.replace("TYPE", "click").split("=") for option in options)
    again = read_tables(file, columns=named)
    assert (lost(again), sorted(kinds(again))) == ({}, ["click", "click", "purchase", "purchase", "view"])


def test_the_advice_for_a_column_leads_to_a_call_that_works(table: Write) -> None:
    file = log(table, ["浏览", "购买", "浏览", "购买", "赠 送", "赠 送"], "行为")
    (note,) = read_tables(file).notes
    call = note.partition("what happened: ")[2].partition(", where")[0]
    options = [option.replace("TYPE", "like") for option in shlex.split(call) if option != "--map"]
    assert options == ["event_type=行为", "event_type.赠 送=like"]
    tables = read_tables(file, columns=dict(option.split("=") for option in options))
    assert (kinds(tables), tables.dropped) == (["view", "purchase", "view", "purchase", "like", "like"], [])


@pytest.mark.parametrize("word", ["unlike", "remove from cart", "取消购买", "unfavourite", "zzz", "1"])
def test_what_is_taken_back_is_no_slip(word: str) -> None:
    assert guess(word) is None


def test_many_files_are_told_once_and_numbers_may_be_types(table: Write, tmp_path: Path) -> None:
    one, other = (log(table, ["buy", "foo"], name=f"{name}.csv") for name in ("r1", "r2"))
    assert len(read_tables([one, other]).notes) == 2
    frame = pl.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "time": [1, 2], "action": [1, 4]})
    frame.write_parquet(tmp_path / "n.parquet")
    named = {"event_type.1": "view", "event_type.4": "purchase"}
    assert kinds(read_tables(tmp_path / "n.parquet", columns=named)) == ["view", "purchase"]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (
            {"event_type.buy": "purchas"},
            "event_type.buy=purchas: no event type 'purchas': did you mean 'purch",
        ),
        ({"event_type.buy": ["view", "like"]}, "a value has one event type, got 'view' and 'like'"),
        ({"event_type.buy": "view", "event_type.BUY": "like"}, "'buy' and 'BUY' are one value"),
        (
            {"event_type.buy": "view"},
            "no table has a column event_type; name it too: --map event_type=COLUMN",
        ),
    ],
)
def test_a_wrong_word_is_told(table: Write, named: dict[str, str | Sequence[str]], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read_tables(table("user,item,time,doing\na,x,1,buy\n"), columns=named)
