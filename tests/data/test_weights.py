from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.config import EventsTable
from acclimate.data.tables import read_tables
from acclimate.data.weights import parse_positive
from acclimate.state.weights import Weights
from acclimate.types import Event

rows = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from([*EventsTable.__struct_fields__, "rating", "rating"]),
        st.one_of(st.none(), st.integers(-2, 12).map(lambda n: n / 2)),
    ),
    min_size=1,
    max_size=20,
)


@given(rows, st.sampled_from(["value", "0..3", 0.5]))
def test_a_table_weighs_what_the_same_events_weigh_live(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, float | None]], rating: str | float
) -> None:
    file = tmp_path_factory.mktemp("w") / "events.csv"
    lines = [f"{u},i,{t},{kind},{'' if v is None else v}\n" for t, (u, kind, v) in enumerate(rows)]
    file.write_text("user,item,time,event_type,value\n" + "".join(lines))
    table = EventsTable(rating=rating)
    live = Weights(table)
    expected = [
        live.add("ab".index(u), Event(u, kind, float(t), "i", v)) for t, (u, kind, v) in enumerate(rows)
    ]
    assert read_tables(file, events=table).dataset.weight.tolist() == pytest.approx(expected, abs=1e-6)


def test_another_table_weighs_otherwise(table: Callable[..., Path]) -> None:
    file = table("user,item,time,action,rating\na,x,1,click,\na,y,2,rating,1\n")
    data = read_tables(file, events=EventsTable(click=3.0, rating=0.5)).dataset
    assert data.weight.tolist() == [3.0, 0.5]


def test_a_threshold_is_for_rows_without_a_type(table: Callable[..., Path]) -> None:
    file = table("user,item,time,event_type,value\na,x,1,purchase,1\na,y,2,,5\na,z,3,,3\n")
    assert read_tables(file, positive=">=4").dataset.weight.tolist() == [4.0, 1.0, 0.0]


def test_thresholds() -> None:
    assert parse_positive(" >= -0.5 ") == -0.5
    assert parse_positive("all") is None
    assert not math.isnan(parse_positive(">=4") or 0.0)
