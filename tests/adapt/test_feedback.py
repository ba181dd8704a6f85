"""Imported tables and the log become one Dataset whose codes are those of the live state."""

from pathlib import Path

import numpy as np
import pytest

from acclimate.adapt.feedback import Gathered, gather
from acclimate.config import Home, Serve, Settings
from acclimate.data.store import Store
from acclimate.data.tables import read_tables
from acclimate.errors import NotFoundError
from acclimate.events.codec import event_entry, item_entry
from acclimate.events.log import Entry
from acclimate.events.sqlite import SqliteLog
from acclimate.types import Event, Item

ROWS = "user_id,item_id,rating,timestamp\nann,heat,5,10\nann,alien,4,20\nbob,heat,3,30\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home(tmp_path / "home")
    file = tmp_path / "ratings.csv"
    file.write_text(ROWS)
    Store(place.data).add(read_tables(file))
    return place


def write(home: Home, *entries: Entry) -> None:
    log = SqliteLog(home.log)
    log.append(list(entries)).result()
    log.close()


def like(user: str, item: str, time: float, kind: str = "like") -> Entry:
    return event_entry(Event(user, kind, time, item))


def rows(gathered: Gathered) -> list[tuple[str, str, float, float]]:
    data = gathered.data
    users, items = data.users.ids, data.items.ids
    columns = zip(data.user, data.item, data.time, data.weight, strict=True)
    return [(users[u], items[i], float(t), round(float(w), 6)) for u, i, t, w in columns]


def test_a_home_without_data_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(
        NotFoundError, match=r"no data yet: acclimate data import ratings.csv, or acclimate demo"
    ):
        gather(Home(tmp_path), Settings())


def test_reading_a_home_writes_nothing(home: Home) -> None:
    before = sorted(home.path.rglob("*"))
    gather(home, Settings())
    assert sorted(home.path.rglob("*")) == before


def test_without_feedback_it_is_what_was_imported(home: Home) -> None:
    gathered = gather(home, Settings())
    assert rows(gathered) == [("ann", "heat", 10, 1), ("ann", "alien", 20, 1), ("bob", "heat", 30, 1)]
    assert gathered.state.offset == 0
    assert gathered.data.value.tolist() == [5, 4, 3]


def test_feedback_is_appended_with_the_weight_of_its_type(home: Home) -> None:
    write(home, like("bob", "alien", 40), like("eve", "dune", 50, "dislike"), like("ann", "dune", 60, "view"))
    gathered = gather(home, Settings())
    expected = [("bob", "alien", 40, 2), ("eve", "dune", 50, -1), ("ann", "dune", 60, 0.2)]
    assert rows(gathered)[3:] == expected
    assert gathered.state.offset == 3


def test_data_and_state_have_the_same_codes_and_histories(home: Home) -> None:
    write(home, item_entry(Item("new", title="New"), 35), like("eve", "dune", 50), like("ann", "new", 60))
    gathered = gather(home, Settings())
    data, state = gathered.data, gathered.state
    assert data.users.ids == state.users.ids
    assert data.items.ids == state.items.ids
    assert [item.title for item in data.catalogue] == ["", "", "New", ""]
    live = state.histories(data.users.ids, 0.0)
    ours = data.histories()
    for name in ("items", "times", "weights", "offsets"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(live, name), err_msg=name)


def test_a_forgotten_user_is_left_out_and_may_come_back(home: Home) -> None:
    write(home, like("ann", "dune", 40))
    log = SqliteLog(home.log)
    log.forget("ann").result()
    log.close()
    gathered = gather(home, Settings())
    assert rows(gathered) == [("bob", "heat", 30, 1)]
    assert "ann" not in gathered.data.users
    write(home, like("ann", "dune", 70))
    assert rows(gather(home, Settings())) == [("bob", "heat", 30, 1), ("ann", "dune", 70, 2)]


def test_feedback_alone_is_enough(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write(home, like("ann", "heat", 1), like("bob", "heat", 2))
    assert rows(gather(home, Settings())) == [("ann", "heat", 1, 2), ("bob", "heat", 2, 2)]


def test_of_a_long_feedback_the_newest_events_are_taken(home: Home) -> None:
    write(home, *(like("bob", f"i{n}", 40.0 + n) for n in range(9)))
    settings = Settings(serve=Serve(max_history=4))
    assert [row[1] for row in rows(gather(home, settings))[3:]] == ["i5", "i6", "i7", "i8"]


def test_searches_of_the_log_are_learned_from(home: Home) -> None:
    write(
        home,
        like("ann", "up", 50.0),
        event_entry(Event("ann", "search", 60.0, query="balloons")),
        event_entry(Event("zed", "search", 70.0, query="cars")),
        event_entry(Event("bob", "search", 80.0, query="gone")),
        Entry("user_deleted", {"user_id": "bob"}, 90.0),
    )
    data = gather(home, Settings()).data
    told = zip([data.users.ids[code] for code in data.searches.user], data.searches.queries, strict=True)
    assert list(told) == [("ann", "balloons"), ("zed", "cars")]
    assert data.searches.time.tolist() == [60.0, 70.0]


def test_searches_alone_are_kept_and_what_is_missing_is_told(tmp_path: Path) -> None:
    file, place = tmp_path / "searches.csv", Home(tmp_path / "searched")
    file.write_text("user_id,item_id,timestamp,event_type,query\nann,,10,search,tea\nbob,,20,search,cups\n")
    Store(place.data).add(read_tables(file))
    with pytest.raises(NotFoundError, match="only searches so far, and no model learns from these alone"):
        gather(place, Settings())
