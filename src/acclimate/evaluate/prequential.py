"""Rank, log, then learn: every event in its true order in time, first foreseen and then taken in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time
from typing import cast

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.errors import InputError, check_range
from acclimate.evaluate.forgetting import Exams
from acclimate.evaluate.keeping import Keeping, joined, megabytes, part_of, restore, state_of
from acclimate.evaluate.stream import Stream, default_start
from acclimate.evaluate.stream_report import (
    LevelReport,
    StreamReport,
    Trace,
    question_metrics,
    stream_report,
)
from acclimate.progress import counting, say
from acclimate.training.spent import spent
from acclimate.types import Clocked, Codes, Histories, Learner, Model

__all__ = ["Level", "LevelReport", "StreamReport", "replay"]

BATCH = 256
"""Events that are ranked together where nothing is learned between them."""
SAVE_EVERY = 20.0
"""Seconds of work that a kill may cost."""


@dataclass(frozen=True)
class Level:
    """What is switched on while a model meets a stream.

    Args:
        name: What a report calls it.
        model: Fitted on what is before the stream.
        live: Whether a user's history goes on after the start: the instant clock.
        new_items: Whether an item that came after the start may be scored; if not, it ranks last.
        learns: Whether ``model.learn`` is called, if it is a `Learner`: the fast clock.
        every: How many events are learned at a time, 1 or more; what is ranked in between knows none of them.
    """

    name: str
    model: Model
    live: bool = True
    new_items: bool = True
    learns: bool = True
    every: int = 1

    @property
    def learner(self) -> Learner | None:
        """The model, if it takes in single events here."""
        takes = self.learns and hasattr(self.model, "learn")
        return cast("Learner", self.model) if takes else None


def replay(
    levels: Sequence[Level],
    data: Dataset,
    *,
    start: float | None = None,
    window: float | None = None,
    delay: float = 0.0,
    again: float = np.inf,
    k: int = 10,
    seed: int = 0,
    folder: Path | None = None,
    progress: bool = False,
) -> StreamReport:
    """Measure how well each level foresees the stream, and how it adapts.

    Each positive event from ``start`` on is a question: all items that exist at its time are ranked for its
    user, but those had (see ``again``) or turned down, with what is known by then. Then it is learned.

    Args:
        levels: What to compare. One model may stand in several levels, also within a `Clocked` one; it is
            fitted once.
        data: The whole.
        start: Seconds; by default the time that halves the events.
        window: Seconds that a point of the curve stands for; by default about a twelfth of the stream.
        delay: Seconds until an event is known.
        again: Seconds after which an item that the user has had may come again; infinite for never.
        k: Length of the lists, 1..1000.
        seed: Of the intervals, and of which events are asked again for the measure of forgetting.
        folder: Where unfinished work is kept, so that a killed replay goes on; it belongs to these levels,
            data and arguments alone.
        progress: Whether stderr says how far it is.

    Raises:
        InputError: No level, a name twice, the data have no times, or nothing is to be foreseen.

    Example:
        >>> from acclimate.data.synthetic import drifting_world
        >>> from acclimate.models.popularity import Popularity
        >>> world = drifting_world("none", n_events=400)
        >>> report = replay([Level("popularity", Popularity())], world.data)
        >>> report.n_asked, bool(report.levels[0].metrics["ndcg@10"].mean < world.ndcg.mean())
        (200, True)

    References:
        Gama, Sebastião, Rodrigues, "On evaluating stream learning algorithms", Machine Learning 2013;
        Vinagre, Jorge, Gama, "Evaluation of recommender systems in streaming environments", 2014.
    """
    check_range("k", k, 1, 1000)
    names = [level.name for level in levels]
    if not names or len(set(names)) < len(names):
        raise InputError(f"name each level once, got {', '.join(names) or 'none'}", field="level")
    stream = Stream(data, default_start(data) if start is None else start, delay, again)
    if not len(stream.asked):
        why = ", ".join(f"{name}: {count}" for name, count in stream.skipped.items())
        raise InputError(f"nothing is to be foreseen from {stream.start:g} on ({why})", field="start")
    exams, keeping = Exams.of(stream, seed), Keeping(folder, stream.sha256)
    train = data.before(stream.start)
    traces = []
    for number, level in enumerate(levels, 1):
        which = f", level {number} of {len(levels)}" if len(levels) > 1 else ""
        one = _Run(level, stream, exams, keeping, k)
        traces.append(one.run(train, _fit_name(level, levels), progress, which))
    return stream_report(stream, traces, window=window, k=k, seed=seed)


def _fit_name(level: Level, levels: Sequence[Level]) -> str:
    """Return under what the fit of a level's model is kept: one name for all levels that share it."""
    return f"fit-{next(other.name for other in levels if _fitted(other.model) is _fitted(level.model))}"


def _fitted(model: Model) -> Model:
    """Return what of a model is fitted: itself, or what it stands around."""
    while isinstance(model, Clocked):
        model = model.base
    return model


