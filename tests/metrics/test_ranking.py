"""Metrics against hand-computed values, a brute-force oracle over all orders of ties, and scikit-learn."""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, roc_auc_score

from acclimate.metrics import (
    Places,
    coverage,
    find_places,
    metrics_at,
    rank_metrics,
    ranking,
    ranking_auc,
    top_lists,
)

NAN = float("nan")
NONE = np.zeros(0, np.int32)
NAMES = ["hr", "recall", "precision", "f1", "ndcg", "mrr", "map"]


def one(
    scores: list[float], targets: list[int], k: int, exclude: list[int] | None = None
) -> dict[str, float]:
    columns = np.array(exclude or [], np.int32)
    found = rank_metrics(
        np.array([scores], np.float32),
        np.array(targets, np.int32),
        np.array([0, len(targets)]),
        np.zeros(len(columns), np.int32),
        columns,
        k,
    )
    return {name.split("@")[0]: float(values[0]) for name, values in found.items()}


def of_list(ranked: list[int], targets: set[int], k: int) -> dict[str, float]:
    """The textbook, for one list without ties."""
    right = [item in targets for item in ranked[:k]]
    hits = sum(right)
    ranks = [rank for rank, is_right in enumerate(right, 1) if is_right]
    precision, recall = hits / k, hits / len(targets)
    ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(k, len(targets)) + 1))
    return {
        "hr": float(hits > 0),
        "recall": recall,
        "precision": precision,
        "f1": 2 * precision * recall / (precision + recall) if hits else 0.0,
        "ndcg": sum(1 / np.log2(rank + 1) for rank in ranks) / ideal,
        "mrr": 1 / ranks[0] if ranks else 0.0,
        "map": sum((n + 1) / rank for n, rank in enumerate(ranks)) / min(k, len(targets)),
    }


def over_all_orders(scores: list[float], targets: list[int], k: int, exclude: list[int]) -> dict[str, float]:
    """The slow oracle: the mean over every order that sorts the scores, NaN last."""
    shown = [item for item in range(len(scores)) if item not in exclude]
    key = [-np.inf if np.isnan(score) else score for score in scores]
    allowed = [
        list(order) for order in permutations(shown) if all(key[a] >= key[b] for a, b in pairwise(order))
    ]
    each = [of_list(order, set(targets), k) for order in allowed]
    return {name: float(np.mean([row[name] for row in each])) for name in NAMES}


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[float], list[int], int, list[int]]:
    scores = draw(st.lists(st.sampled_from([0.0, -0.0, 1.0, -2.5, NAN]), min_size=1, max_size=6))
    items = draw(st.permutations(range(len(scores))))
    n_targets = draw(st.integers(1, len(items)))
    n_excluded = draw(st.integers(0, len(items) - n_targets))
    k = draw(st.integers(1, 8))
    return scores, items[:n_targets], k, items[n_targets : n_targets + n_excluded]


@settings(max_examples=150)
@given(questions())
def test_every_metric_is_its_mean_over_all_orders_of_ties(question: Any) -> None:
    scores, targets, k, exclude = question
    expected = over_all_orders(scores, targets, k, exclude)
    assert one(scores, targets, k, exclude) == pytest.approx(expected, abs=1e-12)


def test_known_values_by_hand() -> None:
    found = one([0.9, 0.8, 0.7, 0.6, 0.5], targets=[1, 3, 4], k=4)
    assert found == pytest.approx(
        {
            "hr": 1.0,
            "recall": 2 / 3,
            "precision": 2 / 4,
            "f1": 4 / 7,
            "ndcg": (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3) + 1 / 2),
            "mrr": 1 / 2,
            "map": (1 / 2 + 2 / 4) / 3,
        }
    )


def test_a_constant_scorer_looks_like_chance() -> None:
    assert one([1.0] * 50, targets=[7], k=10)["hr"] == pytest.approx(10 / 50)
    assert one([1.0] * 50, targets=[7, 9], k=10)["recall"] == pytest.approx(10 / 50)
    assert one([NAN] * 50, targets=[7], k=10) == pytest.approx(one([1.0] * 50, targets=[7], k=10))


def test_what_cannot_be_scored_ranks_last() -> None:
    scores = [NAN, -5.0, 3.0, NAN]
    assert one(scores, targets=[1], k=2)["mrr"] == pytest.approx(1 / 2)
    assert one(scores, targets=[0], k=2)["hr"] == 0.0
    assert one(scores, targets=[0], k=3)["hr"] == pytest.approx(1 / 2)


def test_excluded_items_take_no_place() -> None:
    assert one([3.0, 2.0, 1.0], targets=[2], k=1, exclude=[0, 1, 1])["hr"] == 1.0


def test_k_beyond_the_catalogue() -> None:
    found = one([3.0, 2.0, 1.0], targets=[1], k=10)
    assert (found["recall"], found["precision"]) == (1.0, 0.1)


