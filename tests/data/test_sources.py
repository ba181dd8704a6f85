from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from acclimate.data.columns import Columns
from acclimate.data.sources import read_path
from acclimate.data.split import split_last
from acclimate.data.tables import read_tables
from acclimate.errors import InputError
from tests.data.published import LAYOUTS, hundred, latest, million


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_published_folder_is_read_as_it_is(tmp_path: Path, layout: str) -> None:
    LAYOUTS[layout](tmp_path)
    tables = read_tables(tmp_path)
    data = tables.dataset
    assert (tables.dropped, tables.notes, data.name) == ([], [], tmp_path.name)
    assert (data.users.ids, data.items.ids) == (["1", "2"], ["20", "10", "30"])
    assert data.time.tolist() == [100, 200, 300]
    assert data.weight.tolist() == [1, 1, 1]
    nothing, leon, unseen = data.catalogue
    assert (leon.title, leon.categories) == ("Léon, The (1994)", ("Action", "Comedy"))
    assert (nothing.title, nothing.categories, nothing.text) == ("Nothing (1999)", (), "")
    assert unseen.categories == ("Comedy",)


@pytest.mark.parametrize(
    ("layout", "text"), [("million_shared", "A plant."), ("hundred_shared", 'A plant, and a "gun"')]
)
def test_plots_become_text(tmp_path: Path, layout: str, text: str) -> None:
    LAYOUTS[layout](tmp_path)
    assert [item.text for item in read_tables(tmp_path).dataset.catalogue] == ["", text, ""]


@pytest.mark.parametrize("layout", ["million", "hundred"])
def test_people_have_attributes(tmp_path: Path, layout: str) -> None:
    LAYOUTS[layout](tmp_path)
    ann = read_tables(tmp_path).dataset.people[0]
    assert (ann.attributes["gender"], ann.attributes["zip"]) == ("F", "00123")


def test_a_rating_that_is_not_known_stays_an_event(tmp_path: Path) -> None:
    LAYOUTS["million_shared"](tmp_path)
    data = read_tables(tmp_path, positive=">=4").dataset
    assert data.weight.tolist() == [0, 1, 1]
    assert np.isnan(data.value).tolist() == [True, False, False]


def test_files_without_header_are_read_alone(tmp_path: Path) -> None:
    million(tmp_path)
    tables = read_tables(
        tmp_path / "ratings.dat", items=tmp_path / "movies.dat", users=tmp_path / "users.dat"
    )
    assert len(tables.dataset) == 3
    assert tables.dataset.catalogue[1].title == "Léon, The (1994)"
    with pytest.raises(InputError, match=r"movies\.dat is a table of items, a table of events is wanted"):
        read_tables(tmp_path / "movies.dat")


def test_items_may_come_from_a_folder(tmp_path: Path, table: Callable[..., Path]) -> None:
    latest(tmp_path)
    data = read_tables(table("user,item,time\na,30,1\n", "own/r.csv"), items=tmp_path).dataset
    assert data.items.ids == ["30", "10", "20"]
    assert len(data) == 1


def test_a_ragged_line_in_a_published_file_is_counted(tmp_path: Path) -> None:
    hundred(tmp_path)
    with (tmp_path / "u.data").open("a") as stream:
        stream.write("2\t20\t4\n")
    dropped = read_tables(tmp_path).dropped
    assert [(d.reason, d.count, d.examples[0]["line"]) for d in dropped] == [("wrong number of fields", 1, 4)]


def test_what_is_not_movielens_is_not_read_as_such(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no MovieLens folder and none of"):
        read_tables(tmp_path, format="movielens")


def test_sequences(table: Callable[..., Path]) -> None:
    file = table("ann x y  x\nbob y\n\ncid\nann\tz\n", "sequences.txt")
    tables = read_tables(file, format="sequences")
    data = tables.dataset
    assert [[data.items.ids[i] for i in history.items] for history in data.histories()] == [
        ["x", "y", "x", "z"],
        ["y"],
    ]
    assert data.histories()[0].times.tolist() == [0, 1, 2, 3]
    assert not data.timed
    assert [(d.reason, d.count, d.examples) for d in tables.dropped] == [
        ("a user without items", 1, [{"file": str(file), "line": 4, "text": "cid"}])
    ]
    assert tables.notes == ["sequences.txt: the order of each user's line stands for the time"]


def test_sequences_have_no_items_table(table: Callable[..., Path]) -> None:
    file = table("ann x y\n", "sequences.txt")
    with pytest.raises(InputError, match="a sequences file has no table of items"):
        read_path(file, "items", Columns(), "sequences")


PUBLISHED = {
    "ml-latest-small-2016": (671, 100_004, 671),
    "ml-100k": (943, 100_000, 943),
    "ml-1m": (6_040, 1_000_209, 6_040),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_real_set_has_its_published_size(known_set: Callable[[str], Path], name: str) -> None:
    tables = read_tables(known_set(name))
    users, events, targets = PUBLISHED[name]
    assert (tables.dataset.n_users, len(tables.dataset), tables.dropped) == (users, events, [])
    assert split_last(tables.dataset).n_targets == targets
    texts = tables.dataset.texts
    assert sum(map(bool, texts)) / len(texts) > 0.99


def test_the_published_benchmark_sequences(known_set: Callable[[str], Path]) -> None:
    file = known_set("ml-1m") / "sequences_original_ids.txt"
    data = read_tables(file, format="sequences", items=file.parent).dataset
    assert (len(data), data.n_users, len(np.unique(data.item))) == (999_611, 6_040, 3_416)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("year", [2014, 2018])
def test_ratings_of_amazon_have_no_header_line(tmp_path: Path, year: int, ends: str) -> None:
    pairs = [("A39HTATAQ9V7YF", "0205616461"), ("A3JM6GV9MNOF9X", "B000052YAN"), ("A39HTATAQ9V7YF", "short")]
    pairs = pairs if year == 2014 else [(item, user) for user, item in pairs]
    rows = [f"{one},{other},{n + 3}.0,{1369699200 + n}" for n, (one, other) in enumerate(pairs)]
    file = tmp_path / "Beauty.csv"
    file.write_bytes(ends.join([*rows, "A39HTATAQ9V7YF,0205616461"]).encode())
    tables = read_tables(file)
    data = tables.dataset
    assert data.users.ids == ["A39HTATAQ9V7YF", "A3JM6GV9MNOF9X"]
    assert data.items.ids == ["0205616461", "B000052YAN", "short"]
    assert (data.value.tolist(), data.time[0]) == ([3, 4, 5], 1369699200)
    assert [dropped.count for dropped in tables.dropped] == [1]
    with pytest.raises(InputError, match="has no Amazon table of items"):
        read_path(file, "items", Columns())
