"""What an evaluation found, as values and as one JSON document."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.evaluate.compare import Interval, bootstrap, holm, sign_flip
from acclimate.evaluate.leaks import Leak


@dataclass(frozen=True, slots=True)
class Segment:
    """The metrics of a part of the users or of the targets.

    Args:
        group: What it is a part by: ``"protocol"``, ``"activity"``, ``"items"`` or ``"user attribute"``.
        what: Which part, in words.
        n_users: Users who have a target in it.
        metrics: Only targets in this part count as right; the ranking is still over all items.
    """

    group: str
    what: str
    n_users: int
    metrics: Mapping[str, Interval]

    def document(self) -> dict[str, Any]:
        """Return the JSON object."""
        told = {"group": self.group, "what": self.what, "n_users": self.n_users}
        return {**told, "metrics": _plain(self.metrics)}


@dataclass(frozen=True, slots=True)
class Spread:
    """How far the figures of one model lie apart between fits: with several seeds, or on several folds.

    Args:
        values: Each metric, its mean over users for each fit, in their order; two or more.

    Example:
        >>> round(Spread({"ndcg@10": (0.06, 0.07, 0.08)}).deviation("ndcg@10"), 3)
        0.01
    """

    values: Mapping[str, tuple[float, ...]]

    @classmethod
    def of(cls, fits: Sequence[Mapping[str, float]]) -> Spread:
        """Return the spread of ``fits``, each the means of one of them."""
        shared = [name for name in fits[0] if all(name in each for each in fits)]
        return cls({name: tuple(each[name] for each in fits) for name in shared})

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def deviation(self, metric: str) -> float:
        """Return the standard deviation, with n - 1."""
        return float(np.std(self.values[metric], ddof=1))

    def document(self) -> dict[str, Any]:
        """Return the JSON object."""
        metrics = {
            name: {"values": list(values), "deviation": self.deviation(name)}
            for name, values in self.values.items()
        }
        return {"n": len(self), "metrics": metrics}


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What one model reached.

    Args:
        name: Of the model; a second one of the same name is called ``"ease (2)"``.
        metrics: ``"ndcg@10"`` and the others of `acclimate.metrics`.
        per_user: Each metric of each user float64[m], but those of all lists together.
        fit_seconds: Time of one fit; None if it was fitted before.
        score_seconds: Time to score all users once.
        segments: By name, as in ``"tail items"``.
        notes: What a reader of the figures should know, a line each.
        seeds: What it reached with each of several seeds; the figures are the means over them.
        folds: What it reached on each of several folds; the figures are those of all users together.
        forecasts: How true the ratings and chances are that it foresees, if it foresees any.
    """

    name: str
    metrics: Mapping[str, Interval]
    per_user: Mapping[str, NDArray[np.float64]]
    fit_seconds: float | None
    score_seconds: float
    segments: Mapping[str, Segment] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seeds: Spread | None = None
    folds: Spread | None = None
    forecasts: Mapping[str, Interval] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the JSON object, without the figures of single users."""
        return {
            "name": self.name,
            "metrics": _plain(self.metrics),
            "fit_seconds": self.fit_seconds,
            "score_seconds": self.score_seconds,
            "segments": {name: segment.document() for name, segment in self.segments.items()},
            "notes": list(self.notes),
            "seeds": self.seeds.document() if self.seeds else None,
            "folds": self.folds.document() if self.folds else None,
            "forecasts": _plain(self.forecasts),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far ``model`` is from ``against`` on the same users; below 0 it is worse."""

    model: str
    against: str
    metric: str
    difference: Interval

    def document(self) -> dict[str, Any]:
        """Return the JSON object."""
        names = {"model": self.model, "against": self.against, "metric": self.metric}
        return {**names, **self.difference.document()}


@dataclass(frozen=True, slots=True)
class Tested:
    """A comparison, and how probable so large a difference is by chance.

    Args:
        comparison: Of two models.
        p: The chance, 0..1.
        p_holm: The same, allowing for how many models are compared.
    """

    comparison: Comparison
    p: float
    p_holm: float

    def document(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {**self.comparison.document(), "p": self.p, "p_holm": self.p_holm}


@dataclass(frozen=True)
class Report:
    """What several models reached on the same targets.

    Args:
        dataset: Name of the data.
        protocol: A key of `acclimate.data.split.SPLITS`.
        targets_sha256: Equal hashes, equal task.
        n_targets: Right items of all users.
        ks: Lengths of the lists that were measured; that of the table first.
        models: In the order in which they were given.
        comparisons: Each model against the best by ndcg, tested.
        skipped: Why a user or an event was not measured, and how many.
        left_out: Models that refused to be fitted, and why.
        leaks: What knows the targets already, so that the figures are too good.
        again: Seconds after which an item that the user has had is ranked again; infinite for never.
    """

    dataset: str
    protocol: str
    targets_sha256: str
    n_targets: int
    ks: Sequence[int]
    models: Sequence[ModelReport]
    comparisons: Sequence[Tested]
    skipped: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    leaks: Sequence[Leak] = ()
    again: float = math.inf

    @property
    def k(self) -> int:
        """Length of the lists in the table: the first of ``ks``."""
        return self.ks[0]

    @property
    def n_users(self) -> int:
        """Number of users that were measured."""
        return max((len(values) for model in self.models for values in model.per_user.values()), default=0)

    def document(self) -> dict[str, Any]:
        """Return the document of ``acclimate evaluate --json``."""
        return {
            "dataset": self.dataset,
            "protocol": self.protocol,
            "targets_sha256": self.targets_sha256,
            "n_targets": self.n_targets,
            "n_users": self.n_users,
            "again": None if math.isinf(self.again) else self.again,
            "k": self.k,
            "ks": list(self.ks),
            "models": [model.document() for model in self.models],
            "comparisons": [comparison.document() for comparison in self.comparisons],
            "skipped": dict(self.skipped),
            "left_out": dict(self.left_out),
            "leaks": [leak.document() for leak in self.leaks],
        }

    def __str__(self) -> str:
        from rich.console import Console

        from acclimate.evaluate.report import print_table

        console = Console(width=120, color_system=None)
        with console.capture() as captured:
            print_table(self, console)
        return captured.get()


def against_the_best(models: Sequence[ModelReport], metric: str, seed: int = 0) -> list[Tested]:
    """Compare each model with the one of the highest mean ``metric``, by `paired`; the best is left out.

    The p-values are those of `sign_flip`, and together those of `holm`.
    """
    best = max(models, key=lambda model: model.metrics[metric].mean)
    others = [each for each in models if each is not best]
    if not others:
        return []
    apart = np.column_stack([each.per_user[metric] - best.per_user[metric] for each in others])
    chances = sign_flip(apart, seed)
    rows = zip(others, bootstrap(apart, seed), chances, holm(chances), strict=True)
    return [
        Tested(Comparison(each.name, best.name, metric, found), float(p), float(p_holm))
        for each, found, p, p_holm in rows
    ]


def _plain(metrics: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: interval.document() for name, interval in metrics.items()}
