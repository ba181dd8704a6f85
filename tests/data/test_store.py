from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest

from acclimate.data.store import Store
from acclimate.data.tables import read_tables
from acclimate.data.versions import Versions
from acclimate.errors import AcclimateError, BusyError, CorruptError, InputError

Write = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home" / "data")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_imported_comes_back(store: Store, table: Write) -> None:
    items = table("item,title,genres,size\nx,Ex,A|B,5\nz,Zed,,\n", "items.csv")
    users = table("user,age\nb,30\n", "users.csv")
    tables = read_tables(table("user,item,time,rating\nb,y,2,4\na,x,1,\n"), items=items, users=users)
    assert store.empty
    done = store.add(tables)
    assert (done.interactions, done.users, done.items, done.already_present) == (2, 2, 3, 0)
    again, data = store.load(), tables.dataset
    assert not store.empty
    assert (again.users.ids, again.items.ids, again.name) == (data.users.ids, data.items.ids, "ratings")
    assert (again.catalogue, again.people) == (data.catalogue, data.people)
    for name in ("user", "item", "time", "value", "weight"):
        np.testing.assert_array_equal(getattr(again, name), getattr(data, name))


def test_the_same_file_twice_changes_nothing(store: Store, table: Write) -> None:
    file, items = table("user,item,time\na,x,1\na,y,2\na,y,2\n"), table("item,title\nx,Ex\n", "items.csv")
    store.add(read_tables(file, items=items))
    before = contents(store.folder)
    done = store.add(read_tables(file, items=items))
    assert (done.interactions, done.users, done.items, done.already_present) == (0, 0, 0, 2)
    assert [(dropped.reason, dropped.count) for dropped in done.dropped] == [("exact duplicate", 1)]
    assert done.total == {"interactions": 2, "users": 1, "items": 2}
    assert contents(store.folder) == before


def test_the_same_events_with_and_without_a_value_are_told(store: Store, table: Write) -> None:
    bare = read_tables(table("user,item,time\na,x,1700000000\nb,x,1700000100\nc,y,5\n", "bare.csv"))
    told = read_tables(
        table("user,item,time,price\na,x,1700000000,9.5\nb,x,1700000100,\nc,y,6,3\n", "told.csv"),
        columns={"value": "price"},
    )
    assert store.add(bare).notes == []
    for done in (store.check(told), store.add(told)):
        assert (done.interactions, done.already_present) == (2, 1)
        (note,) = done.notes
        assert note.startswith(
            "1 event equals one that was imported before but for the value (as a, x, 2023-1"
        )
        assert "--drop copies" in note
    assert store.add(told).notes == [], "they are all there"
    assert store.add(bare).notes == []


def test_more_of_the_same_adds_what_is_new(store: Store, table: Write) -> None:
    store.add(read_tables(table("user,item,time,rating\na,x,1,5\nb,x,3,\n", "one.csv")))
    done = store.add(read_tables(table("user,item,time,rating\nb,x,3,\na,x,1,4\nc,z,2,5\n", "two.csv")))
    assert (done.interactions, done.users, done.items, done.already_present) == (2, 1, 1, 1)
    data = store.load()
    assert data.time.tolist() == [1, 1, 2, 3]
    assert data.value[:2].tolist() == [5, 4]
    assert data.name == "one + two"


def test_later_fields_win_and_empty_ones_erase_nothing(store: Store, table: Write) -> None:
    ratings = table("user,item,time\na,x,1\n")
    for content in (
        "item,title,text,size,colour\nx,Old,Long,1,red\n",
        "item,title,text,size,colour\nx,New,,2,\n",
    ):
        store.add(read_tables(ratings, items=table(content, "items.csv")))
    item = store.load().catalogue[0]
    assert (item.title, item.text, dict(item.attributes)) == ("New", "Long", {"size": "2", "colour": "red"})


