"""The table of the classic models: how well, how far from the best, how long."""

from __future__ import annotations

from statistics import mean, median
from typing import Any

NDCG = "ndcg@10"
SECONDS = {"fit s": "fit_seconds", "CPU s": "fit_cpu_seconds", "to measure, CPU s": "measure_cpu_seconds"}


def table(results: dict[str, Any]) -> str:
    """Return a row for each model, the best first, and what the command on eight of them took."""
    models = results["models"]
    head = ("model", "NDCG@10", "by seed", "beyond the best", "p", "HR@10", "coverage@10", *SECONDS)
    best_first = sorted(models, key=lambda name: -models[name][NDCG][0])
    rows = (f"| {name} | {' | '.join(_cells(models[name]))} |" for name in best_first)
    figures = "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *rows])
    whole, sha256 = results["together"], results["targets_sha256"]
    clocks = "; ".join(
        f"{run['seconds']:.0f} s with {run['cpu_seconds']:.0f} CPU seconds and {run['peak_rss_mb']:,} MB, "
        f"at a load average of {run['load_average']}"
        for run in whole["runs"]
    )
    return (
        f"{figures}\n\n"
        f"`acclimate evaluate` of {whole['models']} of them, from an empty cache, in at most "
        f"{whole['bar_seconds']:.0f} s: {clocks}.\n\n"
        f"{results['n_targets']} targets of {results['set']}, sha256 `{sha256[:16]}`. Means over the seeds, "
        "where the model has one; p with Holm's correction. Seconds are those of one fit."
    )


def _cells(found: dict[str, Any]) -> list[str]:
    runs = list(found["runs"].values())
    figure = _interval(found[NDCG])
    gap = found.get("to_the_best")
    seeds = [f"{run['metrics'][NDCG][0]:.4f}" for run in runs] if len(runs) > 1 else []
    return [
        figure if gap else f"**{figure}**",
        ", ".join(seeds),
        _interval(gap["difference"], "+") if gap else "the best",
        f"{gap['p']:.4f}" if gap else "",
        *(f"{mean(run['metrics'][metric][0] for run in runs):.4f}" for metric in ("hr@10", "coverage@10")),
        *(f"{median(run[key] for run in runs):.2f}" for key in SECONDS.values()),
    ]


def _interval(found: list[float], sign: str = "") -> str:
    middle, low, high = (f"{value:{sign}.4f}" for value in found)
    return f"{middle} ({low} to {high})"
