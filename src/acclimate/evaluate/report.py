"""A report for people: a table on a terminal, a page for a browser."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.data.split import APART
from acclimate.durations import lasting
from acclimate.evaluate.page import render
from acclimate.evaluate.results import Report
from acclimate.words import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Document = Mapping[str, Any]
WARNING = "warning: this knows the answers:"
"""How a remark about a leak begins."""


def print_table(report: Report | Document, console: Console) -> None:
    """Print models by metrics with 95 % intervals, the best of each in bold.

    Args:
        report: A report, or the document that one gave.
        console: Where to.
    """
    document = report.document() if isinstance(report, Report) else report
    console.print(_main_table(document, console.width))
    if any(model["segments"] for model in document["models"]):
        console.print(_segment_table(document, console.width))
    for line in [*_foreseen(document), *remarks(document)]:
        style = "bold yellow" if line.startswith(WARNING) else "dim"
        console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)


def write_html(report: Report | Document, path: str | Path) -> None:
    """Write one page that needs no network: intervals by metric and by segment, and the table.

    Args:
        report: A report, or the document that one gave.
        path: The file; its folder must exist.
    """
    document = report.document() if isinstance(report, Report) else report
    Path(path).write_text(render(document, remarks(document)), encoding="utf-8")


def remarks(document: Document) -> list[str]:
    """Return what a reader of the figures should know, a sentence or a line each."""
    k = document["k"]
    lines = [f"{WARNING} {leak['kind']} {leak['name']!r} {leak['why']}" for leak in document["leaks"]]
    if document["n_targets"] == document["n_users"]:
        lines.append(f"One target for each user: recall = hr, map = mrr, precision = hr / {k}.")
    lines.append(
        f"Full ranking over all items{_but(document.get('again'))}; below each figure its 95 % interval over "
        f"{counted(document['n_users'], 'user')}; equal scores count at their expected value."
    )
    lines += _not_asked(document)
    lines += [f"{name} was left out: {why}" for name, why in document["left_out"].items()]
    if n := len(document["comparisons"]):
        lines.append(
            f"p: how probable so large a difference of ndcg@{k} is by chance, by flipping signs of users, "
            f"with Holm's correction for {counted(n, 'comparison')}."
        )
    for model in document["models"]:
        for fits, one in ((model["seeds"], "seed"), (model["folds"], "fold")):
            if fits:
                lines.append(f"{model['name']}: {_between(fits, one, f'ndcg@{k}')}")
        lines += [f"{model['name']}: {note}" for note in model["notes"]]
    lines.append(
        f"{counted(document['n_targets'], 'target')} of protocol {document['protocol']}, "
        f"sha256 {document['targets_sha256']}"
    )
    return lines


def _not_asked(document: Document) -> list[str]:
    """Return what is not among the targets, and of that, what is measured in a segment of its own."""
    measured = {name for model in document["models"] for name in model["segments"]}
    out, apart = [], []
    for reason, count in document["skipped"].items():
        if count and APART.get(reason) in measured:
            apart.append(f"{reason} ({count:,}), the segment {APART[reason]!r}")
        elif count:
            out.append(f"{reason} ({count:,})")
    lines = [f"Not among the targets: {', '.join(out)}."] if out else []
    return [*lines, f"Measured apart, not in the main figures: {'; '.join(apart)}."] if apart else lines


def _foreseen(document: Document) -> list[str]:
    """Return how true each model's ratings and chances are, a line each."""
    return [
        f"{model['name']}, how true its ratings or chances are: "
        + ", ".join(f"{name.replace('_', ' ')} {found['mean']:.4f}" for name, found in told.items())
        for model in document["models"]
        if (told := model["forecasts"])
    ]


def _but(again: float | None) -> str:
    """Return which items are not ranked; ``again`` is None where none comes a second time."""
    if again is None:
        return " but those the user had"
    return (
        f" but those the user had in the {lasting(again)} before"
        if again
        else ", those the user had included"
    )