def test_a_check_tells_the_same_and_writes_nothing(store: Store, table: Write) -> None:
    tables = read_tables(table("user,item,time\na,x,1\na,,2\n"))
    told = store.check(tables)
    assert not store.folder.exists()
    assert store.add(tables) == told


def test_weights_are_made_when_loading(store: Store, table: Write) -> None:
    store.add(read_tables(table("user,item,time,rating,action\na,x,1,3,\na,y,2,5,\na,z,3,,like\n")))
    assert store.load().weight.tolist() == [1, 1, 2]
    assert store.load(positive=">=4", name="mine").weight.tolist() == [0, 1, 2]
    assert store.load(name="mine").name == "mine"


def test_an_empty_store_says_what_to_do(store: Store) -> None:
    with pytest.raises(
        InputError, match=r"no data yet: acclimate data import ratings\.csv, or acclimate demo"
    ):
        store.load()


def test_only_bad_rows_leave_the_store_empty(store: Store, table: Write) -> None:
    assert store.add(read_tables(table("user,item\n,x\n"))).dropped[0].count == 1
    assert store.empty


def test_two_imports_at_once_are_refused(store: Store, table: Write) -> None:
    tables = read_tables(table("user,item,time\na,x,1\n"))
    with Versions(store.folder).lock(), pytest.raises(BusyError, match="is importing into"):
        store.add(tables)
    assert store.add(tables).interactions == 1


def test_a_folder_that_cannot_be_made(tmp_path: Path, table: Write) -> None:
    with pytest.raises(InputError, match="cannot write"):
        Store(table("", "file") / "data").add(read_tables(table("user,item,time\na,x,1\n")))


def test_a_published_set_and_a_shop_in_one_home_are_told(store: Store, table: Write) -> None:
    """Whoever follows the demo with data of their own hears that users called 1 become one."""
    demo = read_tables(table("user,item,time\n1,x,1\n2,x,2\n", "ml-100k.csv"))
    shop = read_tables(table("user,item,time\n1,y,3\nbob,y,4\n", "shop.csv"))
    assert store.add(demo).notes == store.add(demo).notes == []
    for done in (store.check(shop), store.add(shop)):
        assert "ml-100k is in this home, and shop is another set" in done.notes[0]
        assert "1 user id of both" in done.notes[0]
        assert "--home shop" in done.notes[0]
    assert store.add(shop).notes == [], "it was told"


def test_tables_of_one_shop_come_together_without_a_word(store: Store, table: Write) -> None:
    for name in ("january", "february"):
        assert store.add(read_tables(table(f"user,item,time\na,{name},3\n", f"{name}.csv"))).notes == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        polars.exceptions.ComputeError(
            "parquet: File out of specification: underlying IO error: No space left on device (os error 28)"
        ),
    ],
)
def test_a_full_disk_is_told_and_changes_nothing(
    store: Store, table: Write, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    store.add(read_tables(table("user,item,time\na,x,1\n")))
    more = read_tables(table("user,item,time\na,y,2\n"))

    def full(*args: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(polars.DataFrame, "write_parquet", full)
        with pytest.raises(
            AcclimateError, match="the disk is full: No space left on device; nothing was changed"
        ):
            store.add(more)
    assert len(store.load()) == 1
    assert store.add(more).interactions == 1


def damage_altered(folder: Path) -> None:
    file = folder / "v1" / "events.parquet"
    file.write_bytes(file.read_bytes()[:-20] + b"x" * 20)


def damage_missing(folder: Path) -> None:
    (folder / "v1" / "items.parquet").unlink()


def damage_manifest(folder: Path) -> None:
    (folder / "v1" / "manifest.json").write_text('{"format": 1')


def damage_newer(folder: Path) -> None:
    file = folder / "v1" / "manifest.json"
    file.write_text(file.read_text().replace('"format": 1', '"format": 2'))


def damage_pointer(folder: Path) -> None:
    (folder / "CURRENT").write_text("v9")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_altered, r"events\.parquet was altered; "),
        (damage_missing, "v1 is incomplete"),
        (damage_manifest, "v1 is incomplete"),
        (damage_newer, "has format 2, this release reads 1"),
        (damage_pointer, "CURRENT names 'v9', which is not there; "),
    ],
)
def test_damage_is_told(store: Store, table: Write, damage: Callable[[Path], None], message: str) -> None:
    store.add(read_tables(table("user,item,time\na,x,1\n")))
    damage(store.folder)
    with pytest.raises(CorruptError, match=message) as told:
        store.load()
    assert f"move {store.folder} away and import" in str(told.value)
    with pytest.raises(CorruptError, match=message):
        store.add(read_tables(table("user,item,time\na,x,1\n")))
    store.folder.rename(store.folder.with_name("away"))
    assert store.add(read_tables(table("user,item,time\na,x,1\n"))).interactions == 1


