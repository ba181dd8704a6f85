"""ALS, BPR and ISGD: closed forms and single steps, against a few lines of NumPy."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError
from acclimate.models import als as als_module
from acclimate.models.als import ALS
from acclimate.models.bpr import BPR, _Rows
from acclimate.models.isgd import ISGD, RIDGE
from acclimate.types import Events, Histories, Model

N_USERS, N_ITEMS = 60, 30


def tastes(seed: int = 0, n_users: int = N_USERS) -> Dataset:
    """Three tastes of ten items each; a user likes six items of one, and two of any."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        mine = rng.permutation(np.arange(user % 3, N_ITEMS, 3))[:6]
        rows += [(user, int(item)) for item in {*mine.tolist(), *rng.integers(0, N_ITEMS, 2).tolist()}]
    weight = rng.choice([1.0, 0.5, 2.0], len(rows))
    order = rng.permutation(len(rows))
    user, item = np.array(rows).T
    vocabularies = (Vocabulary(map(str, range(n))) for n in (n_users, N_ITEMS))
    return Dataset(*vocabularies, user[order], item[order], np.arange(len(rows)), weight=weight)


def events(rows: list[tuple[int, int, float]]) -> Events:
    user, item, weight = (np.array([row[at] for row in rows]) for at in range(3))
    times = 1e6 + np.arange(len(rows))
    return Events(
        user.astype(np.int32), item.astype(np.int32), times, weight.astype(np.float32), times * np.nan
    )


def dense(data: Dataset) -> np.ndarray:
    x = np.zeros((data.n_users, data.n_items))
    np.maximum.at(x, (data.user, data.item), data.weight)
    return x


@pytest.mark.parametrize(
    "model",
    [ALS(factors=8, l2=1.0), BPR(factors=8), ISGD(factors=8, learning_rate=0.3)],
    ids=lambda m: m.name,
)
def test_it_tells_tastes_apart(model: Model) -> None:
    model.fit(tastes(n_users=1000))
    for taste in range(3):
        own = np.arange(taste, N_ITEMS, 3)
        scores = model.score(Histories.of([own[:4].tolist()]))[0]
        others = np.delete(np.arange(N_ITEMS), own)
        better = (scores[own[4:], None] > scores[others]).mean()
        assert better > 0.85, f"taste {taste}: {better}"


