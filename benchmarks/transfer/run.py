"""What a model that was fitted on one catalogue is worth on another; goes on where it was stopped.

make bench-transfer                      # what is not in results.json yet
make bench-transfer QUICK=1              # few epochs, one seed
make bench-transfer ARGS="--pairs ml-1m:ml-100k --shares 0.01 0.1"
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.accuracy.run import load, only
from benchmarks.machine import stamp
from benchmarks.trials import Kept, measured, options, summarise

from acclimate.data.dataset import Dataset
from acclimate.data.split import Split, split_last
from acclimate.encode import make_encoder
from acclimate.models.sequence import SequenceModel
from acclimate.rng import generator
from acclimate.snapshot import Registry, Snapshot
from acclimate.state.fold import LiveState
from acclimate.training import Training
from acclimate.training.spent import spent

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PAIRS = ("ml-1m:ml-100k", "beauty-without-hair:beauty-hair")
CATEGORY = "4"
"""Hair care among the attributes of Beauty: 3,262 of 12,101 items."""
SHARES = (0.01, 0.1, 1.0)
STARTS = ("unlearned", "scratch", "transferred")
BASE: dict[str, Any] = {"width": 64}
PARTS: dict[str, dict[str, Any]] = {
    "quick": {
        "source": {"epochs": 4, "validation_users": 0},
        "target": {"epochs": 30, "patience": 3, "batch_tokens": 1024},
    },
    "full": {
        "source": {"epochs": 60, "patience": 5},
        "target": {"epochs": 100, "patience": 5, "batch_tokens": 1024},
    },
}
"""How long is learned on the source and on the target; arguments of the sequence model."""
CLAIM = (
    "NDCG@10 of the last item of each user of the target, of a model that was fitted on the target alone "
    "(scratch), on the source and then on the target (transferred), and on the source alone (unlearned), "
    "where 1, 10 and 100 % of the target's users can be learned from."
)


def data_of(name: str, cache: Path) -> Dataset:
    """Return a set, or what of Beauty is hair care (users with three such events or more), or is not."""
    if not name.startswith("beauty-"):
        return load(name, cache)
    data = load("amazon-beauty-2014", cache)
    told = [str(item.attributes.get("attributes", "")).split("|") for item in data.catalogue]
    hair = np.array([CATEGORY in attributes for attributes in told])[data.item]
    if name == "beauty-without-hair":
        return only(data, ~hair)
    often = np.bincount(data.user[hair], minlength=data.n_users) >= 3
    return only(data, hair & often[data.user])


def part_of(split: Split, share: float, seed: int) -> Dataset:
    """Return the training events of a share of the users; all items stay in the catalogue."""
    users = generator(seed, "share").permutation(split.train.n_users)
    some = users[: max(2, round(share * len(users)))]
    return split.train.where(np.isin(split.train.user, some))


def source_of(name: str, part: str, seed: int, cache: Path) -> tuple[Snapshot, dict[str, Any]]:
    """Return a snapshot fitted on all of the source, and what it cost; made once."""
    folder = cache / "transfer" / part / f"{name}-{seed}"
    told = folder / "told.json"
    if told.is_file():
        known = json.loads(told.read_text())
        return Registry(folder).get(known["snapshot"]), known
    data = data_of(name, cache)
    params = BASE | PARTS[part]["source"]
    encoder = make_encoder("minilm", cache=cache, progress=True)
    encoder.encode(data.texts)  # the same for all; they are kept
    model = SequenceModel(encoder, **params, seed=seed, training=Training(cache / "training", progress=True))
    with spent() as took:
        model.fit(data)
    cost = {
        "seconds": round(took.seconds, 1),
        "cpu_seconds": round(took.cpu_seconds, 1),
        "epochs": model.fitted.epochs if model.fitted else None,
        "events": len(data),
        "items": data.n_items,
    }
    snapshot = Registry(folder).write(model, LiveState.of(data), metrics={})
    known = {"snapshot": snapshot.id, **cost}
    told.write_text(json.dumps(known))
    return snapshot, known


def trial(
    split: Split, start: str, share: float, seed: int, params: dict[str, Any], source: Snapshot, cache: Path
) -> dict[str, Any]:
    """Fit one start on a share of the target, and measure it on all users of the target."""
    encoder = make_encoder("minilm", cache=cache, progress=True)
    encoder.encode(split.train.texts)
    params = BASE | params | ({"epochs": 0} if start == "unlearned" else {})
    model = SequenceModel(encoder, **params, seed=seed, training=Training(cache / "training", progress=True))
    if start != "scratch":
        loaded = source.load(cache)
        model.start_from(loaded.model, loaded.state.catalogue)
    data = part_of(split, share, seed)
    return measured(model, data, split) | {"events": len(data), "users": len(np.unique(data.user))}


def wanted() -> argparse.Namespace:
    parser = options(__doc__ or "", PARTS)
    parser.add_argument("--pairs", nargs="+", default=PAIRS, metavar="SOURCE:TARGET")
    parser.add_argument("--shares", nargs="+", type=float, default=SHARES)
    return parser.parse_args()


def main() -> int:
    args = wanted()
    how = PARTS[args.part]
    kept = Kept(RESULTS, CLAIM, args.part, how, "pairs")
    for pair in args.pairs:
        source_name, target_name = pair.split(":")
        split = split_last(data_of(target_name, args.cache))
        found = kept.found.setdefault(pair, {"source": {}, "shares": {}})
        for share in args.shares:
            shown = f"{100 * share:g} %"
            starts = found["shares"].setdefault(shown, {})
            where = args.cache / "transfer" / args.part / pair.replace(":", "-to-") / f"{share:g}"
            where.mkdir(parents=True, exist_ok=True)
            for seed, start in ((seed, start) for seed in args.seeds for start in STARTS):
                if str(seed) in starts.get(start, {"runs": {}})["runs"] and not args.again:
                    continue
                source, cost = source_of(source_name, args.part, seed, args.cache)
                found["source"][str(seed)] = cost
                run = trial(split, start, share, seed, how["target"], source, args.cache)
                np.save(where / f"{start}-{seed}.npy", run.pop("per_user"))
                print(args.part, pair, shown, start, seed, json.dumps(run), file=sys.stderr, flush=True)
                starts.setdefault(start, {"runs": {}})["runs"][str(seed)] = run | stamp()
                summarise(starts, where, "scratch", "beyond_scratch")
                kept.keep()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
