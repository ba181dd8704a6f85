"""A replay's report: a table for the terminal, and one HTML page with its curves."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.durations import lasting, written
from acclimate.evaluate.page import frame, intervals_plot, told
from acclimate.evaluate.page_tables import figures_table
from acclimate.evaluate.plot import curves, signs
from acclimate.evaluate.stream_report import StreamReport
from acclimate.words import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Document = Mapping[str, Any]


def print_stream(report: StreamReport, console: Console) -> None:
    """Print the levels, best in bold, and what to know about them."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    document, k = report.document(), report.k
    best = _best(document)
    shown = Table(title=Text(_title(document)), box=box.SIMPLE_HEAVY, padding=(0, 1, 0, 0))
    shown.add_column("level", no_wrap=True)
    first = document["levels"][0]["name"]
    gained = ["to " + first] if len(document["levels"]) > 1 else []
    for column in (f"ndcg@{k}", f"hr@{k}", *gained, "to the best", "ms p50", "p99", "events/s", "forgets"):
        shown.add_column(column, justify="right", no_wrap=True)
    gains, apart = ({each["model"]: each for each in document[key]} for key in ("gains", "comparisons"))
    for level in document["levels"]:
        name, ndcg = level["name"], level[f"ndcg@{k}"]
        figure = Text.assemble(
            (f"{ndcg['mean']:.4f}", "bold green" if level is best else ""),
            (f"\n{ndcg['low']:.3f}–{ndcg['high']:.3f}", "dim"),
        )
        gaps = [_apart(gains.get(name), "")] if gained else []
        cost = [f"{level['latency_ms'][p]:.2f}" for p in ("p50", "p99")]
        speed = "" if level["events_per_second"] is None else f"{level['events_per_second']:,.0f}"
        back = level["forgetting"]["backward_transfer"]
        shown.add_row(
            Text(name),
            figure,
            f"{level[f'hr@{k}']['mean']:.4f}",
            *gaps,
            _apart(apart.get(name), "the best"),
            *cost,
            speed,
            "" if back is None else f"{back:+.4f}",
        )
    console.print(shown)
    for line in remarks(document):
        console.print(line, style="dim", highlight=False, markup=False)


def write_stream(report: StreamReport, path: Path) -> None:
    """Write one HTML page: curves by window, intervals by segment, every figure. Needs no network."""
    document, k = report.document(), report.k
    levels = document["levels"]
    lines = {
        metric: {
            level["name"]: [((w["start"] + w["end"]) / 2, w[metric]) for w in level["windows"]]
            for level in levels
        }
        for metric in (f"ndcg@{k}", f"hr@{k}")
    }
    drawn = "".join(curves(metric, "mean of each window of time", series) for metric, series in lines.items())
    strips = {
        each["model"]: [(window["time"], window["sign"]) for window in each["mcnemar"]["curve"]]
        for each in document["comparisons"]
    }
    if strips:
        against = document["comparisons"][0]["against"]
        meaning = (
            f"significantly more than {against} above the line, fewer below (McNemar, 5 %, 500 questions)"
        )
        drawn += signs(f"hits in the first {k}", meaning, strips)
    segments = "".join(
        intervals_plot(
            name,
            counted(levels[0]["segments"][name]["n"], "question"),
            [{"name": level["name"], "metrics": level["segments"][name]} for level in levels],
            f"ndcg@{k}",
        )
        for name in levels[0]["segments"]
    )
    sections = (
        f'<section><h2>Over time</h2><div class="plots one">{drawn}</div></section>'
        f'<section><h2>ndcg@{k} by segment</h2><div class="plots">{segments}</div></section>'
        f"<section><h2>All figures</h2>{_figures(document)}</section>"
        f"<section><h2>To know</h2>{told(remarks(document))}</section>"
    )
    lead = f"<strong>{escape(_best(document)['name'])}</strong> foresees best. {_counts(document)}."
    path.write_text(frame("Replay", _title(document), lead, sections), "utf-8")


def remarks(document: Document) -> list[str]:
    """Return what a reader of the figures should know, a line each."""
    lines = [f"{_counts(document)}, foreseen from {written(document['start'])} on, one after the other."]
    for contest in document["comparisons"]:
        found = contest["mcnemar"]
        if found["better"] or found["worse"]:
            lines.append(
                f"{contest['model']} against {contest['against']}: of "
                f"{counted(found['windows'], 'sliding window')} it has significantly more hits in "
                f"{found['better']}, fewer in {found['worse']} (McNemar, 5 %)."
            )
    skipped = [f"{reason} ({count:,})" for reason, count in document["skipped"].items() if count]
    if skipped:
        lines.append(f"Learned but not foreseen: {', '.join(skipped)}.")
    if document["delay"]:
        lines.append(f"An event is known {lasting(document['delay'])} after it happened.")
    if document["again"] is not None:
        after = f"{lasting(document['again'])} after" if document["again"] else "as soon as"
        lines.append(f"Items may come again {after} a user had them.")
    lines.append(
        "forgets: change of ndcg on earlier periods between their own time and the end; below 0 is forgotten."
    )
    return [*lines, f"Questions sha256 {document['targets_sha256']}"]


def _figures(document: Document) -> str:
    k, first = document["k"], document["levels"][0]["name"]
    metrics = [f"ndcg@{k}", f"hr@{k}", f"mrr@{k}"]
    gains = {each["model"]: each for each in document["gains"]}
    head = [
        "level",
        *metrics,
        f"ndcg to {escape(first)}",
        "p50 ms",
        "p99 ms",
        "CPU s",
        "events/s",
        "MB",
        "backward",
        "forward",
    ]
    rows = []
    for level in document["levels"]:
        transfers = [level["forgetting"][f"{way}_transfer"] for way in ("backward", "forward")]
        speed = level["events_per_second"]
        rows.append(
            [
                escape(level["name"]),
                *(
                    f"{level[name]['mean']:.4f} ({level[name]['low']:.4f}–{level[name]['high']:.4f})"
                    for name in metrics
                ),
                _gain(gains.get(level["name"])),
                *(f"{level['latency_ms'][part]:.2f}" for part in ("p50", "p99")),
                f"{level['cost_seconds']:.1f}",
                "" if speed is None else f"{speed:,.0f}",
                f"{level['memory_mb']['end']:.1f}",
                *("" if value is None else f"{value:+.4f}" for value in transfers),
            ]
        )
    return figures_table("Means over the questions, with 95 % intervals over users", head, rows)


def _gain(one: Document | None) -> str:
    return "" if one is None else f"{one['mean']:+.4f} ({one['low']:+.4f} to {one['high']:+.4f})"


def _apart(one: Document | None, same: str) -> Text:
    from rich.text import Text

    if one is None:
        return Text(same)
    return Text.assemble(f"{one['mean']:+.4f}", (f"\n{one['low']:+.3f} to {one['high']:+.3f}", "dim"))


def _best(document: Document) -> Any:
    return max(document["levels"], key=lambda level: float(level[f"ndcg@{document['k']}"]["mean"]))


def _title(document: Document) -> str:
    return f"{document['dataset']}, replayed"


def _counts(document: Document) -> str:
    return f"{counted(document['n_targets'], 'event')} of {counted(document['n_users'], 'user')}"
