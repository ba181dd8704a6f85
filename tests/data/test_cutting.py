"""Where rows begin and end: a broken quote costs its own line, and every line is kept or counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.columns import Columns
from acclimate.data.frames import Raw
from acclimate.data.sources import cutting
from acclimate.data.sources.delimited import read_delimited
from acclimate.data.tables import read_tables
from acclimate.errors import InputError

Write = Callable[..., Path]
HEAD = "item,title\n"
LINE_ENDS = re.compile("\r\n|\r|\n")


def cut(file: Path, encoding: str | None = None) -> Raw:
    return read_delimited(file, "items", Columns(), encoding)


def kept(raw: Raw) -> list[tuple[int, str]]:
    return list(zip(raw.frame["line"].to_list(), raw.frame["item_id"].to_list(), strict=True))


def lost(raw: Raw) -> list[tuple[str, list[int]]]:
    for dropped in raw.dropped:
        assert dropped.count >= len(dropped.examples) > 0
    return [(dropped.reason, [example["line"] for example in dropped.examples]) for dropped in raw.dropped]


@pytest.mark.parametrize(
    ("rows", "ids", "reason", "lines"),
    [
        ('a,x\nb,"y\nc,z\n', [(2, "a"), (4, "c")], "a quote is not closed", [3]),
        ('a,"y\nb,z\nc,"q\n', [(3, "b")], "a quote is not closed", [2, 4]),
        ('a,"x\nb,"Bar, the"\nc,z\n', [(3, "b"), (4, "c")], "a quote is not closed", [2]),
        ('a,"x\nb,y\nc,"\nd,z\n', [(2, "a"), (5, "d")], None, []),  # which is one row, as quotes say
        ('a,"x"y\nb,z\n', [(3, "b")], "text after a closing quote", [2]),
        ('a,"one\ntwo, or so, three\nfour"\nb,z\n', [(2, "a"), (5, "b")], None, []),
        ('a,"one\ntwo\nthree",4\nb,z\n', [(5, "b")], "wrong number of fields", [2, 3, 4]),
        ('a,"one\n\nthree",4\nb,z\n', [(5, "b")], "wrong number of fields", [2, 4]),
        ('a,"' + "y" * 200_000 + '"\nb,z\n', [(3, "b")], "field longer than 131,072 characters", [2]),
        ('a,"' + "y,\n" * 60_000 + 'b,"z"\n', None, "a quote is not closed", [2]),
    ],
)
def test_a_broken_quote_costs_its_own_line(
    table: Write, rows: str, ids: list[tuple[int, str]] | None, reason: str | None, lines: list[int]
) -> None:
    raw = cut(table(HEAD + rows))
    assert ids is None or kept(raw) == ids
    assert lost(raw) == ([(reason, lines)] if reason else [])


def test_a_quote_that_a_later_row_closes_costs_both_their_lines_and_none_between(table: Write) -> None:
    raw = cut(table(HEAD + 'a,"x\nb,y\nc,z",1\nd,z\n'))
    assert kept(raw) == [(3, "b"), (5, "d")]
    assert lost(raw) == [("a quote is not closed", [2]), ("wrong number of fields", [4])]


def test_a_quote_that_swallows_text_says_where_it_was_opened(table: Write) -> None:
    raw = cut(table(HEAD + 'a,x\nb,"a tale\nof prose\nwithout end\n'))
    assert kept(raw) == [(2, "a")]
    assert lost(raw) == [("a quote is not closed", [3, 4, 5])]
    assert raw.notes == (
        "ratings.csv: the quote opened in line 3 is not closed; "
        "lines 3 to 5 are left out, as they do not look like rows",
    )


def test_quotes_that_mean_something_else_are_refused(table: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MAX_BROKEN", 10)
    rows = "".join(f'i{n},"inch\n' for n in range(10))
    assert sum(dropped.count for dropped in cut(table(HEAD + rows)).dropped) == 10
    with pytest.raises(InputError, match=r"line 12: more than 10 rows have broken quotes up to here\. Each"):
        cut(table(HEAD + rows + 'i,"inch\n'))


fields = st.lists(
    st.sampled_from(
        ['"', '""', ",", "\n", "\n\n", "x", "é", "霸王", "😀", " ", "\r\n", "a,b\n", '"c","d"\n']
    ),
    max_size=25,
).map("".join)


@settings(max_examples=300)
@given(fields, st.sampled_from(["utf-8", "gb18030", "utf-16"]), st.integers(0, 3), st.randoms())
def test_every_line_is_in_a_row_that_is_kept_or_is_counted(
    tmp_path_factory: pytest.TempPathFactory, rows: str, encoding: str, damaged: int, random: Random
) -> None:
    """The oracle counts lines: those that kept rows span, and those that are reported, are all there are."""
    content = bytearray((HEAD + rows).encode(encoding))
    if encoding != "utf-16":
        for _ in range(damaged if len(content) > len(HEAD) else 0):
            content.insert(random.randrange(len(HEAD), len(content)), 0xFF)
    file = tmp_path_factory.mktemp("rows") / "items.csv"
    file.write_bytes(content)
    raw = cut(file, encoding)
    text = bytes(content).decode(encoding, "backslashreplace")
    there = {number for number, line in enumerate(LINE_ENDS.split(text), 1) if number > 1 and line.strip()}
    spans: list[int] = []
    for line, *cells in raw.frame.select("line", "item_id", "title").iter_rows():
        ends = sum(len(LINE_ENDS.findall(cell or "")) for cell in cells)
        spans += [number for number in range(line, line + ends + 1) if number in there]
    assert len(spans) == len(set(spans)), "no line is in two rows"
    assert len(spans) + sum(dropped.count for dropped in raw.dropped) == len(there)


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(
            ["a,x,1", 'b,"y",2', 'b,"y",2', 'c,"z,3', ",x,1", "a,x", 'd,"q"r,4', "e,x,never", "f,é,5"]
        ),
        min_size=1,
    )
)
def test_rows_in_are_rows_kept_and_rows_reported(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str]
) -> None:
    """As lines of their own: nothing between two quotes of different rows looks like anything but rows."""
    file = tmp_path_factory.mktemp("rows") / "ratings.csv"
    file.write_text("user,item,time\n" + "\n".join(rows), "utf-8")
    tables = read_tables(file)
    raw = read_delimited(file, "events", Columns())
    cut_off = sum(dropped.count for dropped in raw.dropped)
    reported = sum(dropped.count for dropped in tables.dropped)
    assert len(tables.dataset) + reported == raw.frame.height + cut_off
    if not any(row.startswith("c") for row in rows):
        assert len(tables.dataset) + reported == len(rows)
