"""What each clock adds on streams in true order of time; goes on where it was stopped.

make bench-replay                              # what is not in results.json yet
make bench-replay ARGS="--sets ml-1m --seeds 0 --again"
"""

from __future__ import annotations

import argparse
import json
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.machine import machine, stamp

from acclimate.adapt.choices import again_told
from acclimate.adapt.meta import Meta
from acclimate.adapt.slow import Slow, adapted
from acclimate.adapt.stepped import Stepped
from acclimate.adapt.swapped import Swapped
from acclimate.config import Home
from acclimate.data.cleaning import Wanted
from acclimate.data.dataset import Dataset
from acclimate.data.fetch import fetch
from acclimate.data.synthetic import World, drifting_world
from acclimate.data.tables import read_tables
from acclimate.data.vocab import Vocabulary
from acclimate.durations import moment
from acclimate.encode import make_encoder
from acclimate.evaluate.compare import bootstrap_ratio
from acclimate.evaluate.prequential import Level, replay
from acclimate.evaluate.stream_page import write_stream
from acclimate.evaluate.stream_report import StreamReport
from acclimate.models import MODELS, arguments, learns, make_model
from acclimate.training import Training
from acclimate.types import Model

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
CLAIM = (
    "On ml-1m (ratings >= 4, from November 2000) and on a year of retail purchases live histories are "
    "significantly better than frozen ones, by the sequence model as by the user's own frequency. In the "
    "retail year the sequence model, told of repeats, is above the user's own frequency. With d=64 at least "
    "400 events a second are ranked."
)
WIDTH = 64


@dataclass(frozen=True)
class Case:
    """What is replayed.

    Args:
        data: The set.
        options: Of `replay`.
        world: The world that made it, if one did.
        without: Models that are left out.
        params: Arguments of the sequence model.
    """

    data: Dataset
    options: dict[str, Any] = field(default_factory=dict)
    world: World | None = None
    without: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)


def ml_1m(cache: Path) -> Case:
    """Ratings of 4 and 5 with their true times, fitted on what is before November 2000."""
    path = fetch("ml-1m", cache=cache).path
    data = read_tables([path], name="ml-1m", positive=">=4").dataset
    return Case(data.where(data.weight > 0), {"start": moment("2000-11-01", "start")})


def ml_100k(cache: Path) -> Case:
    """All ratings, fitted on the first half."""
    return Case(read_tables([fetch("ml-100k", cache=cache).path], name="ml-100k").dataset)


def retail(cache: Path) -> Case:
    """A year of purchases, fitted on ten months; what was bought may be bought again.

    The 20-core: 13,000 of 92,000 products, which are 85 % of the purchases. Without als and item-knn, which
    take several milliseconds for each event of households with a thousand purchases; the sequence model
    knows repeats and foresees whole baskets, as it does where ``repeat.default`` lets items come again.
    """
    path = fetch("complete-journey", cache=cache).path
    data = read_tables([path], name="complete-journey", wanted=Wanted(k_core=20)).dataset
    used, item = np.unique(data.item, return_inverse=True)  # what is not in the core is not for sale
    data = Dataset(
        data.users,
        Vocabulary([data.items.ids[code] for code in used]),
        data.user,
        item,
        data.time,
        value=data.value,
        weight=data.weight,
        catalogue=[data.catalogue[code] for code in used],
        name=data.name,
    )
    options = {"again": 0.0, "start": moment("2017-11-01", "start")}
    params = {**again_told(0.0), "epochs": 8, "schedule": "cosine"}
    return Case(data, options, without=("als", "item-knn"), params=params)


def world(change: str) -> Callable[[Path], Case]:
    """A made world with a known change, fitted on its first quarter."""

    def make(cache: Path) -> Case:
        made = drifting_world(change, n_events=12_000, n_users=300, n_items=300, new_users=0.2, new_items=0.2)
        return Case(made.data, {"start": float(made.data.time[len(made.data) // 4])}, made)

    return make


SETS: dict[str, Callable[[Path], Case]] = {
    **{f"world-{change}": world(change) for change in ("sudden", "gradual", "recurring")},
    "ml-100k": ml_100k,
    "ml-1m": ml_1m,
    "complete-journey": retail,
}


def levels(case: Case, seed: int, cache: Path) -> list[Level]:
    """The sequence model's clocks, and every model that learns from single events; once if it has no seed."""
    training = Training(cache / "training", progress=True)
    encoder = make_encoder("minilm", cache=cache, progress=False)
    main = make_model("sequence", encoder, width=WIDTH, seed=seed, training=training, **case.params)
    made = [
        Level("frozen", main, live=False, new_items=False),
        Level("live", main, new_items=False),
        Level("items", main, learns=False),
        Level("prior", Swapped(main)),
        Level("step", Stepped(main)),
        *([] if case.params.get("repeats") else slow(main)),
    ]
    names = [name for name in MODELS if learns(name) or name in ("popularity", "frequency")]
    for name in names:
        seeded = "seed" in arguments(name)
        if name not in case.without and (seeded or seed == 0):
            made.append(Level(name, make_model(name, encoder, **({"seed": seed} if seeded else {}))))
    if seed == 0:
        made.append(Level("frequency, frozen", make_model("frequency", encoder), live=False))
    return made


def slow(main: Model) -> list[Level]:
    """The slow clock alone, by an adapter, and below all others; and a start for new users."""
    return [
        Level("slow", Slow(main), every=128),
        Level("adapter", adapted(main), every=128),
        Level("meta", Meta(main)),
        Level("all", Swapped(Stepped(Slow(main)))),
    ]


def run(name: str, seed: int, cache: Path) -> dict[str, Any]:
    """Replay one set with one seed."""
    case = SETS[name](cache)
    folder = cache / "replay" / f"{name}-{seed}"
    report = replay(
        levels(case, seed, cache), case.data, seed=seed, folder=folder, progress=True, **case.options
    )
    write_stream(report, cache / f"replay-{name}-{seed}.html")
    document = report.document()
    if case.world:
        known = {"ndcg@10": case.world.ndcg, "hr@10": case.world.hit}
        document["oracle"] = {name: float(part[report.stream.asked].mean()) for name, part in known.items()}
    document["frequency_live"] = _gain(report, "frequency", "frequency, frozen")
    for contest in (*document["comparisons"], *document["gains"]):
        contest["mcnemar"].pop("curve", None)  # the page of the run draws it
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return json.loads(json.dumps(document), parse_float=lambda text: round(float(text), 5)) | {
        "peak_rss_mb": round(peak)
    }


def _gain(report: StreamReport, name: str, other: str) -> dict[str, float] | None:
    """Return how much better one level's NDCG@10 is than another's, with a paired interval over users."""
    levels = {level.name: level.per_question["ndcg@10"] for level in report.levels}
    if name not in levels or other not in levels:
        return None
    stream = report.stream
    _, user = np.unique(stream.events.user[stream.asked], return_inverse=True)
    sums = np.bincount(user, levels[name] - levels[other])[:, None]
    return bootstrap_ratio(sums, np.bincount(user))[0].document()


def main() -> int:
    """Run what is wanted and not there yet; each run is written as soon as it is done."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument("--cache", type=Path, default=Home().cache / "benchmarks")
    args = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"sets": {}}
    results["claim"] = CLAIM
    for seed in args.seeds:
        for name in args.sets:
            runs = results["sets"].setdefault(name, {"runs": {}})["runs"]
            if str(seed) in runs and not args.again:
                continue
            runs[str(seed)] = run(name, seed, args.cache) | stamp()
            results |= {"machine": machine(), "date": stamp()["date"]}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
