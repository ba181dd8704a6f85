"""Every registered source keeps its promises, and every check of them can fail."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from acclimate.data.columns import Columns
from acclimate.data.frames import Dropped, Part, Raw
from acclimate.data.sources import SOURCES, Source, make_source
from acclimate.data.sources.csv import CSV
from tests.contract import sources as contract
from tests.contract.sources import CHECKS, USERS, Sample


def csv_sample(folder: Path) -> Sample:
    lines = [f"{user},x,{n}" for n, user in enumerate(USERS)] + ["lonely"]
    (folder / "r.csv").write_text("user,item,time\n" + "\n".join(lines), "utf-8")
    return Sample(folder / "r.csv", lines)


def movielens_sample(folder: Path) -> Sample:
    lines = [f"{user}::1::5::{n}" for n, user in enumerate(USERS)] + ["lonely"]
    (folder / "ratings.dat").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "movies.dat").write_text("1::Heat::Crime\n")
    return Sample(folder, lines)


def sequences_sample(folder: Path) -> Sample:
    lines = [f"{user}\tx\ty" for user in USERS] + ["lonely"]
    (folder / "s.txt").write_text("\n".join(lines), "utf-8")
    return Sample(folder / "s.txt", lines)


def tsv_sample(folder: Path) -> Sample:
    lines = [f"{user}\tx,y\t{n}" for n, user in enumerate(USERS)] + ["lonely"]
    (folder / "r.tsv").write_text("user\titem\ttime\n" + "\n".join(lines), "utf-8")
    return Sample(folder / "r.tsv", lines)


def parquet_sample(folder: Path) -> Sample:
    frame = pl.DataFrame(
        {"user": USERS, "item": [1, 2, 3, 4], "ts": [10, 20, 30, 40], "stars": [0.5, 1, 2, 3]}
    )
    frame.write_parquet(folder / "r.parquet")
    lines = [",".join(map(str, (*row[:3], f"{row[3]:g}"))) for row in frame.rows()]
    return Sample(folder / "r.parquet", lines, broken=False)


def jsonl_sample(folder: Path) -> Sample:
    lines = [f'{{"user": "{user}", "item": {n}, "ts": {n}}}' for n, user in enumerate(USERS)] + ['{"user": "']
    (folder / "r.jsonl").write_text("\n".join(lines), "utf-8")
    return Sample(folder / "r.jsonl", lines)


def sql_sample(folder: Path) -> Sample:
    with closing(sqlite3.connect(folder / "shop.db")) as connection, connection:
        connection.execute("create table orders (user, item, ts)")
        connection.executemany("insert into orders values (?, ?, ?)", [(user, 7, 1.5) for user in USERS])
    return Sample(folder / "shop.db", [f"{user},7,1.5" for user in USERS], broken=False)


def atomic_sample(folder: Path) -> Sample:
    lines = [f"{user}\tx\t{n}" for n, user in enumerate(USERS)] + ["lonely"]
    header = "user_id:token\titem_id:token\ttimestamp:float\n"
    (folder / "r.inter").write_text(header + "\n".join(lines), "utf-8")
    return Sample(folder / "r.inter", lines)


def amazon_sample(folder: Path) -> Sample:
    sample = sequences_sample(folder)
    (folder / "s3rec_id_to_asin.json").write_text('{"x": "B000"}')
    return Sample(folder, sample.lines)


def gowalla_sample(folder: Path) -> Sample:
    lines = [f"{user} 1 2" for user in USERS] + ["lonely"]
    (folder / "train.txt").write_text("\n".join(lines[:2]), "utf-8")
    (folder / "test.txt").write_text("\n".join(lines[2:]), "utf-8")
    return Sample(folder, lines)


def lastfm_sample(folder: Path) -> Sample:
    lines = [f"{user}\t1\t{n}" for n, user in enumerate(USERS)] + ["lonely"]
    (folder / "user_artists.dat").write_text("userID\tartistID\tweight\n" + "\n".join(lines), "utf-8")
    (folder / "artists.dat").write_text("id\tname\turl\tpictureURL\n1\tNina\thttp://x\thttp://y\n")
    return Sample(folder, lines)


def jester_sample(folder: Path) -> Sample:
    lines = [f"{user},1,{n}" for n, user in enumerate(USERS)] + ["lonely"]
    (folder / "ratings.csv").write_text("user,joke,rating\n" + "\n".join(lines), "utf-8")
    (folder / "jokes.csv").write_text('joke,text\n1,"Knock, knock"\n')
    return Sample(folder, lines)


def open_bandit_sample(folder: Path) -> Sample:
    header = ",timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1"
    lines = [f"{n},2019-11-24 00:0{n},1,1,0,0.5,{user},f" for n, user in enumerate(USERS)] + ["lonely"]
    (folder / "men.csv").write_text(f"{header}\n" + "\n".join(lines), "utf-8")
    (folder / "item_context.csv").write_text(",item_id,item_feature_0\n0,1,0.5\n")
    return Sample(folder, lines, [f"{user}|f" for user in USERS])


def complete_journey_sample(folder: Path) -> Sample:
    names = ["household_id", "product_id", "transaction_timestamp", "sales_value"]
    rows = [(user, 7, datetime(2017, 1, 1, n), 0.5) for n, user in enumerate(USERS)]
    pl.DataFrame(rows, names, orient="row").write_parquet(folder / "transactions.parquet")
    goods = ["product_id", "product_type", "department", "product_category", "brand", "manufacturer_id"]
    frame = pl.DataFrame(
        [(7, "ROLLS", "PASTRY", "BREAD", "National", 2, "4 OZ")], [*goods, "package_size"], orient="row"
    )
    frame.write_parquet(folder / "products.parquet")
    lines = [f"{user},7,2017-01-01T0{n}:00:00,0.5" for n, user in enumerate(USERS)]
    return Sample(folder, lines, broken=False)


SAMPLES: dict[str, Callable[[Path], Sample]] = {
    "csv": csv_sample,
    "tsv": tsv_sample,
    "parquet": parquet_sample,
    "jsonl": jsonl_sample,
    "sql": sql_sample,
    "atomic": atomic_sample,
    "movielens": movielens_sample,
    "sequences": sequences_sample,
    "amazon": amazon_sample,
    "gowalla": gowalla_sample,
    "lastfm": lastfm_sample,
    "jester": jester_sample,
    "open-bandit": open_bandit_sample,
    "complete-journey": complete_journey_sample,
}


def test_the_contract_is_complete() -> None:
    assert len(CHECKS) == len(set(CHECKS)) == 8
    assert {name for name in vars(contract) if name.startswith("check_")} == {c.__name__ for c in CHECKS}
    assert SAMPLES.keys() == SOURCES.keys()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SOURCES)
def test_source_keeps_the_contract(
    name: str, check: Callable[[Source, Sample], None], tmp_path: Path
) -> None:
    check(make_source(name), SAMPLES[name](tmp_path))


class Changed(CSV):
    """A source that spoils its answer; `spoil` says how."""

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        raw = super().read(path, kind, columns, encoding).events
        assert raw is not None
        return Part(events=self.spoil(raw))

    def spoil(self, raw: Raw) -> Raw:
        raise NotImplementedError


class Numbers(Changed):
    def spoil(self, raw: Raw) -> Raw:
        return replace(raw, frame=raw.frame.with_columns(pl.col("user_id").str.strip_chars_start("0")))


class Backwards(Changed):
    def spoil(self, raw: Raw) -> Raw:
        return replace(raw, frame=raw.frame.reverse())


class Silent(Changed):
    def spoil(self, raw: Raw) -> Raw:
        return replace(raw, dropped=())


class OffByOne(Changed):
    def spoil(self, raw: Raw) -> Raw:
        return replace(raw, frame=raw.frame.with_columns(pl.col("line") - 1))


class NoExample(Changed):
    def spoil(self, raw: Raw) -> Raw:
        return replace(raw, dropped=tuple(Dropped(d.reason, d.count) for d in raw.dropped))


class Typed(Changed):
    def spoil(self, raw: Raw) -> Raw:
        return replace(raw, frame=raw.frame.cast({"timestamp": pl.Int64}))


class Scribbler(Changed):
    def spoil(self, raw: Raw) -> Raw:
        (raw.file.parent / "notes").write_text("read")
        return raw


class Greedy(CSV):
    def detect(self, path: Path) -> bool:
        return True


BROKEN = [Numbers, Backwards, Silent, OffByOne, NoExample, Typed, Scribbler, Greedy]


@pytest.mark.parametrize(
    ("check", "broken"), list(zip(CHECKS, BROKEN, strict=True)), ids=lambda x: x.__name__
)
def test_every_check_can_fail(
    check: Callable[[Source, Sample], None], broken: type[CSV], tmp_path: Path
) -> None:
    sample = csv_sample(tmp_path)
    check(CSV(), sample)
    with pytest.raises(AssertionError):
        check(broken(), sample)
