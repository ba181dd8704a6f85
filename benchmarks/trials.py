"""What benchmarks in parts share: options, one fit with its price, results that are gone on with."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.config import Home
from acclimate.data.dataset import Dataset
from acclimate.data.split import Split
from acclimate.evaluate.compare import paired
from acclimate.evaluate.ranking import measure
from acclimate.models.sequence import SequenceModel
from acclimate.training.spent import spent
from benchmarks.accuracy.run import triple
from benchmarks.machine import machine, stamp


def options(about: str, parts: Mapping[str, Any]) -> argparse.ArgumentParser:
    """Return the options of a benchmark in parts: which part, with which seeds, and where it keeps things."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=about, formatter_class=form)
    quick = os.environ.get("QUICK", "0") not in ("", "0")
    parser.add_argument("--part", choices=parts, default="quick" if quick else "full")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0] if quick else [0, 1, 2])
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument("--cache", type=Path, default=Home().cache / "benchmarks")
    return parser


class Kept:
    """Results of a benchmark, one part of them open.

    Args:
        file: Where they lie.
        claim: What they are for.
        part: Name of the part.
        how: What is learned in it, and how long; what was learned otherwise is thrown away.
        inner: What a part holds: ``"sets"`` or ``"pairs"``.
    """

    def __init__(self, file: Path, claim: str, part: str, how: dict[str, Any], inner: str) -> None:
        self.file = file
        known = json.loads(file.read_text()) if file.is_file() else {"parts": {}}
        self.results: dict[str, Any] = known | {"claim": claim}
        mine = self.results["parts"].setdefault(part, {"how": how, inner: {}})
        if mine["how"] != how:
            mine |= {"how": how, inner: {}}
        self.found: dict[str, Any] = mine[inner]

    def keep(self) -> None:
        """Write all of it."""
        self.results |= {"machine": machine(), "date": stamp()["date"]}
        self.file.write_text(json.dumps(self.results, indent=1) + "\n")


def measured(model: SequenceModel, data: Dataset, split: Split) -> dict[str, Any]:
    """Fit ``model`` on ``data``, and measure how well it foresees the targets of ``split``."""
    with spent() as took:
        model.fit(data)
    report = measure(model, split)
    return {
        "metrics": {name: triple(report.metrics[name]) for name in ("ndcg@10", "hr@10", "coverage@10")},
        "fit_seconds": round(took.seconds, 1),
        "fit_cpu_seconds": round(took.cpu_seconds, 1),
        "epochs": model.fitted.epochs if model.fitted else None,
        "per_user": report.per_user["ndcg@10"],
        "targets_sha256": split.targets_sha256,
        "n_targets": split.n_targets,
    }


def summarise(found: dict[str, Any], where: Path, base: str, beyond: str) -> None:
    """Add to each entry its means over the seeds, and as ``beyond`` how far it is from the entry ``base``.

    Args:
        found: Name -> entry with ``runs`` by seed.
        where: Holds NAME-SEED.npy, what each run came to for each user.
        base: Which entry the others are compared with, user by user.
        beyond: What the comparison is called.
    """
    kept = {}
    for name, entry in found.items():
        runs = entry["runs"]
        entry["ndcg@10"] = round(float(np.mean([run["metrics"]["ndcg@10"][0] for run in runs.values()])), 5)
        entry["cpu_seconds"] = round(float(np.mean([run["fit_cpu_seconds"] for run in runs.values()])), 1)
        files = [where / f"{name}-{seed}.npy" for seed in runs]
        if all(file.is_file() for file in files):
            kept[name] = np.mean([np.load(file) for file in files], axis=0)
    for name in kept.keys() - {base}:
        if base in kept:
            found[name][beyond] = triple(paired(kept[name], kept[base]))
