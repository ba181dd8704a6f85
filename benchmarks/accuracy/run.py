"""How well the models foresee the last item of each user; goes on where it was stopped.

make bench-accuracy                              # what is not in results.json yet
make bench-accuracy QUICK=1                      # a small part anew, beside what is there; minutes
make bench-accuracy ARGS="--sets ml-100k --models ease sequence --seeds 0 1 --again"
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks import per_user
from benchmarks.machine import machine, stamp
from numpy.typing import NDArray

from acclimate.adapt.swapped import Swapped
from acclimate.config import Home
from acclimate.data.dataset import Dataset
from acclimate.data.fetch import fetch
from acclimate.data.split import Split, split_last, split_time
from acclimate.data.tables import read_tables
from acclimate.data.vocab import Vocabulary
from acclimate.encode import make_encoder
from acclimate.evaluate.compare import Interval, paired
from acclimate.evaluate.ranking import measure
from acclimate.models import MODELS, make_model
from acclimate.state.priors import DAY
from acclimate.training import Training
from acclimate.training.spent import spent
from acclimate.types import Model

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PER_USER = HERE / "per_user"
SETS = ("ml-latest-small-2016", "ml-100k", "ml-1m", "amazon-beauty-2014")
"""Asked for the last item of each user by models that are not told when."""
TIMED = {"ml-1m-liked": split_last, "ml-1m-liked-time": split_time}
"""Ratings of 4 and 5 of ml-1m with their true times, and the protocols: models may know when it is asked."""
AHEAD = {"ml-1m-liked-time": 20}
"""How far ahead the sequence model looks where a list has to last; chosen on a cut in the training part."""
WAY = (7 * DAY, 1.0)
"""Half-life and share of the prior at such a cut; chosen there as well."""
EPOCHS = 40
"""Passes of the sequence model over a million events at most: see README.md."""
QUICK = SETS[:2], ("popularity", "item-knn", "ease", "sequence")
"""Sets and models of the small part."""
SEEDED = ("sequence",)
METRICS = ("ndcg@10", "hr@10", "mrr@10", "coverage@10")


def load(name: str, cache: Path) -> Dataset:
    """Return a set as its published figures take it: all ratings count, items with events are ranked.

    ml-1m is the published leave-one-out benchmark: an order for each user and no times.
    """
    path = fetch("ml-1m" if name in TIMED else name, cache=cache).path
    if name in TIMED:
        data = read_tables([path], name=name, positive=">=4").dataset
        data = only(data, data.weight > 0)
    elif name == "ml-1m":
        sequences = path / "sequences_original_ids.txt"
        data = read_tables([sequences], format="sequences", items=path / "movies.dat", name=name).dataset
    else:
        data = read_tables([path], name=name).dataset
    n = int(data.item.max()) + 1  # items without events have the last codes
    items, catalogue = Vocabulary(data.items.ids[:n]), data.catalogue[:n]
    events = data.user, data.item, data.time
    return Dataset(data.users, items, *events, catalogue=catalogue, name=name, timed=data.timed)


def only(data: Dataset, keep: NDArray[np.bool_]) -> Dataset:
    """Return the events for which ``keep`` bool[n] is true, and the items that have any."""
    timed, data = data.timed, data.where(keep)
    used, item = np.unique(data.item, return_inverse=True)
    items = Vocabulary([data.items.ids[code] for code in used])
    catalogue = [data.catalogue[code] for code in used]
    events = data.user, item, data.time
    return Dataset(data.users, items, *events, catalogue=catalogue, name=data.name, timed=timed)


def split_of(name: str, data: Dataset) -> Split:
    """Return what is asked of a set."""
    return TIMED.get(name, split_last)(data)


def own(name: str, model: str) -> dict[str, Any]:
    """Return the arguments of a model of ours on a set, beside its defaults."""
    if model != "sequence":
        return {}
    bounded = {"epochs": EPOCHS} if name in (*TIMED, "ml-1m") else {}
    ahead = {"ahead": AHEAD[name]} if name in AHEAD else {}
    return bounded | ahead | ({"time": True} if name in TIMED else {})


def triple(interval: Interval) -> list[float]:
    """Return mean, low and high."""
    return [round(v, 5) for v in (interval.mean, interval.low, interval.high)]


def trial(name: str, model_name: str, seed: int, params: dict[str, Any], cache: Path) -> dict[str, Any]:
    """Fit and measure one model once."""
    data = load(name, cache)
    split, params = split_of(name, data), own(name, model_name) | params
    if model_name in SEEDED:
        params = params | {"seed": seed, "training": Training(cache / "training", progress=True)}
    model = make_model(model_name, make_encoder("minilm", cache=cache), **params)
    with spent() as took:
        model.fit(split.train)
    report = measure(model, split)
    fitted = getattr(model, "fitted", None)
    return {
        "metrics": {m: triple(report.metrics[m]) for m in METRICS},
        "fit_seconds": round(took.seconds, 1),
        "fit_cpu_seconds": round(took.cpu_seconds, 1),
        "score_seconds": round(report.score_seconds, 2),
        "epochs": fitted.epochs if fitted else None,
        "validation_ndcg@10": round(fitted.figure, 5) if fitted else None,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "per_user_ndcg@10": report.per_user["ndcg@10"],
        "targets_sha256": split.targets_sha256,
        "n_targets": split.n_targets,
        "n_items": data.n_items,
    } | ({"with prior": swapped(model, split)} if name in AHEAD and model_name == "sequence" else {})


def swapped(model: Model, split: Split) -> dict[str, Any]:
    """Measure what a fitted model says with its prior swapped for that of the cut."""
    made = Swapped(model, way=WAY)
    made.begin(split.train)
    report = measure(made, split)
    metrics = {m: triple(report.metrics[m]) for m in METRICS}
    return {"metrics": metrics, "per_user_ndcg@10": report.per_user["ndcg@10"]}


def alone(call: partial[dict[str, Any]]) -> dict[str, Any]:
    """Return what ``call`` gives in a process of its own, whose memory is counted for it alone."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call).result()


