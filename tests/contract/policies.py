"""The promises of the `Policy` protocol; each check is given a built policy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import chisquare

from acclimate.types import Policy

SCORES = np.array([0.2, 0.9, -np.inf, 0.9, -3.0, 0.0, -np.inf, 0.5])
DRAWS = 5_000
Check = Callable[[Policy], None]


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def check_chances_sum_to_one(policy: Policy) -> None:
    for scores in (SCORES, SCORES * 100, np.zeros(9_000), np.array([5.0])):
        chances = policy.probabilities(scores)
        assert chances.shape == scores.shape
        assert (chances >= 0).all()
        np.testing.assert_allclose(chances.sum(), 1.0, rtol=1e-9)


def check_what_may_not_be_drawn_has_no_chance(policy: Policy) -> None:
    chances = policy.probabilities(SCORES)
    assert not chances[np.isneginf(SCORES)].any()
    assert all(np.isfinite(SCORES[policy.draw(SCORES, _rng(seed)).index]) for seed in range(300))


def check_draws_agree_with_the_chances(policy: Policy) -> None:
    chances = policy.probabilities(SCORES)
    rng = _rng(0)
    counts = np.bincount([policy.draw(SCORES, rng).index for _ in range(DRAWS)], minlength=len(SCORES))
    possible = chances > 0
    assert not counts[~possible].any()
    if possible.sum() > 1:
        assert chisquare(counts[possible], DRAWS * chances[possible]).pvalue > 0.001


def check_the_propensity_is_the_chance(policy: Policy) -> None:
    chances = policy.probabilities(SCORES)
    for seed in range(300):
        draw = policy.draw(SCORES, _rng(seed))
        np.testing.assert_allclose(draw.propensity, chances[draw.index], rtol=1e-9)


def check_the_same_chance_draws_the_same(policy: Policy) -> None:
    rng, again = _rng(7), _rng(7)
    assert [policy.draw(SCORES, rng) for _ in range(50)] == [policy.draw(SCORES, again) for _ in range(50)]


def check_the_scores_are_left_alone(policy: Policy) -> None:
    scores = SCORES.copy()
    policy.draw(scores, _rng(0))
    policy.probabilities(scores)
    np.testing.assert_array_equal(scores, SCORES)
    scores.flags.writeable = False
    policy.draw(scores, _rng(0))
    policy.probabilities(scores)


def check_a_single_candidate_is_certain(policy: Policy) -> None:
    for scores in (np.array([-4.0]), np.array([-np.inf, 2.0, -np.inf])):
        for seed in range(20):
            draw = policy.draw(scores, _rng(seed))
            assert np.isfinite(scores[draw.index])
            np.testing.assert_allclose(draw.propensity, 1.0, rtol=1e-9)


def check_nothing_to_draw_is_an_error(policy: Policy) -> None:
    for ask in (lambda scores: policy.draw(scores, _rng(0)), policy.probabilities):
        try:
            ask(np.full(3, -np.inf))
        except ValueError as error:
            assert "no score is finite" in str(error)  # noqa: PT017
        else:
            raise AssertionError("it drew from nothing")


def check_no_better_score_is_less_probable(policy: Policy) -> None:
    finite = np.isfinite(SCORES)
    chances = policy.probabilities(SCORES)[finite][np.argsort(SCORES[finite], kind="stable")]
    best = chances[-1] + chances[-2]  # the two best are equal, whichever of them a policy prefers
    assert (np.diff(chances[:-2]) >= -1e-12).all()
    assert best >= 2 * chances[:-2].max(initial=0.0) - 1e-12


def check_only_the_best_is_no_exploration(policy: Policy) -> None:
    best = SCORES[np.isfinite(SCORES)].max()
    for seed in range(300):
        draw = policy.draw(SCORES, _rng(seed))
        assert draw.explored or SCORES[draw.index] == best


CHECKS: list[Check] = [
    check_chances_sum_to_one,
    check_what_may_not_be_drawn_has_no_chance,
    check_draws_agree_with_the_chances,
    check_the_propensity_is_the_chance,
    check_the_same_chance_draws_the_same,
    check_the_scores_are_left_alone,
    check_a_single_candidate_is_certain,
    check_nothing_to_draw_is_an_error,
    check_no_better_score_is_less_probable,
    check_only_the_best_is_no_exploration,
]
