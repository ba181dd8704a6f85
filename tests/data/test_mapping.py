"""Columns that the caller names, for all tables or for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from acclimate.data.dataset import Dataset
from acclimate.data.tables import read_tables
from acclimate.errors import InputError

Write = Callable[..., Path]
EVENTS = "client,sku,when\na,x,1\nb,y,2\n"
ITEMS = "code,label\nx,Ex\ny,Why\n"
USERS = "person,age\na,30\n"
USER = {"interactions.user": "client", "users.user": "person"}


@pytest.mark.parametrize(
    "named",
    [
        {"item": ["sku", "code"], "user": ["client", "person"]},
        {"item": ["code", "sku"], **USER},
        {"interactions.item": "sku", "items.item": "code", **USER},
        {"item": "sku", "items.item": "code", "user": ["person", "client"]},
    ],
)
def test_each_table_may_have_its_own_names(table: Write, named: dict[str, str | Sequence[str]]) -> None:
    items, users = table(ITEMS, "items.csv"), table(USERS, "users.csv")
    words = {**named, "time": "when", "items.title": "label"}
    data = read_tables(table(EVENTS), items=items, users=users, columns=words).dataset
    assert [item.title for item in data.catalogue] == ["Ex", "Why"]
    assert (data.users.ids, dict(data.people[0].attributes), len(data)) == (["a", "b"], {"age": "30"}, 2)
    assert Dataset.from_tables(table(EVENTS), items=items, users=users, columns=words).n_items == 2


def test_what_is_said_of_one_table_goes_before_what_is_said_of_all(table: Write) -> None:
    items = table("sku,code\n1,x\n2,y\n", "items.csv")
    words = {"user": "client", "item": "sku", "items.item": "code"}
    tables = read_tables(table(EVENTS), items=items, columns=words)
    assert tables.dataset.items.ids == ["x", "y"]
    assert dict(tables.dataset.catalogue[0].attributes) == {"sku": "1"}


def test_a_table_with_two_of_the_names_needs_its_own(table: Write) -> None:
    items = table("sku,code\n1,x\n2,y\n", "items.csv")
    words = {"user": "client", "item": ["sku", "code"]}
    with pytest.raises(
        InputError, match=r"items\.csv has the columns 'sku' and 'code'.*--map items\.item=sku"
    ):
        read_tables(table(EVENTS), items=items, columns=words)
    data = read_tables(table(EVENTS), items=items, columns={**words, "items.item": "code"}).dataset
    assert data.items.ids == ["x", "y"]
    both = table("client,sku,code\na,x,1\n", "both.csv")
    with pytest.raises(InputError, match=r"--map interactions\.item=sku"):
        read_tables(both, columns=words)


def test_the_messages_lead_to_the_other_table_and_not_back(table: Write) -> None:
    file, items = table(EVENTS), table(ITEMS, "items.csv")
    with pytest.raises(InputError, match="name another with --map user=COLUMN"):
        read_tables(file, items=items)
    with pytest.raises(InputError, match=r"items\.csv has no column 'sku'; .* --map items\.item=COLUMN"):
        read_tables(file, items=items, columns={"user": "client", "item": "sku"})
    other = table("client,thing\na,x\n", "other.csv")
    with pytest.raises(
        InputError, match=r"other\.csv has no column 'code'; .* --map interactions\.item=COLUMN"
    ):
        read_tables(other, items=items, columns={"user": "client", "item": "code"})


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"item": ["sku", "cod"]}, r"items\.csv has no column 'sku' or 'cod'.*--map items\.item=code"),
        ({"items.item": "cod", "item": "sku"}, r"no column 'cod'.*--map items\.item=code"),
        ({"item": ["sku", "code"], "items.title": "lable"}, "no table of items has .* did you mean 'label'"),
        (
            {"item": ["sku", "code", "nr"]},
            "--map item=nr: no table has a column 'nr'; ratings.csv has client",
        ),
        ({"item": ["sku", "code"], "value": "Cde"}, "--map value=Cde: .* did you mean 'code'"),
        (
            {"itms.item": "code"},
            "no table 'itms': did you mean 'items'\\? Allowed: interactions, items, users",
        ),
        ({"items.itm": "code"}, "--map items.itm=code: did you mean 'item_id'"),
        (
            {"users.title": "label"},
            "--map users.title=label: a table of users has no title; it may have user_id",
        ),
    ],
)
def test_a_name_that_fits_nothing_names_the_nearest(
    table: Write, named: dict[str, str | Sequence[str]], message: str
) -> None:
    words = {"user": "client", "time": "when", **named}
    with pytest.raises(InputError, match=message):
        read_tables(table(EVENTS), items=table(ITEMS, "items.csv"), columns=words)


def test_what_a_shop_calls_its_things_is_known(table: Write) -> None:
    items = table("product,title,price\nx,Ex,3\n", "items.csv")
    data = read_tables(table("customer,sku,date\na,x,2026-01-01\n"), items=items).dataset
    assert (data.users.ids, data.items.ids, data.catalogue[0].title) == (["a"], ["x"], "Ex")


@pytest.mark.parametrize("faint", ["sku", "product"])
def test_an_id_goes_before_a_word_that_is_often_something_else(table: Write, faint: str) -> None:
    items = table(f"{faint},id\nRed shoe,x\n", "items.csv")
    tables = read_tables(table(f"user,{faint},item\na,Red shoe,x\n"), items=items)
    assert tables.dataset.items.ids == ["x"]
    assert f"items.csv: 'id' is read as item_id, and not {faint!r}" in " ".join(tables.notes)


def test_a_column_with_a_meaning_of_its_own_is_no_guess(table: Write) -> None:
    with pytest.raises(InputError, match=r"has no item_id column; .* --map items\.item=COLUMN"):
        read_tables(table("user,item\na,x\n"), items=table("title,category\nEx,c\n", "items.csv"))
