"""Full ranking over all items: how well fitted models foresee what was held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from acclimate.data.split import Split
from acclimate.errors import InputError
from acclimate.evaluate.compare import Interval, bootstrap, coverage_interval
from acclimate.evaluate.results import ModelReport, Seeds, Segment
from acclimate.metrics import Places, find_places, metrics_at, top_lists
from acclimate.progress import counting
from acclimate.types import Codes, Histories, Model

SCORES_AT_ONCE = 8_000_000
"""Scores that are held together: 32 MB."""
HEAD = 0.8
"""Share of the training events that the head items hold."""

PerUser = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Run:
    """What one fitted model did.

    Args:
        per_user: Each metric of each user float64[m].
        parts: Name of a segment -> what it is in words, and each metric of each of its users.
        coverage: Of all lists.
        notes: What a reader should know.
        fit_seconds: Time to fit; None if it was fitted before.
        score_seconds: Time to score all users.
    """

    per_user: PerUser
    parts: Mapping[str, tuple[str, PerUser]]
    coverage: Interval
    notes: tuple[str, ...]
    fit_seconds: float | None
    score_seconds: float


def measure(model: Model, split: Split, *, k: int = 10, seed: int = 0, progress: bool = False) -> ModelReport:
    """Measure a model that is fitted already.

    Args:
        model: Knows the catalogue of ``split.train``, and nothing of the targets.
        split: What it has to foresee.
        k: Length of the lists, 1..1000.
        seed: Of the intervals.
        progress: Whether stderr says how far it is.

    Raises:
        InputError: The split holds no target.
    """
    return summary(model.name, [run(model, split, k, progress=progress)], k, seed)


def check_targets(split: Split) -> None:
    """Raise InputError if ``split`` holds nothing out; says why, and what to do."""
    if not len(split.users):
        why = ", ".join(f"{name}: {count}" for name, count in split.skipped.items() if count) or "no events"
        raise InputError(
            f"protocol {split.protocol!r} can hold nothing out of {split.train.name!r} ({why}): "
            "give more events for each user",
            code="nothing_to_evaluate",
            field="data",
        )


def run(
    model: Model, split: Split, k: int, *, fit_seconds: float | None = None, progress: bool = False
) -> Run:
    """Rank all items for each user of ``split`` and measure where the targets stand.

    Raises:
        InputError: The split holds no target.
    """
    check_targets(split)
    ranked = _rank(model, split, k, progress)
    parts = {
        name: (what, metrics_at(part, k))
        for name, what, keep in segments(split)
        if len((part := ranked.places.where(keep)).above)
    }
    covered = coverage_interval(ranked.lists, split.train.n_items)
    notes, per_user = _notes(model, ranked), metrics_at(ranked.places, k)
    return Run(per_user, parts, covered, notes, fit_seconds, ranked.seconds)


def summary(name: str, runs: Sequence[Run], k: int, seed: int = 0) -> ModelReport:
    """Return the mean of ``runs`` of one model, which differ by its seed alone.

    A user's figure is the mean over the runs; intervals are over users.
    """
    per_user = _mean([each.per_user for each in runs])
    metrics = _intervals(per_user, seed)
    covered = [(each.coverage.mean, each.coverage.low, each.coverage.high) for each in runs]
    metrics[f"coverage@{k}"] = Interval(*np.mean(covered, axis=0).tolist())
    fits = [each.fit_seconds for each in runs if each.fit_seconds is not None]
    return ModelReport(
        name,
        metrics,
        per_user,
        float(np.mean(fits)) if fits else None,
        float(np.mean([each.score_seconds for each in runs])),
        {part: _segment(part, runs, seed) for part in runs[0].parts},
        tuple(dict.fromkeys(note for each in runs for note in each.notes)),
        _seeds(runs, k) if len(runs) > 1 else None,
    )


def _segment(name: str, runs: Sequence[Run], seed: int) -> Segment:
    what, first = runs[0].parts[name]
    n_users = len(next(iter(first.values())))
    return Segment(what, n_users, _intervals(_mean([each.parts[name][1] for each in runs]), seed))


def _seeds(runs: Sequence[Run], k: int) -> Seeds:
    names = runs[0].per_user
    values = {name: tuple(float(each.per_user[name].mean()) for each in runs) for name in names}
    return Seeds(values | {f"coverage@{k}": tuple(each.coverage.mean for each in runs)})


@dataclass(frozen=True, slots=True)
class _Ranked:
    places: Places
    lists: Codes
    unscored: int
    """Targets that the model gave NaN."""
    seconds: float


def _rank(model: Model, split: Split, k: int, progress: bool) -> _Ranked:
    n, offsets = split.train.n_items, split.target_offsets
    had = _had(split)
    at_once = max(1, SCORES_AT_ONCE // max(n, 1))
    places, lists, unscored, seconds = [], [], 0, 0.0
    with counting(len(split.users), f"ranking with {model.name}", shown=progress, lines=1) as tell:
        for start in range(0, len(split.users), at_once):
            users = slice(start, start + at_once)
            started = perf_counter()
            scores = model.score(split.histories[users])
            seconds += perf_counter() - started
            m = len(split.users[users])
            if scores.shape != (m, n):
                raise ValueError(f"{model.name} scored {scores.shape} users and items, asked for {(m, n)}")
            ends = offsets[start : start + m + 1]
            targets = split.targets[ends[0] : ends[-1]]
            out = had[users]
            places.append(find_places(scores, targets, ends - ends[0], out.rows, out.items))
            lists.append(top_lists(scores, out.rows, out.items, k))
            unscored += int(np.isnan(scores[places[-1].rows, targets]).sum())
            tell(m)
    return _Ranked(Places.join(places), np.concatenate(lists), unscored, seconds)


def _had(split: Split) -> Histories:
    """Return the events whose items are left out of the ranking: all but those of the user's own targets."""
    n, histories = split.train.n_items, split.histories
    rows = np.repeat(np.arange(len(split.users)), np.diff(split.target_offsets))
    return histories.where(~np.isin(histories.rows * n + histories.items, rows * n + split.targets))


