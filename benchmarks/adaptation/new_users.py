"""What a start that was learned over users is worth to new ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.adaptation.levels import WIDTH
from numpy.typing import NDArray

from acclimate.adapt.meta import Meta
from acclimate.config import Home
from acclimate.data.fetch import fetch
from acclimate.data.tables import read_tables
from acclimate.encode import make_encoder
from acclimate.evaluate.compare import paired
from acclimate.metrics import rank_metrics
from acclimate.models.sequence import SequenceModel
from acclimate.rng import generator
from acclimate.training import Training
from acclimate.types import Floats, Histories

AFTER, TEN = (1, 3, 5, 10, 15), 10
"""Events of a new user before it asks; and how many of the next are asked for."""


def new_users(seed: int, cache: Path) -> dict[str, Any]:
    """Fit on three quarters of the users of ml-100k, and ask for what the others do after a few events."""
    path = fetch("ml-100k", cache=Home().cache / "benchmarks").path
    data = read_tables([path], name="ml-100k").dataset
    new = np.zeros(data.n_users, bool)
    new[generator(seed, "new users").permutation(data.n_users)[: data.n_users // 4]] = True
    train = data.where(~new[data.user])
    encoder = make_encoder("minilm", cache=cache, progress=False)
    training = Training(cache / "training", progress=True)
    model = SequenceModel(encoder, width=WIDTH, seed=seed, training=training)
    model.fit(train)
    meta = Meta(model, seed=seed)
    meta.begin(train)
    whole = data.histories()[np.flatnonzero(new)]
    aims = model._items.aims.numpy().T
    found: dict[str, Any] = {}
    for k in AFTER:
        able = np.flatnonzero(whole.lengths >= k + TEN)
        asked = Histories.of(
            [whole[n].items[:k].tolist() for n in able], [whole[n].times[:k].tolist() for n in able]
        )
        then = np.stack([whole[n].items[k : k + TEN] for n in able])
        plain = model.score(asked)
        ways = {"start": meta.start @ aims, "step": meta.steps(asked) @ aims}
        found[str(k)] = {
            "users": len(able),
            "next": _told(asked, plain, ways, then[:, :1]),
            "ten": _told(asked, plain, ways, then),
        }
    return {"after": found}


def _told(
    asked: Histories, plain: Floats, ways: dict[str, Floats], then: NDArray[np.int32]
) -> dict[str, Any]:
    """Return the NDCG@10 of the model, and what each way adds, with its paired interval over users."""

    def each(scores: Floats) -> NDArray[np.float64]:
        ends = np.arange(len(then) + 1) * then.shape[1]
        return rank_metrics(scores, then.ravel(), ends, asked.rows, asked.items)["ndcg@10"]

    before = each(plain)
    told: dict[str, Any] = {"plain": float(before.mean())}
    for name, more in ways.items():
        gain = paired(each(plain + more), before)
        told[name] = [gain.mean, gain.low, gain.high]
    return told
