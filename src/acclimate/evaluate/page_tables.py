"""The tables of an evaluation's page: a row for each figure with its meaning, a column for each model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from acclimate.words import counted

Document = Mapping[str, Any]
MEANING = {
    "ndcg": "how far up the right items stand",
    "hr": "share of users with a right item in the list",
    "recall": "share of the right items in the list",
    "precision": "share of the list that is right",
    "f1": "recall and precision in one",
    "mrr": "1 / rank of the first right item",
    "map": "precision, averaged over the right items",
    "auc": "chance that a right item stands above another",
    "coverage": "share of the catalogue in anyone's list",
    "gini": "how unequally the lists share out the catalogue: 0 evenly, 1 always the same",
    "novelty": "bits of surprise of what is listed",
    "diversity": "how unlike the items of a list are",
    "serendipity": "how often lists are right where popularity is not",
    "popularity": "share of users who had what is listed",
    "lift": "how much more popular the lists are than what the users had: 0 alike, 1 twice as popular",
    "rmse": "root of the mean squared error of foreseen ratings, in their units",
    "mae": "mean error of foreseen ratings, in their units",
    "log_loss": "surprise at which items of the lists were chosen, given their chances; less is better",
    "accuracy": "share of listed items of which it is right whether the chance is above a half",
    "calibration_error": "how far chances are from what happened, at worst 1",
    "grouped_auc": "chance that in a list the item that was chosen has a higher chance than another",
}
LESS_IS_BETTER = frozenset({"gini", "rmse", "mae", "log_loss", "calibration_error"})
NEITHER = frozenset({"popularity", "lift"})
"""Measures that say what lists are like; no end is the better one."""


def best_of(metric: str, means: Sequence[float]) -> float | None:
    """Return the best of the ``means`` of a metric; None where neither more nor less is better.

    Example:
        >>> best_of("ndcg@10", [0.1, 0.2]), best_of("gini@10", [0.1, 0.2]), best_of("lift@10", [0.1, 0.2])
        (0.2, 0.1, None)
    """
    kind = metric.partition("@")[0]
    if kind in NEITHER:
        return None
    return min(means) if kind in LESS_IS_BETTER else max(means)


def metrics_table(document: Document) -> str:
    """Return all metrics of all models, those of the first k first."""
    models, k = document["models"], document["k"]
    names = sorted(models[0]["metrics"], key=lambda name: (_other_k(name, k), not name.startswith("ndcg")))
    apart = {each["model"]: each for each in document["comparisons"]}
    gaps = [_gap(apart.get(model["name"])) for model in models]
    rows = [[f"ndcg@{k} to the best<small>difference, and its p by chance</small>", *gaps]]
    rows += _rows(models, "metrics", names, lambda name: not _other_k(name, k))
    for key, what in (("fit_seconds", "fit seconds"), ("score_seconds", "seconds to score all users")):
        rows.append([what, *("" if one[key] is None else f"{one[key]:.2f}" for one in models)])
    caption = "Mean over users, with 95 % intervals; the best of each row in bold"
    return figures_table(caption, ["", *(model["name"] for model in models)], rows)


def forecasts_table(document: Document) -> str:
    """Return how true foreseen ratings and chances are; nothing if no model foresees any."""
    models = [model for model in document["models"] if model["forecasts"]]
    if not models:
        return ""
    names = list(dict.fromkeys(name for model in models for name in model["forecasts"]))
    rows = _rows(models, "forecasts", names, lambda name: True)
    caption = "With 95 % intervals over users; the best of each row in bold"
    return figures_table(caption, ["", *(model["name"] for model in models)], rows)


def users_table(document: Document) -> str:
    """Return the first metric by values of user attributes; nothing if there are none."""
    models, metric = document["models"], f"ndcg@{document['k']}"
    rows = []
    for name, part in models[0]["segments"].items():
        if part["group"] == "user attribute":
            found = [model["segments"][name]["metrics"][metric] for model in models]
            best = _best_of_all(metric, [each["mean"] for each in found])
            head = f"{escape(name)}<small>{counted(part['n_users'], 'user')}</small>"
            rows.append([head, *(_figure(each, each["mean"] == best) for each in found)])
    caption = f"{metric} with 95 % intervals; the best of each row in bold. Few users: chance decides much"
    return figures_table(caption, ["", *(model["name"] for model in models)], rows) if rows else ""


def figures_table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a wide table that scrolls within the page.

    Args:
        caption: Plain text.
        head: Plain text of each column.
        rows: HTML of each cell; the first one is the row's head.
    """
    first, *others = (escape(text) for text in head)
    heads = (f'<th scope="col">{first}</th>' if first else "<td></td>") + "".join(
        f'<th scope="col">{text}</th>' for text in others
    )
    body = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption><span>{escape(caption)}</span></caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _other_k(name: str, k: int) -> bool:
    return "@" in name and name.partition("@")[2] != str(k)


def _rows(
    models: Sequence[Document], key: str, names: Sequence[str], explained: Callable[[str], bool]
) -> list[list[str]]:
    """Return a row for each metric; a model that does not have it has an empty cell."""
    rows = []
    for name in names:
        found = [model[key].get(name) for model in models]
        best = _best_of_all(name, [each["mean"] for each in found if each])
        means = MEANING.get(name.partition("@")[0], "") if explained(name) else ""
        cells = [
            _figure(each, each["mean"] == best, _deviation(model, name)) if each else ""
            for model, each in zip(models, found, strict=True)
        ]
        head = escape(name.replace("_", " "))
        rows.append([f"{head}{f'<small>{escape(means)}</small>' if means else ''}", *cells])
    return rows


def _best_of_all(metric: str, means: Sequence[float]) -> float | None:
    """Return the best of the ``means``; None for a single one, which has no rival."""
    return best_of(metric, means) if len(means) > 1 else None


def _figure(interval: Document, best: bool, more: str = "") -> str:
    mean = f"{interval['mean']:.4f}"
    spread = f"{interval['low']:.4f}–{interval['high']:.4f}"
    if interval["low"] < 0:
        spread = f"{interval['low']:.4f} to {interval['high']:.4f}"
    return f"{f'<b>{mean}</b>' if best else mean}<small>{spread}{more}</small>"


def _deviation(model: Document, metric: str) -> str:
    """Return the standard deviation of a metric over several seeds or folds."""
    told = [(model["seeds"], "by seed"), (model["folds"], "by fold")]
    return "".join(
        f"<br>±{fits['metrics'][metric]['deviation']:.4f} {words}"
        for fits, words in told
        if fits and metric in fits["metrics"]
    )


def _gap(comparison: Document | None) -> str:
    """Return how far a model is from the best, and how probable that is by chance."""
    if comparison is None:
        return "the best"
    low, high = comparison["low"], comparison["high"]
    return (
        f"{comparison['mean']:+.4f}<small>{low:+.4f} to {high:+.4f}<br>p = {comparison['p_holm']:.4f}</small>"
    )
