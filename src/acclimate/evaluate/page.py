"""The page of an evaluation: one HTML file with its styles and plots inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from acclimate.evaluate.page_tables import MEANING, best_of, forecasts_table, metrics_table, users_table
from acclimate.evaluate.plot import round_up
from acclimate.words import counted

Document = Mapping[str, Any]


def render(document: Document, remarks: Sequence[str]) -> str:
    """Return the page of a report's ``document``, with ``remarks`` below the figures."""
    models, k = document["models"], document["k"]
    title = f"{document['dataset']}, protocol {document['protocol']}"
    shown = [name for name in models[0]["metrics"] if _is_told(name, document)]
    names = sorted(shown, key=lambda name: name != f"ndcg@{k}")
    plots = [intervals_plot(name, MEANING[name.split("@")[0]], models, name) for name in names]
    parts = {n: p for n, p in models[0]["segments"].items() if p["group"] != "user attribute"}
    segments = [
        intervals_plot(
            name,
            f"{part['what']} ({counted(part['n_users'], 'user')})",
            [m["segments"][name] | _named(m) for m in models],
            f"ndcg@{k}",
        )
        for name, part in parts.items()
    ]
    tables = {
        f"ndcg@{k} by user attribute": users_table(document),
        "Ratings and chances": forecasts_table(document),
        "All figures": metrics_table(document),
    }
    sections = (
        f'<section><h2>Metrics</h2><p class="how">{_how(models)}</p>'
        f'<div class="plots">{"".join(plots)}</div></section>'
        f'<section><h2>ndcg@{k} by segment</h2><div class="plots">{"".join(segments)}</div></section>'
        + "".join(f"<section><h2>{name}</h2>{table}</section>" for name, table in tables.items() if table)
        + f"<section><h2>To know</h2>{told(remarks)}</section>"
    )
    return frame("Evaluation", title, _lead(document), sections)


def _style() -> str:
    folder = files("acclimate.evaluate")
    return "".join(folder.joinpath(name).read_text("utf-8") for name in ("plot.css", "page.css"))


def frame(kind: str, title: str, lead: str, sections: str) -> str:
    """Return a whole page; ``lead`` and ``sections`` are HTML, the others plain text."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{_style()}</style>
</head>
<body>
<main>
<header>
<p class="kicker">{escape(kind)}</p>
<h1>{escape(title)}</h1>
<p class="lead">{lead}</p>
</header>
{sections}
</main>
</body>
</html>
"""


def _is_told(name: str, document: Document) -> bool:
    """Whether a metric is plotted: at the first k, and with one target for each user only if it says more."""
    kind, _, k = name.partition("@")
    one_each = document["n_targets"] == document["n_users"]
    said = one_each and kind in ("recall", "precision", "f1", "map")
    below_zero = kind == "lift"
    return kind in MEANING and k in ("", str(document["k"])) and not (said or below_zero)


def _named(model: Document) -> dict[str, Any]:
    return {"name": model["name"]}


def _lead(document: Document) -> str:
    metric = f"ndcg@{document['k']}"
    best = max(document["models"], key=lambda model: float(model["metrics"][metric]["mean"]))
    words = f"<strong>{escape(best['name'])}</strong> is the best of {len(document['models'])} by {metric}"
    close = [each["model"] for each in document["comparisons"] if each["p_holm"] >= 0.05]
    if close:
        words += f"; {escape(', '.join(close))} {'is' if len(close) == 1 else 'are'} not significantly worse"
    return f"{words}. {counted(document['n_users'], 'user')}, {counted(document['n_targets'], 'target')}."


def intervals_plot(title: str, meaning: str, entries: Sequence[Document], metric: str) -> str:
    """Return a figure with one interval for each model on a shared axis from 0."""
    intervals = [entry["metrics"][metric] for entry in entries]
    seeds = [_by_seed(entry, metric) for entry in entries]
    ends = [float(interval["high"]) for interval in intervals] + [value for one in seeds for value in one]
    top = round_up(max(ends))
    best = best_of(metric, [float(interval["mean"]) for interval in intervals])
    rows = "".join(
        _row(entry["name"], interval, top, interval["mean"] == best, values)
        for entry, interval, values in zip(entries, intervals, seeds, strict=True)
    )
    ticks = "".join(f'<span style="left:{100 * part:.0f}%">{top * part:.3g}</span>' for part in (0, 0.5, 1))
    return (
        f"<figure><figcaption><b>{escape(title)}</b> {escape(meaning)}</figcaption>{rows}"
        f'<div class="row axis" aria-hidden="true"><span></span><div class="ticks">{ticks}</div></div>'
        "</figure>"
    )


def _by_seed(entry: Document, metric: str) -> list[float]:
    """Return the means of the single seeds; nothing for a segment, or for a model with one seed."""
    seeds = entry.get("seeds")
    return [float(value) for value in seeds["metrics"][metric]["values"]] if seeds else []


def _how(models: Sequence[Document]) -> str:
    words = (
        "A dot is the mean, a line its 95 % interval over users, the filled dot the best: of gini the "
        "lowest, of popularity none."
    )
    ticks = " Upright ticks are the means of single seeds."
    return words + ticks if any(model["seeds"] for model in models) else words


def _row(name: str, interval: Document, top: float, best: bool, seeds: Sequence[float]) -> str:
    mean, low, high = (float(interval[key]) for key in ("mean", "low", "high"))
    label = f"{name}: {mean:.4f}, 95 % interval {low:.4f} to {high:.4f}"
    if seeds:
        label += f"; by seed {', '.join(f'{value:.4f}' for value in seeds)}"
    ticks = "".join(f'<u style="left:{100 * value / top:.2f}%"></u>' for value in seeds)
    left, width, dot = (f"{100 * value / top:.2f}%" for value in (low, high - low, mean))
    return (
        f'<div class="row{" best" if best else ""}"><span class="name">{escape(name)}</span>'
        f'<div class="track" role="img" aria-label="{escape(label)}" title="{escape(label)}">'
        f'<i style="left:{left};width:{width}"></i>{ticks}<b style="left:{dot}"></b></div>'
        f'<span class="value">{mean:.4f}</span></div>'
    )


def told(lines: Sequence[str]) -> str:
    """Return plain lines as a list."""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
