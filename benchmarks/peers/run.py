"""Other libraries on the targets that ours are measured on; goes on where it was stopped.

make bench-peers                                            # what is not in results.json yet
make bench-peers ARGS="--sets ml-100k --models sasrec --seeds 0 --again"
make bench-peers ARGS="--sets ml-100k --try=--epochs=3"     # options of peer.py; writes no results
make bench-peers ARGS="--reach"                             # how soon ours is as good as each of them
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks import per_user
from benchmarks.machine import machine, stamp
from numpy.typing import NDArray

from acclimate.config import Home
from acclimate.data.split import Split
from acclimate.evaluate.compare import bootstrap, paired
from acclimate.metrics import Places, metrics_at

accuracy = import_module("benchmarks.accuracy.run")
HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PER_USER = HERE / "per_user"
CLAIM = "Models of RecTools and implicit, fitted by their own library, and our sequence model: same targets"
NETS: dict[str, dict[str, Any]] = {
    "sasrec": {"n_blocks": 2, "n_heads": 1, "n_factors": 64, "dropout_rate": 0.1, "lr": 1e-3},
    "hstu": {
        **{"n_blocks": 2, "n_heads": 1, "n_factors": 64, "dropout_rate": 0.2, "lr": 1e-3},
        **{"loss": "sampled_softmax", "n_negatives": 128, "lightning_module_kwargs": {"logits_t": 0.05}},
    },
    "recbole-sasrec": {
        **{"n_layers": 2, "n_heads": 1, "hidden_size": 64, "inner_size": 256, "learning_rate": 1e-3},
        **{"hidden_dropout_prob": 0.1, "attn_dropout_prob": 0.1, "MAX_ITEM_LIST_LENGTH": 50},
    },
}
"""Width, depth and dropout of the best published SASRec with full cross-entropy on ml-1m."""
GRIDS: dict[str, dict[str, list[Any]]] = {
    "als": {"factors": [64, 128, 256], "alpha": [1.0, 10.0]},
    "ease": {"regularization": [50.0, 100.0, 250.0, 500.0, 1000.0]},
    "item-knn": {"weighting": ["cosine", "tfidf", "bm25"], "K": [20, 100]},
    "recent-popularity": {"days": [7, 30, 90, 365]},
}
"""Classic models, and of which arguments `peer.py` takes the best on its held-out users."""
MODELS = [*NETS, *GRIDS]
RECBOLE = ("recbole-sasrec",)
"""Only on `SMALL` sets: it makes a sequence of each prefix, filled up, and large sets would take days."""
SMALL = ("ml-latest-small-2016", "ml-100k")
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
    "MALLOC_TOP_PAD_": str(1 << 28),
}
"""Memory is kept and not handed back after each step: HSTU takes 79 CPU seconds an epoch, else 130."""
TICK = 1e-6
"""Seconds between events of one second."""
LENGTH = {"amazon-beauty-2014": 50}
"""Newest events of a user that the nets read, else 200."""
EPOCHS = (1, 2, 4, 8, 16, 32)
"""After how many ours is looked at, until it is as good as the best of the others."""


def environment(folder: Path, needs: str = "requirements.txt") -> Path:
    """Return the interpreter of an environment of the peers, made once."""
    python = folder / "bin" / "python"
    if not (folder / ".ready").is_file():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / needs], check=True)
        (folder / ".ready").touch()
    return python


def peer(
    name: str, split: Split, model: str, seed: int, cache: Path, options: Iterable[str] = (), **more: Any
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Fit and measure one model of the peers once.

    Args:
        name: Of the set.
        split: What is learned from, and what is asked.
        model: One of `MODELS`.
        seed: Of its start, and of the users who are held out of it.
        cache: For the environment and what goes to and fro.
        options: Of ``peer.py``.
        more: Beside its arguments.

    Returns:
        What it came to, and NDCG@10 of each user float64[m].
    """
    cache = cache.resolve()
    train, arrays = split.train, cache / f"peers-{name}.npz"
    out = cache / f"peers-{name}-{model}-{seed}.npz"
    times = np.array(train.time) if train.timed else np.zeros(len(train))
    order = np.argsort(train.user, kind="stable")  # the events are in order of time
    start = np.concatenate([[0], np.cumsum(np.bincount(train.user))])
    step = np.empty(len(train))
    step[order] = np.arange(len(train)) - start[train.user[order]]
    # equal times keep their order, and a question comes after all that its user did
    apart = TICK if train.timed else 86_400.0
    times += apart * step
    now = split.histories.now + apart * np.bincount(train.user, minlength=train.n_users)[split.users]
    told = {"user": train.user, "item": train.item, "time": times, "asked": split.users, "asked_time": now}
    if model in RECBOLE:
        told["target"] = split.targets[split.target_offsets[:-1]]
        python, script = environment(cache / "peers-recbole", "requirements-recbole.txt"), "recbole_peer.py"
    else:
        python, script = environment(cache / "peers"), "peer.py"
    np.savez(arrays, **told)
    long = {"session_max_len": LENGTH.get(name, 200)} if model in NETS and model not in RECBOLE else {}
    params = NETS.get(model, {}) | long | {"grid": GRIDS.get(model)} | more
    call = [python, HERE / script, arrays, out, "--model", model, "--seed", str(seed)]
    given = ["--params", json.dumps({key: value for key, value in params.items() if value is not None})]
    known = os.environ | MALLOC | {"PYTHONPATH": ""}
    subprocess.run([*call, *given, *options], check=True, env=known, cwd=cache)  # RecBole writes where it is
    found = np.load(out)
    values = measured(found["lists"], split)
    intervals = bootstrap(np.stack(list(values.values()), axis=1))
    return json.loads(str(found["told"])) | {
        "metrics": {each: accuracy.triple(i) for each, i in zip(values, intervals, strict=True)},
        "targets_sha256": split.targets_sha256,
        "n_targets": split.n_targets,
    }, values["ndcg@10"]


