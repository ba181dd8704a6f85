"""How well what is current foresees events that were held back, and whether that drifts."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from acclimate.adapt.drift import BLOCK, Drift, Finding
from acclimate.adapt.observed import Observed
from acclimate.adapt.questions import joined
from acclimate.metrics import rank_metrics
from acclimate.types import Histories, Model, State

WINDOW, PATIENCE = 1_024, 4_096
"""Of `Drift`, in events that were held back; five times as many happen meanwhile."""
TOGETHER, CELLS = 256, 4_000_000
"""Questions, and scores, that are asked for at once."""


class Foreseen:
    """Asks the current model about each event that is held back, and looks for drift in its answers.

    Args:
        model: What is current.
        state: Of an earlier one, to go on from; None to begin anew.

    Example:
        >>> from acclimate.data.dataset import Dataset
        >>> from acclimate.models.popularity import Popularity
        >>> model = Popularity()
        >>> model.fit(Dataset.of([("ann", "heat", 1.0), ("bo", "heat", 1.0), ("bo", "up", 2.0)]))
        >>> foreseen = Foreseen(model)
        >>> foreseen.add(Histories.of([[]], users=[7]), 0, ["crime"])
        False
        >>> foreseen.look()
        >>> foreseen.finding.level
        'calm'
    """

    def __init__(self, model: Model, state: State | None = None) -> None:
        self.model = model
        self.drift = Drift(window=WINDOW, patience=PATIENCE) if state is None else Drift.restored(state)
        self._taken = state[1]["asked"] if state else 0
        self._waiting: list[tuple[Histories, int, list[int]]] = []

    @property
    def waits(self) -> bool:
        """Whether there are events that the model was not asked about yet."""
        return bool(self._waiting)

    @property
    def finding(self) -> Finding:
        """What is to be done about drift, and why."""
        return self.drift.finding

    def add(self, history: Histories, item: int, categories: Sequence[str]) -> bool:
        """Take in an event, with what was known of its user right before.

        Returns:
            Whether `look` has to be called before anything else happens, so that what follows from drift
            does at the same event however the log was cut.
        """
        self._waiting.append((history, item, [crc32(name.encode()) for name in categories]))
        self._taken += 1
        return self._taken % BLOCK == 0

    def look(self) -> None:
        """Ask the model about all that waits; its items must be those of now."""
        size = max(1, min(TOGETHER, CELLS // max(self.model.n_items, 1)))
        for start in range(0, len(self._waiting), size):
            self.drift.learn(self._asked(self._waiting[start : start + size]))
        self._waiting = []

    def state(self) -> State:
        """Return all that the next event depends on; nothing may wait."""
        arrays, document = self.drift.state()
        return arrays, {**document, "asked": self._taken}

    def fitted(self) -> State:
        """Return the state to go on from where a full fit answers from here on."""
        other = Foreseen(self.model, self.state())
        other.drift.fitted()
        return other.state()

    def _asked(self, some: list[tuple[Histories, int, list[int]]]) -> Observed:
        histories = joined([history for history, _, _ in some])
        items = np.array([item for _, item, _ in some], np.int32)
        scores = np.asarray(self.model.score(histories), np.float32)
        had = histories.closed(np.inf)
        hits = rank_metrics(scores, items, np.arange(len(some) + 1), had.rows, had.items)["ndcg@10"]
        own = scores[np.arange(len(some)), items]
        below = (scores < own[:, None]).mean(axis=1).round(6)
        return Observed.of(
            hits.tolist(),
            np.where(np.isfinite(own), below, np.nan).tolist(),
            items.tolist(),
            [codes for _, _, codes in some],
        )
