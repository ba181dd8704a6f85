"""Full ranking over all items: fit, score what is held out, measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.data.split import SPLITS, Split
from acclimate.errors import InputError, NotFoundError, check_range, nearest
from acclimate.evaluate.compare import Interval, bootstrap, coverage_interval
from acclimate.evaluate.results import Comparison, ModelReport, Report, Segment, against_the_best
from acclimate.metrics import Places, find_places, metrics_at, top_lists
from acclimate.progress import counting
from acclimate.types import Codes, Histories, Model

__all__ = ["Comparison", "ModelReport", "Report", "Segment", "evaluate", "measure"]

SCORES_AT_ONCE = 8_000_000
"""Scores that are held together: 32 MB."""
HEAD = 0.8
"""Share of the training events that the head items hold."""


def evaluate(
    models: Sequence[Model],
    data: Dataset,
    *,
    protocol: str = "last",
    k: int = 10,
    seed: int = 0,
    progress: bool = False,
) -> Report:
    """Fit each model on the training part of ``data`` and measure how well it foresees the rest.

    All items are ranked for each user, but those that stand in the user's history.

    Args:
        models: Not fitted, or to be fitted again.
        data: The whole; it is split here.
        protocol: A key of `acclimate.data.split.SPLITS`.
        k: Length of the lists, 1..1000.
        seed: Of the intervals.
        progress: Whether stderr says how far it is.

    Raises:
        NotFoundError: No such protocol; names the nearest.
        InputError: No model, ``k`` out of range, or nothing can be held out.

    Example:
        >>> from acclimate.models.popularity import Popularity
        >>> rows = [(user, item, 1.0 + n) for user in "ab" for n, item in enumerate(["heat", "alien"])]
        >>> report = evaluate([Popularity()], Dataset.of(rows), k=1)
        >>> report.n_targets, report.models[0].metrics["hr@1"].mean
        (2, 1.0)
    """
    check_range("k", k, 1, 1000)
    if not models:
        raise InputError("there is no model to evaluate: give at least one", field="models")
    if protocol not in SPLITS:
        hint = nearest(protocol, SPLITS)
        raise NotFoundError(f"no protocol {protocol!r}: {hint}", code="unknown_protocol", field="protocol")
    split = SPLITS[protocol](data)
    _check_targets(split)
    reports = []
    for name, model in zip(_names(models), models, strict=True):
        if progress:
            _say(f"fitting {name} on {split.train!r}")
        started = perf_counter()
        model.fit(split.train)
        seconds = perf_counter() - started
        report = measure(model, split, k=k, seed=seed, progress=progress)
        reports.append(replace(report, name=name, fit_seconds=seconds))
    return Report(
        split.train.name,
        protocol,
        split.targets_sha256,
        split.n_targets,
        k,
        reports,
        against_the_best(reports, f"ndcg@{k}", seed),
        split.skipped,
    )


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
    _check_targets(split)
    ranked = _rank(model, split, k, progress)
    per_user = metrics_at(ranked.places, k)
    metrics = _intervals(per_user, seed)
    metrics[f"coverage@{k}"] = coverage_interval(ranked.lists, split.train.n_items)
    segments = {
        name: Segment(what, len(part.offsets) - 1, _intervals(metrics_at(part, k), seed))
        for name, what, keep in _segments(split)
        if len((part := ranked.places.where(keep)).above)
    }
    return ModelReport(model.name, metrics, per_user, None, ranked.seconds, segments, _notes(model, ranked))


def _check_targets(split: Split) -> None:
    if not len(split.users):
        why = ", ".join(f"{name}: {count}" for name, count in split.skipped.items() if count) or "no events"
        raise InputError(
            f"protocol {split.protocol!r} can hold nothing out of {split.train.name!r} ({why}): "
            "give more events for each user",
            code="nothing_to_evaluate",
            field="data",
        )


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


def _segments(split: Split) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
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


def _intervals(per_user: dict[str, NDArray[np.float64]], seed: int) -> dict[str, Interval]:
    found = bootstrap(np.column_stack(list(per_user.values())), seed)
    return dict(zip(per_user, found, strict=True))


def _notes(model: Model, ranked: _Ranked) -> tuple[str, ...]:
    lines = []
    if ranked.unscored:
        total = len(ranked.places.above)
        lines.append(f"{ranked.unscored} of {total} targets cannot be scored and rank last")
    note = getattr(model.encoder, "note", None)
    return (*lines, note) if note else tuple(lines)


def _names(models: Sequence[Model]) -> list[str]:
    names: list[str] = []
    for model in models:
        again = sum(other.name == model.name for other in models[: len(names)])
        names.append(f"{model.name} ({again + 1})" if again else model.name)
    return names


def _say(line: str) -> None:
    from rich.console import Console

    Console(stderr=True).print(line, style="dim", highlight=False, markup=False, soft_wrap=True)
