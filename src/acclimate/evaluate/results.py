"""What an evaluation found, as values and as one JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.evaluate.compare import Interval, paired


@dataclass(frozen=True, slots=True)
class Segment:
    """The metrics of a part of the users or of the targets.

    Args:
        what: Which part, in words.
        n_users: Users who have a target in it.
        metrics: Only targets in this part count as right; the ranking is still over all items.
    """

    what: str
    n_users: int
    metrics: Mapping[str, Interval]

    def document(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {"what": self.what, "n_users": self.n_users, "metrics": _plain(self.metrics)}


@dataclass(frozen=True, slots=True)
class Seeds:
    """How far the figures of one model depend on its seed.

    Args:
        values: Each metric, its mean over users for each seed, in the order of the seeds; two or more.

    Example:
        >>> round(Seeds({"ndcg@10": (0.06, 0.07, 0.08)}).deviation("ndcg@10"), 3)
        0.01
    """

    values: Mapping[str, tuple[float, ...]]

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def deviation(self, metric: str) -> float:
        """Return the standard deviation over the seeds, with n - 1."""
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
        metrics: ``"ndcg@10"`` and the others of `acclimate.metrics`, and ``"coverage@10"``.
        per_user: Each metric of each user float64[m], but coverage.
        fit_seconds: Time of one fit; None if it was fitted before.
        score_seconds: Time to score all users once.
        segments: By name, as in ``"tail items"``.
        notes: What a reader of the figures should know, a line each.
        seeds: What it reached with each of several seeds; the figures are the means over them.
    """

    name: str
    metrics: Mapping[str, Interval]
    per_user: Mapping[str, NDArray[np.float64]]
    fit_seconds: float | None
    score_seconds: float
    segments: Mapping[str, Segment] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seeds: Seeds | None = None

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


@dataclass(frozen=True)
class Report:
    """What several models reached on the same targets.

    Args:
        dataset: Name of the data.
        protocol: A key of `acclimate.data.split.SPLITS`.
        targets_sha256: Equal hashes, equal task.
        n_targets: Right items of all users.
        k: Length of the lists.
        models: In the order in which they were given.
        comparisons: Each model against the best by ndcg.
        skipped: Why a user or an event was not measured, and how many.
        left_out: Models that refused to be fitted, and why.
    """

    dataset: str
    protocol: str
    targets_sha256: str
    n_targets: int
    k: int
    models: Sequence[ModelReport]
    comparisons: Sequence[Comparison]
    skipped: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

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
            "k": self.k,
            "models": [model.document() for model in self.models],
            "comparisons": [comparison.document() for comparison in self.comparisons],
            "skipped": dict(self.skipped),
            "left_out": dict(self.left_out),
        }

    def __str__(self) -> str:
        from rich.console import Console

        from acclimate.evaluate.report import print_table

        console = Console(width=120, color_system=None)
        with console.capture() as captured:
            print_table(self, console)
        return captured.get()


def against_the_best(models: Sequence[ModelReport], metric: str, seed: int = 0) -> list[Comparison]:
    """Compare each model with the one of the highest mean ``metric``, by `paired`; the best is left out."""
    best = max(models, key=lambda model: model.metrics[metric].mean)
    return [
        Comparison(each.name, best.name, metric, paired(each.per_user[metric], best.per_user[metric], seed))
        for each in models
        if each is not best
    ]


def _plain(metrics: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: interval.document() for name, interval in metrics.items()}
