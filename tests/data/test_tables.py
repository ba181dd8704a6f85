from __future__ import annotations

import csv
import io
import math
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.dataset import Dataset
from acclimate.data.tables import Tables, read_tables
from acclimate.errors import InputError, NotFoundError

Write = Callable[..., Path]


def events(data: Dataset) -> list[tuple[str, str, float]]:
    """(user, item, time) of each event, by outside ids."""
    users, items = data.users.ids, data.items.ids
    return [(users[u], items[i], t) for u, i, t in zip(data.user, data.item, data.time.tolist(), strict=True)]


def reasons(tables: Tables) -> dict[str, int]:
    return {dropped.reason: dropped.count for dropped in tables.dropped}


def test_columns_by_any_known_name_in_any_order(table: Write) -> None:
    data = read_tables(table("Rating,TS,MovieID,user ID\n4.5,20,heat,ann\n3,10,alien,bob\n")).dataset
    assert events(data) == [("bob", "alien", 10.0), ("ann", "heat", 20.0)]
    assert data.value.tolist() == [3.0, 4.5]
    assert data.weight.tolist() == [1.0, 1.0]
    assert data.name == "ratings"


def test_codes_follow_the_first_event_then_the_tables(table: Write) -> None:
    ratings = table("user,item,time\nb,y,2\na,x,1\nb,x,3\n")
    items = table("item,title\nz,Zed\nx,Ex\nw,Double\n", "items.csv")
    users = table("user,age\nc,40\na,30\n", "users.csv")
    data = read_tables(ratings, items=items, users=users).dataset
    assert data.items.ids == ["x", "y", "z", "w"]
    assert data.users.ids == ["a", "b", "c"]
    assert [item.title for item in data.catalogue] == ["Ex", "", "Zed", "Double"]
    assert [dict(user.attributes) for user in data.people] == [{"age": "30"}, {}, {"age": "40"}]


def test_items_have_their_fields(table: Write) -> None:
    items = table(
        "item_id,title,genres,description,available,expires_at,colour\n"
        'a,"Heat, ""the"" film",Crime|Thriller,Long,false,2020-01-01,red\n'
        "b,,(no genres listed),,,,\n"
        'c,Cup,"Home, Kitchen",,true,,\n',
        "items.csv",
    )
    data = read_tables(table("user,item,time\nu,a,1\nu,b,2\nu,c,3\n"), items=items).dataset
    heat, bare, cup = data.catalogue
    assert (heat.title, heat.categories, heat.text) == ('Heat, "the" film', ("Crime", "Thriller"), "Long")
    assert (heat.available, heat.expires_at, dict(heat.attributes)) == (
        False,
        1577836800.0,
        {"colour": "red"},
    )
    assert (bare.reading, bare.available, bare.expires_at, dict(bare.attributes)) == ("", True, None, {})
    assert (cup.categories, cup.available) == (("Home", "Kitchen"), True)


def test_each_bad_row_is_counted_with_file_line_and_text(table: Write) -> None:
    future = time.time() + 2 * 86_400
    file = table(
        "user,item,timestamp,rating,event_type\n"
        "a,x,10,5,like\n"
        ",x,10,5,like\n"
        "a, ,10,5,like\n"
        "a,y,,5,like\n"
        "a,y,yesterday,5,like\n"
        "a,y,nan,5,like\n"
        "a,y,-1,5,like\n"
        f"a,y,{future},5,like\n"
        "a,y,10,good,like\n"
        "a,y,10,NaN,like\n"
        "a,y,10,inf,like\n"
        "a,y,10,1e300,like\n"
        "a,y,10,5,shrug\n"
        "a,x,10,5.0,like\n"
        "a,x,10\n"
        "\n"
        "a,x,10,5,like,more\n"
    )
    tables = read_tables(file)
    assert events(tables.dataset) == [("a", "x", 10.0)]
    assert reasons(tables) == {
        "wrong number of fields": 2,
        "missing user": 1,
        "missing item": 1,
        "missing time": 1,
        "unreadable time": 2,
        "impossible time": 2,
        "unreadable value": 1,
        "value is not finite": 3,
        "unknown event type": 1,
        "exact duplicate": 1,
    }
    examples = {dropped.reason: dropped.examples for dropped in tables.dropped}
    assert examples["missing user"] == [{"file": str(file), "line": 3, "text": ",x,10,5,like"}]
    assert [example["line"] for example in examples["wrong number of fields"]] == [16, 18]
    assert examples["value is not finite"][0]["text"] == "a,y,10,NaN,like"
    assert examples["exact duplicate"][0]["line"] == 15


