"""RecTools' figures for one made world, where it defines the same. It is no dependency: these are what
rectools 0.19.0 gave (NDCG with divide_by_achievable, MAP without divide_by_k, MeanInvUserFreq,
AvgRecPopularity, Serendipity)."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.metrics import mean_over_lists, rank_metrics, self_information, serendipity, top_lists

M, N, K = 30, 40, 5
THEIRS = {
    "precision": 0.060000000000000005,
    "recall": 0.1,
    "ndcg": 0.08950967253860395,
    "mrr": 0.15611111111111112,
    "map": 0.052037037037037034,
    "novelty": 3.586251658500015,
    "popularity": 3.686666666666667,
    "serendipity": 0.05699999999999999,
}


def test_they_agree() -> None:
    rng = np.random.default_rng(7)
    scores = rng.permuted(np.tile(np.arange(N), (M, 1)), axis=1).astype(np.float32)
    had = np.concatenate([rng.choice(N // 2, 6, replace=False) for _ in range(M)])
    targets = np.concatenate([rng.choice(np.arange(N // 2, N), 3, replace=False) for _ in range(M)])
    rows, counts = np.repeat(np.arange(M), 6), np.bincount(had, minlength=N)
    found = rank_metrics(scores, targets, np.arange(0, 3 * M + 1, 3), rows, had, K)
    ours = {name.split("@")[0]: values.mean() for name, values in found.items()}
    lists = top_lists(scores, rows, had, K)
    right = np.isin(lists + np.arange(M)[:, None] * N, targets + np.repeat(np.arange(M), 3) * N)
    ours["novelty"] = mean_over_lists(lists, self_information(counts, M)).mean()
    ours["popularity"] = mean_over_lists(lists, counts.astype(np.float64)).mean()
    ours["serendipity"] = serendipity(lists, right, counts).mean()
    assert {name: ours[name] for name in THEIRS} == pytest.approx(THEIRS)