def _between(fits: Document, one: str, metric: str) -> str:
    """Return how far a metric lies apart between seeds or folds, in words."""
    found = fits["metrics"][metric]
    return (
        f"means over {fits['n']} {one}s; by {one} {metric} is {min(found['values']):.4f} to "
        f"{max(found['values']):.4f}, with standard deviation {found['deviation']:.4f}."
    )


def _columns(document: Document, width: int) -> list[str]:
    """Return the metrics that say something new, as many as fit into ``width``; the page has them all."""
    one_each = document["n_targets"] == document["n_users"]
    names = (
        ["ndcg", "hr", "coverage", "mrr"] if one_each else ["ndcg", "hr", "recall", "coverage", "mrr", "map"]
    )
    room = width // 11 - (5 if _seeded(document) else 4)
    return [f"{name}@{document['k']}" for name in names[: max(1, room)]]


def _seeded(document: Document) -> bool:
    """Whether any model was measured with several seeds."""
    return any(model["seeds"] for model in document["models"])


def _main_table(document: Document, width: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    models, columns = document["models"], _columns(document, width)
    table = Table(
        title=Text(f"{document['dataset']}, protocol {document['protocol']}"),
        box=box.SIMPLE_HEAVY,
        padding=(0, 1, 0, 0),
    )
    table.add_column("model", no_wrap=True)
    spread = ["by seed"] if _seeded(document) else []
    for column in [*columns, *spread, "to the best", "fit s"]:
        table.add_column(column, justify="right", no_wrap=True)
    apart = {each["model"]: each for each in document["comparisons"]}
    for model in models:
        cells = [_cell(model["metrics"][column], _is_best(model, models, column)) for column in columns]
        gap = _gap(apart[model["name"]]) if model["name"] in apart else "the best"
        fit = "" if model["fit_seconds"] is None else f"{model['fit_seconds']:.1f}"
        by_seed = [_deviation(model["seeds"], columns[0])] if spread else []
        table.add_row(Text(model["name"]), *cells, *by_seed, gap, fit)
    return table


def _segment_table(document: Document, width: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    metric, models = f"ndcg@{document['k']}", document["models"]
    parts = models[0]["segments"].items()
    names = [name for name, part in parts if part["group"] != "user attribute"][: width // 12 - 1]
    table = Table(title=f"{metric} by segment", box=box.SIMPLE_HEAVY, padding=(0, 1, 0, 0))
    table.add_column("model", no_wrap=True)
    for name in names:
        n_users = models[0]["segments"][name]["n_users"]
        table.add_column(f"{name}\n{counted(n_users, 'user')}", justify="right")
    for model in models:
        own = [model["segments"][name] for name in names]
        rivals = [[other["segments"][name] for other in models] for name in names]
        cells = (
            _cell(part["metrics"][metric], _is_best(part, others, metric))
            for part, others in zip(own, rivals, strict=True)
        )
        table.add_row(Text(model["name"]), *cells)
    return table


def _is_best(entry: Document, rivals: list[Any], metric: str) -> bool:
    return bool(entry["metrics"][metric]["mean"] >= max(other["metrics"][metric]["mean"] for other in rivals))


def _cell(interval: Document, best: bool = False, sign: str = "") -> Text:
    from rich.text import Text

    mean = f"{interval['mean']:{sign}.4f}"
    low, high = (f"{interval[key]:{sign}.3f}".replace("0.", ".", 1) for key in ("low", "high"))
    return Text.assemble(
        (mean, "bold green" if best else ""), (f"\n{low}{' to ' if sign else '–'}{high}", "dim")
    )


def _gap(comparison: Document) -> Text:
    from rich.text import Text

    chance = f"p {comparison['p_holm']:.4f}".replace("0.", ".", 1)
    return Text.assemble(_cell(comparison, sign="+"), (f"\n{chance}", "dim"))


def _deviation(seeds: Document | None, metric: str) -> Text:
    from rich.text import Text

    if not seeds:
        return Text("")
    return Text.assemble(f"±{seeds['metrics'][metric]['deviation']:.4f}", (f"\n{seeds['n']} seeds", "dim"))