def test_the_same_row_in_two_files_counts_once(table: Write) -> None:
    one, two = table("user,item,time\na,x,1\n", "1.csv"), table("user,item,time\na,y,1\na,x,1\n", "2.csv")
    tables = read_tables([one, two])
    assert events(tables.dataset) == [("a", "x", 1.0), ("a", "y", 1.0)]
    assert tables.dropped[0].examples == [{"file": str(two), "line": 3, "text": "a,x,1"}]


@pytest.mark.parametrize("bare", ["", '"'])
def test_many_bad_rows_show_five(table: Write, bare: str) -> None:
    rows = "".join(f"u,i,{bare}x{n}{bare}\n" for n in range(100))
    tables = read_tables(table("user,item,time\nu,i,1\n" + rows))
    assert reasons(tables) == {"unreadable time": 100}
    assert [example["line"] for example in tables.dropped[0].examples] == [3, 4, 5, 6, 7]


cells = st.one_of(
    st.sampled_from(
        ["", " ", "1", "007", "nan", "-1", "9" * 12, "2020-01-01", 'say "so"', "a\nb", "é☃😀", ",", ";"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=4),
)


@settings(max_examples=150)
@given(st.lists(st.lists(cells, min_size=3, max_size=4), min_size=1, max_size=12), st.booleans())
def test_rows_in_are_rows_kept_and_rows_reported(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], quoted: bool
) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator="\n").writerows(
        rows
    )
    file = tmp_path_factory.mktemp("rows") / "ratings.csv"
    file.write_text("user,item,time,rating\n" + text.getvalue(), "utf-8", newline="")
    reader = csv.reader(io.StringIO(text.getvalue()))
    records = [row for row in reader if len(row) > 1]
    tables = read_tables(file)
    told = len(tables.dataset) + sum(reasons(tables).values())
    if any(len(row) != 4 and any("\n" in cell for cell in row) for row in records):
        assert told >= len(records), "what cannot be read is counted by lines"
    else:
        assert told == len(records)
    assert set(tables.dataset.users.ids) <= {row[0] for row in records}
    assert np.isfinite(tables.dataset.time).all()


def test_ids_stay_as_they_are_written(table: Write) -> None:
    ids = ["007", "7", " 7", "a b", "a/b//c?d=e&f", "😀", "نص", "x" * 10_000, "1e3", "null"]
    rows = "".join(f"{name},{name},{n}\n" for n, name in enumerate(ids))
    data = read_tables(table("user,item,time\n" + rows)).dataset
    assert data.users.ids == data.items.ids == ids


def test_an_id_too_long_is_dropped(table: Write) -> None:
    tables = read_tables(table(f"user,item,time\na,x,1\n{'u' * 10_001},x,2\na,{'i' * 10_001},3\n"))
    assert reasons(tables) == {
        "user id longer than 10000 characters": 1,
        "item id longer than 10000 characters": 1,
    }
    assert len(tables.dropped[0].examples[0]["text"]) == 200


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("\ufeffuser,item,time\ncafé,x,1\n".encode(), None),
        ("user,item,time\r\ncafé,x,1\r\n".encode(), None),
        ("user,item,time\rcafé,x,1\r".encode(), None),
        ("\n\nuser,item,time\n\ncafé,x,1".encode(), None),
        ("user,item,time\ncafé,x,1\n".encode("latin-1"), "not UTF-8"),
        ('user,item,time\n"café",x,1\n'.encode("latin-1"), "not UTF-8"),
        ("user;item;time\ncafé;x;1\n".encode(), "semicolon"),
        ("user\titem\ttime\ncafé\tx\t1\n".encode(), "tab"),
        ("user|item|time\ncafé|x|1\n".encode(), "bar"),
        ('"user","item","time"\n"café","x","1"\n'.encode(), None),
        ("user,item,time\ncaf\u00e9,x,1\nb\x1f,x,2\n".encode(), None),
    ],
)
def test_files_as_programs_write_them(table: Write, content: bytes, note: str | None) -> None:
    tables = read_tables(table(content))
    assert events(tables.dataset)[0] == ("café", "x", 1.0)
    assert not tables.dropped
    assert (note is None and not tables.notes) or (note is not None and note in tables.notes[0])


