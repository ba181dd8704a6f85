"""Every registered policy keeps its promises, and every check of them can fail."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate import config
from acclimate.policies import POLICIES, make_policy
from acclimate.policies.epsilon import Epsilon
from acclimate.types import Draw, Policy
from tests.contract import policies as contract
from tests.contract.policies import CHECKS, Check

SETTINGS = {
    "greedy": config.Policy(name="greedy"),
    "epsilon": config.Policy(name="epsilon", epsilon=0.3),
}


def test_the_contract_is_complete() -> None:
    assert len(CHECKS) == len(set(CHECKS)) == 10
    assert set(SETTINGS) == set(POLICIES)
    assert {name for name in vars(contract) if name.startswith("check_")} == {c.__name__ for c in CHECKS}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SETTINGS)
def test_policy_keeps_the_contract(name: str, check: Check) -> None:
    policy = make_policy(SETTINGS[name])
    assert policy.name == name
    check(policy)


class Honest(Epsilon):
    """Epsilon, for others to break one promise of."""

    def __init__(self) -> None:
        super().__init__(0.3)


class Unnormed(Honest):
    def probabilities(self, scores):
        return super().probabilities(scores) * 0.9


class Trespasser(Honest):
    def probabilities(self, scores):
        return np.full(len(scores), 1 / len(scores))

    def draw(self, scores, rng):
        return Draw(int(rng.integers(len(scores))), 1 / len(scores), explored=True)


class Shy(Honest):
    def draw(self, scores, rng):
        return super().draw(scores, rng) if rng.random() < 0.5 else super().draw(scores, _Never())


class _Never:
    def random(self):
        return 1.0


class Boaster(Honest):
    def draw(self, scores, rng):
        draw = super().draw(scores, rng)
        return Draw(draw.index, 1.0, draw.explored)


class Fickle(Honest):
    def draw(self, scores, rng):
        return super().draw(scores, np.random.default_rng())


class Scribbler(Honest):
    def draw(self, scores, rng):
        draw = super().draw(scores, rng)
        scores[draw.index] = -np.inf
        return draw


class Doubter(Honest):
    def draw(self, scores, rng):
        draw = super().draw(scores, rng)
        return Draw(draw.index, min(draw.propensity, 0.9), draw.explored)


class Reckless(Honest):
    def draw(self, scores, rng):
        return super().draw(scores, rng) if np.isfinite(scores).any() else Draw(0, 1.0)


class Contrary(Honest):
    def probabilities(self, scores):
        return super().probabilities(-np.where(np.isfinite(scores), scores, np.inf))


class Modest(Honest):
    def draw(self, scores, rng):
        draw = super().draw(scores, rng)
        return Draw(draw.index, draw.propensity)


BROKEN: dict[Check, type[Policy]] = dict(
    zip(
        CHECKS,
        [Unnormed, Trespasser, Shy, Boaster, Fickle, Scribbler, Doubter, Reckless, Contrary, Modest],
        strict=True,
    )
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_can_fail(check: Check) -> None:
    with pytest.raises(AssertionError):
        check(BROKEN[check]())
