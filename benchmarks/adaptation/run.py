"""What the clocks are worth, and what they cost; goes on where it was stopped.

make bench-adaptation                                # what is not in results.json yet
make bench-adaptation ARGS="--parts learner --seeds 0 --again"
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from benchmarks.adaptation.memory import memory
from benchmarks.adaptation.new_users import new_users
from benchmarks.adaptation.retrained import retraining
from benchmarks.adaptation.worlds import recurring, sudden
from benchmarks.machine import machine, stamp

from acclimate.adapt.learner import Learner
from acclimate.adapt.slow import Slow
from acclimate.adapt.swapped import Swapped
from acclimate.config import Home, Settings
from acclimate.data.dataset import Dataset
from acclimate.data.fetch import fetch
from acclimate.data.tables import read_tables
from acclimate.encode import make_encoder
from acclimate.events.codec import event_entry
from acclimate.events.log import Record
from acclimate.events.sqlite import SqliteLog
from acclimate.models.sequence import SequenceModel
from acclimate.snapshot import Registry
from acclimate.state.fold import LiveState
from acclimate.training import Training
from acclimate.types import Event, Verdict

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
CLAIM = (
    "On ml-100k, fitted on the first 70 % of the events, each snapshot that acclimate learn publishes from "
    "the rest is better for users of whom it has learned nothing, with each of three seeds. With vectors of "
    "width 64 and 50 events of context the slow clock takes at least 300 events a second, and the fast clock "
    "5,000."
)
WIDTH, FITTED, AT_ONCE, TIMED, ROUNDS = 64, 0.7, 1_000, 5_120, 3
"""Width of the vectors; share of the events that is fitted on; records that are written, and events that are
timed, at once; and how often they are."""
CONTEXT, LATER = 50, 15_000
"""Events that are read of a user where speed is measured; and events after which the prior asks of few."""


def parted() -> tuple[Dataset, Dataset]:
    """Return ml-100k up to the moment that is fitted on, and all of it."""
    data = read_tables([fetch("ml-100k", cache=Home().cache / "benchmarks").path], name="ml-100k").dataset
    keep = np.zeros(len(data), bool)
    keep[np.argsort(data.time, kind="stable")[: int(FITTED * len(data))]] = True
    return data.where(keep), data


def fitted(data: Dataset, seed: int, cache: Path, **params: Any) -> SequenceModel:
    """Return the sequence model, fitted on ``data``."""
    training = Training(cache / "training", progress=True)
    encoder = make_encoder("minilm", cache=cache, progress=False)
    model = SequenceModel(encoder, width=WIDTH, seed=seed, training=training, **params)
    model.fit(data)
    return model


def logged(data: Dataset, many: int) -> list[Event]:
    """Return all but the first ``many`` events as likes, in order of time."""
    order = np.argsort(data.time, kind="stable")[many:].tolist()
    users, items = data.users.ids, data.items.ids
    return [
        Event(users[data.user[n]], "like", float(data.time[n]), item_id=items[data.item[n]]) for n in order
    ]


def learner(seed: int, cache: Path) -> dict[str, Any]:
    """Let a learner read the newest events of ml-100k; the gate asks users who were held back."""
    before, data = parted()
    started = time.process_time()
    model = fitted(before, seed, cache)
    fit_seconds = time.process_time() - started
    with TemporaryDirectory() as folder:
        home = Home(Path(folder))
        registry = Registry(home.snapshots)
        first = registry.write(model, LiveState.of(before), metrics={})
        registry.publish(first, Verdict(True, (), {}))
        with closing(SqliteLog(home.log)) as log:
            entries = [event_entry(event) for event in logged(data, len(before))]
            for low in range(0, len(entries), AT_ONCE):
                log.append(entries[low : low + AT_ONCE]).result()
        started = time.process_time()
        learning = Learner(home, Settings(), say=lambda line: print(line, flush=True))
        account = learning.run(once=True)
        seconds = time.process_time() - started
        judged = [registry.get(name) for name in (*account.published, *account.refused)]
        return {
            "fit_seconds": fit_seconds,
            "learn_seconds": seconds,
            "events": account.events,
            "published": len(account.published),
            "refused": len(account.refused),
            "rolled_back": len(account.rolled_back),
            "judged": [dict(each.verdict.figures) for each in judged if each.verdict],
        }


def speed(seed: int, cache: Path) -> dict[str, Any]:
    """Time the fast and the slow clock on events of ml-100k: per CPU second, medians of three rounds.

    Each round has a model of its own, which has read nobody yet.
    """
    before, data = parted()
    model = fitted(before, seed, cache, epochs=1, validation_users=0, max_length=CONTEXT)
    events = logged(data, len(before))[:TIMED]
    entries = [event_entry(event) for event in events]
    records = [Record(n, each.kind, each.time, each.body) for n, each in enumerate(entries, 1)]
    newest = np.argsort(data.time, kind="stable")[len(before) :]

    def state() -> Callable[[], object]:
        made = LiveState.of(before)
        return lambda: made.apply(records)

    def clock(made: Slow | Swapped, first: int = 0) -> Callable[[], object]:
        made.begin(before)
        made.learn(data.events.part(newest[:first]))
        return lambda: made.learn(data.events.part(newest[first : first + TIMED]))

    kinds: dict[str, Callable[[], Callable[[], object]]] = {
        "state": state,
        "state_and_prior": lambda: _both(state(), clock(Swapped(_again(model)), LATER)),
        "state_and_prior_at_first": lambda: _both(state(), clock(Swapped(_again(model)))),
        "slow_kl": lambda: clock(Slow(_again(model))),
        "slow_none": lambda: clock(Slow(_again(model), safeguard="none")),
    }
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, make in kinds.items():
            act = make()
            started = time.process_time()
            act()
            found[name].append(TIMED / (time.process_time() - started))
    return {f"{name}_per_second": median(rates) for name, rates in found.items()}


def _both(one: Callable[[], object], other: Callable[[], object]) -> Callable[[], object]:
    return lambda: (one(), other())


def _again(model: SequenceModel) -> SequenceModel:
    """Return the same model once more, to be changed."""
    made = SequenceModel(model.encoder, **model.params)
    made.restore(model.state())
    return made


PARTS = {
    "speed": speed,
    "learner": learner,
    "sudden": sudden,
    "recurring": recurring,
    "memory": memory,
    "new users": new_users,
    "retraining": retraining,
}


ONCE = ("speed", "memory")
"""Measured with one seed."""


def main() -> int:
    """Run what is wanted and not there yet; each run is written as soon as it is done."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument("--cache", type=Path, default=Home().cache / "benchmarks")
    args = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"parts": {}}
    results["claim"] = CLAIM
    for seed in args.seeds:
        for name in args.parts:
            runs = results["parts"].setdefault(name, {"runs": {}})["runs"]
            if (str(seed) in runs and not args.again) or (seed and name in ONCE):
                continue
            found = json.dumps(PARTS[name](seed, args.cache) | stamp())
            runs[str(seed)] = json.loads(found, parse_float=lambda text: round(float(text), 5))
            results |= {"machine": machine(), "date": stamp()["date"]}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
