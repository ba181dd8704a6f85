"""Foreseen ratings and chances, against scikit-learn and slow oracles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.metrics import accuracy, auc, calibration_error, grouped_auc, log_loss, mae, rmse

answers = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0]), st.integers(0, 2)),
    min_size=2,
    max_size=30,
)


def columns(rows: Any) -> tuple[Any, Any, Any]:
    labels, chances, users = zip(*rows, strict=True)
    return np.array(labels), np.array(chances), np.array(users)


@settings(max_examples=80)
@given(answers)
def test_they_are_scikit_learns(rows: Any) -> None:
    labels, chances, _ = columns(rows)
    assert rmse(labels, chances) == pytest.approx(theirs.root_mean_squared_error(labels, chances))
    assert mae(labels, chances) == pytest.approx(theirs.mean_absolute_error(labels, chances))
    assert log_loss(labels, chances) == pytest.approx(theirs.log_loss(labels, chances, labels=[0, 1]))
    assert accuracy(labels, chances) == theirs.accuracy_score(labels, chances >= 0.5)
    if 0 < labels.sum() < len(labels):
        assert auc(labels, chances) == pytest.approx(theirs.roc_auc_score(labels, chances))


@settings(max_examples=80)
@given(answers)
def test_the_grouped_auc_is_a_weighted_mean(rows: Any) -> None:
    labels, scores, users = columns(rows)
    groups = [users == user for user in range(3)]
    groups = [own for own in groups if 0 < labels[own].sum() < own.sum()]
    if not groups:
        with pytest.raises(ValueError, match="labels of both kinds"):
            grouped_auc(labels, scores, users)
        return
    each = [theirs.roc_auc_score(labels[own], scores[own]) for own in groups]
    assert grouped_auc(labels, scores, users) == pytest.approx(
        np.average(each, weights=[own.sum() for own in groups])
    )


def test_calibration_by_hand() -> None:
    chances = np.array([0.1, 0.1, 0.9, 0.9])
    assert calibration_error(np.array([0, 0, 1, 1]), chances, bins=2) == pytest.approx(0.1)
    assert calibration_error(np.array([0, 1, 1, 0]), chances, bins=2) == pytest.approx(0.4)
    rng = np.random.default_rng(0)
    true = rng.random(20_000)
    happened = rng.random(20_000) < true
    assert calibration_error(happened, true) < 0.02
    assert calibration_error(happened, true**2) == pytest.approx(np.mean(true - true**2), abs=0.02)


def test_equal_chances_share_a_bin() -> None:
    assert calibration_error(np.array([0, 1] * 10), np.full(20, 0.5), bins=7) == pytest.approx(0.0)


@pytest.mark.parametrize("measure", [rmse, mae, log_loss, accuracy, calibration_error, auc])
def test_what_makes_no_sense_is_refused(measure: Any) -> None:
    with pytest.raises(ValueError, match="nothing to measure"):
        measure(np.zeros(0), np.zeros(0))
    with pytest.raises(ValueError, match="equally long, got 1 and 2"):
        measure(np.zeros(1), np.zeros(2))


def test_one_kind_of_label_has_no_auc() -> None:
    with pytest.raises(ValueError, match="labels of both kinds"):
        auc(np.ones(3), np.ones(3))
