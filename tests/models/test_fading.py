"""Counts that fade, one event at a time, against the formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.models import fading
from acclimate.models.fading import FadingCounts

HALF = 500.0
EVENT = st.tuples(st.integers(0, 3), st.floats(1, 1e4), st.sampled_from([0.2, 1.0, 4.0]))
EVENTS = st.lists(EVENT, max_size=30)


def by_hand(rows: list[tuple[int, float, float]], moment: float) -> np.ndarray:
    counts, before = np.zeros(4), [row for row in rows if row[1] <= moment]
    for item, time, weight in before:
        counts[item] += weight * 0.5 ** ((max(row[1] for row in before) - time) / HALF)
    return counts


def filled(rows: list[tuple[int, float, float]], fitted: int) -> FadingCounts:
    start = sorted(rows[:fitted], key=lambda row: row[1])
    columns = (np.array([row[at] for row in start]) for at in range(3))
    counts = FadingCounts(*columns, n_items=4, half_life=HALF)
    for row in rows[fitted:]:
        counts.add(*row)
    return counts


@settings(max_examples=150)
@given(EVENTS, st.integers(0, 30), st.lists(st.floats(1, 2e4), min_size=1, max_size=6))
def test_events_in_any_order_agree_with_the_formula(
    rows: list[tuple[int, float, float]], fitted: int, moments: list[float]
) -> None:
    counts = filled(rows, fitted)
    found = counts.at(np.array(moments))
    for row, moment in zip(found, moments, strict=True):
        np.testing.assert_allclose(row, by_hand(rows, moment), rtol=1e-5, atol=1e-30)
    again = FadingCounts.restored(counts.state(), HALF)
    np.testing.assert_array_equal(again.at(np.array(moments)), found)


@settings(max_examples=100)
@given(EVENTS, st.integers(1, 8), st.floats(1, 2e4))
def test_what_is_no_longer_kept_still_counts(
    rows: list[tuple[int, float, float]], kept: int, moment: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fading, "KEPT", kept)
        counts = filled(rows, 0)
    times = sorted(row[1] for row in rows)
    gone = times[: max(len(times) - kept, 0)]
    found = counts.at(np.array([moment]))[0]
    if gone and moment < gone[-1]:
        assert np.isnan(found).all()
    else:
        np.testing.assert_allclose(found, by_hand(rows, moment), rtol=1e-5, atol=1e-30)
    assert len(counts.state()[0]["item"]) <= kept
