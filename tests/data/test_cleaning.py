"""What is dropped on request: counted, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.cleaning import Wanted, k_core
from acclimate.data.suspects import DETECTORS
from acclimate.data.tables import read_tables
from acclimate.errors import InputError
from tests.data.noise import clock, people, pushed, racer

Table = Callable[..., Path]
pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=60)


def slow_core(rows: list[tuple[int, int]], k: int) -> list[bool]:
    """Take away one user or item at a time, until none has too few."""
    kept = [True] * len(rows)
    while True:
        alive = [row for row, keep in zip(rows, kept, strict=True) if keep]
        thin = [
            (side, code)
            for side in (0, 1)
            for code in {row[side] for row in alive}
            if sum(row[side] == code for row in alive) < k
        ]
        if not thin:
            return kept
        side, code = thin[0]
        kept = [keep and row[side] != code for row, keep in zip(rows, kept, strict=True)]


@given(pairs, st.integers(0, 5))
def test_the_core_is_that_of_peeling_one_by_one(rows: list[tuple[int, int]], k: int) -> None:
    users, items = (np.array([row[side] for row in rows], np.int32) for side in (0, 1))
    assert k_core(users, items, k).tolist() == slow_core(rows, k)


@given(st.data())
def test_rows_in_are_rows_kept_and_rows_reported(data: st.DataObject) -> None:
    drop = data.draw(st.sets(st.sampled_from(sorted(DETECTORS))))
    core = data.draw(st.integers(0, 6))
    tables = read_tables(NOISY, wanted=Wanted(tuple(drop), core))
    kept = len(tables.dataset) + len(tables.dataset.searches)
    assert kept + sum(lost.count for lost in tables.dropped) == N_ROWS
    assert all(1 <= len(lost.examples) <= min(5, lost.count) for lost in tables.dropped)
    told = {lost.reason.split(",")[0] for lost in tables.dropped}
    assert ("a user as regular or as restless as a machine" in told) == ("bots" in drop)


NOISY: Path
N_ROWS: int


@pytest.fixture(autouse=True, scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A table with everything that can be dropped, and a search of the bot."""
    global NOISY, N_ROWS
    rng = np.random.default_rng(0)
    rows = people(rng, 30, 20, 100) + clock("clock", rng) + racer("racer", rng) + pushed("pushed", rng)
    lines = [f"{user},{item},{time:.3f},{3 + n % 3},," for n, (user, item, time) in enumerate(rows)]
    lines += ["u1,i1,5,4,,", f"{lines[0].rsplit(',', 3)[0]},1,,", f"u2,i2,{rows[0][2]},9000,,"]
    lines += [f"clock,,{rows[0][2]},,search,tea", "u3,,x,3,,"]
    NOISY, N_ROWS = tmp_path_factory.mktemp("noisy") / "noisy.csv", len(lines)
    NOISY.write_text("user,item,time,value,event_type,query\n" + "\n".join(lines) + "\n")


def test_what_is_dropped_leaves_everything_else_as_it_was() -> None:
    whole, part = read_tables(NOISY), read_tables(NOISY, wanted=Wanted(("bots",)))
    left = whole.clean.events.filter(whole.clean.events["user_id"] != "clock")
    assert part.clean.events.equals(left)  # in the order of the file, too
    assert len(whole.dataset.searches) == 1
    assert len(part.dataset.searches) == 0
    (lost,) = [lost for lost in part.dropped if lost.reason.startswith("a user as regular")]
    assert lost.count == 121
    assert lost.examples[0]["file"] == "noisy"
    assert lost.examples[0]["line"] is None
    assert lost.examples[0]["text"].startswith("clock, i")


def test_without_being_asked_nothing_is_dropped() -> None:
    assert [(lost.reason, lost.count) for lost in read_tables(NOISY).dropped] == [("missing item", 1)]


def test_untimed_rows_keep_their_order(table: Table) -> None:
    path = table("user,item\nb,x\na,x\nb,y\na,y\nc,z\n")
    tables = read_tables(path, wanted=Wanted(k_core=2))
    assert tables.clean.events["user_id"].to_list() == ["b", "a", "b", "a"]
    assert [(lost.reason, lost.count) for lost in tables.dropped] == [("not in the 2-core", 1)]
    assert tables.dropped[0].examples == [{"file": "ratings", "line": None, "text": "c, z"}]


@pytest.mark.parametrize(
    ("drop", "core", "message"),
    [
        ("bot", "0", "nothing called 'bot' can be dropped: did you mean 'bots'"),
        ("bots,x", "0", "nothing called 'x' can be dropped: allowed are bots, bursts, copies"),
        (None, "-1", "k_core must be 0..1000, got -1"),
        (None, "many", "k_core must be 0..1000, got 'many'"),
    ],
)
def test_what_cannot_be_dropped_is_said(drop: str | None, core: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Wanted.parse(drop, core)


def test_words_of_the_command_line() -> None:
    assert Wanted.parse(" bots, bursts,bots,", "5") == Wanted(("bots", "bursts"), 5)
    assert not Wanted.parse(None, "0")
