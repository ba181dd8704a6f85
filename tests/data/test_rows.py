"""`Dataset.of`: rows that a program gives are read as they are, or refused by the row and what is wrong."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.dataset import Dataset
from acclimate.errors import InputError

FIT = ("ann", "heat", 1.0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", "b"), r"rows\[1\] must be \(user_id, item_id, time\), .* got \('a', 'b'\)"),
        (("a", "b", 1.0, 5), r"rows\[1\] must be \(user_id, item_id, time\)"),
        (7, r"rows\[1\] must be \(user_id, item_id, time\), .* got 7"),
        ({"u": 1, "i": 2, "t": 3}, r"rows\[1\] must be \(user_id, item_id, time\)"),
        (("a", "b", "c"), r"time of rows\[1\] must be a number of seconds since 1970, got 'c'"),
        (("a", "b", True), r"time of rows\[1\] must be a number .* got True"),
        (("a", "b", None), r"time of rows\[1\] must be a number .* got None"),
        (("a", "b", datetime(2024, 5, 1, tzinfo=UTC)), r"got datetime.*: give its timestamp\(\)"),
        (("a", "b", math.nan), r"time of rows\[1\] must be seconds since 1970, up to 1e\+11, got nan"),
        (("a", "b", -math.inf), r"time of rows\[1\] must be seconds .* got -inf"),
        (("a", "b", 1e300), r"time of rows\[1\] must be seconds .* got 1e\+300$"),
        (("a", "b", 10**400), r"time of rows\[1\] must be seconds .* got 1000"),
        (("a", "b", 1.7e12), r"got 1700000000000\.0: divide by 1000 if it is in milliseconds"),
        ((None, "b", 1.0), r"user_id of rows\[1\] must be a text that is not empty, got None"),
        (("", "b", 1.0), r"user_id of rows\[1\] must be a text that is not empty, got ''"),
        (("a", 5, 1.0), r"item_id of rows\[1\] must be a text .* got 5: give str\(5\)"),
    ],
)
def test_a_row_that_does_not_fit_is_named(row: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        Dataset.of([FIT, row, FIT])
    assert refused.value.field == "rows[1]"


def test_no_rows_at_all_are_named() -> None:
    with pytest.raises(InputError, match=r"rows must be a list of \(user_id, item_id, time\), .* got None"):
        Dataset.of(None)  # type: ignore[arg-type]


rows = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from([1.0, 2.0, -3])))


@given(rows)
def test_ids_are_numbered_as_they_come_in_time(rows: list[tuple[str, str, float]]) -> None:
    data, ordered = Dataset.of(row for row in rows), sorted(rows, key=lambda row: row[2])  # type: ignore[arg-type]
    assert data.users.ids == list(dict.fromkeys(row[0] for row in ordered))
    assert data.items.ids == list(dict.fromkeys(row[1] for row in ordered))
    told = zip(data.user.tolist(), data.item.tolist(), data.time.tolist(), strict=True)
    assert [(data.users.ids[u], data.items.ids[i], t) for u, i, t in told] == ordered


def test_numbers_and_texts_of_numpy_are_taken() -> None:
    data = Dataset.of([(np.str_("ann"), np.str_("heat"), np.float32(2)), ("bob", "heat", np.int64(1))])
    assert (data.users.ids, data.time.tolist()) == (["bob", "ann"], [1.0, 2.0])