def test_a_latin_1_line_is_shown_as_it_was_read(table: Write) -> None:
    tables = read_tables(table("user,item,time\na,x,1\ncafé,x,\n".encode("latin-1")))
    assert tables.dropped[0].examples[0]["text"] == "café,x,"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (["1000000000", "1000000001.5"], [1e9, 1e9 + 1.5]),
        (["1000000000000", "1000000001500"], [1e9, 1e9 + 1.5]),
        (["1000000000000000000"], [1e9]),
        (["2001-09-09T01:46:40Z", "2001-09-09 01:46:40"], [1e9, 1e9]),
        (["2001-09-09T03:46:40+02:00", "2001-09-09T03:46:40.250+0200"], [1e9, 1e9 + 0.25]),
        (["2001-09-09T01:46", "2001-09-09"], [999_999_960.0, 999_993_600.0]),
        (["0", " 1 "], [0.0, 1.0]),
    ],
)
def test_times(table: Write, written: list[str], seconds: list[float]) -> None:
    rows = "".join(f"u,i{n},{text}\n" for n, text in enumerate(written))
    tables = read_tables(table("user,item,time\n" + rows))
    assert not tables.dropped
    at = {item: time for _, item, time in events(tables.dataset)}
    assert [at[f"i{n}"] for n in range(len(written))] == pytest.approx(seconds, abs=1e-6)


def test_milliseconds_are_told(table: Write) -> None:
    notes = read_tables(table("user,item,ts\nu,i,1700000000000\n")).notes
    assert notes == ["ratings.csv: timestamps are in milliseconds"]


def test_without_a_timestamp_the_order_counts(table: Write) -> None:
    tables = read_tables([table("user,item\na,x\na,x\n", "1.csv"), table("user,item\na,y\n", "2.csv")])
    assert events(tables.dataset) == [("a", "x", 0.0), ("a", "x", 1.0), ("a", "y", 2.0)]
    assert tables.notes[0] == "1.csv has no timestamp: the order of its rows stands for the time"


def test_some_files_with_time_and_some_without_are_refused(table: Write) -> None:
    with pytest.raises(InputError, match=r"2\.csv has none"):
        read_tables([table("user,item,time\na,x,1\n", "1.csv"), table("user,item\na,y\n", "2.csv")])


def test_a_threshold_makes_the_others_exposures(table: Write) -> None:
    file = table("user,item,time,rating\na,x,1,3.5\na,y,2,4\na,z,3,\n")
    assert read_tables(file, positive=">=4").dataset.weight.tolist() == [0, 1, 0]
    assert read_tables(file, positive="all").dataset.weight.tolist() == [1, 1, 1]
    assert math.isnan(read_tables(file).dataset.value[2])


