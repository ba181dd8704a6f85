"""What each choice of the sequence model is worth, on validation alone; goes on where it was stopped.

make bench-ablation                      # what is not in results.json yet
make bench-ablation QUICK=1              # few epochs, one seed
make bench-ablation ARGS="--sets ml-100k --choices base user_text=on"
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.accuracy.run import SETS as ALL
from benchmarks.accuracy.run import load
from benchmarks.machine import stamp
from benchmarks.trials import Kept, measured, options, summarise

from acclimate.data.split import split_last
from acclimate.encode import make_encoder
from acclimate.models.sequence import SequenceModel
from acclimate.training import Training

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
SETS = ("ml-100k", "amazon-beauty-2014")
BASE: dict[str, Any] = {"width": 64}
PARTS: dict[str, dict[str, Any]] = {
    "quick": {"epochs": 8, "batch_tokens": 1024, "validation_users": 0},
    "full": {"epochs": 100, "patience": 10},
}
"""How long is learned: few epochs and the last weights, or until a part of the training data says stop."""
CHOICES: dict[str, dict[str, Any]] = {
    "base": {},
    "item_vector=id": {"item_vector": "id"},
    "item_vector=text": {"item_vector": "text"},
    "item_vector=sum": {"item_vector": "sum"},
    "item_vector=sum, id_dropout=0.25": {"item_vector": "sum", "id_dropout": 0.25},
    "item_vector=alphafuse": {"item_vector": "alphafuse"},
    "item_vector=alphafuse, id_dropout=0.25": {"item_vector": "alphafuse", "id_dropout": 0.25},
    "id_dropout=0.25": {"id_dropout": 0.25},
    "nearness=0": {"nearness": 0.0},
    "user_text=on": {"user_text": "on"},
    "user_text=alone": {"user_text": "alone"},
    "perturbation=0.1": {"perturbation": 0.1},
    "contrast=0.1": {"contrast": 0.1},
    "averaging=0": {"averaging": 0.0},
    "learning_rate=0.002": {"learning_rate": 0.002},
    "learning_rate=0.008": {"learning_rate": 0.008},
    "schedule=cosine": {"schedule": "cosine"},
    "optimiser=rowwise-adagrad": {"optimiser": "rowwise-adagrad"},
    "weight_decay=0.1": {"weight_decay": 0.1},
    "l1=1e-6": {"l1": 1e-6},
    "label_smoothing=0.1": {"label_smoothing": 0.1},
    "dropout=0.4": {"dropout": 0.4},
    "places": {"places": True},
    "item_bias": {"item_bias": True},
    "block=attention": {"block": "attention"},
    "block=hstu": {"block": "hstu"},
    "block=gru": {"block": "gru"},
    "block=convolution": {"block": "convolution"},
    "block=decay": {"block": "decay"},
    "block=decay+attention": {"block": "decay+attention"},
    "layers=4": {"layers": 4},
    "width=128": {"width": 128},
    "patience=5": {"patience": 5},
    "validation_users=1024": {"validation_users": 1024},
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
        encoder, **BASE | params, seed=seed, training=Training(cache / "training", progress=True)
    )
    return measured(model, split.train, split)


def wanted() -> argparse.Namespace:
    parser = options(__doc__ or "", PARTS)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=ALL)
    parser.add_argument("--choices", nargs="+", default=list(CHOICES), choices=CHOICES)
    return parser.parse_args()


def main() -> int:
    args = wanted()
    kept = Kept(RESULTS, CLAIM, args.part, PARTS[args.part], "sets")
    for set_name in args.sets:
        found = kept.found.setdefault(set_name, {})
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
                summarise(found, where, "base", "worth")
                kept.keep()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
