"""The gate: nothing reaches users that does not load, score and hold its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acclimate.adapt.against import ENOUGH, Known, check_size, compare
from acclimate.adapt.findings import Findings
from acclimate.adapt.questions import Questions
from acclimate.adapt.renamed import renamed
from acclimate.errors import InputError
from acclimate.evaluate.compare import Interval, paired
from acclimate.evaluate.results import ModelReport, Report
from acclimate.snapshot import Loaded, Snapshot, probe
from acclimate.state.fold import LiveState
from acclimate.types import Floats, Model, Verdict
from acclimate.words import counted

TOLERANCE = 1e-5
"""How far scores may move between writing and loading: relative, and absolute."""
BASELINE = "popularity"


def first_verdict(snapshot: Snapshot, *, report: Report | None, missing: str = "no report") -> Verdict:
    """Return whether a snapshot may be published.

    It passes if all its files are whole and it loads and scores (``loads``), gives the scores that it gave
    when it was written (``equal``), gives usable scores (``valid``), and was not significantly worse than
    popularity where both had to foresee the same (``not_worse``). The last is left out, in words, without
    a report. Where another model of the report did better, the verdict says so, and what to do.

    Args:
        snapshot: As `Registry.write` returned it.
        report: How the same model did beside popularity, on data held out.
        missing: Why there is no report, if there is none.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from acclimate.data.dataset import Dataset
        >>> from acclimate.models.popularity import Popularity
        >>> from acclimate.snapshot import Registry
        >>> from acclimate.state.fold import LiveState
        >>> model, data = Popularity(), Dataset.of([("ann", "heat", 1.0)])
        >>> model.fit(data)
        >>> with TemporaryDirectory() as folder:
        ...     snapshot = Registry(Path(folder)).write(model, LiveState.of(data), metrics={})
        ...     verdict = first_verdict(snapshot, report=None)
        >>> verdict.passed, dict(verdict.checks)
        (True, {'loads': True, 'equal': True, 'valid': True})
    """
    found = Findings()
    if _check_sound(found, snapshot) is not None:
        _check_not_worse(found, snapshot, report, missing)
    return found.verdict()


def next_verdict(
    snapshot: Snapshot,
    current: Model,
    older: Snapshot,
    newest: Questions,
    before: Questions,
    state: LiveState,
) -> Verdict:
    """Return whether a snapshot may take the place of another that it has learned on from.

    It must be sound as in `first_verdict`, and stand against the other as in
    `acclimate.adapt.against.compare`, on what neither has learned; its weights must not be one and a half
    times as large (``not_larger``), and it must be of the same catalogue (``same_catalogue``).

    Args:
        snapshot: As `Registry.write` returned it.
        current: The model of ``older``, with all items of ``state``.
        older: Whose place it would take.
        newest: What was held back from learning since ``older``.
        before: What was held back earlier.
        state: What is known by now, by whose codes the questions are put.
    """
    found = Findings()
    loaded = _check_sound(found, snapshot)
    if loaded is None or not found.held:
        return found.verdict()
    sizes = [each.manifest["files"]["model.safetensors"]["bytes"] for each in (snapshot, older)]
    check_size(found, *sizes)
    if (n := len(np.unique(newest.users))) < ENOUGH:
        found.add("enough", False, f"{counted(n, 'user was', 'users were')} held back, {ENOUGH} are needed")
        return found.verdict()
    try:
        candidate = renamed(loaded, state)
    except InputError as error:
        found.add("same_catalogue", False, error.message)
        return found.verdict()
    compare(found, candidate, current, newest, before, Known(state.liked, state.people))
    return found.verdict()


def _check_sound(found: Findings, snapshot: Snapshot) -> Loaded | None:
    """Add whether it loads, scores as it did when it was written, and usably; return what it holds."""
    try:
        loaded = snapshot.load()
        scores = probe(loaded.model, loaded.state)
    except Exception as error:  # whatever is wrong with a candidate, it is the candidate that fails
        found.add("loads", False, f"does not load: {error or type(error).__name__}")
        return None
    found.add("loads", True, "; ".join(["loads, every file is whole", *loaded.notes]))
    _check_equal(found, scores, loaded.probe)
    _check_valid(found, scores, loaded)
    return loaded


def _check_equal(found: Findings, scores: Floats, before: Floats) -> None:
    held = scores.shape == before.shape and np.allclose(
        scores, before, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True
    )
    found.add("equal", held, f"its scores are {'' if held else 'not '}those it had when it was written")


def _check_valid(found: Findings, scores: Floats, loaded: Loaded) -> None:
    """An infinite score is a bug; so are users with a history for whom nothing can be scored."""
    if np.isinf(scores).any():
        found.add("valid", False, f"{int(np.isinf(scores).sum())} of {scores.size} scores are infinite")
        return
    able = np.isfinite(scores)
    heard = able[able.any(axis=1)]  # a user without history may get no score: the lists fall back, and say so
    empty = not scores.size or not loaded.state.liked.any()
    found.figures["scored"] = usable = float(heard.mean()) if heard.size else float(empty)
    found.add("valid", usable > 0 or empty, _scored(usable, heard, loaded))


def _scored(usable: float, heard: NDArray[np.bool_], loaded: Loaded) -> str:
    """Return in words how many items have a score, why the others have none, and what to do."""
    if usable == 1:
        return "for a sample of users each item has a score"
    if not len(heard):
        return (
            "for a sample of users no item has a score: train again, on data that acclimate data check takes"
        )
    never, tried = int((~heard.any(axis=0)).sum()), counted(heard.shape[1], "item")
    if not never:
        few = int((~heard).sum(axis=1).max())
        return f"of {tried} up to {few:,} have no score for some of a sample of users, and come last for them"
    model = loaded.model
    mend = (
        "a model that reads texts can score them by theirs: acclimate train --model sequence"
        if model.encoder is None
        else "give them a title or a text with acclimate data import --items, and train again"
    )
    return (
        f"{never:,} of {tried} that were tried have no score, and come last: {model.new_item} To mend: {mend}"
    )


def _check_not_worse(found: Findings, snapshot: Snapshot, report: Report | None, missing: str) -> None:
    name = snapshot.manifest["model"]
    reports = {entry.name: entry for entry in report.models} if report is not None else {}
    if report is None or name not in reports or BASELINE not in reports:
        why = missing if report is None else f"no {name} beside {BASELINE} in the report"
        found.reasons.append(f"not compared with {BASELINE}: {why}")
        return
    metric = f"ndcg@{report.k}"
    ours, theirs = _per_user(reports[name], metric), _per_user(reports[BASELINE], metric)
    gain = paired(ours, theirs)
    found.figures |= {metric: float(ours.mean()), f"{metric} of {BASELINE}": float(theirs.mean())}
    found.figures |= {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high}
    found.add(
        "not_worse",
        gain.high >= 0,
        f"{_standing(gain)}: {metric} {ours.mean():.4f} against {theirs.mean():.4f}, "
        f"difference {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]",
    )
    _name_the_best(found, name, report, metric)


def _standing(gain: Interval) -> str:
    if gain.mean == 0:
        return f"as good as {BASELINE}"
    way = "better" if gain.mean > 0 else "worse"
    return (
        f"significantly {way} than {BASELINE}" if gain.sign else f"{way} than {BASELINE}, not significantly"
    )


def _name_the_best(found: Findings, name: str, report: Report, metric: str) -> None:
    """Whoever named a model should hear that another one did better."""
    means = {entry.name: float(_per_user(entry, metric).mean()) for entry in report.models}
    best = max(means, key=means.__getitem__)
    if means[best] > means[name]:
        found.reasons.append(
            f"{best} did better than {name}, {metric} {means[best]:.4f} against {means[name]:.4f}: publish "
            f"it with acclimate train --model {best}, or the best of several with acclimate train"
        )


def _per_user(report: ModelReport, metric: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(report.per_user[metric], np.float64)
