"""Scalings, codings and dates against what NumPy and scikit-learn say."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

from acclimate.data.features import (
    DATE_PARTS,
    SCALINGS,
    Coding,
    Scaling,
    date_parts,
    hashed,
    hours_and_days,
)
from acclimate.errors import InputError

NUMBERS = np.random.default_rng(0).lognormal(1, 2, (300, 3)) - 2


def test_scalings_are_those_of_scikit_learn() -> None:
    expected = {
        "standard": StandardScaler().fit_transform(NUMBERS),
        "robust": RobustScaler().fit_transform(NUMBERS),
        "log": StandardScaler().fit_transform(np.sign(NUMBERS) * np.log1p(np.abs(NUMBERS))),
        "quantile": 2 * QuantileTransformer(n_quantiles=101).fit_transform(NUMBERS) - 1,
    }
    assert expected.keys() == set(SCALINGS)
    for name, table in expected.items():
        np.testing.assert_allclose(Scaling.fit(name, NUMBERS)(NUMBERS), table, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SCALINGS)
def test_missing_constant_and_unseen_numbers(name: str) -> None:
    numbers = np.column_stack([np.where(np.arange(300) % 3, NUMBERS[:, 0], np.nan), np.full(300, 7.0)])
    scaling = Scaling.fit(name, numbers)
    known = np.isfinite(numbers[:, 0])
    np.testing.assert_array_equal(
        scaling(numbers[known])[:, 0], Scaling.fit(name, numbers[known][:, :1])(numbers[known][:, :1])[:, 0]
    )
    out = scaling(np.array([[np.nan, 7.0], [np.inf, np.nan], [1e9, 7.0]]))
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert out[0].tolist() == [0.0, 0.0]
    assert Scaling.fit(name, np.full((4, 1), np.nan))(np.array([[3.0]])).tolist() == [[0.0]]


@pytest.mark.parametrize("name", SCALINGS)
def test_any_shape_whose_last_axis_are_the_columns(name: str) -> None:
    cube = NUMBERS.reshape(10, 30, 3)
    scaling = Scaling.fit(name, cube)
    np.testing.assert_array_equal(scaling.table, Scaling.fit(name, NUMBERS).table)
    np.testing.assert_array_equal(scaling(cube), scaling(NUMBERS).reshape(cube.shape))
    assert Scaling.fit(name, np.zeros((4, 0)))(np.zeros((2, 5, 0))).shape == (2, 5, 0)


@pytest.mark.parametrize("name", SCALINGS)
def test_what_varies_by_rounding_alone_is_a_constant(name: str) -> None:
    third = np.float32(1000) / np.float32(3)
    column = np.where(np.arange(50) % 2, third, np.nextafter(third, np.float32(1e9)))[:, None]
    assert column.dtype == np.float32
    assert Scaling.fit(name, column)(column).ravel().tolist() == [0.0] * 50


def test_robust_scaling_of_what_is_mostly_one_value_is_in_spreads() -> None:
    column = np.array([[0.0]] * 9 + [[10.0]])
    assert Scaling.fit("robust", column)(column).ravel().tolist() == pytest.approx([0.0] * 9 + [10 / 3])


def test_an_unknown_scaling_names_the_nearest() -> None:
    with pytest.raises(InputError, match="no scaling 'standart': did you mean 'standard'"):
        Scaling.fit("standart", NUMBERS)


def test_categories_are_coded_by_frequency() -> None:
    labels = ["b", "a", "c", "a", "c", "a"]
    coding = Coding.fit(labels, most=2)
    assert coding(["a", "c", "b", "new"]).tolist() == [1, 2, 0, 0]
    assert Coding(coding.names)(["c"]).tolist() == [2]
    assert Coding.fit([])(["a"]).tolist() == [0]


def test_hashed_labels_need_no_fit() -> None:
    out = hashed([["a", "b"], ["a"], []], 64)
    assert out.sum(axis=1).tolist() == [2.0, 1.0, 0.0]
    np.testing.assert_array_equal(out[1], hashed([["a"]], 64)[0])
    assert hashed([], 8).shape == (0, 8)


def test_dates_are_those_of_the_calendar() -> None:
    times = np.random.default_rng(0).uniform(0, 2e9, 200)
    hours, days = hours_and_days(times)
    moments = [datetime.fromtimestamp(time, UTC) for time in times]
    assert hours.tolist() == [moment.hour for moment in moments]
    assert days.tolist() == [moment.weekday() for moment in moments]
    parts = date_parts(times)
    assert parts.shape == (200, len(DATE_PARTS))
    np.testing.assert_allclose(parts[:, 0::2] ** 2 + parts[:, 1::2] ** 2, 1)
    np.testing.assert_allclose(date_parts(times + 7 * 86_400), parts, atol=1e-6)
