import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate import config
from acclimate.errors import InputError, NotFoundError
from acclimate.policies import make_policy
from acclimate.policies.epsilon import Epsilon
from acclimate.policies.greedy import Greedy
from acclimate.policies.slate import draw_slate


def rng(seed=0):
    return np.random.default_rng(seed)


def test_an_unknown_policy_names_the_nearest():
    with pytest.raises(NotFoundError, match="no policy 'epsilom': did you mean 'epsilon'") as failure:
        make_policy(config.Policy(name="epsilom"))
    assert failure.value.code == "unknown_policy"
    assert make_policy(config.Policy(name="epsilon", epsilon=0.2)).epsilon == 0.2


@pytest.mark.parametrize("epsilon", [0, -0.1, 1.1, float("nan")])
def test_epsilon_is_a_chance(epsilon):
    wanted = "epsilon must be above 0 and up to 1, got .*; for no exploration take the policy 'greedy'"
    for make in (Epsilon, lambda epsilon: config.Policy(epsilon=epsilon)):
        with pytest.raises(InputError, match=wanted) as failure:
            make(epsilon)
        assert failure.value.field == "policy.epsilon"


def test_epsilon_is_no_text():
    for epsilon in ("0.1", True, None):
        with pytest.raises(InputError, match=f"epsilon must be above 0 and up to 1, got {epsilon!r};"):
            Epsilon(epsilon)


def test_greedy_takes_the_lowest_of_equals():
    assert Greedy().draw(np.array([1.0, 2.0, 2.0]), rng()).index == 1
    assert Greedy().draw(np.array([-np.inf, -9.0]), rng()).index == 1


def test_epsilon_of_one_is_uniform_and_says_what_was_a_try():
    draws = [Epsilon(1.0).draw(np.array([1.0, 2.0, -np.inf]), rng(seed)) for seed in range(50)]
    assert {draw.index for draw in draws} == {0, 1}
    assert all(draw.propensity == 0.5 for draw in draws)
    assert all(draw.explored == (draw.index == 0) for draw in draws)


scores = st.lists(st.sampled_from([np.nan, 0.0, 1.0, 1.0, 2.0, -5.0]), max_size=12).map(np.array)


@given(scores, st.data(), st.integers(1, 15), st.sampled_from([Greedy(), Epsilon(0.5)]), st.integers(0, 99))
def test_a_slate_holds_what_may_be_listed_scored_ones_first(scores, data, k, policy, seed):
    n = len(scores)
    may = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    scores = scores.astype(float)
    before = scores.copy()
    draws = draw_slate(scores, may, k, policy, rng(seed))
    places = [draw.index for draw in draws]
    assert len(places) == len(set(places)) == min(k, may.sum())
    assert may[places].all()
    unscored = np.isnan(scores[places])
    assert (np.diff(unscored.astype(int)) >= 0).all(), "what has no score comes last"
    if unscored.any():
        assert (~unscored).sum() == (may & ~np.isnan(scores)).sum(), "after all that has one"
    np.testing.assert_array_equal(scores, before)


@given(scores, st.integers(1, 15))
def test_a_greedy_slate_is_the_sorted_list(scores, k):
    keys = np.where(np.isnan(scores.astype(float)), np.inf, -scores.astype(float))
    draws = draw_slate(scores.astype(float), np.ones(len(scores), bool), k, Greedy(), rng())
    assert [draw.index for draw in draws] == np.argsort(keys, kind="stable")[:k].tolist()


def test_propensities_are_given_the_items_above():
    """Of three equals, epsilon 0.6 gives the first .6 + .4 = (.4 + .6 / n) at each place, n = 3, 2, 1."""
    draws = draw_slate(np.zeros(3), np.ones(3, bool), 3, Epsilon(0.6), rng(1))
    left, expected = [0, 1, 2], []
    for draw in draws:
        expected.append(0.6 / len(left) + (0.4 if draw.index == min(left) else 0.0))
        left.remove(draw.index)
    assert [draw.propensity for draw in draws] == pytest.approx(expected)
