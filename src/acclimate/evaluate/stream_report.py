"""What a replay found: figures with intervals, curves over time, costs; as values and as one document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.evaluate.compare import Interval, bootstrap_ratio, mcnemar
from acclimate.evaluate.forgetting import RETURN, Forgetting
from acclimate.evaluate.results import Comparison
from acclimate.evaluate.stream import Stream
from acclimate.metrics import Places, metrics_at
from acclimate.types import State

WINDOWS = 12
SLIDING = 500
"""Questions in a sliding window of the McNemar test."""
SURE = 0.05


@dataclass
class Trace:
    """What one level did at each question, and what it cost.

    Args:
        name: Of the level.
        above: Items above the right one, int32[m].
        tied: Items with its score, itself included, int32[m].
        marks: Means for `Forgetting`, float64[2, periods + 1, periods].
        latency: Seconds of single questions, float64[s].
        done: Questions asked so far.
        learned: Events known to the model so far.
        fit_seconds: Time to fit.
        score_seconds: CPU time to answer.
        learn_seconds: CPU time to learn.
        megabytes: Size of the model's state at the start and at the end.
    """

    name: str
    above: NDArray[np.int32]
    tied: NDArray[np.int32]
    marks: NDArray[np.float64]
    latency: list[float]
    done: int = 0
    learned: int = 0
    fit_seconds: float = 0.0
    score_seconds: float = 0.0
    learn_seconds: float = 0.0
    megabytes: tuple[float, float] = (0.0, 0.0)

    def state(self) -> State:
        """Return it as arrays and a document."""
        arrays: dict[str, NDArray[Any]] = {"above": self.above, "tied": self.tied, "marks": self.marks}
        arrays["latency"] = np.array(self.latency)
        return arrays, {name: value for name, value in vars(self).items() if name not in arrays}

    @classmethod
    def of(cls, state: State) -> Trace:
        """Return the trace whose `state` this is."""
        arrays, rest = state
        rest = rest | {"latency": arrays["latency"].tolist(), "megabytes": tuple(rest["megabytes"])}
        return cls(above=arrays["above"], tied=arrays["tied"], marks=arrays["marks"], **rest)


@dataclass(frozen=True)
class Window:
    """A part of the curve: seconds from ``start`` to before ``end``, ``n`` questions, mean of each metric."""

    start: float
    end: float
    n: int
    metrics: Mapping[str, float]

    def document(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {"start": self.start, "end": self.end, "n": self.n, **self.metrics}


@dataclass(frozen=True)
class LevelReport:
    """What one level reached.

    Args:
        name: Of the level.
        trace: What it did at each question.
        per_question: Each metric of each question, float64[m].
        metrics: Means over the questions, with intervals over users.
        windows: The curve.
        segments: By name as in ``"new users"``: how many questions, and the metrics.
        forgetting: Of all users, and of those who return; of nothing if no such user was asked.
    """

    name: str
    trace: Trace
    per_question: Mapping[str, NDArray[np.float64]]
    metrics: Mapping[str, Interval]
    windows: Sequence[Window]
    segments: Mapping[str, tuple[int, Mapping[str, Interval]]]
    forgetting: tuple[Forgetting, Forgetting]

    def document(self) -> dict[str, Any]:
        """Return the JSON object."""
        trace, everyone, returning = self.trace, *self.forgetting
        cost = trace.score_seconds + trace.learn_seconds
        latency = 1e3 * np.quantile(trace.latency, [0.5, 0.99])
        return {
            "name": self.name,
            **_plain(self.metrics),
            "windows": [window.document() for window in self.windows],
            "segments": {name: {"n": n, **_plain(found)} for name, (n, found) in self.segments.items()},
            "fit_seconds": trace.fit_seconds,
            "cost_seconds": cost,
            "score_seconds": trace.score_seconds,
            "learn_seconds": trace.learn_seconds,
            "events_per_second": len(trace.above) / cost if cost else None,
            "latency_ms": {"p50": float(latency[0]), "p99": float(latency[1])},
            "memory_mb": {"start": trace.megabytes[0], "end": trace.megabytes[1]},
            "forgetting": {**everyone.document(), "returning": returning.document()},
        }


@dataclass(frozen=True)
class Contest:
    """One level against another, question by question.

    Args:
        difference: Of the means, the level minus the other, by users drawn together.
        windows: For each sliding window of 500 questions its middle in seconds, and 1 if the level has
            significantly more hits than the other by McNemar's test at 5 %, -1 if fewer, else 0.
    """

    difference: Comparison
    windows: tuple[tuple[float, int], ...]

    def document(self) -> dict[str, Any]:
        """Return the JSON object."""
        signs = [sign for _, sign in self.windows]
        shares: dict[str, Any] = {"better": signs.count(1), "worse": signs.count(-1), "windows": len(signs)}
        shares["curve"] = [{"time": time, "sign": sign} for time, sign in self.windows]
        return {**self.difference.document(), "mcnemar": shares}


@dataclass(frozen=True)
class StreamReport:
    """What several levels reached on one stream.

    Args:
        stream: What was foreseen.
        k: Length of the lists.
        levels: In the order in which they were given.
        contests: Each level against the best by ndcg.
        gains: Each level but the first against the first: what it adds.
    """

    stream: Stream
    k: int
    levels: Sequence[LevelReport]
    contests: Sequence[Contest]
    gains: Sequence[Contest]

    @property
    def n_asked(self) -> int:
        """Number of questions."""
        return len(self.stream.asked)

    def document(self) -> dict[str, Any]:
        """Return the document of ``acclimate replay --json``."""
        stream = self.stream
        return {
            "dataset": stream.data.name,
            "protocol": "prequential",
            "start": stream.start,
            "delay": stream.delay,
            "again": None if np.isinf(stream.again) else stream.again,
            "targets_sha256": stream.sha256,
            "n_targets": self.n_asked,
            "n_users": len(np.unique(stream.events.user[stream.asked])),
            "k": self.k,
            "skipped": stream.skipped,
            "levels": [level.document() for level in self.levels],
            "comparisons": [contest.document() for contest in self.contests],
            "gains": [contest.document() for contest in self.gains],
        }


def stream_report(
    stream: Stream, traces: Sequence[Trace], *, window: float | None, k: int, seed: int
) -> StreamReport:
    """Return what the traces say, with windows of ``window`` seconds or about a twelfth of the stream."""
    figures = _Figures(stream, window, k, seed)
    levels = [figures.level(trace) for trace in traces]
    metric = f"ndcg@{k}"
    best = max(levels, key=lambda level: level.metrics[metric].mean)
    contests = [figures.contest(level, best) for level in levels if level is not best]
    gains = [figures.contest(level, levels[0]) for level in levels[1:]]
    return StreamReport(stream, k, levels, contests, gains)


def question_metrics(above: NDArray[Any], tied: NDArray[Any], k: int) -> dict[str, NDArray[np.float64]]:
    """Return hr, ndcg and mrr at ``k`` of each question with one right item, float64[m]."""
    found = metrics_at(Places(above.astype(np.int64), tied.astype(np.int64), np.arange(len(above) + 1)), k)
    return {name: found[name] for name in (f"ndcg@{k}", f"hr@{k}", f"mrr@{k}")}


@dataclass(frozen=True)
class _Figures:
    """Turns traces of one stream into figures."""

    stream: Stream
    window: float | None
    k: int
    seed: int

    @cached_property
    def user(self) -> NDArray[np.int32]:
        return self.stream.events.user[self.stream.asked]

    @cached_property
    def time(self) -> NDArray[np.float64]:
        return self.stream.events.time[self.stream.asked]

    def level(self, trace: Trace) -> LevelReport:
        per_question = question_metrics(trace.above, trace.tied, self.k)
        everybody = np.ones(len(self.user), bool)
        segments = {
            name: (int(keep.sum()), self.means(per_question, keep))
            for name, keep in self.segments
            if keep.any()
        }
        return LevelReport(
            trace.name,
            trace,
            per_question,
            self.means(per_question, everybody),
            list(self.curve(per_question)),
            segments,
            (Forgetting(trace.marks[0]), Forgetting(trace.marks[1])),
        )

    def means(
        self, per_question: Mapping[str, NDArray[np.float64]], keep: NDArray[np.bool_]
    ) -> dict[str, Interval]:
        _, user = np.unique(self.user[keep], return_inverse=True)
        counts = np.bincount(user)
        sums = np.stack([np.bincount(user, values[keep]) for values in per_question.values()], axis=1)
        return dict(
            zip(per_question, bootstrap_ratio(sums.astype(np.float64), counts, self.seed), strict=True)
        )

    @cached_property
    def segments(self) -> list[tuple[str, NDArray[np.bool_]]]:
        stream, asked = self.stream, self.stream.asked
        before = np.bincount(stream.events.user[: stream.first], minlength=stream.data.n_users) > 0
        known_user = before[self.user]
        known_item = stream.born[stream.events.item[asked]] < stream.start
        away = stream.since_last[asked]
        return [
            ("known users", known_user),
            ("new users", ~known_user),
            ("known items", known_item),
            ("new items", ~known_item),
            ("users back after 30 days", (away >= RETURN) & np.isfinite(away)),
        ]

    def curve(self, per_question: Mapping[str, NDArray[np.float64]]) -> Iterator[Window]:
        start, end = self.stream.start, float(self.time[-1])
        width = self.window or max(np.nextafter((end - start) / WINDOWS, np.inf), 1.0)
        which = ((self.time - start) // width).astype(np.int64)
        for number in np.unique(which):
            keep = which == number
            means = {name: float(values[keep].mean()) for name, values in per_question.items()}
            yield Window(start + number * width, start + (number + 1) * width, int(keep.sum()), means)

    def contest(self, level: LevelReport, other: LevelReport) -> Contest:
        ndcg, hit = f"ndcg@{self.k}", f"hr@{self.k}"
        apart = {ndcg: level.per_question[ndcg] - other.per_question[ndcg]}
        found = self.means(apart, np.ones(len(self.user), bool))[ndcg]
        mine, theirs = (each.per_question[hit] >= 0.5 for each in (level, other))
        return Contest(Comparison(level.name, other.name, ndcg, found), tuple(self.sliding(mine, theirs)))

    def sliding(self, mine: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> Iterator[tuple[float, int]]:
        for start in range(0, max(len(mine) - SLIDING // 2, 1), SLIDING // 2):
            part = slice(start, start + SLIDING)
            sign = int(np.sign(int(mine[part].sum()) - int(theirs[part].sum())))
            sure = mcnemar(mine[part], theirs[part]) < SURE
            yield float(np.median(self.time[part])), sign if sure else 0


def _plain(metrics: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: interval.document() for name, interval in metrics.items()}