@pytest.mark.parametrize("positive", ["", "4", ">4", ">=x", "some"])
def test_another_threshold_is_refused(table: Write, positive: str) -> None:
    with pytest.raises(InputError, match="positive must be 'all' or a threshold such as '>=4', got"):
        read_tables(table("user,item,time,rating\na,x,1,3.5\n"), positive=positive)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\r\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"user,item,time\n", "a header and no rows"),
        (b"user,thing,time\na,x,1\n", "has no item_id column; its columns are 'user', 'thing', 'time'"),
        (b"usr,item,time\na,x,1\n", "--map user=usr"),
        (b"user:item:time\na:x:1\n", "its first line has one field only, 'user:item:time'"),
        (b"196,242,3,881250949\n", "has no user_id column; its columns are '196'"),
        (b"movieId,title\n1,Heat\n", "a table of items goes after --items"),
        ("user,item\na,x\n".encode("utf-16-le"), "is not a text table: save it as CSV in UTF-8, or name its"),
        (b"PK\x03\x04\0\0", "ratings.csv is a ZIP archive, not a text table: unpack it, and give that"),
        (b"\x1f\x8b\x08\0\0", "ratings.csv is a gzip file, not a text table: unpack it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "ratings.csv is an Excel file, not a text table: save"),
        (b'user,"item\na,x\n', "its header line opens a quote that is not closed"),
        (b'user,"item\n' + b"a,x\n" * 50_000, "its header line opens a quote that is not closed"),
    ],
)
def test_a_file_that_is_no_table_is_named(table: Write, content: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_tables(table(content))
    assert message in str(caught.value)
    assert "ratings.csv" in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (["[Content_Types].xml", "xl/workbook.xml"], "is an Excel file, not a text table: save it as CSV"),
        (["mimetype", "content.xml"], "is a spreadsheet of LibreOffice, not a text table: save it as CSV"),
        (["ratings.csv"], "is a ZIP archive, not a text table: unpack it"),
    ],
)
@pytest.mark.parametrize("words", [{}, {"format": "jsonl"}, {"format": "sequences"}, {"encoding": "utf-16"}])
def test_a_spreadsheet_is_called_so(
    tmp_path: Path, inside: list[str], message: str, words: dict[str, str]
) -> None:
    file = tmp_path / "orders.dat"
    with zipfile.ZipFile(file, "w") as archive:
        for name in inside:
            archive.writestr(name, "user,item,time\n")
    with pytest.raises(InputError, match=message):
        read_tables(file, **words)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b'{"user": "u", "item": "i", "ts": 1}\n', "JSON"),
        (b'\xef\xbb\xbf [\n  {"user": "u", "item": "i"}]', "JSON"),
        (b"PAR1\x15\x04\x15\x06\x15\x0a", "Parquet"),
    ],
)
def test_another_format_is_not_read_as_csv(table: Write, content: bytes, name: str) -> None:
    with pytest.raises(InputError, match=f"ratings.csv is {name}, not a text table; leave out --format"):
        read_tables(table(content), format="csv")


def test_columns_can_be_named(table: Write) -> None:
    file = table("who,what,when,user\na,x,1,no\n")
    data = read_tables(file, columns={"user": "who", "item_id": "what", "time": "when"}).dataset
    assert events(data) == [("a", "x", 1.0)]


def test_a_named_column_that_is_nowhere_is_told(table: Write) -> None:
    with pytest.raises(
        InputError,
        match=r"--map time=wen: no table has a column 'wen'; did you mean 'when'\? ratings\.csv has",
    ):
        read_tables(table("user,item,when\na,x,1\n"), columns={"time": "wen"})
    with pytest.raises(InputError, match="--map usr=user: did you mean 'user_id'"):
        read_tables(table("user,item\na,x\n"), columns={"usr": "user"})


def test_a_name_may_hold_for_the_item_table_alone(table: Write) -> None:
    items = table("sku,title\nx,Ex\n", "items.csv")
    data = read_tables(table("user,item,time\na,x,1\n"), items=items, columns={"item": "sku"}).dataset
    assert data.catalogue[0].title == "Ex"


def test_in_a_table_of_items_or_users_id_is_enough(table: Write) -> None:
    items, users = table("ID,name\nx,Ex\n", "items.csv"), table("id,age\na,30\n", "users.csv")
    data = read_tables(table("user,item,time\na,x,1\n"), items=items, users=users).dataset
    assert (data.catalogue[0].title, dict(data.people[0].attributes)) == ("Ex", {"age": "30"})


def test_items_and_users_without_id_are_counted(table: Write) -> None:
    items = table("item,title\nx,Ex\n,No\n", "items.csv")
    users = table("user\na\n\n" + "u" * 10_001 + "\n", "users.csv")
    tables = read_tables(table("user,item,time\na,x,1\n"), items=items, users=users)
    assert reasons(tables) == {"missing item": 1, "user id longer than 10000 characters": 1}


