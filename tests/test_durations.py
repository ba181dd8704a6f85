"""Lengths and points of time are read as people write them, and refused by name."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.config import load_settings
from acclimate.durations import UNITS, again_after, moment, seconds
from acclimate.errors import InputError


@given(st.integers(0, 10**6), st.sampled_from(sorted(UNITS)))
def test_a_number_and_a_unit(number: int, unit: str) -> None:
    assert seconds(f" {number}{unit} ", "window") == number * UNITS[unit]


@pytest.mark.parametrize("text", ["", "d", "-1d", "1 year", "7dd", "nan", "1e3", "inf"])
def test_other_lengths_are_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(InputError, match=r"window must be a length of time such as 90s, .*, got"):
        seconds(text, "window")


def test_moments() -> None:
    assert moment("2000-11-01", "start") == 973_036_800
    assert moment("2000-11-01T00:00", "start") == moment("2000-11-01T01:00+01:00", "start")
    assert moment("-5", "start") == -5


@pytest.mark.parametrize("text", ["nan", "inf", "yesterday", "2000-13-01", ""])
def test_other_moments_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="start must be"):
        moment(text, "start")


def test_the_repeat_table_of_the_settings() -> None:
    assert load_settings().repeat.again == math.inf
    assert load_settings().repeat.in_words == "never"
    assert load_settings(None, ("repeat.default=always",)).repeat.again == 0
    assert load_settings(None, ("repeat.default=7d",)).repeat.again == 7 * 86_400
    with pytest.raises(InputError, match="never, always or a length of time such as 7d, got 'often'"):
        load_settings(None, ("repeat.default=often",))
    with pytest.raises(InputError, match=r"repeat\.default"):
        again_after("-3d")
