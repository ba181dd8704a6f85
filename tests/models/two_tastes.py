"""A world of two tastes: even users like even items, odd users odd ones."""

from __future__ import annotations

import numpy as np

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.types import Histories, Model

N_USERS, N_ITEMS = 60, 20


def two_tastes() -> Dataset:
    """Each user likes seven of the ten items of the own taste; item codes are numbers."""
    rng = np.random.default_rng(3)
    liked = [2 * rng.permutation(N_ITEMS // 2)[:7] + user % 2 for user in range(N_USERS)]
    user, item = np.repeat(np.arange(N_USERS), 7), np.concatenate(liked)
    users, items = (Vocabulary(map(str, range(n))) for n in (N_USERS, N_ITEMS))
    return Dataset(users, items, user, item, rng.permutation(len(user)).astype(float))


def knows_the_taste(model: Model) -> bool:
    """Whether for one liked item all items of its taste stand above all others."""
    scores = model.score(Histories.of([[item] for item in range(N_ITEMS)]))
    same = np.add.outer(np.arange(N_ITEMS), np.arange(N_ITEMS)) % 2 == 0
    lowest = np.where(same & ~np.eye(N_ITEMS, dtype=bool), scores, np.inf).min(axis=1)
    return bool((lowest > np.where(same, -np.inf, scores).max(axis=1)).all())
