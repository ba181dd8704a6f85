"""Of several ways the best is taken, none where none is better, and none again when it no longer is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from acclimate.state.contest import LEAST, MEMORY, Contest, earned


def run(contest: Contest, gains: list[float], n: int, seed: int = 0) -> Contest:
    """Let ways earn what the first does, noise, and their gain."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        contest.judge(rng.normal(0.2, 0.1) + np.array([0.0, *gains]) + rng.normal(0, 0.05, 1 + len(gains)))
    return contest


def test_the_best_is_taken() -> None:
    contest = run(Contest(4), [0.01, 0.03, -0.02], 3000)
    assert contest.best == 2
    assert contest.gain == pytest.approx(0.03, abs=0.01)
    np.testing.assert_allclose(contest.means, [0, 0.01, 0.03, -0.02], atol=0.01)


def test_means_and_errors_are_those_of_weighted_statistics() -> None:
    rng = np.random.default_rng(1)
    told = rng.normal(0, 1, (500, 3))
    contest = Contest(3)
    for row in told:
        contest.judge(row)
    weights = (1 - 1 / MEMORY) ** np.arange(500)[::-1]
    more = told - told[:, :1]
    mean = np.average(more, axis=0, weights=weights)
    error = (
        np.sqrt(np.average((more - mean) ** 2, axis=0, weights=weights) * (weights**2).sum()) / weights.sum()
    )
    np.testing.assert_allclose(contest.means, mean, atol=1e-9)
    np.testing.assert_allclose(contest.errors, error, atol=1e-9)


def test_noise_is_rarely_taken_for_a_gain() -> None:
    taken = [run(Contest(9), [0.0] * 8, 1000, seed).best > 0 for seed in range(60)]
    assert np.mean(taken) < 0.1


def test_what_no_longer_pays_is_switched_off() -> None:
    contest = run(Contest(2), [0.02], 3000)
    assert contest.best == 1
    assert run(contest, [-0.02], 8000, seed=1).best == 0


def test_few_questions_decide_nothing() -> None:
    contest = run(Contest(2), [1.0], LEAST - 1)
    assert contest.best == 0
    assert run(contest, [1.0], 1).best == 1


def test_its_state_travels() -> None:
    contest = run(Contest(3), [0.01, 0.02], 500)
    arrays, numbers = contest.state()
    again = Contest.restored((arrays, json.loads(json.dumps(numbers))))
    for each in (contest, again):
        run(each, [0.0, 0.01], 500, seed=3)
    np.testing.assert_array_equal(again.means, contest.means)
    assert again.best == contest.best


@pytest.mark.parametrize(
    ("scores", "place"),
    [
        ([3.0, 2.0, 1.0], 2.0),
        ([1.0, 3.0, 1.0], 1.0),
        ([2.0, 2.0, 2.0], 2.0),
        ([2.0, 2.0, 1.0], 1.5),
        ([np.nan, 2.0, np.nan], 1.0),
        ([1.0, np.nan, 2.0], 3.0),
        ([np.nan, np.nan, np.nan], 3.0),
    ],
)
def test_a_way_earns_by_the_place_of_what_was_chosen(scores: list[float], place: float) -> None:
    found = earned(np.array([scores, [0.0, 9.0, 0.0]], np.float32), 1)
    np.testing.assert_allclose(found, [1 / np.log2(1 + place), 1.0])
