"""CPU seconds of an epoch: our sequence model beside RecTools' SASRec of equal width, depth, loss, precision.

make bench-speed                                   # both sets, one after the other, three rounds
make bench-speed ARGS="--sets ml-1m --rounds 1"
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.machine import machine, stamp
from benchmarks.peers.run import LENGTH, NETS, peer

from acclimate.config import Home
from acclimate.data.dataset import Dataset
from acclimate.data.split import split_last
from acclimate.models import sequence_net
from acclimate.models.sequence import SequenceModel
from acclimate.training import Training

accuracy = import_module("benchmarks.accuracy.run")
RESULTS = Path(__file__).parent / "results.json"
CLAIM = (
    "An epoch of ids alone, full cross-entropy, float32, one thread: RecTools' SASRec takes at least 6 times "
    "our CPU seconds on Beauty and at least 1.8 times on ml-1m."
)
BARS = {"amazon-beauty-2014": 6.0, "ml-1m": 1.8}
LESS, MORE = 1, 2
"""Epochs of two fits, whose difference is what an epoch costs without what comes before and after."""


def ours(train: Dataset, length: int, epochs: int) -> float:
    """Return the CPU seconds of a fit of ids alone, with as many users held out as the peer holds out."""
    theirs = NETS["sasrec"]
    model = SequenceModel(
        width=theirs["n_factors"],
        layers=theirs["n_blocks"],
        heads=theirs["n_heads"],
        dropout=theirs["dropout_rate"],
        learning_rate=theirs["lr"],
        block="attention",
        averaging=0.0,
        max_length=length,
        epochs=epochs,
        validation_users=512,
        training=Training(),
    )
    cpu = time.process_time()
    model.fit(train)
    return time.process_time() - cpu


def round_of(name: str, seed: int, cache: Path) -> dict[str, float]:
    """Return the CPU seconds of an epoch of each, measured one after the other."""
    split = split_last(accuracy.load(name, cache))
    own = [ours(split.train, LENGTH.get(name, 200), epochs) for epochs in (LESS, MORE)]
    their = [
        peer(name, split, "sasrec", seed, cache, ["--epochs", str(epochs)], threads=1)[0]["fit_cpu_seconds"]
        for epochs in (LESS, MORE)
    ]
    found = {"ours": round(own[1] - own[0], 1), "rectools": round(their[1] - their[0], 1)}
    return found | {"times": round(found["rectools"] / found["ours"], 2)}


def main() -> int:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--sets", nargs="+", default=list(BARS), choices=accuracy.SETS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Home().cache / "benchmarks")
    args = parser.parse_args()
    sequence_net.bf16_helps = lambda device: False  # float32, as the peer
    torch.set_num_threads(1)
    kept: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"sets": {}}
    for name in args.sets:
        rounds = []
        for seed in range(args.rounds):
            rounds.append(round_of(name, seed, args.cache))
            print(name, json.dumps(rounds[-1]), file=sys.stderr, flush=True)
        medians = {key: round(float(np.median([each[key] for each in rounds])), 2) for key in rounds[0]}
        kept["sets"][name] = medians | {"rounds": rounds} | stamp()
        holds = all(found["times"] >= BARS.get(each, 0) for each, found in kept["sets"].items())
        kept |= {"claim": CLAIM, "holds": holds, "machine": machine(), "date": stamp()["date"]}
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
