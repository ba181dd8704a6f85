"""What one would try first, on ml-100k with the protocol last: how well, and how long it takes.

make bench-classic                                # what is not in results.json yet
make bench-classic ARGS="--models als bpr --again"
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.machine import machine, stamp

from acclimate.config import Home
from acclimate.data.dataset import Dataset
from acclimate.data.fetch import fetch
from acclimate.data.split import Split, split_last
from acclimate.data.tables import read_tables
from acclimate.encode import make_encoder
from acclimate.evaluate.compare import Interval, bootstrap, holm, sign_flip
from acclimate.evaluate.ranking import measure
from acclimate.models import arguments, make_model
from acclimate.training import Training

RESULTS = Path(__file__).parent / "results.json"
SET, NDCG = "ml-100k", "ndcg@10"
EIGHT = ("popularity", "recent-popularity", "item-knn", "user-knn", "content", "ease", "als", "bpr")
"""What the bar is about."""
MORE = ("mf", "isgd", "vae", "lightgcn")
SEEDS, BAR = 3, 180.0
METRICS = (NDCG, "hr@10", "mrr@10", "coverage@10")
CLAIM = (
    "`acclimate evaluate` of eight classic models on ml-100k, protocol last, takes at most 3 minutes in all, "
    "from an empty cache"
)


def triple(interval: Interval) -> list[float]:
    """Return mean, low and high."""
    return [round(v, 5) for v in (interval.mean, interval.low, interval.high)]


def load(cache: Path) -> Dataset:
    """Return the set as its published figures take it: every rating counts, whatever its value."""
    data = read_tables([fetch(SET, cache=cache).path], name=SET).dataset
    events = data.user, data.item, data.time
    return Dataset(data.users, data.items, *events, value=data.value, catalogue=data.catalogue, name=SET)


def trial(name: str, seed: int, split: Split) -> tuple[dict[str, Any], np.ndarray]:
    """Fit and measure one model once; texts are read anew, and that counts."""
    ours = {"seed": seed, "training": Training(progress=False)}
    params = {key: value for key, value in ours.items() if key in arguments(name)}
    model = make_model(name, make_encoder("minilm", progress=False), **params)
    started, cpu = time.perf_counter(), time.process_time()
    model.fit(split.train)
    fitted, fitted_cpu = time.perf_counter(), time.process_time()
    report = measure(model, split)
    told = {
        "metrics": {metric: triple(report.metrics[metric]) for metric in METRICS},
        "forecasts": {metric: triple(found) for metric, found in report.forecasts.items()},
        "fit_seconds": round(fitted - started, 2),
        "fit_cpu_seconds": round(fitted_cpu - cpu, 2),
        "measure_seconds": round(time.perf_counter() - fitted, 2),
        "measure_cpu_seconds": round(time.process_time() - fitted_cpu, 2),
        "epochs": getattr(getattr(model, "fitted", None), "epochs", None),
    }
    return told | stamp(), report.per_user[NDCG]


def summarise(models: dict[str, Any], cache: Path) -> None:
    """Add the mean over the seeds with its interval over users, and how far each is from the best."""
    kept = {}
    for name, entry in models.items():
        files = [cache / f"classic-{name}-{seed}.npy" for seed in entry["runs"]]
        if all(file.is_file() for file in files):
            kept[name] = np.mean([np.load(file) for file in files], axis=0)
            entry[NDCG] = triple(bootstrap(kept[name][:, None])[0])
        entry.pop("to_the_best", None)
    best = max(kept, key=lambda name: float(kept[name].mean()))
    others = [name for name in kept if name != best]
    if others:
        apart = np.column_stack([kept[name] - kept[best] for name in others])
        for name, found, p in zip(others, bootstrap(apart), holm(sign_flip(apart)), strict=True):
            models[name]["to_the_best"] = {"best": best, "difference": triple(found), "p": round(float(p), 4)}


def together(sha256: str, cache: Path) -> dict[str, Any]:
    """Run the command on the eight in a home of their own, and look at the clock."""
    with tempfile.TemporaryDirectory() as home:
        tool, at = str(Path(sys.executable).with_name("acclimate")), ["--home", home]
        folder = fetch(SET, cache=cache).path
        subprocess.run([tool, "data", "import", str(folder), *at], check=True, stdout=subprocess.DEVNULL)
        named = [part for name in EIGHT for part in ("--model", name)]
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        asked = [tool, "evaluate", "--json", *named, *at]
        out = subprocess.run(asked, check=True, stdout=subprocess.PIPE).stdout
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads(out)
    assert report["targets_sha256"] == sha256, "the command measures another task"
    assert [model["name"] for model in report["models"]] == list(EIGHT)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used, 1),
        "peak_rss_mb": round(after.ru_maxrss / 1e3),
        "load_average": round(os.getloadavg()[0], 1),
        **stamp(),
    }


def wanted() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--models", nargs="+", default=[*EIGHT, *MORE], choices=[*EIGHT, *MORE])
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument("--cache", type=Path, default=Home().cache / "benchmarks")
    return parser.parse_args()


def main() -> int:
    args = wanted()
    args.cache.mkdir(parents=True, exist_ok=True)
    split = split_last(load(args.cache))
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"claim": CLAIM, "models": {}}
    results |= {"set": SET, "targets_sha256": split.targets_sha256, "n_targets": split.n_targets}

    def keep() -> None:
        results.update(machine=machine(), date=stamp()["date"])
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")

    whole = results.setdefault("together", {"models": len(EIGHT), "bar_seconds": BAR, "runs": []})
    if not whole["runs"] or args.again:
        whole["runs"].append(together(split.targets_sha256, args.cache))
        results["held"] = min(run["seconds"] for run in whole["runs"]) <= BAR
        print("together", json.dumps(whole), file=sys.stderr, flush=True)
        keep()
    for name in args.models:
        runs = results["models"].setdefault(name, {"runs": {}})["runs"]
        for seed in range(SEEDS if "seed" in arguments(name) else 1):
            if str(seed) in runs and not args.again:
                continue
            runs[str(seed)], per_user = trial(name, seed, split)
            print(name, seed, json.dumps(runs[str(seed)]), file=sys.stderr, flush=True)
            np.save(args.cache / f"classic-{name}-{seed}.npy", per_user)
            summarise(results["models"], args.cache)
            keep()
    return 0 if results["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