@dataclass
class _Run:
    """One level on its way through the stream."""

    level: Level
    stream: Stream
    exams: Exams
    keeping: Keeping
    k: int

    def run(self, train: Dataset, fit_name: str, progress: bool, which: str = "") -> Trace:
        """Fit the model, unless that was done, and go through the stream from where a kill left it.

        ``which`` tells whoever waits that this is one level of several: each has a pace of its own.
        """
        level, stream, m = self.level, self.stream, len(self.stream.asked)
        kept = self.keeping.get(level.name)
        self.trace = Trace.of(part_of(kept, "trace")) if kept else self._new_trace()
        if self.trace.done == m:
            return self.trace
        self._prepare(train, fit_name, progress)
        if kept and level.learner:
            restore(level.model, part_of(kept, "model"))
        saved = perf_counter()
        with counting(m, f"replaying with {level.name}{which}", shown=progress) as tell:
            if self.trace.done:
                tell(self.trace.done, earlier=True)
            for low, high in self._batches(self.trace.done):
                self._learn(int(self._learned[low]))
                self._examine(low)
                self._rank(low, high)
                tell(high - low)
                if perf_counter() - saved > SAVE_EVERY:
                    self._save()
                    saved = perf_counter()
        self._learn(len(stream.events.time))
        self._examine(m)
        self.trace.megabytes = (self.trace.megabytes[0], megabytes(level.model))
        self._save()
        return self.trace

    def _new_trace(self) -> Trace:
        m, periods = len(self.stream.asked), len(self.exams.bounds) - 1
        empty = np.zeros(m, np.int32)
        marks = np.full((2, periods + 1, periods), np.nan)
        return Trace(self.level.name, empty, empty.copy(), marks, [], learned=self.stream.first)

    def _prepare(self, train: Dataset, fit_name: str, progress: bool) -> None:
        """Fit the model, or make it what another level or a killed replay fitted."""
        model, trace = _fitted(self.level.model), self.trace
        if not (fit := self.keeping.get(fit_name)):
            if progress:
                say(f"fitting {model.name} on {train!r}")
            with spent() as took:
                model.fit(train)
            arrays, document = state_of(model)
            fit = arrays, {**document, "seconds": took.seconds}
            self.keeping.put(fit_name, fit)
        else:
            restore(model, fit)
        if isinstance(self.level.model, Clocked):
            self.level.model.begin(train)
        if not trace.done:
            trace.fit_seconds, trace.megabytes = fit[1]["seconds"], (megabytes(self.level.model), 0.0)

    @cached_property
    def _known(self) -> NDArray[np.int64]:
        """How many events the history of each question may show, int64[m]."""
        known = self.stream.known[self.stream.asked]
        return known if self.level.live else np.full_like(known, self.stream.first)

    @cached_property
    def _learned(self) -> NDArray[np.int64]:
        """How many events the model has taken in before each question, int64[m]."""
        first, every = self.stream.first, self.level.every
        known = self.stream.known[self.stream.asked]
        return first + (known - first) // every * every

    def _batches(self, done: int) -> Iterator[tuple[int, int]]:
        """Yield questions from ``done`` on that can be ranked together: nothing is learned in between."""
        m = len(self._learned)
        cuts = {done, m, *self.exams.bounds.tolist()}
        if self.level.learner:
            cuts.update((np.flatnonzero(np.diff(self._learned)) + 1).tolist())
        for low, high in pairwise(sorted(cut for cut in cuts if cut >= done)):
            for start in range(low, high, BATCH):
                yield start, min(start + BATCH, high)

    def _learn(self, upto: int) -> None:
        learner, trace = self.level.learner, self.trace
        if learner is not None and upto > trace.learned:
            started = process_time()
            learner.learn(self.stream.events.part(slice(trace.learned, upto)))
            trace.learn_seconds += process_time() - started
        trace.learned = max(upto, trace.learned)

    def _rank(self, low: int, high: int) -> None:
        trace = self.trace
        started, cpu = perf_counter(), process_time()
        trace.above[low:high], trace.tied[low:high] = self._places(np.arange(low, high))
        trace.score_seconds += process_time() - cpu
        if high - low > 1:
            started = perf_counter()
            self._places(np.array([low]))
        trace.latency.append(perf_counter() - started)
        trace.done = high

    def _places(self, questions: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        stream, model = self.stream, self.level.model
        positions = stream.asked[questions]
        histories = stream.before(positions, self._known[questions])
        first, same = _once(stream.events.user[positions], histories)
        scores = model.score(histories[first])
        if scores.shape != (len(first), stream.data.n_items):
            raise ValueError(f"{model.name} scored {scores.shape}, asked for {len(first)} histories")
        scores = scores[same]
        if not self.level.new_items:
            scores[:, stream.born >= stream.start] = np.nan
        return stream.places(positions, histories, scores)

    def _examine(self, question: int) -> None:
        """At the end of a period, ask again what the exams ask; nothing moves while nothing is learned."""
        for period in np.flatnonzero(self.exams.bounds == question):
            row = self.trace.marks[:, period]
            if np.isnan(row).all():
                fresh = period == 0 or self.level.learner
                row[:] = self.exams.marks(self._ask) if fresh else self.trace.marks[:, 0]

    def _ask(self, questions: NDArray[np.int64]) -> NDArray[np.float64]:
        parts = [self._places(questions[at : at + BATCH]) for at in range(0, len(questions), BATCH)]
        above, tied = (np.concatenate(part) for part in zip(*parts, strict=True))
        return question_metrics(above, tied, self.k)[f"ndcg@{self.k}"]

    def _save(self) -> None:
        parts = {"trace": self.trace.state()}
        if self.level.learner:
            parts["model"] = state_of(self.level.model)
        self.keeping.put(self.trace.name, joined(parts))


def _once(users: Codes, histories: Histories) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first question of each user, history and time, and which of them each question is."""
    told = np.column_stack([users, histories.lengths, histories.now])
    _, first, same = np.unique(told, axis=0, return_index=True, return_inverse=True)
    return first, same.ravel()