def measured(lists: NDArray[np.int64], split: Split) -> dict[str, NDArray[np.float64]]:
    """Return metrics float64[m] of lists int64[m, 10] of the users of ``split``."""
    hit = lists[split.rows] == split.targets[:, None]
    above = np.where(hit.any(axis=1), hit.argmax(axis=1), lists.shape[1])
    values = metrics_at(Places(above, np.ones_like(above), split.target_offsets), lists.shape[1])
    return {name: values[name] for name in ("ndcg@10", "hr@10")}


def reach(name: str, best: float, cache: Path) -> list[dict[str, Any]]:
    """Return what our model comes to after ever more epochs, until it is as good as ``best``."""
    found: list[dict[str, Any]] = []
    for epochs in EPOCHS:
        run = accuracy.alone(partial(accuracy.trial, name, "sequence", 0, {"epochs": epochs}, cache))
        found.append(
            {
                "epochs": epochs,
                "ndcg@10": run["metrics"]["ndcg@10"][0],
                "fit_cpu_seconds": run["fit_cpu_seconds"],
            }
        )
        print(name, json.dumps(found[-1]), file=sys.stderr, flush=True)
        if found[-1]["ndcg@10"] >= best:
            break
    return found


def summarise(found: dict[str, Any], name: str) -> None:
    """Add to each peer its mean over seeds, and how far our sequence model is beyond it."""
    kept = sorted(each.stem for each in accuracy.PER_USER.glob(f"{name}-sequence-[0-9].npz"))
    own = per_user.mean(accuracy.PER_USER, kept)
    for model, entry in found.items():
        runs = entry["runs"]
        for metric in ("ndcg@10", "hr@10"):
            entry[metric] = round(float(np.mean([run["metrics"][metric][0] for run in runs.values()])), 5)
        other = per_user.mean(PER_USER, [f"{name}-{model}-{seed}" for seed in runs])
        if own is not None and other is not None:
            entry["ours_beyond"] = accuracy.triple(paired(own, other))


def wanted() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    sets = [*accuracy.SETS, *accuracy.TIMED]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--sets", nargs="+", default=sets, choices=sets)
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the nets")
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument("--reach", action="store_true", help="measure how soon ours is as good, and end")
    parser.add_argument("--cache", type=Path, default=Home().cache / "benchmarks")
    parser.add_argument("--try", action="append", default=[], dest="tried", help="for peer.py; keeps nothing")
    return parser.parse_args()


def main() -> int:
    args = wanted()
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"sets": {}}
    results |= {"claim": CLAIM}

    def keep() -> None:
        RESULTS.write_text(
            json.dumps(results | {"machine": machine(), "date": stamp()["date"]}, indent=1) + "\n"
        )

    for name in args.sets:
        found = results["sets"].setdefault(name, {})
        peers = found.setdefault("peers", {})
        if args.reach:
            best = max((entry["ndcg@10"] for entry in peers.values()), default=0.0)
            found["reached"] = {"curve": reach(name, best, args.cache)} | stamp()
            keep()
            continue
        split = accuracy.split_of(name, accuracy.load(name, args.cache))
        for model in args.models:
            if (model == "recent-popularity" and not split.train.timed) or (
                model in RECBOLE and name not in SMALL
            ):
                continue
            runs = peers.setdefault(model, {"runs": {}})["runs"]
            for seed in args.seeds if model in NETS else [0]:
                if str(seed) in runs and not (args.again or args.tried):
                    continue
                run, values = peer(name, split, model, seed, args.cache, args.tried)
                print(name, model, seed, json.dumps(run), file=sys.stderr, flush=True)
                if args.tried:
                    continue
                runs[str(seed)] = run | stamp()
                per_user.put(PER_USER, f"{name}-{model}-{seed}", values)
                summarise({each: entry for each, entry in peers.items() if entry["runs"]}, name)
                keep()
    return 0


if __name__ == "__main__":
    sys.exit(main())
