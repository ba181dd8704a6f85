"""Recall and NDCG on Gowalla as LightGCN's paper splits and defines them; goes on where it was stopped.

make bench-gowalla                                 # what is not in results.json yet
make bench-gowalla ARGS="--models ease --again"
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.machine import machine, stamp

from acclimate.config import Home
from acclimate.data.dataset import Dataset
from acclimate.data.split import Split
from acclimate.data.vocab import Vocabulary
from acclimate.evaluate.ranking import measure
from acclimate.models import make_model
from acclimate.rng import generator
from acclimate.training import Training
from acclimate.training.spent import spent

RESULTS = Path(__file__).parent / "results.json"
CLAIM = (
    "On Gowalla in LightGCN's split, the best of these models reaches what LightGCN published: "
    "recall@20 .1824, NDCG@20 .1547"
)
PUBLISHED = {"recall@20": 0.1824, "ndcg@20": 0.1547}
PARTS = ("train", "test")
TRIED: dict[str, dict[str, Any]] = {
    "popularity": {},
    "item-knn": {},
    "ease": {},
    "lightgcn": {
        "width": 192,
        "learning_rate": 5e-3,
        "batch_users": 512,
        "epochs": 40,
        "patience": 5,
        "validation_users": 4096,
    },
}
"""Models, and the arguments that are not their defaults."""


def unpacked(cache: Path) -> Path:
    """Return a folder with train.txt and test.txt, from what ``ACCLIMATE_DATA`` holds."""
    shelf, folder = Path(os.environ.get("ACCLIMATE_DATA", ".")), cache / "gowalla"
    for found in (folder, shelf / "gowalla"):
        if all((found / f"{part}.txt").is_file() for part in PARTS):
            return found
    archive = shelf / "gowalla.tar.xz"
    if not archive.is_file():
        sys.exit("set ACCLIMATE_DATA to a folder that holds gowalla.tar.xz, or give --folder")
    with tarfile.open(archive) as packed:
        packed.extractall(cache, filter="data")
    return folder


def pairs(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return users and items of a file with a line for each user: the user, then the items."""
    rows = [np.array(line.split(), np.int64) for line in path.read_text("utf-8").splitlines()]
    return np.concatenate([np.repeat(row[0], len(row) - 1) for row in rows]), np.concatenate(
        [r[1:] for r in rows]
    )


def load(folder: Path) -> Split:
    """Return the published split. It has no times, so each user's training items get a random order."""
    user, item = pairs(folder / "train.txt")
    users, items = (Vocabulary(map(str, range(int(codes.max()) + 1))) for codes in (user, item))
    order = generator(0, "gowalla").permutation(len(user)).astype(float)
    train = Dataset(users, items, user, item, order, name="gowalla")
    asked, targets = pairs(folder / "test.txt")
    who, counts = np.unique(asked, return_counts=True)
    targets = targets[np.argsort(asked, kind="stable")].astype(np.int32)
    ends = np.concatenate([[0], np.cumsum(counts)])
    return Split("published", train, who.astype(np.int32), train.histories(who), targets, ends, {})


def trial(name: str, split: Split, cache: Path) -> dict[str, Any]:
    """Fit and measure one model once."""
    given = {"training": Training(cache / "training", progress=True)} if name == "lightgcn" else {}
    model = make_model(name, **TRIED[name], **given)
    with spent() as took:
        model.fit(split.train)
    report = measure(model, split, k=20, progress=True)
    fitted = getattr(model, "fitted", None)
    told = {
        m: [round(x, 5) for x in (v.mean, v.low, v.high)] for m, v in report.metrics.items() if m in PUBLISHED
    }
    return {
        **told,
        "fit_seconds": round(took.seconds, 1),
        "fit_cpu_seconds": round(took.cpu_seconds, 1),
        "score_seconds": round(report.score_seconds or 0.0, 1),
        "peak_rss_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "epochs": fitted.epochs if fitted else None,
        "params": TRIED[name],
        **stamp(),
    }


def wanted() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--models", nargs="+", default=list(TRIED), choices=TRIED)
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument(
        "--folder", type=Path, help="with train.txt and test.txt; by default from ACCLIMATE_DATA"
    )
    parser.add_argument("--cache", type=Path, default=Home().cache / "benchmarks")
    return parser.parse_args()


def main() -> int:
    args = wanted()
    folder = args.folder or unpacked(args.cache)
    split = load(folder)
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"claim": CLAIM, "models": {}}
    sums = (hashlib.sha256((folder / f"{part}.txt").read_bytes()).hexdigest() for part in PARTS)
    results["sha256"] = dict(zip(PARTS, sums, strict=True))
    for name in args.models:
        if name in results["models"] and not args.again:
            continue
        results["models"][name] = trial(name, split, args.cache)
        print(name, json.dumps(results["models"][name]), file=sys.stderr, flush=True)
        found = results["models"].values()
        results["published"] = PUBLISHED
        results["held"] = all(max(run[m][0] for run in found) >= least for m, least in PUBLISHED.items())
        results |= {"machine": machine(), "date": stamp()["date"]}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return 0 if results.get("held") else 1


if __name__ == "__main__":
    sys.exit(main())