def segments(split: Split) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Yield name, meaning and bool[n_targets] of each segment."""
    lengths = np.repeat(split.histories.lengths, np.diff(split.target_offsets))
    low, high = (int(np.quantile(split.histories.lengths, part)) for part in (1 / 3, 2 / 3))
    yield "few events", f"users with up to {low} events", lengths <= low
    yield "some events", f"users with {low + 1} to {high} events", (lengths > low) & (lengths <= high)
    yield "many events", f"users with more than {high} events", lengths > high
    liked = split.train.item[split.train.weight > 0]
    counts = np.bincount(liked, minlength=split.train.n_items)
    order = np.argsort(-counts, kind="stable")
    size = int(np.searchsorted(np.cumsum(counts[order]), HEAD * len(liked))) + 1
    is_head = np.zeros(len(counts), bool)
    is_head[order[:size]] = True
    head = is_head[split.targets]
    yield "head items", f"targets among the {size} items that hold {100 * HEAD:.0f} % of the events", head
    yield "tail items", f"targets among the other {len(counts) - size} items", ~head


def _mean(runs: Sequence[PerUser]) -> dict[str, NDArray[np.float64]]:
    return {name: np.mean([each[name] for each in runs], axis=0) for name in runs[0]}


def _intervals(per_user: PerUser, seed: int) -> dict[str, Interval]:
    found = bootstrap(np.column_stack(list(per_user.values())), seed)
    return dict(zip(per_user, found, strict=True))


def _notes(model: Model, ranked: _Ranked) -> tuple[str, ...]:
    lines = []
    if ranked.unscored:
        total = len(ranked.places.above)
        lines.append(f"{ranked.unscored} of {total} targets cannot be scored and rank last")
    note = getattr(model.encoder, "note", None)
    return (*lines, note) if note else tuple(lines)