def test_als_solves_for_who_asks_in_closed_form() -> None:
    model, data = ALS(factors=5, l2=2.0, alpha=3.0), tastes()
    model.fit(data)
    y = model.state()[0]["table"].astype(np.float64)
    x = dense(data)
    expected = []
    for row in x:
        c = np.diag(1 + 3.0 * row)
        expected.append(np.linalg.solve(y.T @ c @ y + 2.0 * np.eye(5), y.T @ c @ (row > 0)) @ y.T)
    np.testing.assert_allclose(model.score(data.histories()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("crowd", [1000, 4])
def test_als_solves_again_for_what_an_event_touches(crowd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(als_module, "CROWD", crowd)
    model, data = ALS(factors=5, l2=2.0, alpha=3.0), tastes()
    model.fit(data)
    before, arrays = model.state()[0], dense(data)
    arrays[7, 0] = 2.0
    model.learn(events([(7, 0, 2.0)]))
    after = model.state()[0]
    np.testing.assert_array_equal(after["table"][1:], before["table"][1:])
    np.testing.assert_array_equal(np.delete(after["users"], 7, 0), np.delete(before["users"], 7, 0))
    y, p = before["table"].astype(np.float64), after["users"].astype(np.float64)
    c = np.diag(1 + 3.0 * arrays[7])
    user = np.linalg.solve(y.T @ c @ y + 2.0 * np.eye(5), y.T @ c @ (arrays[7] > 0))
    np.testing.assert_allclose(p[7], user, rtol=1e-4, atol=1e-5)
    fans = after["like_user"][after["like_item"] == 0]
    newest, times = fans[-crowd:], max(len(fans) / crowd, 1.0)
    more = times * 3.0 * arrays[newest, 0]
    left = p.T @ p + (p[newest].T * more) @ p[newest] + 2.0 * np.eye(5)
    np.testing.assert_allclose(
        after["table"][0], np.linalg.solve(left, p[newest].T @ (times + more)), rtol=1e-3, atol=1e-4
    )


def test_als_that_learns_comes_near_to_a_new_fit() -> None:
    data = tastes(n_users=150)
    half, whole = ALS(factors=8, l2=1.0), ALS(factors=8, l2=1.0)
    whole.fit(data)
    half.fit(data.where(np.arange(len(data)) < len(data) // 2))
    asked, stale = data.histories(), half.score(data.histories())
    half.learn(data.events.part(slice(len(data) // 2, None)))
    learned, fitted = half.score(asked), whole.score(asked)

    def near(a: np.ndarray) -> float:
        return float(np.corrcoef(np.nan_to_num(a).ravel(), fitted.ravel())[0, 1])

    assert near(learned) > 0.9
    assert near(learned) > near(stale)


def test_als_takes_the_warnings_of_its_library_upon_itself() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ALS(factors=2).fit(tastes())


def test_bpr_steps_along_the_gradient_of_its_loss() -> None:
    rng = np.random.default_rng(0)
    user, item, other = (rng.integers(0, n, 40) for n in (5, 7, 7))
    users, table = _Rows(5, 3, rng), _Rows(7, 4, rng)
    users.values, table.values = users.values.astype(np.float64), table.values.astype(np.float64)
    p, q = users.values.copy(), table.values.copy()

    def gain(p: np.ndarray, q: np.ndarray) -> float:
        apart = q[item] - q[other]
        return float(-np.log1p(np.exp(-(p[user] * apart[:, :3]).sum(1) - apart[:, 3])).sum())

    def slope(at: np.ndarray, ask: object) -> np.ndarray:
        out = np.zeros_like(at)
        for cell in np.ndindex(*at.shape):
            moved = at.copy()
            moved[cell] += 1e-5
            out[cell] = (ask(moved) - ask(at)) / 1e-5  # type: ignore[operator]
        return out

    BPR(factors=3, l2=0.0, learning_rate=1.0)._step(users, table, user, item, other)
    for moved, start, ask in ((users, p, lambda v: gain(v, q)), (table, q, lambda v: gain(p, v))):
        gradient = slope(start, ask)
        step = gradient / np.sqrt((gradient**2).mean(axis=1, keepdims=True) + 1e-8)
        np.testing.assert_allclose(moved.values - start, step, rtol=1e-3, atol=1e-3)


def test_bpr_finds_its_users_again_from_what_they_liked() -> None:
    model, data = BPR(factors=8), tastes(n_users=300)
    model.fit(data)
    (a, b) = model.score(Histories.of([[0, 3], [1, 4]]))
    assert np.corrcoef(a, b)[0, 1] < 0.5
    once, twice = model.score(Histories.of([[0, 3], [0, 3, 3, 0]]))
    np.testing.assert_array_equal(once, twice)


def test_isgd_is_one_step_for_each_event() -> None:
    data = tastes()
    model = ISGD(factors=4, learning_rate=0.1, l2=0.02, negatives=2)
    model.fit(data)
    fresh = ISGD(factors=4)
    p = np.array([fresh._start("user").row(n).copy() for n in range(N_USERS)], np.float64)
    q = np.array([fresh._start("item").row(n).copy() for n in range(N_ITEMS)], np.float64)
    queue: list[int] = []

    def step(u: int, i: int, aim: float) -> None:
        error = aim - p[u] @ q[i]
        p[u], q[i] = p[u] + 0.1 * (error * q[i] - 0.02 * p[u]), q[i] + 0.1 * (error * p[u] - 0.02 * q[i])

    for user, item in zip(data.user.tolist(), data.item.tolist(), strict=True):
        for _ in range(min(2, len(queue))):
            queue.append(queue.pop(0))
            step(user, queue[-1], 0.0)
        if item in queue:
            queue.remove(item)
        queue.append(item)
        step(user, item, 1.0)
    arrays = model.state()[0]
    np.testing.assert_allclose(arrays["table"][:N_ITEMS], q, atol=1e-4)
    np.testing.assert_allclose(arrays["users"][:N_USERS], p, atol=1e-4)
    assert arrays["queue"].tolist() == queue
    liked = q[[0, 3]]
    asker = np.linalg.solve(liked.T @ liked + RIDGE * np.eye(4), liked.sum(axis=0))
    np.testing.assert_allclose(model.score(Histories.of([[0, 3]]))[0], asker @ q.T, atol=1e-4)


def test_rows_of_isgd_start_alike_whenever_they_are_first_needed() -> None:
    early, late = ISGD()._start("user"), ISGD()._start("user")
    first = early.row(5).copy()
    late.row(3000)
    np.testing.assert_array_equal(late.row(5), first)
    assert not np.array_equal(late.row(5), ISGD()._start("item").row(5))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ALS(factors=0), "factors must be 1..10000, got 0"),
        (lambda: ALS(l2=0), "l2 must be a positive number, got 0"),
        (lambda: ALS(alpha=-1), "alpha must be a positive number, got -1"),
        (lambda: ALS(seed=-1), "seed must be 0..4294967295, got -1"),
        (lambda: BPR(learning_rate=float("nan")), "learning_rate must be a positive number, got nan"),
        (lambda: BPR(l2=-1), "l2 must be 0 or a positive number, got -1"),
        (lambda: BPR(epochs="many"), "epochs must be a whole number, 1..10000, got 'many'"),
        (lambda: ISGD(negatives=101), "negatives must be 0..100, got 101"),
        (lambda: ISGD(l2="much"), "l2 must be 0 or a positive number, got 'much'"),
    ],
)
def test_arguments_are_checked(build: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()  # type: ignore[operator]


def test_a_matrix_of_likes_has_a_row_for_each_user() -> None:
    data = tastes()
    model = ALS(factors=2)
    model.fit(data)
    x = model._likes.matrix(np.arange(N_ITEMS, dtype=np.int32))
    assert isinstance(x, csr_array)
    np.testing.assert_allclose(x.toarray(), dense(data))
