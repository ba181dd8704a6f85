"""Protocols: split, fit, rank all items for each user, report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from acclimate.data.dataset import Dataset
from acclimate.data.held_out import targets_sha256
from acclimate.data.split import SPLITS
from acclimate.errors import AcclimateError, InputError, NotFoundError, nearest
from acclimate.evaluate.leaks import Leak, find_leaks, find_model_leak
from acclimate.evaluate.ranking import check_targets, lengths, run, summary
from acclimate.evaluate.results import ModelReport, Report, against_the_best
from acclimate.evaluate.scene import Scene
from acclimate.training.spent import spent
from acclimate.types import Model

FAILED = ("loss_not_finite", "out_of_memory")
"""Codes of errors by which one model is left out, so that the others still are measured."""


def evaluate(
    models: Sequence[Model | Sequence[Model]],
    data: Dataset,
    *,
    protocol: str = "last",
    k: int | Sequence[int] = 10,
    seed: int = 0,
    again: float = math.inf,
    progress: bool = False,
) -> Report:
    """Fit each model on the training part of ``data`` and measure how well it foresees the rest.

    All items are ranked for each user, but those that the user had or turned down. A model that refuses to
    be fitted on so much data is left out, and the report says why. What knows the answers already (an
    attribute that was made of them, a model that saw them) is found as far as it shows, and named.

    Args:
        models: Not fitted, or to be fitted again. A sequence of models in the place of one is the same model
            with several seeds: its figures are their mean, and the report tells how far they lie apart.
        data: The whole; it is split here.
        protocol: A key of `acclimate.data.split.SPLITS`.
        k: Length of the lists, 1..1000, or several lengths; the first one is that of the table.
        seed: Of the intervals, and of what the protocol draws.
        again: Seconds after which an item that the user has had is ranked again; infinite for never.
        progress: Whether stderr says how far it is.

    Raises:
        NotFoundError: No such protocol; names the nearest.
        InputError: No model, ``k`` out of range, nothing can be held out, or every model refused.

    Example:
        >>> from acclimate.models.popularity import Popularity
        >>> rows = [(user, item, 1.0 + n) for user in "ab" for n, item in enumerate(["heat", "alien"])]
        >>> report = evaluate([Popularity()], Dataset.of(rows), k=1)
        >>> report.n_targets, report.models[0].metrics["hr@1"].mean
        (2, 1.0)
    """
    ks = lengths(k)
    check_protocol(protocol)
    groups = [list(each) if isinstance(each, Sequence) else [each] for each in models]
    if not groups or not all(groups):
        raise InputError("there is no model to evaluate: give at least one", field="models")
    if 0 < again < math.inf:
        data.check_timed("An item that may come again after a time")
    splits = SPLITS[protocol](data, seed, again)
    for split in splits:
        check_targets(split)
    scenes = [Scene(split) for split in splits]
    reports: list[ModelReport] = []
    left_out: dict[str, str] = {}
    leaks = find_leaks(data, splits[0])
    for name, group in zip(_names([group[0] for group in groups]), groups, strict=True):
        try:
            reports.append(_one(name, group, scenes, ks, seed, progress, leaks))
        except AcclimateError as refused:
            left_out[name] = refused.message
            if not leaves_others(refused) or len(left_out) == len(groups):
                raise
    return Report(
        data.name,
        protocol,
        targets_sha256(splits),
        sum(split.n_targets for split in splits),
        ks,
        reports,
        against_the_best(reports, f"ndcg@{ks[0]}", seed),
        {why: n for split in splits for why, n in split.skipped.items()},
        left_out,
        leaks,
        again,
    )


def leaves_others(error: AcclimateError) -> bool:
    """Return whether a fit that ended with ``error`` leaves out its own model alone."""
    return isinstance(error, InputError) or error.code in FAILED


def check_protocol(name: str) -> None:
    """Raise NotFoundError if there is no protocol of this name; names the nearest."""
    if name == "prequential":
        raise InputError(
            "the protocol 'prequential' ranks, logs and then learns, event by event: it is acclimate replay, "
            "or acclimate.evaluate.prequential.replay in Python",
            code="use_replay",
            field="protocol",
        )
    if name not in SPLITS:
        hint = nearest(name, SPLITS)
        raise NotFoundError(f"no protocol {name!r}: {hint}", code="unknown_protocol", field="protocol")


def _one(
    name: str,
    group: Sequence[Model],
    scenes: Sequence[Scene],
    ks: Sequence[int],
    seed: int,
    progress: bool,
    leaks: list[Leak],
) -> ModelReport:
    """Fit and measure the models of a group, which differ by their seeds, on each fold; add to ``leaks``."""
    runs = []
    for number, model in enumerate(group, 1):
        folds = []
        for fold, scene in enumerate(scenes, 1):
            if progress:
                which = f", seed {number} of {len(group)}," if len(group) > 1 else ""
                which += f", fold {fold} of {len(scenes)}," if len(scenes) > 1 else ""
                _say(f"fitting {name}{which} on {scene.split.train!r}")
            with spent() as took:
                model.fit(scene.split.train)
            folds.append(run(model, scene, ks, fit_seconds=took.seconds, progress=progress))
            if fold == number == 1:
                ndcg = folds[0].means[f"ndcg@{ks[0]}"]
                if leak := find_model_leak(model, scene.split, ndcg, ks[0]):
                    leaks.append(replace(leak, name=name))
        runs.append(folds)
    return summary(name, runs, seed)


def _names(models: Sequence[Model]) -> list[str]:
    names: list[str] = []
    for model in models:
        again = sum(other.name == model.name for other in models[: len(names)])
        names.append(f"{model.name} ({again + 1})" if again else model.name)
    return names


def _say(line: str) -> None:
    from rich.console import Console

    Console(stderr=True).print(line, style="dim", highlight=False, markup=False, soft_wrap=True)
