"""What benchmarks of the sequence model share: one fit with its price, and results that are gone on with."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.data.dataset import Dataset
from acclimate.data.split import Split
from acclimate.evaluate.compare import paired
from acclimate.evaluate.ranking import measure
from acclimate.models.sequence import SequenceModel
from benchmarks.accuracy.run import triple


def measured(model: SequenceModel, data: Dataset, split: Split) -> dict[str, Any]:
    """Fit ``model`` on ``data``, and measure how well it foresees the targets of ``split``."""
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(data)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    report = measure(model, split)
    return {
        "metrics": {name: triple(report.metrics[name]) for name in ("ndcg@10", "hr@10", "coverage@10")},
        "fit_seconds": round(wall, 1),
        "fit_cpu_seconds": round(cpu, 1),
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
