"""All clocks beside a model that is fitted anew on everything each week."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.accuracy.run import triple
from benchmarks.adaptation.levels import WIDTH
from numpy.typing import NDArray

from acclimate.adapt.around import Around
from acclimate.adapt.slow import Slow
from acclimate.adapt.stepped import Stepped
from acclimate.adapt.swapped import Swapped
from acclimate.config import Home
from acclimate.data.dataset import Dataset
from acclimate.data.fetch import fetch
from acclimate.data.tables import read_tables
from acclimate.encode import make_encoder
from acclimate.evaluate.compare import bootstrap_ratio
from acclimate.evaluate.prequential import Level, replay
from acclimate.models.sequence import SequenceModel
from acclimate.training import Training
from acclimate.types import Events, Floats, Histories, State

WEEK = 7 * 86_400.0
START = 0.7
"""Share of the events that is fitted on first."""
METRIC = "ndcg@10"


class Retrained(Around):
    """Fits its model anew on all that happened, after each ``every`` seconds; its histories go on meanwhile.

    Nothing is held out of these fits: they learn for as many epochs as were best in the first one.

    Args:
        base: What is fitted.
        whole: All that happens.
        every: Seconds between two fits.
    """

    def __init__(self, base: SequenceModel, whole: Dataset, every: float = WEEK) -> None:
        super().__init__(base)
        self.main, self.whole, self.every = base, whole, every
        self.fits, self.due, self.again = 0, np.inf, dict[str, Any]()

    def _begin(self, counts: NDArray[np.int64], histories: Histories) -> None:
        self.fits, self.due = 0, float(histories.times.max()) + self.every
        self.again = self.again or self.main.refit

    def learn(self, events: Events) -> None:
        """Fit anew where it is due."""
        now = float(events.time.max())
        if now < self.due:
            return
        self.due += self.every * ((now - self.due) // self.every + 1)
        self.fits += 1
        fresh = SequenceModel(self.main.encoder, **self.main.params | self.again)
        fresh.fit(self.whole.before(float(events.time.max())))
        self.main.restore(fresh.state())

    def score(self, histories: Histories) -> Floats:
        """Return the scores of the newest fit, float32[n, n_items]."""
        return self.main.score(histories)

    def state(self) -> State:
        """Return its weights, and when it is due again."""
        arrays, told = self.main.state()
        own = {"fits": self.fits, "due": self.due, "again": self.again}
        return arrays, {"base": told, "own": own}

    def restore(self, state: State) -> None:
        """Take it over."""
        self.main.restore((state[0], state[1]["base"]))
        own = state[1]["own"]
        self.fits, self.due, self.again = own["fits"], own["due"], own["again"]


def retraining(seed: int, cache: Path) -> dict[str, Any]:
    """Replay the newest three tenths of ml-100k: frozen weights, all clocks, and a fit each week."""
    data = read_tables([fetch("ml-100k", cache=Home().cache / "benchmarks").path], name="ml-100k").dataset
    start = float(np.sort(data.time)[int(START * len(data))])
    training = Training(cache / "training", progress=True)
    encoder = make_encoder("minilm", cache=cache, progress=False)
    main = SequenceModel(encoder, width=WIDTH, seed=seed, training=training)
    weekly = Retrained(main, data)
    levels = [
        Level("live", main, learns=False),
        Level("slow", Slow(main), every=128),
        Level("adapter", Slow(main, adapter="adalora"), every=128),
        Level("all", Swapped(Stepped(Slow(main)))),
        Level("weekly", weekly, every=128),
    ]
    folder = cache / f"retraining-{seed}"
    report = replay(levels, data, start=start, seed=seed, folder=folder, progress=True)
    _, users = np.unique(report.stream.events.user[report.stream.asked], return_inverse=True)
    other = report.levels[-1].per_question[METRIC]
    weeks = int((report.stream.events.time[-1] - start) // WEEK)
    found: dict[str, Any] = {"weeks": weeks, "questions": report.n_asked, "levels": {}}
    for level in report.levels:
        ndcg = level.per_question[METRIC]
        sums = np.bincount(users, ndcg - other)
        found["levels"][level.name] = {
            METRIC: float(ndcg.mean()),
            "beside_weekly": float(ndcg.mean() / other.mean()),
            "beyond_weekly": triple(bootstrap_ratio(sums[:, None], np.bincount(users))[0]),
            "learn_seconds": level.trace.learn_seconds,
        }
    return found