def test_an_item_told_of_twice_is_merged(table: Write) -> None:
    items = table("item,title,genres,size,weight_g\nx,Old,A|B,1,\ny,Why,,,\nx,New,,,5\n", "items.csv")
    data = read_tables(table("user,item,time\na,x,1\n"), items=items).dataset
    assert data.items.ids == ["x", "y"]
    item = data.catalogue[0]
    assert (item.title, item.categories, dict(item.attributes)) == (
        "New",
        ("A", "B"),
        {"size": "1", "weight_g": "5"},
    )


def test_rows_that_repeat_an_id_are_told(table: Write) -> None:
    items = table("item,title\na,One\nb,Two\na,Three\na,\n", "items.csv")
    users = table("user,age\nu,30\nv,20\nu,40\n", "users.csv")
    tables = read_tables(table("user,item,time\nu,a,1\n"), items=items, users=users)
    assert tables.notes == [
        "items.csv: 2 rows repeat an item_id; rows of one id are merged, and what the later says wins",
        "users.csv: 1 row repeats a user_id; rows of one id are merged, and what the later says wins",
    ]
    assert tables.dataset.catalogue[0].title == "Three"


def test_a_column_that_stands_twice_is_refused(table: Write) -> None:
    with pytest.raises(InputError, match=r"ratings\.csv has the column 'rating' twice; rename or remove one"):
        read_tables(table("user,item,rating,rating,time\nu,i,1,2,3\n"))
    ratings = table("user,item,time,x,x\nu,i,1,2,3\n")
    assert len(read_tables(ratings).dataset) == 1, "columns that are not read may be called anything"
    with pytest.raises(InputError, match=r"items\.csv has the column 'tag' twice"):
        read_tables(ratings, items=table("item,tag,tag\ni,a,b\n", "items.csv"))


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_decimal_comma_is_read_where_it_means_nothing_else(table: Write, delimiter: str) -> None:
    rows = "user;item;rating;time\nu;i;4,5;1\nv;i;3;2\nw;i;;3\nw;j;-0,25;4\n"
    tables = read_tables(table(rows.replace(";", delimiter)))
    assert reasons(tables) == {}
    assert "ratings.csv: ratings have a decimal comma, as in 4,5" in tables.notes
    assert tables.dataset.value.tolist()[:2] == [4.5, 3.0]
    assert tables.dataset.value.tolist()[3] == -0.25


def test_a_decimal_comma_among_points_is_named(table: Write) -> None:
    mixed = read_tables(table("user;item;rating;time\nu;i;4,5;1\nv;i;3.5;2\nw;i;x;2\n"))
    assert reasons(mixed) == {"value with a decimal comma": 1, "unreadable value": 1}
    quoted = read_tables(table('user,item,rating,time\nu,i,"4,5",1\nv,i,3,2\n'))
    assert reasons(quoted) == {"value with a decimal comma": 1}


def test_all_rows_bad_is_an_empty_dataset_with_an_account(table: Write) -> None:
    tables = read_tables(table("user,item,time\n,x,1\na,,1\n"))
    assert len(tables.dataset) == tables.dataset.n_users == 0
    assert sum(reasons(tables).values()) == 2


def test_one_user_one_item_one_event(table: Write) -> None:
    data = Dataset.from_tables(table("user,item,time\na,x,1\n"))
    assert (len(data), data.n_users, data.n_items, data.until) == (1, 1, 1, 1.0)


def test_what_is_not_there(table: Write, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="there is no file or folder"):
        read_tables(tmp_path / "none.csv")
    with pytest.raises(NotFoundError, match=r"no file fits .*none\*\.csv"):
        read_tables(tmp_path / "none*.csv")
    with pytest.raises(InputError, match="a folder in no layout we know"):
        read_tables(tmp_path)
    with pytest.raises(NotFoundError, match="no format 'cvs': did you mean 'csv'"):
        read_tables(table("user,item\na,x\n"), format="cvs")
    with pytest.raises(InputError, match="no files given"):
        read_tables([])
    with pytest.raises(InputError, match="cannot read"):
        read_tables(tmp_path / "empty", format="csv")
