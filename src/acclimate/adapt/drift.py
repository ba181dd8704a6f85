"""Drift: what was learned no longer holds; first learn faster, then fit again, then tell a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from acclimate.adapt.mixes import Mix
from acclimate.adapt.observed import COLUMNS, Observed
from acclimate.adapt.watch import Watch
from acclimate.errors import InputError, check_range
from acclimate.evaluate.keeping import joined, part_of
from acclimate.types import State

Level = Literal["calm", "shifting", "lasting", "alarming"]

BLOCK = 256
"""Events after which all is judged again."""
CELLS, BINS = 128, 10
"""Cells of items and of categories; and of score quantiles."""
MEMORY, ACCEPTED = 16, 8
"""Windows in which mixes of before fade to a third; patiences in which a fall is two thirds normal."""
RAISED = 2.0
"""What the rate of the slow clock is multiplied by while there is drift."""
UNHEEDED = 4
"""Patiences after which a person is told that nobody fitted again."""
ADVICE = "look at what is new in events and catalogue, or roll back with acclimate snapshots rollback"

_WATCHES = {"hits": "hit rate", "scores": "score quantile"}
_MIXES = {"items": "mix of items", "categories": "mix of categories", "spread": "spread of score quantiles"}
_CELL = {"items": "item cell", "categories": "category cell", "spread": "tenth"}
_NUMBERS = ("taken", "level", "began", "fitted_at", "deep", "quiet")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be done about drift, and why.

    Args:
        level: ``"calm"``; ``"shifting"``: the slow clock should learn faster; ``"lasting"``: that did not
            mend it, a deep fit should be made; ``"alarming"``: that did not either, or was not made.
        rate: What to multiply the rate of the slow clock by, 1 or more.
        deep: Event at which a deep fit was asked for, until one is made or all is calm; else None.
        warning: A line for a person, or None.
        reasons: Which figure, from what to what, since which event: one line each.
    """

    level: Level
    rate: float
    deep: int | None
    warning: str | None
    reasons: tuple[str, ...]


