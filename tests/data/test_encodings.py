"""In which encoding a table is written: short lists of titles, as programs of many countries write them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from acclimate.data.encodings import check_encoding, read_text
from acclimate.data.tables import Tables, read_tables
from acclimate.errors import InputError

Write = Callable[..., Path]

JAPANESE = (
    "千と千尋の神隠し となりのトトロ 七人の侍 東京物語 風の谷のナウシカ ドラえもん 君の名は。 吾輩は猫である"
)
TITLES = {
    "gb18030": "霸王别姬 活着 大话西游 千与千寻 无间道 卧虎藏龙 红高粱 三体 红楼梦 围城 儿童积木 龙井茶叶",
    "big5": "霸王別姬 活著 臥虎藏龍 紅高粱 悲情城市 牯嶺街少年殺人事件 海角七號 無間道 花樣年華 重慶森林",
    "cp932": JAPANESE,
    "euc_jp": JAPANESE,
    "cp949": "기생충 올드보이 부산행 채식주의자 김치찌개 갤럭시 괴물 박쥐",
    "latin-1": "Amélie Léon Misérables Été Crème Brûlée Café Être_et_avoir Le_Cercle_des_poètes_disparus",
    "cp1252": "Das_weiße_Band Die_Fälscher Grüße_aus_Köln Müsli_mit_Äpfeln Der_Himmel_über_Berlin Schlüssel",
    "cp1251": "Сталкер Солярис Броненосец_Потёмкин Ирония_судьбы Мастер_и_Маргарита Чай_зелёный Брат",
    "cp1250": "Człowiek_z_żelaza Życie Podwójne_życie_Weroniki Kanał Łódź Pokój Wiedźmin Popiół_i_diament",
}
"""Encoding -> titles; ``_`` stands for a space."""


def written(encoding: str, n: int, trials: int) -> Iterator[tuple[str, bytes]]:
    """Small tables of ``n`` titles, as text and as written."""
    for seed in range(trials):
        draw = random.Random(seed)
        titles = [draw.choice(TITLES[encoding].split()).replace("_", " ") for _ in range(n)]
        text = "item,title,price\n" + "".join(f"{i},{title},{i + 10}\n" for i, title in enumerate(titles))
        yield text, text.encode(encoding)


def right(table: Write, encoding: str, n: int, trials: int) -> float:
    found = Counter(
        content.isascii() or (read_text(table(content)).recoded or content).decode() == text
        for text, content in written(encoding, n, trials)
    )
    return found[True] / trials


@pytest.mark.parametrize("encoding", TITLES)
def test_twenty_titles_are_enough(table: Write, encoding: str) -> None:
    assert right(table, encoding, n=20, trials=20) == 1


def test_chinese_of_the_mainland_is_known_by_two_titles(table: Write) -> None:
    assert right(table, "gb18030", n=2, trials=40) >= 0.95


def test_three_titles_are_mostly_enough(table: Write) -> None:
    shares = {encoding: right(table, encoding, n=3, trials=20) for encoding in TITLES}
    assert sum(shares.values()) / len(shares) > 0.95, shares


def titles(tables: Tables) -> list[str]:
    return [item.title for item in tables.dataset.catalogue]


ITEMS = "item,title\nx,霸王别姬\ny,红楼梦\nz,三体\n"


@pytest.mark.parametrize("quoted", ["", '"'])
def test_a_table_in_gbk_is_read_and_the_report_says_so(table: Write, quoted: str) -> None:
    items = table(ITEMS.replace("红楼梦", f"{quoted}红楼梦{quoted}").encode("gbk"), "items.csv")
    tables = read_tables(table("user,item,time\na,x,1\n"), items=items)
    assert titles(tables) == ["霸王别姬", "红楼梦", "三体"]
    (note,) = tables.notes
    assert note.startswith("items.csv is not UTF-8: read as gb18030, as its letters suggest")
    assert "--encoding" in note


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_first_bytes_decide(table: Write, encoding: str) -> None:
    tables = read_tables(table("user,item,time\na,x,1\n"), items=table(ITEMS.encode(encoding), "items.csv"))
    assert titles(tables) == ["霸王别姬", "红楼梦", "三体"]
    said = f"items.csv is not UTF-8: read as {encoding}, as its first bytes say"
    assert tables.notes == ([] if encoding == "utf-8-sig" else [said])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "big5hkscs", "hz", "utf-7"])
def test_what_is_asked_for_counts(table: Write, encoding: str) -> None:
    text = ITEMS.replace("霸王别姬", "海").replace("红楼梦", '"角, 七"').replace("三体", "號")
    if encoding == "hz":
        text = text.replace("號", "号")
    items = table(text.encode(encoding), "items.csv")
    ratings = table("user,item,time\na,x,1\n".encode(encoding))
    tables = read_tables(ratings, items=items, encoding=encoding.upper())
    assert titles(tables)[:2] == ["海", "角, 七"]
    assert tables.notes[-1] == f"items.csv is read as {check_encoding(encoding)}, as asked"


def test_a_byte_order_mark_is_no_part_of_the_first_column(table: Write) -> None:
    file = table("\ufeffwho,item,time\na,x,1\n".encode("utf-16-le"))
    assert len(read_tables(file, encoding="utf-16-le", columns={"user": "who"}).dataset) == 1


def test_a_wrong_guess_can_be_put_right(table: Write) -> None:
    items = table("item,title\nx,naïve\n".encode("cp1252"), "items.csv")
    ratings = table("user,item,time\na,x,1\n")
    assert titles(read_tables(ratings, items=items, encoding="latin-1")) == ["naïve"]


@pytest.mark.parametrize(
    "name", ["gb1803", "base64", "rot13", "punycode", "idna", "undefined", "a\0b", "x" * 10_000]
)
def test_an_unknown_encoding_is_refused(table: Write, name: str) -> None:
    with pytest.raises(InputError, match="no encoding '") as caught:
        read_tables(table("user,item\na,x\n"), encoding=name)
    assert caught.value.field == "encoding"
    if name == "gb1803":
        assert "did you mean 'gb18030'? Allowed: big5," in caught.value.message


@pytest.mark.parametrize("quoted", ["", '"'])
@pytest.mark.parametrize(
    ("encoding", "asked"), [("utf-8", None), ("utf-8", "utf-8"), ("gb18030", None), ("gb18030", "gbk")]
)
def test_damaged_lines_are_dropped_and_the_others_read(
    table: Write, encoding: str, asked: str | None, quoted: str
) -> None:
    """A title that a fixed width has cut inside a letter; one of 60 does not change the encoding."""
    rows = [
        f"i{n},{quoted}{title}{quoted}".encode(encoding)
        for n, title in enumerate(TITLES["gb18030"].split() * 5)
    ]
    broken = f"cut,{quoted}霸王".encode(encoding)[:-1] + quoted.encode()
    items = table(b"\n".join([b"item,title", *rows[:30], broken, *rows[30:]]), "items.csv")
    tables = read_tables(table("user,item,time\na,i1,1\n"), items=items, encoding=asked)
    assert len(tables.dataset.catalogue) == len(rows)
    assert {item.title for item in tables.dataset.catalogue} == set(TITLES["gb18030"].split())
    (dropped,) = tables.dropped
    name = asked or encoding
    assert (dropped.reason, dropped.count, dropped.examples[0]["line"]) == (f"not readable as {name}", 1, 32)
    assert dropped.examples[0]["text"].startswith(f"cut,{quoted}霸\\x")


def test_a_header_that_cannot_be_read_is_named(table: Write) -> None:
    with pytest.raises(InputError, match="its header line is not readable as gb18030; give --encoding"):
        read_tables(table(b"user,item,\xff\na,x,1\n"), encoding="gb18030")


def test_a_noncharacter_of_a_sound_file_is_text(table: Write) -> None:
    file = table("user,item,time\na\ufdd0,x,1\n")
    assert read_tables(file).dataset.users.ids == ["a\ufdd0"]
