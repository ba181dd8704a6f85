"""Full ranking over all items: how well fitted models foresee what was held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from acclimate.data.cold import HAD
from acclimate.data.split import APART, NEW_ITEMS, NEW_USERS, Split
from acclimate.errors import InputError, check_range
from acclimate.evaluate.compare import Interval, bootstrap, bootstrap_ratio, coverage_interval, jackknife
from acclimate.evaluate.forecasts import forecasts
from acclimate.evaluate.results import ModelReport, Segment, Spread
from acclimate.evaluate.scene import Scene
from acclimate.metrics import (
    Places,
    diversity,
    find_places,
    gini,
    mean_over_lists,
    metrics_at,
    ranking_auc,
    self_information,
    serendipity,
    top_lists,
)
from acclimate.progress import counting
from acclimate.types import Codes, Floats, Histories, Model
from acclimate.words import counted

SCORES_AT_ONCE = 8_000_000
"""Scores that are held together: 32 MB."""

PerUser = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Run:
    """What one fitted model did.

    Args:
        per_user: Each metric of each user float64[m].
        parts: Name of a segment -> its group, what it is in words, and each metric of each of its users.
        whole: Figures of all lists together.
        forecasts: How true the ratings and chances are that the model foresees, if it foresees any.
        notes: What a reader should know.
        fit_seconds: Time to fit; None if it was fitted before.
        score_seconds: Time to score all users.
    """

    per_user: PerUser
    parts: Mapping[str, tuple[str, str, PerUser]]
    whole: Mapping[str, Interval]
    forecasts: Mapping[str, Interval]
    notes: tuple[str, ...]
    fit_seconds: float | None
    score_seconds: float

    @property
    def means(self) -> dict[str, float]:
        """The mean of each metric over users, and the figures of all lists."""
        means = {name: float(values.mean()) for name, values in self.per_user.items()}
        return means | {name: found.mean for name, found in self.whole.items()}


def measure(
    model: Model, split: Split, *, k: int | Sequence[int] = 10, seed: int = 0, progress: bool = False
) -> ModelReport:
    """Measure a model that is fitted already.

    Args:
        model: Knows the catalogue of ``split.train``, and nothing of the targets.
        split: What it has to foresee.
        k: Length of the lists, 1..1000, or several lengths.
        seed: Of the intervals.
        progress: Whether stderr says how far it is.

    Raises:
        InputError: The split holds no target.
    """
    return summary(model.name, [[run(model, Scene(split), lengths(k), progress=progress)]], seed)


def lengths(k: int | Sequence[int]) -> tuple[int, ...]:
    """Return ``k`` as lengths of lists, each once, in the order in which they were given.

    Raises:
        InputError: One of them is not 1..1000, or there is none.
    """
    given: Sequence[object] = k if isinstance(k, list | tuple) else [k]
    if not given:
        raise InputError("k must be 1..1000, got nothing", code="k_out_of_range", field="k")
    return tuple(dict.fromkeys(check_range("k", each, 1, 1000) for each in given))


def check_targets(split: Split) -> None:
    """Raise InputError if ``split`` holds nothing out; says why, and what to do."""
    if not len(split.users):
        raise InputError(nothing_held_out(split), code="nothing_to_evaluate", field="data")


def nothing_held_out(split: Split) -> str:
    """Return why ``split`` asks no question, and what helps: other data, or that items may come again.

    Example:
        >>> from acclimate.data.dataset import Dataset
        >>> from acclimate.data.split import split_last
        >>> tea = [("ann", "tea", 1.0), ("ann", "tea", 2.0)]
        >>> nothing_held_out(split_last(Dataset.of(tea))).partition(": let")[0]
        "protocol 'last' can hold nothing out of 'made' (had before: 1)"
    """
    skipped = {name: count for name, count in split.skipped.items() if count}
    why = ", ".join(f"{name}: {count}" for name, count in skipped.items()) or "no events"
    helps = []
    if HAD in skipped:
        helps.append("let items come again with --set repeat.default=always (in Python again=0.0)")
    if skipped.keys() != {HAD}:
        helps.append(_of_the_new(split, skipped) or "give more events for each user")
    what = f"protocol {split.protocol!r} can hold nothing out of {split.train.name!r}"
    return f"{what} ({why}): {', or '.join(helps)}"


def _of_the_new(split: Split, skipped: Mapping[str, int]) -> str:
    """Return what helps where all that could be asked is of users or items that are new.

    It is "" if none of those users has a second event, by which another protocol could ask.
    """
    new = [name for name in APART if name in skipped]
    apart = [split.beside[APART[name]][1] for name in new]
    if not any(each.n_targets > len(each.users) for each in apart):
        return ""
    other_protocols = {NEW_USERS: "'cold-user'", NEW_ITEMS: "'cold-item'"}
    other = " or ".join(["'last'", *(other_protocols[name] for name in new)])
    all_new = "all users after the cut are new, so " if skipped.keys() == {NEW_USERS} else ""
    return f"{all_new}take the protocol {other}, or data of a longer time"


def run(
    model: Model,
    scene: Scene,
    ks: Sequence[int],
    *,
    fit_seconds: float | None = None,
    progress: bool = False,
) -> Run:
    """Rank all items for each question of ``scene`` and measure where the targets stand.

    Raises:
        InputError: The split holds no target.
    """
    split = scene.split
    check_targets(split)
    ranked = _rank(model, scene, max(ks), progress)
    parts = {
        each.name: (each.group, each.what, _figures(scene, ranked.places.where(each.keep), ks, each.keep))
        for each in scene.portions
        if each.keep.any()
    }
    for name, (what, among) in split.among.items():
        parts[name] = ("protocol", what, _figures(scene, ranked.among[name], ks, among=among))
    for name, (what, other) in scene.beside.items():
        if len(other.split.users):
            found = _rank(model, other, max(ks), progress)
            parts[name] = ("protocol", what, _figures(other, found.places, ks))
    per_user = dict(_figures(scene, ranked.places, ks))
    for k in ks:
        per_user |= _of_lists(scene, ranked.lists[:, :k])
    whole = {name: found for k in ks for name, found in _of_all_lists(scene, ranked.lists[:, :k]).items()}
    told = forecasts(model, split, ranked.lists[:, : ks[0]])
    return Run(per_user, parts, whole, told, _notes(model, ranked), fit_seconds, ranked.seconds)


def join(runs: Sequence[Run]) -> Run:
    """Return one run of all folds: each has users of its own."""
    first = runs[0]
    if len(runs) == 1:
        return first
    names = dict.fromkeys(name for each in runs for name in each.parts)
    parts = {}
    for name in names:
        found = [each.parts[name] for each in runs if name in each.parts]
        group, what, _ = found[0]
        alike = all(part[1] == what for part in found)
        words = what if alike else f"{what} in the first fold, and so on in the others"
        parts[name] = (group, words, _end_to_end([part[2] for part in found]))
    fits = [each.fit_seconds for each in runs if each.fit_seconds is not None]
    return Run(
        _end_to_end([each.per_user for each in runs]),
        parts,
        _mean_intervals([each.whole for each in runs]),
        _mean_intervals([each.forecasts for each in runs]),
        tuple(dict.fromkeys(note for each in runs for note in each.notes)),
        float(np.mean(fits)) if fits else None,
        sum(each.score_seconds for each in runs),
    )


def summary(name: str, runs: Sequence[Sequence[Run]], seed: int = 0) -> ModelReport:
    """Return what all runs of one model come to: for each of its seeds, those of the folds.

    A user's figure is the mean over the seeds; intervals are over users.
    """
    joined = [join(folds) for folds in runs]
    per_user = _mean([each.per_user for each in joined])
    metrics = _intervals(per_user, seed) | _mean_intervals([each.whole for each in joined])
    fits = [each.fit_seconds for each in joined if each.fit_seconds is not None]
    by_fold = [_mean_values([folds[n].means for folds in runs]) for n in range(len(runs[0]))]
    return ModelReport(
        name,
        metrics,
        per_user,
        float(np.mean(fits)) if fits else None,
        float(np.mean([each.score_seconds for each in joined])),
        {part: _segment(part, joined, seed) for part in joined[0].parts},
        tuple(dict.fromkeys(note for each in joined for note in each.notes)),
        Spread.of([each.means for each in joined]) if len(joined) > 1 else None,
        Spread.of(by_fold) if len(by_fold) > 1 else None,
        _mean_intervals([each.forecasts for each in joined]),
    )


def _segment(name: str, runs: Sequence[Run], seed: int) -> Segment:
    group, what, first = runs[0].parts[name]
    n_users = len(next(iter(first.values())))
    return Segment(group, what, n_users, _intervals(_mean([each.parts[name][2] for each in runs]), seed))


@dataclass(frozen=True)
class _Ranked:
    places: Places
    lists: Codes
    among: Mapping[str, Places]
    unscored: int
    """Targets that the model gave NaN."""
    seconds: float

    @cached_property
    def n_targets(self) -> int:
        return len(self.places.above)


def _rank(model: Model, scene: Scene, k: int, progress: bool) -> _Ranked:
    split = scene.split
    n, offsets = split.train.n_items, split.target_offsets
    at_once = max(1, SCORES_AT_ONCE // max(n, 1))
    places: list[Places] = []
    lists, unscored, seconds = [], 0, 0.0
    among: dict[str, list[Places]] = {name: [] for name in split.among}
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
            out = scene.closed[users]
            places.append(find_places(scores, targets, ends - ends[0], out.rows, out.items))
            lists.append(top_lists(scores, out.rows, out.items, k))
            for name, (_, which) in split.among.items():
                among[name].append(_places_among(scores, targets, ends - ends[0], out, which))
            unscored += int(np.isnan(scores[places[-1].rows, targets]).sum())
            tell(m)
    narrow = {name: Places.join(parts) for name, parts in among.items()}
    return _Ranked(Places.join(places), np.concatenate(lists), narrow, unscored, seconds)


def _places_among(
    scores: Floats, targets: Codes, ends: NDArray[np.int64], out: Histories, which: NDArray[np.bool_]
) -> Places:
    """Return where the targets stand among the items ``which`` bool[n_items] alone, which hold them all."""
    columns = np.flatnonzero(which)
    closed = out.where(which[out.items])
    narrow = np.ascontiguousarray(scores[:, columns])
    at, left_out = np.searchsorted(columns, targets), np.searchsorted(columns, closed.items)
    return find_places(narrow, at.astype(np.int32), ends, closed.rows, left_out)


def _figures(
    scene: Scene,
    places: Places,
    ks: Sequence[int],
    keep: NDArray[np.bool_] | None = None,
    *,
    among: NDArray[np.bool_] | None = None,
) -> PerUser:
    """Return the metrics of the right items in ``places``, those of a user averaged over her questions."""
    rows = scene.split.rows if keep is None else scene.split.rows[keep]
    asked = np.unique(rows)
    ranked = scene.ranked(among)[asked]
    found = {name: values for k in ks for name, values in metrics_at(places, k).items()}
    return _by_user(scene, asked, found | {"auc": ranking_auc(places, ranked)})


def _of_lists(scene: Scene, lists: Codes) -> PerUser:
    """Return what the list of each user is like."""
    split, k = scene.split, lists.shape[1]
    n = split.train.n_items
    right = np.isin(lists + np.arange(len(lists))[:, None] * n, split.rows * n + split.targets)
    found = {
        f"novelty@{k}": mean_over_lists(lists, self_information(scene.counts, scene.n_users)),
        f"serendipity@{k}": serendipity(lists, right & (lists >= 0), scene.counts),
        f"popularity@{k}": mean_over_lists(lists, scene.counts / scene.n_users),
    }
    if scene.vectors is not None:
        found[f"diversity@{k}"] = diversity(lists, scene.vectors)
    return _by_user(scene, np.arange(len(lists)), found)


def _of_all_lists(scene: Scene, lists: Codes) -> dict[str, Interval]:
    """Return what all lists are like together: coverage, Gini, popularity beyond that of the histories."""
    n, k = scene.split.train.n_items, lists.shape[1]
    found = {
        f"coverage@{k}": coverage_interval(lists, n),
        f"gini@{k}": jackknife(lists, lambda some: gini(some, n)),
    }
    told = scene.usual > 0
    if told.any():
        own = mean_over_lists(lists, scene.counts / scene.n_users)[told]
        both = _by_user(scene, np.flatnonzero(told), {"lists": own, "usual": scene.usual[told]})
        ratio = bootstrap_ratio(both["lists"][:, None], both["usual"])[0]
        found[f"lift@{k}"] = Interval(ratio.mean - 1, ratio.low - 1, ratio.high - 1)
    return found


def _by_user(scene: Scene, asked: NDArray[np.int64], found: PerUser) -> PerUser:
    """Return the mean of each metric over the questions ``asked`` of each user."""
    _, user, n = np.unique(scene.split.users[asked], return_inverse=True, return_counts=True)
    if len(n) == len(asked):
        return found
    return {name: np.bincount(user, weights=values) / n for name, values in found.items()}


def _end_to_end(parts: Sequence[PerUser]) -> dict[str, NDArray[np.float64]]:
    shared = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: np.concatenate([part[name] for part in parts]) for name in shared}


def _mean(runs: Sequence[PerUser]) -> dict[str, NDArray[np.float64]]:
    return {name: np.mean([each[name] for each in runs], axis=0) for name in runs[0]}


def _mean_values(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([each[name] for each in runs])) for name in runs[0]}


def _mean_intervals(runs: Sequence[Mapping[str, Interval]]) -> dict[str, Interval]:
    shared = [name for name in runs[0] if all(name in each for each in runs)]
    bounds = {name: [(each[name].mean, each[name].low, each[name].high) for each in runs] for name in shared}
    return {name: Interval(*np.mean(rows, axis=0).tolist()) for name, rows in bounds.items()}


def _intervals(per_user: PerUser, seed: int) -> dict[str, Interval]:
    found = bootstrap(np.column_stack(list(per_user.values())), seed)
    return dict(zip(per_user, found, strict=True))


def _notes(model: Model, ranked: _Ranked) -> tuple[str, ...]:
    lines = []
    if ranked.unscored:
        rank = "ranks" if ranked.unscored == 1 else "rank"
        lines.append(
            f"{ranked.unscored:,} of {counted(ranked.n_targets, 'target')} cannot be scored and {rank} last"
        )
    if told_when(model):
        lines.append(
            "knows when it is asked (time=true): its figures stand apart from those of models that do not"
        )
    note = getattr(model.encoder, "note", None)
    return (*lines, note) if note else tuple(lines)


def told_when(model: Model) -> bool:
    """Return whether a model, or one of its sources, reads how long after the last event it is asked."""
    sources = getattr(model, "sources", ())
    return bool(getattr(model, "params", {}).get("time")) or any(map(told_when, sources))
