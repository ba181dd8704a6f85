"""Which column is which where more than one could be, and tables that are given as what they are not."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.data.tables import read_tables
from acclimate.errors import InputError, NotFoundError

Write = Callable[..., Path]
RATINGS = "user,item,time\na,x,1\n"


@pytest.mark.parametrize(
    ("header", "value", "note"),
    [
        (
            "rating,Rating",
            1,
            "'rating' is read as value, and not 'Rating'; to change that: --map value=Rating",
        ),
        (
            "Rating,rating",
            2,
            "'rating' is read as value, and not 'Rating'; to change that: --map value=Rating",
        ),
        ("score,rating", 2, "'rating' is read as value, and not 'score'; to change that: --map value=score"),
        ("rating,value", 2, "'value' is read as value, and not 'rating'; to change that: --map value=rating"),
        ("stars,rating", 2, "not used: column 'stars'"),
    ],
)
def test_of_two_columns_that_could_be_one_the_better_is_read_and_told(
    table: Write, header: str, value: float, note: str | None
) -> None:
    tables = read_tables(table(f"user,item,time,{header}\na,x,1,1,2\n"))
    assert tables.dataset.value.tolist() == [value]
    assert tables.notes == ([f"ratings.csv: {note}"] if note else [])


def test_what_is_mapped_is_not_in_doubt(table: Write) -> None:
    tables = read_tables(table("user,item,time,rating,score\na,x,1,1,2\n"), columns={"value": "score"})
    assert (tables.dataset.value.tolist(), tables.notes) == ([2], [])


def test_two_spellings_none_of_which_is_known_are_refused(table: Write) -> None:
    file = table("user,item,time,RATING,Rating\na,x,1,1,2\n")
    with pytest.raises(
        InputError, match="has the columns 'RATING' and 'Rating', and each could be value: rename"
    ):
        read_tables(file)
    assert read_tables(file, columns={"value": "Rating"}).dataset.value.tolist() == [2]


def test_in_a_table_of_items_the_other_column_is_an_attribute(table: Write) -> None:
    items = table("item,title,name\nx,Ex,Eks\n", "items.csv")
    tables = read_tables(table(RATINGS), items=items)
    assert (tables.dataset.catalogue[0].title, dict(tables.dataset.catalogue[0].attributes)) == (
        "Ex",
        {"name": "Eks"},
    )
    assert tables.notes == [
        "items.csv: 'title' is read as title, and not 'name'; to change that: --map title=name"
    ]


@pytest.mark.parametrize(("kind", "other"), [("items", "user"), ("users", "item")])
@pytest.mark.parametrize("third", ["rating", "time", "event_type"])
def test_interactions_are_not_taken_as_items_or_users(
    table: Write, kind: str, other: str, third: str
) -> None:
    wrong = table(f"user,item,{third}\na,x,1\n", "wrong.csv")
    said = (
        rf"wrong\.csv has the columns '{other}' and '{third}': it looks like .* interactions, not of {kind}"
    )
    with pytest.raises(InputError, match=said) as caught:
        read_tables(table(RATINGS), **{kind: wrong})
    assert (caught.value.code, caught.value.field) == ("wrong_table", kind)
    assert "acclimate data import wrong.csv" in caught.value.message


def test_items_that_name_a_seller_and_a_date_are_items(table: Write) -> None:
    items = table("item,title,user,date\nx,Ex,ann,2020-01-01\n", "items.csv")
    assert dict(read_tables(table(RATINGS), items=items).dataset.catalogue[0].attributes) == {
        "user": "ann",
        "date": "2020-01-01",
    }


@pytest.mark.parametrize(("kind", "name"), [("items", "item"), ("users", "user")])
def test_a_table_that_repeats_its_ids_many_times_is_another_table(table: Write, kind: str, name: str) -> None:
    rows = [f"i{n % 4},who{n}" for n in range(12)]
    wrong = table(f"{name},who\n" + "\n".join(rows), "wrong.csv")
    with pytest.raises(
        InputError, match=f"wrong.csv has 12 rows and 4 different values of {name}_id; a table of {kind}"
    ):
        read_tables(table(RATINGS), **{kind: wrong})
    fewer = table(f"{name},who\n" + "\n".join(rows[:11]), "fewer.csv")
    assert "repeat" in read_tables(table(RATINGS), **{kind: fewer}).notes[0]


@pytest.mark.parametrize("kind", ["a pipe", "a socket", "a device"])
def test_what_is_neither_file_nor_folder_is_named(
    table: Write, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    path = Path("/dev/null" if kind == "a device" else "special")
    if kind == "a pipe":
        os.mkfifo(path)
    with socket.socket(socket.AF_UNIX) as listener:
        if kind == "a socket":
            listener.bind(str(path))
        with pytest.raises(
            InputError, match=f"{path} is {kind}; tables are read more than once, so they have to"
        ):
            read_tables(path)
        with pytest.raises(InputError, match=f"is {kind}"):
            read_tables(table(RATINGS), items=path)


def test_a_name_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="File name too long"):
        read_tables(tmp_path / ("x" * 300))
    with pytest.raises(NotFoundError, match="there is no file or folder"):
        read_tables("a\0b")


def test_times_that_cannot_be_read_tell_which_can(table: Write) -> None:
    tables = read_tables(table("user,item,time\na,x,31-05.2024\na,y,2024/5/31\na,z,2024/05/31 9:30\n"))
    assert tables.dataset.time.tolist() == [1717113600.0, 1717147800.0]
    assert tables.dropped[0].reason == "unreadable time"
    assert tables.notes[0].startswith("ratings.csv: times are read as seconds since 1970 (or milli-")
    written = tables.notes[0].partition("), ")[2].replace(" or ", ", ").split(", ")
    assert len(written) == 9
    rows = "".join(f"a,x{n},{text}\n" for n, text in enumerate(written))
    assert read_tables(table("user,item,time\n" + rows)).dropped == []


def test_times_of_items_that_cannot_be_read_are_told(table: Write) -> None:
    items = table("item,title,expires_at\nx,Ex,soon\ny,Why,\nz,Zed,2024-05-31\n", "items.csv")
    tables = read_tables(table(RATINGS), items=items)
    assert [item.expires_at for item in tables.dataset.catalogue] == [None, None, 1717113600.0]
    (note,) = tables.notes
    assert note.startswith("items.csv: 1 time in expires_at is left out; times are read as")


def test_what_is_sold_out_is_not_available_in_many_words(table: Write) -> None:
    words = ["yes", "no", "0", "0.0", "12", "", "nein", "Ausverkauft", "缺货", "True", "maybe", "bald"]
    rows = "".join(f"i{n},{word}\n" for n, word in enumerate(words))
    events = table("user,item,time\n" + "".join(f"a,i{n},{n + 1}\n" for n in range(len(words))))
    tables = read_tables(events, items=table("item,available\n" + rows, "items.csv"))
    gone = [word for word, item in zip(words, tables.dataset.catalogue, strict=True) if not item.available]
    assert gone == ["no", "0", "0.0", "nein", "Ausverkauft", "缺货"]
    (note,) = tables.notes
    assert note.startswith(
        "items.csv: available is neither yes nor no in 2 rows ('maybe', 'bald'), which count"
    )


def test_times_that_cannot_be_say_what_can(table: Write) -> None:
    tables = read_tables(table("user,item,time\na,x,-5\na,y,1717113600\n"))
    assert tables.dropped[0].reason == "impossible time"
    assert "times may lie from 1970-01-01 on, and at most 1 day ahead of now" in tables.notes[0]