def test_old_versions_go_and_the_last_two_stay(store: Store, table: Write) -> None:
    for n in range(4):
        store.add(read_tables(table(f"user,item,time\na,x,{n}\n")))
    assert sorted(path.name for path in store.folder.iterdir() if path.is_dir()) == ["v3", "v4"]
    assert len(store.load()) == 4


KILLED = """
import os, signal, sys
from pathlib import Path
import polars
from acclimate.data.store import Store
from acclimate.data.tables import read_tables

folder, file, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
store, tables, calls = Store(folder), read_tables(file), 0

def dying(function):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

for owner, name in [(os, "fsync"), (os, "replace"), (Path, "rename"), (Path, "write_bytes"),
                    (polars.DataFrame, "write_parquet")]:
    setattr(owner, name, dying(getattr(owner, name)))
store.add(tables)
"""


@pytest.mark.parametrize(("at", "events"), [(2, 1), (12, 1), (15, 1), (16, 2)])
def test_a_killed_import_loses_nothing(store: Store, table: Write, at: int, events: int) -> None:
    """While writing, before the rename, before and after the pointer; `test_versions` has every point."""
    store.add(read_tables(table("user,item,time\na,x,1\n")))
    more = table("user,item,time\nb,y,2\n", "more.csv")
    killed = subprocess.run([sys.executable, "-c", KILLED, store.folder, more, str(at)], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(store.load()) == events
    assert store.add(read_tables(more)).total["interactions"] == 2
    assert not list(store.folder.glob(".new-*"))


def test_what_is_told_again_is_new_changed_or_unchanged(store: Store, table: Write) -> None:
    ratings = table("user,item,time\na,x,1\na,bare,2\n")
    items = table("item,title,genres,size\nx,Ex,A|B,1\ny,Why,,\nz,Zed,C,\n", "items.csv")
    users = table("user,age\na,30\n", "users.csv")
    first = store.add(read_tables(ratings, items=items, users=users))
    assert (first.items, first.users) == (4, 1)
    assert first.changed == {"items": 0, "users": 0}
    assert first.unchanged == {"items": 0, "users": 0}
    again = store.add(read_tables(ratings, items=items, users=users))
    assert (again.items, again.changed, again.unchanged) == (
        0,
        {"items": 0, "users": 0},
        {"items": 3, "users": 1},
    )
    rows = "x,Ex,A|B,2\ny,Why,,\nz,Zed,C|D,\nbare,Now named,,\nnew,New,,\n"
    items, users = (
        table("item,title,genres,size\n" + rows, "items.csv"),
        table("user,age\na,31\n", "users.csv"),
    )
    tables = read_tables(ratings, items=items, users=users)
    third = store.add(tables)
    assert (third.items, third.changed, third.unchanged) == (
        1,
        {"items": 3, "users": 1},
        {"items": 1, "users": 0},
    )
    assert third.items + third.changed["items"] + third.unchanged["items"] == len(tables.clean.items)
