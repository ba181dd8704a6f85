"""Acclimate's sequence model beside the libraries that one would pick instead: same targets, same machine.

make bench-peers                                   # what is not in results.json yet
make bench-peers ARGS="--sets ml-100k --models sasrec --seeds 0 --again"
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.machine import machine, stamp
from numpy.typing import NDArray

from acclimate.config import Home
from acclimate.data.split import split_last
from acclimate.evaluate.compare import bootstrap
from acclimate.metrics import Places, metrics_at

accuracy = import_module("benchmarks.accuracy.run")
HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
CLAIM = "Models of RecTools, fitted by their own library, on the targets that ours are measured on"
MODELS: dict[str, dict[str, Any]] = {
    "sasrec": {"n_blocks": 2, "n_heads": 1, "n_factors": 64, "dropout_rate": 0.1, "lr": 1e-3},
    "hstu": {"n_blocks": 2, "n_heads": 1, "n_factors": 64, "dropout_rate": 0.1, "lr": 1e-3},
}
"""Width, depth and dropout of the best published SASRec with full cross-entropy on ml-1m."""
LENGTH = {"amazon-beauty-2014": 50}


def environment(folder: Path) -> Path:
    """Return the interpreter of the peers' environment, made once."""
    python = folder / "bin" / "python"
    if not (folder / ".ready").is_file():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
        (folder / ".ready").touch()
    return python


def peer(name: str, model: str, seed: int, cache: Path, options: list[str], **more: Any) -> dict[str, Any]:
    """Fit and measure one model of the peers once; ``more`` goes beside its arguments."""
    data = accuracy.load(name, cache)
    split = split_last(data)
    train, arrays = split.train, cache / f"peers-{name}.npz"
    out = cache / f"peers-{name}-{model}-{seed}.npz"
    times = np.array(train.time) if data.timed else np.zeros(len(train))
    order = np.argsort(train.user, kind="stable")  # the events are in order of time
    start = np.concatenate([[0], np.cumsum(np.bincount(train.user))])
    step = np.empty(len(train))
    step[order] = np.arange(len(train)) - start[train.user[order]]
    times += (0.001 if data.timed else 86_400.0) * step  # equal times keep their order
    now = split.histories.now
    np.savez(arrays, user=train.user, item=train.item, time=times, asked=split.users, asked_time=now)
    params = MODELS[model] | {"session_max_len": LENGTH.get(name, 200)} | more
    call = [
        environment(cache / "peers"),
        HERE / "peer.py",
        arrays,
        out,
        "--model",
        model,
        "--seed",
        str(seed),
    ]
    subprocess.run(
        [*call, "--params", json.dumps(params), *options], check=True, env=os.environ | {"PYTHONPATH": ""}
    )
    found = np.load(out)
    return json.loads(str(found["told"])) | {
        "params": params,
        "metrics": measured(found["lists"], split.targets),
        "targets_sha256": split.targets_sha256,
        "n_targets": split.n_targets,
    }


def measured(lists: NDArray[np.int64], targets: NDArray[np.int32]) -> dict[str, list[float]]:
    """Return mean, low and high of each metric of lists int64[n, 10] where one item is right."""
    hit = lists == targets[:, None]
    above = np.where(hit.any(axis=1), hit.argmax(axis=1), lists.shape[1])
    places = Places(above, np.ones_like(above), np.arange(len(above) + 1))
    values = metrics_at(places, lists.shape[1])
    names = ("ndcg@10", "hr@10")
    intervals = bootstrap(np.stack([values[name] for name in names], axis=1))
    return {name: accuracy.triple(interval) for name, interval in zip(names, intervals, strict=True)}


def main() -> int:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--sets", nargs="+", default=accuracy.SETS, choices=accuracy.SETS)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument("--cache", type=Path, default=Home().cache / "benchmarks")
    parser.add_argument("--try", nargs="*", default=[], dest="tried", help="for peer.py; writes no results")
    args = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"claim": CLAIM, "sets": {}}
    for name in args.sets:
        for model in args.models:
            runs = results["sets"].setdefault(name, {}).setdefault(model, {"runs": {}})["runs"]
            for seed in args.seeds:
                if str(seed) in runs and not (args.again or args.tried):
                    continue
                run = peer(name, model, seed, args.cache, args.tried)
                print(name, model, seed, json.dumps(run), file=sys.stderr, flush=True)
                if args.tried:
                    continue
                runs[str(seed)] = run | stamp()
                results |= {"machine": machine(), "date": stamp()["date"]}
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
