"""What each choice of the sequence model is worth, on validation alone; goes on where it was stopped.

make bench-ablation                      # what is not in results.json yet
make bench-ablation QUICK=1              # few epochs, one seed
make bench-ablation ARGS="--sets ml-100k --choices base user_text=on"
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.accuracy.run import load, triple
from benchmarks.machine import machine, stamp

from acclimate.config import Home
from acclimate.data.split import split_last
from acclimate.encode import make_encoder
from acclimate.evaluate.compare import paired
from acclimate.evaluate.ranking import measure
from acclimate.models.sequence import SequenceModel
from acclimate.training import Training

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
SETS = ("ml-100k", "amazon-beauty-2014")
BASE: dict[str, Any] = {"width": 64}
PARTS: dict[str, dict[str, Any]] = {
    "quick": {"epochs": 8, "batch_tokens": 1024, "validation_users": 0},
    "full": {"epochs": 100, "patience": 5},
}
"""How long is learned: few epochs and the last weights, or until a part of the training data says stop."""
CHOICES: dict[str, dict[str, Any]] = {
    "base": {},
    "item_vector=id": {"item_vector": "id"},
    "item_vector=text": {"item_vector": "text"},
    "item_vector=sum": {"item_vector": "sum"},
    "item_vector=sum, id_dropout=0": {"item_vector": "sum", "id_dropout": 0.0},
    "id_dropout=0": {"id_dropout": 0.0},
    "user_text=on": {"user_text": "on"},
    "user_text=alone": {"user_text": "alone"},
    "perturbation=0.1": {"perturbation": 0.1},
    "contrast=0.1": {"contrast": 0.1},
    "averaging=0.99": {"averaging": 0.99},
    "schedule=cosine": {"schedule": "cosine"},
    "optimiser=rowwise-adagrad": {"optimiser": "rowwise-adagrad"},
    "weight_decay=0.1": {"weight_decay": 0.1},
    "l1=1e-6": {"l1": 1e-6},
    "label_smoothing=0.1": {"label_smoothing": 0.1},
    "dropout=0.4": {"dropout": 0.4},
    "places": {"places": True},
    "item_bias": {"item_bias": True},
    "block=hstu": {"block": "hstu"},
    "block=gru": {"block": "gru"},
}
"""Name -> arguments that differ from the base: text and id in one space, width 64, the other defaults."""
CLAIM = (
    "What each choice of the sequence model is worth in NDCG@10 and in CPU seconds, on validation alone: the "
    "last item of each user is left out altogether, and the one before it is foreseen."
)


def trial(set_name: str, params: dict[str, Any], seed: int, cache: Path) -> dict[str, Any]:
    """Fit one choice on what was before the validation targets, and measure how well it foresees them."""
    split = split_last(split_last(load(set_name, cache)).train)
    encoder = make_encoder("minilm", cache=cache, progress=False)
    encoder.encode(split.train.texts)  # the same for all; they are kept
    model = SequenceModel(
        encoder, **BASE, **params, seed=seed, training=Training(cache / "training", progress=True)
    )
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(split.train)
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


def summarise(found: dict[str, Any], where: Path) -> None:
    """Add to each choice its means over the seeds, and what it is worth against the base."""
    kept = {}
    for name, entry in found.items():
        runs = entry["runs"]
        entry["ndcg@10"] = round(float(np.mean([run["metrics"]["ndcg@10"][0] for run in runs.values()])), 5)
        entry["cpu_seconds"] = round(float(np.mean([run["fit_cpu_seconds"] for run in runs.values()])), 1)
        files = [where / f"{name}-{seed}.npy" for seed in runs]
        if all(file.is_file() for file in files):
            kept[name] = np.mean([np.load(file) for file in files], axis=0)
    for name in kept.keys() & (found.keys() - {"base"}):
        if "base" in kept:
            found[name]["worth"] = triple(paired(kept[name], kept["base"]))


def wanted() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    quick = os.environ.get("QUICK", "0") not in ("", "0")
    parser.add_argument("--part", choices=PARTS, default="quick" if quick else "full")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--choices", nargs="+", default=list(CHOICES), choices=CHOICES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0] if quick else [0, 1, 2])
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument("--cache", type=Path, default=Home().cache / "benchmarks")
    return parser.parse_args()


def main() -> int:
    args = wanted()
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"claim": CLAIM, "parts": {}}
    for set_name in args.sets:
        how = PARTS[args.part]
        part = results["parts"].setdefault(args.part, {"how": how, "sets": {}})
        if part["how"] != how:  # what was learned otherwise cannot stand beside it
            part |= {"how": how, "sets": {}}
        found = part["sets"].setdefault(set_name, {})
        where = args.cache / "ablation" / args.part / set_name
        where.mkdir(parents=True, exist_ok=True)
        for name in args.choices:
            for seed in args.seeds:
                if str(seed) in found.get(name, {"runs": {}})["runs"] and not args.again:
                    continue
                run = trial(set_name, PARTS[args.part] | CHOICES[name], seed, args.cache)
                np.save(where / f"{name}-{seed}.npy", run.pop("per_user"))
                print(args.part, set_name, name, seed, json.dumps(run), file=sys.stderr, flush=True)
                found.setdefault(name, {"runs": {}})["runs"][str(seed)] = run | stamp()
                summarise(found, where)
                results |= {"machine": machine(), "date": stamp()["date"]}
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
