"""A candidate against the current model: each way to be worse is found, and no other."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from acclimate.adapt.against import Known, check_size, compare
from acclimate.adapt.findings import Findings
from acclimate.adapt.questions import Questions
from acclimate.types import Floats, Histories, Model, User

N = 40
"""Items; users of the even ones are asked about the first half of them."""


class Says:
    """Puts the right item first for those whom it knows, and last for others."""

    n_items = N

    def __init__(self, knows: Callable[[Histories], np.ndarray], seconds: float = 0.0) -> None:
        self.knows, self.seconds = knows, seconds

    def score(self, histories: Histories) -> Floats:
        time.sleep(self.seconds)
        assert histories.users is not None
        scores = np.zeros((len(histories), N), np.float32)
        right = histories.users % N
        scores[np.arange(len(histories)), right] = np.where(self.knows(histories), 1.0, -1.0)
        return scores


def says(knows: Callable[[Histories], np.ndarray], seconds: float = 0.0) -> Model:
    model: Model = Says(knows, seconds)  # type: ignore[assignment]
    return model


def users(histories: Histories) -> np.ndarray:
    assert histories.users is not None
    return histories.users


EVERYBODY = says(lambda h: np.ones(len(h), bool))
NOBODY = says(lambda h: np.zeros(len(h), bool))
MOST = says(lambda h: users(h) % 10 != 0)
LIKED = np.r_[np.full(10, 500), np.full(N - 10, 5)].astype(np.int64)


def asked(n: int = 400, length: int = 8) -> Questions:
    """Each user has had ``length`` of the items behind the one that is right."""
    questions = Questions()
    for user in range(n):
        had = [(user + 1 + step) % N for step in range(length)]
        assert questions.add(Histories.of([had], users=[user]), user % N)
    return questions


def found(
    candidate: Model, current: Model, newest: Questions | None = None, people: dict[int, User] | None = None
) -> Findings:
    findings = Findings()
    compare(findings, candidate, current, newest or asked(), asked(300), Known(LIKED, people or {}))
    return findings


@pytest.mark.parametrize("model", [EVERYBODY, NOBODY, MOST])
def test_one_that_is_the_same_passes(model: Model) -> None:
    findings = found(model, model)
    assert findings.held
    assert set(findings.checks) == {"not_worse", "not_forgotten", "no_segment_harmed", "not_slower"}
    assert findings.reasons[0].startswith("no worse than the current model")
    assert findings.figures["users"] == 400


def test_better_passes_and_worse_does_not() -> None:
    better, worse = found(EVERYBODY, MOST), found(MOST, EVERYBODY)
    assert better.held
    assert "better than the current model: ndcg@10 1.0000 against 0.9" in better.reasons[0]
    assert not worse.checks["not_worse"]
    assert not worse.checks["not_forgotten"], "it was asked the same before"
    assert worse.figures["gain_high"] < 0


def test_what_is_gained_by_many_is_not_paid_by_a_few() -> None:
    """New users, rare items and groups of users must not lose, however much the others gain."""
    newest = asked(300)
    for user in range(300, 360):
        newest.add(Histories.of([[]], users=[user], now=[1.0]), user % N)
    ours = says(lambda h: (users(h) < 300) | (users(h) % 3 == 0))
    theirs = says(lambda h: (users(h) % 5 != 0) | (users(h) >= 300))
    findings = found(ours, theirs, newest)
    assert findings.checks["not_worse"]
    assert not findings.checks["no_segment_harmed"]
    assert "harmed: new users -0." in " ".join(findings.reasons)
    rare = found(
        says(lambda h: users(h) % N < 10), says(lambda h: (users(h) % N >= 10) | (users(h) % 2 == 0))
    )
    assert "rare items" in " ".join(rare.reasons)


def test_a_group_of_users_counts() -> None:
    people = {user: User(str(user), {"plan": "free" if user < 340 else "paid"}) for user in range(400)}
    ours = says(lambda h: users(h) < 340)
    theirs = says(lambda h: (users(h) % 2 == 0) | (users(h) >= 340))
    findings = found(ours, theirs, people=people)
    assert findings.checks["not_worse"]
    assert "plan paid -1.0000" in " ".join(findings.reasons)
    many = {user: User(str(user), {"plan": str(user)}) for user in range(400)}
    assert "plan" not in " ".join(found(ours, theirs, people=many).reasons), "too many to be groups"


def test_who_acts_much_counts_once() -> None:
    """A robot that asks a thousand times moves the figure as one user."""
    newest = asked(120)
    for _ in range(1_500):
        newest.add(Histories.of([[1, 2]], users=[1_000]), 0)
    ours = says(lambda h: users(h) == 1_000)
    findings = found(ours, EVERYBODY, newest)
    assert not findings.checks["not_worse"]
    assert findings.figures["ndcg@10"] < 0.02


def test_one_that_is_slow_does_not_pass() -> None:
    slow = says(lambda h: np.ones(len(h), bool), seconds=0.4)
    findings = found(slow, EVERYBODY)
    assert not findings.checks["not_slower"]
    assert findings.checks["not_worse"]
    assert found(EVERYBODY, slow).checks["not_slower"]


def test_what_cannot_be_asked_is_not_valid() -> None:
    class Broken(Says):
        def score(self, histories: Histories) -> Floats:
            return np.full((len(histories), N), np.inf, np.float32)

    broken: Model = Broken(lambda h: np.ones(len(h), bool))  # type: ignore[assignment]
    findings = found(broken, EVERYBODY)
    assert not findings.held
    assert findings.checks == {"valid": False}
    assert findings.reasons[0].startswith("cannot be asked: scores must be finite")


def test_weights_may_not_grow_by_half() -> None:
    for ours, held in ((10, True), (12_000_000, True), (200_000_000, False)):
        findings = Findings()
        check_size(findings, ours, 100_000_000 if ours > 10**8 else 5_000_000)
        assert findings.checks["not_larger"] is held


def test_questions_travel_and_stay_few() -> None:
    questions = asked(50)
    again = Questions.restored(questions.state())
    np.testing.assert_array_equal(again.ndcg(MOST), questions.ndcg(MOST))
    assert again.users.tolist() == questions.users.tolist()
    assert len(Questions.restored(Questions().state())) == 0
    few = Questions(10)
    few.take(questions)
    assert few.users.tolist() == list(range(40, 50)), "the oldest leave"
    few.forget(45)
    assert 45 not in few.users
    assert not few.add(Histories.of([[3, 4]], users=[1]), 4), "what was had may not be listed"
