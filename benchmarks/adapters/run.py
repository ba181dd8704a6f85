"""What tuning the language model is worth, on warm and on cold items; goes on where it was stopped.

make bench-adapters                      # what is not in results.json yet
make bench-adapters QUICK=1              # few steps and epochs, one seed
make bench-adapters ARGS="--ways frozen lora --seeds 0 --again"
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.accuracy.run import load, triple
from benchmarks.adapters.tables import GROUPS
from benchmarks.machine import stamp
from benchmarks.trials import Kept, options

from acclimate.data.cold import split_cold_item
from acclimate.data.dataset import Dataset
from acclimate.data.split import Split, split_last
from acclimate.encode.cache import CachedEncoder
from acclimate.encode.text import TextEncoder
from acclimate.encode.tuning import Tuning
from acclimate.evaluate.compare import paired
from acclimate.evaluate.ranking import run
from acclimate.evaluate.scene import Scene
from acclimate.models import make_model
from acclimate.training import Training
from acclimate.training.spent import spent
from acclimate.types import Model

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
SETS = ("amazon-beauty-2014",)
FIT: dict[str, Any] = {"max_length": 50}
PARTS: dict[str, dict[str, Any]] = {
    "quick": {"fit": {"width": 64, "epochs": 4, "validation_users": 0}, "tuning": {"steps": 40}},
    "full": {"fit": {"width": 64, "epochs": 60, "patience": 5}, "tuning": {"steps": 200}},
}
"""How long the sequence model learns, and how many steps of 64 pairs the language model."""
TUNED = ("lora", "adalora", "full")
WAYS = ("id", "frozen", *TUNED, "content", *(f"content, {way}" for way in TUNED))
"""The sequence model by ids alone, with the language model as it is or tuned; and plain nearness of texts."""
CLAIM = (
    "The language model that reads the items is left as it is or tuned, on pairs of items that users liked "
    "near in time. NDCG@10 of warm items and of items that nobody had chosen yet, among all items and among "
    "the cold ones, with minutes and megabytes."
)


def questions(data: Dataset, seed: int) -> tuple[Dataset, Split, Split]:
    """Return what is learned from, the last warm item of each user, and the last cold one.

    A fifth of the items is cold: nothing is learned from their events.
    """
    cold = split_cold_item(data, seed=seed)
    warm = split_last(cold.train)
    return warm.train, warm, cold


def tuning_of(way: str, tuning: dict[str, Any], seed: int) -> Tuning | None:
    """Return how the language model of a way is tuned, None for not at all."""
    kind = way.rpartition(" ")[2]
    return Tuning(kind, "pairs", **tuning, seed=seed) if kind in TUNED else None


def trial(data: Dataset, way: str, part: str, seed: int, cache: Path, where: Path) -> dict[str, Any]:
    """Fit one way, and measure it on warm and on cold items.

    What the sequence model of a way has tuned is kept in ``where``: nearness of texts reads by it as well.
    """
    how, training = PARTS[part], Training(cache / "training", progress=True)
    train, warm, cold = questions(data, seed)
    CachedEncoder(TextEncoder("minilm", progress=True), cache / "vectors").encode(
        train.texts
    )  # the same for all
    tuned, tuning = where / f"adapter-{way.rpartition(' ')[2]}-{seed}", tuning_of(way, how["tuning"], seed)
    known = tuned if way.startswith("content,") and tuned.is_dir() else None
    own = TextEncoder(
        "minilm", adapter=known, tuning=None if known else tuning, progress=True, training=training
    )
    encoder = CachedEncoder(own, cache / "vectors")
    model: Model
    if way.startswith("content"):
        model = make_model("content", encoder)
    else:
        params = FIT | how["fit"] | ({"item_vector": "id"} if way == "id" else {})
        model = make_model("sequence", encoder, **params, seed=seed, training=training)
    with spent() as took:
        model.fit(train)
    if own.adapter:
        own.adapter.save(tuned)
    answers = {split.protocol: run(model, Scene(split), [10]) for split in (warm, cold)}
    per_user = [answers["last"].per_user, answers["cold-item"].per_user]
    per_user += [answers["cold-item"].parts["among the cold"][2]]
    fitted = getattr(model, "fitted", None)
    return {
        "fit_seconds": round(took.seconds, 1),
        "fit_cpu_seconds": round(took.cpu_seconds, 1),
        "epochs": fitted.epochs if fitted else None,
        "megabytes": round(sum(each.nbytes for each in own.adapter.weights.values()) / 1e6, 2)
        if own.adapter
        else 0.0,
        "tuning_seconds": own.adapter.made["seconds"] if own.adapter else 0.0,
        "targets_sha256": {name: split.targets_sha256 for name, split in (("warm", warm), ("cold", cold))},
        "n_targets": {"warm": warm.n_targets, "cold": cold.n_targets},
        "per_user": {name: values["ndcg@10"] for name, values in zip(GROUPS, per_user, strict=True)},
    }


def summarise(found: dict[str, Any], where: Path) -> None:
    """Add to each way its means over the seeds, their spread, and how far it is from what is not tuned.

    Each seed has cold items of its own, so that the users of all seeds stand side by side.
    """
    kept: dict[str, Any] = {}
    for way, entry in found.items():
        runs = entry["runs"].values()
        for group in GROUPS:
            means = [run["ndcg@10"][group] for run in runs]
            entry.setdefault("ndcg@10", {})[group] = round(float(np.mean(means)), 5)
            spread = round(float(np.std(means, ddof=1)), 5) if len(means) > 1 else None
            entry.setdefault("spread", {})[group] = spread
        for name in ("fit_cpu_seconds", "tuning_seconds", "megabytes"):
            entry[name] = round(float(np.mean([run[name] for run in runs])), 2)
        kept[way] = {seed: np.load(where / f"{way}-{seed}.npz") for seed in entry["runs"]}
    for way in kept:
        base = "content" if way.startswith("content,") else "frozen"
        seeds = [seed for seed in kept[way] if seed in kept.get(base, {})]
        if way != base and seeds:
            entry = {group: apart(kept[way], kept[base], seeds, group) for group in GROUPS}
            found[way]["beyond"] = {"base": base, **entry}


def apart(one: dict[str, Any], base: dict[str, Any], seeds: list[str], group: str) -> list[float]:
    """Return how far a way is from another, by paired bootstrap over the users of all seeds."""
    return triple(paired(*(np.concatenate([way[seed][group] for seed in seeds]) for way in (one, base))))


def wanted() -> argparse.Namespace:
    parser = options(__doc__ or "", PARTS)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    return parser.parse_args()


def main() -> int:
    args = wanted()
    kept = Kept(RESULTS, CLAIM, args.part, PARTS[args.part], "sets")
    for set_name in args.sets:
        data = load(set_name, args.cache)
        found = kept.found.setdefault(set_name, {})
        where = args.cache / "adapters" / args.part / set_name
        where.mkdir(parents=True, exist_ok=True)
        for seed, way in ((seed, way) for seed in args.seeds for way in args.ways):
            if str(seed) in found.get(way, {"runs": {}})["runs"] and not args.again:
                continue
            done = trial(data, way, args.part, seed, args.cache, where)
            per_user = done.pop("per_user")
            np.savez(where / f"{way}-{seed}.npz", **per_user)
            done["ndcg@10"] = {group: round(float(values.mean()), 5) for group, values in per_user.items()}
            print(args.part, set_name, way, seed, json.dumps(done), file=sys.stderr, flush=True)
            found.setdefault(way, {"runs": {}})["runs"][str(seed)] = done | stamp()
            summarise(found, where)
            kept.keep()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
