"""Tables of what was measured, from ``benchmarks/*/results.json``; `scripts/docs.py` puts them on pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.ablation.tables import tables as ablation
from benchmarks.accuracy.run import TIMED
from benchmarks.adaptation.tables import tables as adaptation
from benchmarks.adapters.tables import tables as adapters
from benchmarks.classic.tables import table as classic
from benchmarks.peers.tables import tables as peers
from benchmarks.replay.tables import pictures as replay_pictures
from benchmarks.replay.tables import sections as replays
from benchmarks.serving.tables import tables as serving
from benchmarks.transfer.tables import tables as transfer

HERE = Path(__file__).parent
_TOLD = ("claim", "date", "machine")


def results() -> dict[str, dict[str, Any]]:
    """Return the results of each benchmark that was run, by the name of its folder."""
    return {
        path.parent.name: json.loads(path.read_text("utf-8")) for path in sorted(HERE.glob("*/results.json"))
    }


def figures(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield name and text of each figure in a document, in its order; long lists are left out.

    Example:
        >>> list(figures({"p50_ms": {"ease": 1.25}, "held": True, "runs": [1, 2]}))
        [('p50_ms ease', '1.25'), ('held', 'yes'), ('runs', '1, 2')]
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from figures(inner, f"{name} {key}".strip())
    elif isinstance(value, bool):
        yield name, "yes" if value else "no"
    elif isinstance(value, list):
        if value and len(value) <= 8 and all(isinstance(entry, int | float | str) for entry in value):
            yield name, ", ".join(map(str, value))
        elif all(isinstance(entry, dict) for entry in value):
            for entry in value:
                label = entry.get("name") or entry.get("model") or ""
                rest = {key: inner for key, inner in entry.items() if inner != label}
                yield from figures(rest, f"{name} {label}".strip())
    elif value is not None:
        yield name, str(value)


_ACCURACY_HEAD = {
    "en": ("model", "fit, CPU seconds on", "Seeds of the sequence model"),
    "zh": ("模型", "训练 CPU 秒数，", "sequence 模型的随机种子数"),
}


def accuracy(language: str = "en", least: int = 1) -> str:
    """Return NDCG@10 with intervals, a row for each model and a column for each set; the best is bold.

    Sets of which the sequence model has fewer than ``least`` seeds are left out.
    """
    found = json.loads((HERE / "accuracy" / "results.json").read_text("utf-8"))["sets"]
    blind = {name: each for name, each in found.items() if name not in TIMED and "sequence" in each}
    enough = [name for name, each in blind.items() if len(each["sequence"]["runs"]) >= least]
    sets = {name: found[name] for name in sorted(enough, key=lambda name: _targets(found[name]))}
    model, fit, seeds = _ACCURACY_HEAD[language]
    last = list(sets)[-1]
    names = sorted(sets[last], key=lambda name: -_mean_of(sets[last][name], 0))
    head = [model, *sets, f"{fit} {last}"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name in names:
        cells = []
        for found in sets.values():
            low, mean, high = (_mean_of(found[name], at) for at in (1, 0, 2)) if name in found else (0, 0, 0)
            best = max(_mean_of(other, 0) for other in found.values())
            told = f"{mean:.4f} ({low:.4f} to {high:.4f})"
            cells.append(f"**{told}**" if mean == best else told)
        runs = sets[last][name]["runs"].values()
        seconds = median(run["fit_cpu_seconds"] for run in runs)
        lines.append(f"| {name} | {' | '.join(cells)} | {seconds:,.0f} |")
    counts = ", ".join(f"{len(each['sequence']['runs'])} ({name})" for name, each in sets.items())
    return "\n".join([*lines, "", f"{seeds}: {counts}."])


def _targets(found: dict[str, Any]) -> int:
    """Return how many targets a set has."""
    return max(int(run["n_targets"]) for entry in found.values() for run in entry["runs"].values())


def _mean_of(found: dict[str, Any], at: int) -> float:
    """Return the mean over seeds of NDCG@10 (0), its low (1) or its high (2) end."""
    values = [run["metrics"]["ndcg@10"][at] for run in found["runs"].values()]
    return float(sum(values) / len(values))


def _against_ease(sets: dict[str, Any]) -> str:
    """Return how far each model's NDCG@10 is from EASE's, with the paired interval."""
    lines = ["| NDCG@10 beyond EASE's | " + " | ".join(sets) + " |", "|---" * (len(sets) + 1) + "|"]
    for name in next(iter(sets.values())):
        found = [each.get(name, {}).get("against_ease") for each in sets.values()]
        if any(found):
            cells = [f"{at[0]:+.4f} ({at[1]:+.4f} to {at[2]:+.4f})" if at else "" for at in found]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _plain(found: dict[str, Any]) -> str:
    """Return a table of all figures."""
    rows = [(key, text) for key, text in figures(found) if key.split()[0] not in _TOLD]
    table = "\n".join(f"| {key.replace('_', ' ')} | {text} |" for key, text in rows)
    return f"| figure | value |\n|---|---|\n{table}"


def _timed(sets: dict[str, Any]) -> str:
    """Return the tables of the sets in which the time of the request is known."""
    parts = []
    for name, found in sets.items():
        if name in TIMED:
            rows = [
                f"| {model} | {len(found[model]['runs'])} | {_told(found[model])} |"
                for model in sorted(found, key=lambda model: -_mean_of(found[model], 0))
            ]
            head = ["| model | seeds | NDCG@10 |", "|---|---|---|"]
            parts.append("\n".join([f"**{name}**: `sequence` is told when it is asked.", "", *head, *rows]))
    return "\n\n".join(parts)


def _told(found: dict[str, Any]) -> str:
    return "{:.4f} ({:.4f} to {:.4f})".format(*(_mean_of(found, at) for at in range(3)))


_BODIES: dict[str, Callable[[dict[str, Any]], str]] = {
    "ablation": ablation,
    "adaptation": adaptation,
    "accuracy": lambda found: "\n\n".join(
        [
            accuracy(),
            _against_ease({name: each for name, each in found["sets"].items() if name not in TIMED}),
            _timed(found["sets"]),
        ]
    ),
    "peers": lambda found: peers(found, results()["accuracy"]["sets"]),
    "classic": classic,
    "replay": lambda found: replays(found, "images"),
    "adapters": adapters,
    "transfer": transfer,
    "serving": serving,
}
"""Benchmarks with tables of their own."""


def page() -> str:
    """Return one section for each benchmark: claim, figures, machine and date."""
    sections = []
    for name, found in results().items():
        body = _BODIES.get(name, _plain)(found)
        machine = ", ".join(f"{key} {text}".strip() for key, text in figures(found.get("machine", "")))
        claim = found.get("claim", "").strip(".")
        if found.get("holds") is False:
            claim = f"Not reached: {claim[:1].lower()}{claim[1:]}"
        sections.append(
            f"## {name}\n\n{claim[:1].upper()}{claim[1:]}.\n\n{body}\n\n"
            f"Measured {found.get('date', 'on an unknown day')}; {machine or 'machine not told'}. "
            f"Run it again with `make bench-{name}`."
        )
    return "\n\n".join(sections)


def images() -> dict[str, str]:
    """Return the plots of the page, text by file name."""
    found = results()
    return dict(replay_pictures(found["replay"])) if "replay" in found else {}
