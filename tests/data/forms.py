"""The same rows in every registered format, as people would write them; None is a cell that is not there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import polars as pl

Row = tuple[str | None, str | None, str | None, str | None]
"""User, item, time, value."""
NAMES = ("user", "item", "time", "value")


def lines(file: Path, rows: Sequence[Row], divider: str, columns: int = 4, header: str = "") -> Path:
    """Write one line a row, its first ``columns`` cells, and nothing for a cell that is not there."""
    cut = [divider.join(cell or "" for cell in row[:columns]) for row in rows]
    file.write_text("\n".join([*filter(None, [header]), *cut]) + "\n", "utf-8")
    return file


def csv(folder: Path, rows: Sequence[Row]) -> Path:
    return lines(folder / "r.csv", rows, ",", header=",".join(NAMES))


def tsv(folder: Path, rows: Sequence[Row]) -> Path:
    return lines(folder / "r.tsv", rows, "\t", header="\t".join(NAMES))


def parquet(folder: Path, rows: Sequence[Row]) -> Path:
    schema = dict.fromkeys(NAMES, pl.String)
    pl.DataFrame(list(rows), schema, orient="row").write_parquet(folder / "r.parquet")
    return folder / "r.parquet"


def jsonl(folder: Path, rows: Sequence[Row]) -> Path:
    told = [json.dumps(dict(zip(NAMES, row, strict=True))) for row in rows]
    (folder / "r.jsonl").write_text("\n".join(told) + "\n", "utf-8")
    return folder / "r.jsonl"


def sql(folder: Path, rows: Sequence[Row]) -> Path:
    with closing(sqlite3.connect(folder / "r.db")) as connection, connection:
        connection.execute(f"create table events ({', '.join(NAMES)})")
        connection.executemany("insert into events values (?, ?, ?, ?)", rows)
    return folder / "r.db"


def atomic(folder: Path, rows: Sequence[Row]) -> Path:
    return lines(folder / "r.inter", rows, "\t", header="\t".join(f"{name}:token" for name in NAMES))


def movielens(folder: Path, rows: Sequence[Row]) -> Path:
    lines(folder / "ratings.dat", [(row[0], row[1], row[3], row[2]) for row in rows], "::")
    (folder / "movies.dat").write_text("1::Heat::Crime\n")
    return folder


def sequences(folder: Path, rows: Sequence[Row]) -> Path:
    return lines(folder / "r.txt", rows, " ", 2)


def amazon(folder: Path, rows: Sequence[Row]) -> Path:
    (folder / "s3rec_id_to_asin.json").write_text('{"x": "B000"}')
    lines(folder / "r.txt", rows, " ", 2)
    return folder


def gowalla(folder: Path, rows: Sequence[Row]) -> Path:
    lines(folder / "train.txt", rows[::2], " ", 2)
    lines(folder / "test.txt", rows[1::2], " ", 2)
    return folder


def lastfm(folder: Path, rows: Sequence[Row]) -> Path:
    told = [(user, item, value, None) for user, item, _, value in rows]
    lines(folder / "user_artists.dat", told, "\t", 3, "userID\tartistID\tweight")
    (folder / "artists.dat").write_text("id\tname\turl\tpictureURL\n1\tNina\thttp://x\thttp://y\n")
    return folder


def jester(folder: Path, rows: Sequence[Row]) -> Path:
    told = [(user, item, value, None) for user, item, _, value in rows]
    lines(folder / "ratings.csv", told, ",", 3, "user,joke,rating")
    (folder / "jokes.csv").write_text('joke,text\n1,"Knock, knock"\n')
    return folder


def open_bandit(folder: Path, rows: Sequence[Row]) -> Path:
    header = ",timestamp,item_id,position,click,propensity_score,user_feature_0"
    told = [f"{n},{t or ''},{item or ''},1,1,0.5,{user or ''}" for n, (user, item, t, _) in enumerate(rows)]
    (folder / "men.csv").write_text("\n".join([header, *told]) + "\n", "utf-8")
    (folder / "item_context.csv").write_text(",item_id,item_feature_0\n0,1,0.5\n")
    return folder


def complete_journey(folder: Path, rows: Sequence[Row]) -> Path:
    names = ("household_id", "product_id", "transaction_timestamp", "sales_value")
    frame = pl.DataFrame(list(rows), dict.fromkeys(names, pl.String), orient="row")
    frame.write_parquet(folder / "transactions.parquet")
    goods = "product_id manufacturer_id department brand product_category product_type package_size"
    pl.DataFrame({name: ["1"] for name in goods.split()}).write_parquet(folder / "products.parquet")
    return folder


FORMS: dict[str, Callable[[Path, Sequence[Row]], Path]] = {
    "csv": csv,
    "tsv": tsv,
    "parquet": parquet,
    "jsonl": jsonl,
    "sql": sql,
    "atomic": atomic,
    "movielens": movielens,
    "sequences": sequences,
    "amazon": amazon,
    "gowalla": gowalla,
    "lastfm": lastfm,
    "jester": jester,
    "open-bandit": open_bandit,
    "complete-journey": complete_journey,
}
TIMED = ("csv", "tsv", "parquet", "jsonl", "sql", "atomic", "movielens", "open-bandit", "complete-journey")
"""Those that hold times."""
VALUED = ("csv", "tsv", "parquet", "jsonl", "sql", "atomic", "movielens", "jester", "lastfm")
"""Those that hold values."""
NAMED = ("csv", "tsv", "parquet", "jsonl", "sql", "atomic")
"""Those whose columns have names of the user's own."""