class Drift:
    """Watches hit rate, score quantiles, and the mix of items and categories, and tells what is to be done.

    Hit rate and score quantiles are watched for falls (`Watch`); items, categories and score quantiles for
    another mix in the newest ``window`` events than in those before (`Mix`). As soon as one of them shows,
    the slow clock's rate is raised. If that is still so ``patience`` events later, a deep fit is asked for,
    once; if it is still so as long after that fit, or nobody made one in four times that, a person is warned.
    When none has shown for a window, all is calm again.

    It is a fold over events in the order of the log: any chunking ends in the same state, and memory does not
    grow with events, items or categories. All is judged whenever 256 more events have come.

    Args:
        window: Newest events that are held against all before: 512 or more, in whole blocks of 256.
        patience: Events that a clock is given to mend it, 256 or more.

    Example:
        >>> def seen(share, n=4096):
        ...     hit = (np.arange(n) * 37 % 100 < share).astype(float)
        ...     return Observed.of(hit, np.full(n, 0.5), np.arange(n) % 7, [[0]] * n)
        >>> drift = Drift(window=1024, patience=2048)
        >>> drift.learn(seen(30))
        >>> drift.finding.level, drift.finding.rate
        ('calm', 1.0)
        >>> drift.learn(seen(10, 1024))
        >>> drift.finding.level, drift.finding.rate
        ('shifting', 2.0)
        >>> drift.finding.reasons
        ('hit rate fell from 0.299 to 0.101 since about event 4,096',)

    References:
        Gama et al., "A survey on concept drift adaptation", ACM Computing Surveys 2014; for the detectors see
        `Adwin`, `PageHinkley` and `psi`.
    """

    def __init__(self, *, window: int = 2048, patience: int = 8192) -> None:
        check_range("window", window, 2 * BLOCK, 10**9)
        check_range("patience", patience, BLOCK, 10**9)
        if window % BLOCK:
            raise InputError(f"window must be a multiple of {BLOCK}, got {window}", field="window")
        self.window, self.patience = window, patience
        blocks = window // BLOCK
        self.watches = {name: Watch(window, float(ACCEPTED * patience)) for name in _WATCHES}
        self.mixes = {
            name: Mix(BINS if name == "spread" else CELLS, blocks, float(MEMORY * blocks)) for name in _MIXES
        }
        self.taken = 0
        """Events that were judged."""
        self._level: Level = "calm"
        self._since: dict[str, int] = {}
        """Of each mix that has moved, the event at which it did."""
        self._began: int | None = None
        self._fitted_at: int | None = None
        self._deep: int | None = None
        self._quiet = 0
        self._waiting = Observed.joined([])

    def learn(self, observed: Observed) -> None:
        """Take in what was seen, in the order of the log."""
        told = Observed.joined([self._waiting, observed])  # a copy: nobody else can change it
        if len(told) < BLOCK:
            self._waiting = told
            return
        whole = len(told) // BLOCK * BLOCK
        for low in range(0, whole, BLOCK):
            self._take(told.part(low, low + BLOCK))
        self._waiting = Observed.joined([told.part(whole, len(told))])

    def fitted(self) -> None:
        """Take in that a deep fit answers from here on.

        What is chosen is held against what comes next from here; hit rate and scores against what they were.
        """
        for watch in self.watches.values():
            watch.restart()
        for mix in self.mixes.values():
            mix.restart()
        self._since.clear()
        self._deep = None
        self._fitted_at = self.taken if self._began is not None else None
        if self._level == "alarming":
            self._level = "lasting"

    @property
    def finding(self) -> Finding:
        """What is to be done, and why, as of the last whole block."""
        level, reasons = self._level, self._reasons()
        if level == "calm":
            return Finding("calm", 1.0, None, None, ())
        if not reasons:
            reasons = (f"the figures are back since event {self.taken - self._quiet:,}",)
        warning = None
        if level == "alarming":
            if self._fitted_at is not None:
                why = f"The deep fit at event {self._fitted_at:,} did not mend it"
            else:
                why = f"The deep fit that was asked for at event {self._deep:,} was not made"
            warning = f"{'; '.join(reasons)}. {why}: {ADVICE}"
        return Finding(level, RAISED, self._deep, warning, reasons)

    def state(self) -> State:
        """Return all that the next event depends on."""
        waiting = Observed.joined([self._waiting])
        told = {name: getattr(waiting, name) for name in COLUMNS}
        parts = {name: part.state() for name, part in (self.watches | self.mixes).items()}
        arrays, document = joined({**parts, "waiting": (told, {})})
        document |= {"window": self.window, "patience": self.patience, "since": dict(self._since)}
        document |= {name: getattr(self, name if name == "taken" else f"_{name}") for name in _NUMBERS}
        return arrays, document

    @classmethod
    def restored(cls, state: State) -> Drift:
        """Return the one whose `state` this is."""
        document = state[1]
        made = cls(window=document["window"], patience=document["patience"])
        for name in _NUMBERS:
            setattr(made, name if name == "taken" else f"_{name}", document[name])
        made._since = dict(document["since"])
        made.watches = {name: Watch.restored(part_of(state, name)) for name in _WATCHES}
        made.mixes = {name: Mix.restored(part_of(state, name)) for name in _MIXES}
        waiting = part_of(state, "waiting")[0]
        made._waiting = Observed(*(np.array(waiting[name]) for name in COLUMNS))
        return made

    def _take(self, block: Observed) -> None:
        """Take in one block and judge."""
        self.watches["hits"].learn(block.hit)
        self.watches["scores"].learn(block.score)
        many = np.diff(block.offsets)
        scored = block.score[~np.isnan(block.score)]
        bins = np.minimum((scored * BINS).astype(np.int64), BINS - 1)
        self.mixes["items"].learn(block.item, np.ones(BLOCK))
        self.mixes["categories"].learn(block.categories, np.repeat(1 / np.maximum(many, 1), many))
        self.mixes["spread"].learn(bins, np.ones(len(bins)))
        for name, mix in self.mixes.items():
            if not mix.moved:
                self._since.pop(name, None)
            else:
                self._since.setdefault(name, self.taken)
        self.taken += BLOCK
        self._judge(bool(self._since) or any(watch.fall for watch in self.watches.values()))

    def _judge(self, seen: bool) -> None:
        """Go one level up where it has lasted, or back to calm where nothing has been seen for long."""
        if not seen:
            self._quiet += BLOCK
            if self._quiet >= self.window:
                self._level, self._began, self._fitted_at, self._deep = "calm", None, None, None
            return
        self._quiet = 0
        if self._began is None:
            self._level, self._began = "shifting", self.taken
        elif self._level == "shifting" and self.taken - self._began >= self.patience:
            self._level = "lasting"
            self._deep = self.taken if self._fitted_at is None else None
        elif self._level == "lasting":
            waits = self.patience if self._fitted_at is not None else UNHEEDED * self.patience
            since = self._fitted_at if self._fitted_at is not None else self._deep
            if since is not None and self.taken - since >= waits:
                self._level = "alarming"

    def _reasons(self) -> tuple[str, ...]:
        """Say what shows now, a line for each."""
        lines = []
        for name, watch in self.watches.items():
            if (fall := watch.fall) is not None:
                since = max(self.taken - (watch.taken - fall.since), 0)
                fell = f"{_WATCHES[name]} fell from {fall.before:.3f} to {fall.now:.3f}"
                lines.append(f"{fell} since about event {since:,}")
        for name, since in self._since.items():
            mix = self.mixes[name]
            before, now = (float(shares[mix.most]) for shares in mix.shares)
            cell = f"{_CELL[name]} {mix.most} of {mix.cells}"
            lines.append(
                f"{_MIXES[name]} moved since about event {since:,}: stability index {mix.index:.2f}, over "
                f"{mix.bound:.2f}; most of all {cell}, {before:.1%} to {now:.1%}"
            )
        return tuple(lines)