def made(seed: int, m: int, n: int, levels: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (m, n)).astype(np.float32)
    scores[rng.random((m, n)) < 0.1] = np.nan
    lengths = rng.integers(1, 5, m)
    targets = np.concatenate([rng.choice(n // 2, size, replace=False) for size in lengths]).astype(np.int32)
    rows, columns = rng.integers(0, m, 3 * m), rng.integers(n // 2, n, 3 * m)
    return scores, targets, np.concatenate([[0], np.cumsum(lengths)]), rows, columns


def test_ndcg_agrees_with_scikit_learn_which_averages_ties_too() -> None:
    scores, targets, offsets, _, _ = made(0, m=40, n=30, levels=6)
    scores = np.nan_to_num(scores, nan=-1.0)
    truth = np.zeros_like(scores)
    truth[np.repeat(np.arange(40), np.diff(offsets)), targets] = 1
    found = rank_metrics(scores, targets, offsets, NONE, NONE, 10)["ndcg@10"]
    assert found.mean() == pytest.approx(ndcg_score(truth, scores, k=10))


@settings(max_examples=100)
@given(questions())
def test_the_auc_of_a_ranking_is_scikit_learns(question: Any) -> None:
    scores, targets, _, exclude = question
    shown = [item for item in range(len(scores)) if item not in exclude]
    columns, offsets = np.array(exclude, np.int32), np.array([0, len(targets)])
    row = np.zeros(len(columns), np.int32)
    places = find_places(np.array([scores], np.float32), np.array(targets), offsets, row, columns)
    found = ranking_auc(places, np.array([len(shown)]))[0]
    truth = [item in targets for item in shown]
    keys = [-1e9 if np.isnan(scores[item]) else scores[item] for item in shown]
    assert found == pytest.approx(1.0 if all(truth) else roc_auc_score(truth, keys))


def test_a_batch_equals_its_members_and_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, targets, offsets, rows, columns = made(1, m=50, n=40, levels=9)
    whole = find_places(scores, targets, offsets, rows, columns)
    monkeypatch.setattr(ranking, "BLOCK", 7)
    for mine, theirs in zip(find_places(scores, targets, offsets, rows, columns), whole, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    lists = top_lists(scores, rows, columns, 5)
    each = []
    for user in range(50):
        of_user = columns[rows == user]
        own = targets[offsets[user] : offsets[user + 1]]
        none = np.zeros(len(of_user), np.int32)
        row = scores[user : user + 1]
        each.append(find_places(row, own, np.array([0, len(own)]), none, of_user))
        np.testing.assert_array_equal(top_lists(row, none, of_user, 5)[0], lists[user])
    for mine, theirs in zip(Places.join(each), whole, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_part_of_the_targets_keeps_its_places() -> None:
    scores, targets, offsets, rows, columns = made(2, m=20, n=40, levels=9)
    places = find_places(scores, targets, offsets, rows, columns)
    keep = targets % 2 == 0
    users = np.unique(places.rows[keep])
    counts = np.bincount(places.rows[keep], minlength=20)[users]
    again = find_places(
        scores[users],
        targets[keep],
        np.concatenate([[0], np.cumsum(counts)]),
        np.concatenate([[at] * (rows == user).sum() for at, user in enumerate(users)]).astype(int),
        np.concatenate([columns[rows == user] for user in users]),
    )
    for mine, theirs in zip(places.where(keep), again, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_lists_rank_equal_scores_by_code_and_leave_out_what_has_no_score() -> None:
    scores = np.array([[0.0, -0.0, -1.0, NAN, 2.0], [NAN] * 5], np.float32)
    lists = top_lists(scores, np.array([0]), np.array([4]), k=4)
    assert lists.tolist() == [[0, 1, 2, -1], [-1] * 4]
    assert coverage(lists, 5) == 3 / 5
    assert top_lists(scores, NONE, NONE, k=7)[0].tolist() == [4, 0, 1, 2, -1, -1, -1]
    assert coverage(np.full((1, 3), -1, np.int32), 0) == 0.0


def test_lists_agree_with_a_stable_sort() -> None:
    scores, _, _, rows, columns = made(3, m=60, n=40, levels=5)
    lists = top_lists(scores, rows, columns, 8)
    scores[rows, columns] = np.nan
    for user in range(60):
        order = np.argsort(-scores[user], kind="stable")
        expected = [item for item in order if not np.isnan(scores[user, item])][:8]
        assert [item for item in lists[user] if item >= 0] == expected


def test_inputs_are_left_alone_and_may_be_read_only() -> None:
    scores, targets, offsets, rows, columns = made(4, m=5, n=20, levels=5)
    before = scores.copy()
    for array in (scores, targets, offsets, rows, columns):
        array.flags.writeable = False
    rank_metrics(scores, targets, offsets, rows, columns, 3)
    top_lists(scores, rows, columns, 3)
    np.testing.assert_array_equal(scores, before)


@pytest.mark.parametrize(
    ("scores", "targets", "exclude", "message"),
    [
        ([1.0, np.inf], [0], [], "finite, or NaN"),
        ([1.0, 2.0], [0], [0], "right item is excluded"),
        ([1.0, 2.0], [0, 0], [], "only once"),
        ([1.0, 2.0], [], [], "user 0 of 1 has no right item"),
    ],
)
def test_what_makes_no_sense_is_refused(scores: Any, targets: Any, exclude: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        one(scores, targets, 1, exclude)


def test_no_users_no_metrics() -> None:
    found = rank_metrics(np.zeros((0, 3), np.float32), NONE, np.array([0]), NONE, NONE, 10)
    assert {name: len(values) for name, values in found.items()} == {f"{name}@10": 0 for name in NAMES}
    assert metrics_at(Places.join([]), 5)["map@5"].tolist() == []