def compare(found: dict[str, Any], kept: dict[str, np.ndarray]) -> None:
    """Add how far each model is from EASE, by paired bootstrap over users."""
    if "ease" not in kept:
        return
    for name, values in kept.items():
        if name != "ease":
            found[name]["against_ease"] = triple(paired(values, kept["ease"]))


CLAIM = (
    "On latest-small and ml-100k, protocol last, the sequence model is above popularity, recent popularity "
    "and item neighbours and not below EASE beyond a paired interval; on ml-1m, the published sequences, "
    "its NDCG@10 is at least .150."
)


def summarise(found: dict[str, Any], set_name: str) -> None:
    """Add to each model its means over the seeds, and how far it is from EASE."""
    kept = {}
    for name, entry in found.items():
        runs = entry["runs"]
        for metric in ("ndcg@10", "hr@10"):
            entry[metric] = round(float(np.mean([run["metrics"][metric][0] for run in runs.values()])), 5)
        if (values := per_user.mean(PER_USER, [f"{set_name}-{name}-{seed}" for seed in runs])) is not None:
            kept[name] = values
    compare(found, kept)


def repeat(cache: Path) -> int:
    """Measure `QUICK` anew and print it beside ``results.json``, which stays; return 1 if it is another."""
    kept, apart = json.loads(RESULTS.read_text())["sets"], 0
    print(f"{'set':<22}{'model':<12}{'NDCG@10':>9}{'kept':>9}{'low':>9}{'high':>9}{'CPU s':>8}")
    sets, models = QUICK
    for set_name in sets:
        for name in models:
            run = alone(partial(trial, set_name, name, 0, {}, cache))
            before = kept[set_name][name]["runs"]["0"]
            mean, (was, low, high) = run["metrics"]["ndcg@10"][0], before["metrics"]["ndcg@10"]
            same = low <= mean <= high and run["targets_sha256"] == before["targets_sha256"]
            apart += not same
            figures = "".join(f"{value:>9.4f}" for value in (mean, was, low, high))
            told = f"{run['fit_cpu_seconds']:>8.0f}{'' if same else '   not what was kept'}"
            print(f"{set_name:<22}{name:<12}{figures}{told}", flush=True)
    return min(apart, 1)


def wanted() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--sets", nargs="+", default=[*SETS, *TIMED], choices=[*SETS, *TIMED])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the models that have one")
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument("--cache", type=Path, default=Home().cache / "benchmarks")
    quick = os.environ.get("QUICK", "0") not in ("", "0")
    told = "measure a small part anew and compare it with results.json, which stays as it is"
    parser.add_argument("--quick", action="store_true", default=quick, help=told)
    tried = "try arguments of the sequence model; prints, and writes no results"
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=JSON", help=tried)
    return parser.parse_args()


def main() -> int:
    args = wanted()
    if args.quick:
        return repeat(args.cache)
    params = {key: json.loads(value) for key, value in (one.split("=") for one in args.set)}
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"claim": CLAIM, "sets": {}}
    for set_name in args.sets:
        found = results["sets"].setdefault(set_name, {})
        for name in args.models:
            runs = found.setdefault(name, {"runs": {}})["runs"]
            for seed in args.seeds if name in SEEDED else [0]:
                if str(seed) in runs and not (args.again or params):
                    continue
                given = params if name in SEEDED else {}
                run = alone(partial(trial, set_name, name, seed, given, args.cache))
                beside = run.pop("with prior", None)
                values = run.pop("per_user_ndcg@10")
                print(set_name, name, seed, json.dumps(run), file=sys.stderr, flush=True)
                if params:
                    continue
                runs[str(seed)] = run | stamp()
                per_user.put(PER_USER, f"{set_name}-{name}-{seed}", values)
                if beside:
                    both = f"{name}+prior"
                    per_user.put(PER_USER, f"{set_name}-{both}-{seed}", beside.pop("per_user_ndcg@10"))
                    found.setdefault(both, {"runs": {}})["runs"][str(seed)] = run | beside | stamp()
                summarise({n: e for n, e in found.items() if e["runs"]}, set_name)
                results |= {"machine": machine(), "date": stamp()["date"]}
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
