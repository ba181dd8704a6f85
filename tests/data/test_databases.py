"""Tables of databases: which is read, what is said of a wrong one, and what happens when it goes away."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from acclimate.data.sources import databases
from acclimate.data.store import Store
from acclimate.data.tables import read_tables
from acclimate.errors import AcclimateError, InputError, MissingExtraError, NotFoundError

ORDERS = "create table orders (who text, sku integer, at text, paid real)"
ROWS = [
    ("ann", 7, "2024-05-01 10:00:00+00", 9.5),
    ("bob", 7, None, 1),
    (None, 8, "2024-05-02 10:00:00+00", 2),
]
NAMED = {"user": "who", "item": "sku", "time": "at", "value": "paid"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute(ORDERS)
        connection.executemany("insert into orders values (?, ?, ?, ?)", ROWS)
        connection.execute('create table "the items" (sku integer, title text)')
        connection.execute("""insert into "the items" values (7, 'Tea')""")
    return tmp_path / "shop.db"


def test_a_table_is_read_by_url_or_as_a_file(shop: Path) -> None:
    url = f"sqlite:///{shop}"
    places: list[tuple[str | Path, dict[str, str]]] = [
        (url, {"table": "orders"}),
        (shop, {"table": "orders"}),
        (f"{url}#orders", {}),
        (url, {"query": "select * from orders order by at"}),
    ]
    for place, words in places:
        tables = read_tables(place, columns=NAMED, items=f"{url}#the items", **words)
        assert [(d.reason, d.count) for d in tables.dropped] == [("missing user", 1), ("missing time", 1)]
        assert tables.dataset.value.tolist() == [9.5]
        assert (tables.dataset.name, tables.dataset.catalogue[0].title) == ("shop", "Tea")
    example = read_tables(f"{url}#orders", columns=NAMED).dropped[1].examples[0]
    assert (example["file"], example["line"], example["text"]) == (str(shop), 2, "bob,7,,1")


def test_a_relative_path_has_three_slashes(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop.parent)
    assert len(read_tables("sqlite:///shop.db#orders", columns=NAMED).dataset) == 1


@pytest.mark.parametrize(
    ("place", "words", "error", "message"),
    [
        ("sqlite:///{shop}", {}, InputError, "has the tables orders, the items; say which one with --table"),
        ("sqlite:///{shop}#order", {}, NotFoundError, "has no table 'order': did you mean 'orders'"),
        ("sqlite:///{shop}", {"query": "selct 1"}, InputError, "refuses the query: near .selct."),
        ("sqlite:///{shop}", {"query": "delete from orders"}, InputError, "refuses the query: .*readonly"),
        ("sqlite:///{shop}", {"query": ""}, InputError, "the query gives no rows"),
        ("sqlite:///{shop}", {"query": "select 1", "table": "t"}, InputError, "--query or --table, not both"),
        ("sqlite:///{shop}", {"query": "select who from orders"}, InputError, "has no item_id column"),
        ("sqlite:///{shop}.no", {}, NotFoundError, "there is no file"),
        ("sqlite://shop.db", {}, InputError, "three slashes and a path"),
        ("sqlite:///{text}", {}, InputError, "cannot be read as a database of SQLite"),
        ("mysql://host/shop", {}, InputError, "no database mysql://: .*postgresql"),
    ],
)
def test_a_wrong_call_is_told(
    shop: Path, place: str, words: dict[str, str], error: type[InputError], message: str
) -> None:
    (text := shop.with_name("text.db")).write_text("user,item\n" * 100)
    with pytest.raises(error, match=message):
        read_tables(place.format(shop=shop, text=text), columns={"user": "who"}, **words)
    with closing(sqlite3.connect(shop)) as connection:
        assert connection.execute("select count(*) from orders").fetchone() == (3,)


def test_a_database_that_goes_away_leaves_nothing_half(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: object, cursor: sqlite3.Cursor) -> Iterator[Sequence[Any]]:
        with self._told():  # type: ignore[attr-defined]
            yield cursor.fetchone()
            raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(databases.SQLite, "_rows", gone)
    store = Store(tmp_path / "data")
    with pytest.raises(
        AcclimateError, match=r"does not answer: disk I/O error\. Nothing was imported"
    ) as told:
        store.add(read_tables(f"sqlite:///{shop}", query="select * from orders", columns=NAMED))
    assert (told.value.exit_code, store.empty) == (1, True)


def test_postgresql_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r'pip install "acclimate\[postgres\]"'):
        read_tables("postgresql://me:secret@127.0.0.1/shop#orders")


def test_postgresql_that_does_not_answer_is_told_without_the_password() -> None:
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(AcclimateError, match=r"127\.0\.0\.1/shop does not answer: ") as told:
        read_tables(f"postgresql://me:secret@127.0.0.1:{port}/shop#orders")
    assert "secret" not in str(told.value)


def binaries() -> Path | None:
    """Where the programs of a PostgreSQL server are."""
    found = shutil.which("initdb")
    others = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).parent if found else others[-1].parent if others else None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Callable[[], None]]]:
    """A server of its own on 127.0.0.1: its URL, and how to stop it."""
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: no initdb")
    if os.geteuid() == 0 and not shutil.which("runuser"):
        pytest.skip("PostgreSQL does not run as root, and runuser is missing")
    folder = tmp_path_factory.mktemp("postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    before = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    if before:
        shutil.chown(folder, "nobody")
        for parent in folder.parents:
            if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o001)

    def call(*words: str) -> None:
        subprocess.run([*before, *words], check=True, capture_output=True, timeout=60, cwd=folder)

    data, control = str(folder / "data"), str(programs / "pg_ctl")
    call(str(programs / "initdb"), "-D", data, "-U", "me", "-A", "trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
    call(control, "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            call(control, "-D", data, "-m", "immediate", "-w", "stop")

    yield f"postgresql://me@127.0.0.1:{port}/postgres", stop
    stop()


def test_a_real_postgresql(server: tuple[str, Callable[[], None]], tmp_path: Path) -> None:
    import psycopg

    url, stop = server
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table orders (who text, sku integer, at timestamptz, paid numeric)")
        for row in ROWS:
            connection.execute("insert into orders values (%s, %s, %s, %s)", row)
        connection.execute("create schema other; create table other.orders (user_id text, item_id text)")
    tables = read_tables(f"{url}#orders", columns=NAMED)
    assert [(d.reason, d.count) for d in tables.dropped] == [("missing user", 1), ("missing time", 1)]
    assert (tables.dataset.value.tolist(), tables.dataset.time.tolist()) == ([9.5], [1714557600.0])
    odd = "select * from (values (true, 1), (false, 2), (null, 3)) as t (user_id, item_id)"
    lists = "select array['a'] as user_id, 1 as item_id union all select array['b', 'c'], 2"
    for query, counts in ((odd, [2, 1]), (lists, [2])):
        assert [lost.count for lost in read_tables(url, query=query).dropped] == counts
    with pytest.raises(InputError, match=r"the tables .*orders, .*say which one"):
        read_tables(url)
    with pytest.raises(InputError, match="a header and no rows"):
        read_tables(f"{url}#other.orders")
    with pytest.raises(InputError, match=r"refuses the query: .*syntax error"):
        read_tables(url, query="selct 1")
    with pytest.raises(InputError, match="refuses the query"):
        read_tables(url, query="delete from orders")
    big = "select n::text as user_id, 'x' as item_id, n as timestamp from generate_series(1, 200000) n"
    assert len(read_tables(url, query=big).dataset) == 200_000

    def leaving(self: databases.PostgreSQL, cursor: Any) -> Iterator[Sequence[Any]]:
        with self._told():
            for row in cursor:
                stop()
                yield row

    store = Store(tmp_path / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(databases.PostgreSQL, "_rows", leaving)
        with pytest.raises(AcclimateError, match=r"127\.0\.0\.1/postgres does not answer"):
            store.add(read_tables(url, query=big))
    assert store.empty
