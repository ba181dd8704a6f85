"""What a search found: a table for the terminal, and one HTML page with its history."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.adapt.found import Found, Trial, words
from acclimate.adapt.search_plot import Mark, lines_plot, marks_plot, shares_plot
from acclimate.adapt.spaces import Choice
from acclimate.evaluate.page import frame, told
from acclimate.words import counted

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 10
"""Trials in the table of a terminal."""


def print_found(found: Found, console: Console) -> None:
    """Print the best trials, what mattered, and what to know about them."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if found.done:
        shown = Table(title=Text(_title(found)), box=box.SIMPLE_HEAVY, padding=(0, 1, 0, 0))
        shown.add_column("trial", justify="right", no_wrap=True)
        shown.add_column(f"{found.metric}\n95 %", justify="right", no_wrap=True)
        shown.add_column("seconds", justify="right", no_wrap=True)
        shown.add_column("arguments")
        ranked = sorted(found.done, key=lambda trial: -(trial.figure or 0.0))
        standard = [found.standard] if found.standard and found.standard not in ranked[:SHOWN] else []
        for trial in [*ranked[:SHOWN], *standard]:
            figure = Text.assemble(
                (f"{trial.figure:.4f}", "bold green" if trial is found.best else ""),
                (f"\n{_span(trial)}", "dim"),
            )
            name = " (default)" if trial is found.standard else ""
            shown.add_row(str(trial.number), figure, f"{trial.seconds:.1f}", Text(words(trial.params) + name))
        console.print(shown)
    if found.importances:
        mattered = ", ".join(f"{name} {share:.0%}" for name, share in found.importances.items())
        console.print(f"What mattered: {mattered}.", style="dim", highlight=False, markup=False)
    for line in found.remarks():
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)


def write_found(found: Found, path: Path) -> None:
    """Write one HTML page: history, importances, each argument against the figure. Needs no network."""
    sections = [_history(found)]
    if found.importances:
        meaning = f"by fANOVA over {counted(len(found.done), 'trial')}; rough where those are few"
        plot = shares_plot("Share in the variance of the figures", meaning, found.importances)
        sections.append(_section("What mattered", plot, "plots one"))
    sections.append(_section("Each argument", "".join(_argument(found, name) for name in found.space)))
    curves = [
        (_label(trial), trial.epochs, trial is found.best) for trial in found.trials if len(trial.epochs) > 1
    ]
    if curves:
        meaning = "what each fit watched on its own held-out events; the coloured line is the best trial"
        sections.append(_section("By epoch", lines_plot(found.metric, meaning, curves), "plots one"))
    sections.append(f"<section><h2>All trials</h2>{_table(found)}</section>")
    sections.append(f"<section><h2>To know</h2>{told(found.remarks())}</section>")
    path.write_text(frame("Search", _title(found), _lead(found), "".join(sections)), "utf-8")


def _title(found: Found) -> str:
    return f"{found.model} on {found.dataset}, protocol {found.protocol}, validation part"


def _lead(found: Found) -> str:
    best, standard = found.best, found.standard
    if best is None:
        return f"No trial of {len(found.trials)} came to a figure."
    lead = f"<strong>{escape(words(best.params))}</strong>: {found.metric} {best.figure:.4f} ({_span(best)})"
    if standard is best:
        return f"{lead}. These are the defaults."
    against = f"; the defaults had {standard.figure:.4f} ({_span(standard)})" if standard else ""
    return f"{lead}{against}. {counted(len(found.trials), 'trial')}."


def _span(trial: Trial) -> str:
    return f"{trial.low:.4f} to {trial.high:.4f}" if trial.low is not None else ""


def _section(title: str, plots: str, kind: str = "plots") -> str:
    return f'<section><h2>{title}</h2><div class="{kind}">{plots}</div></section>'


def _label(trial: Trial) -> str:
    figure = f"{trial.figure:.4f}" if trial.figure is not None else trial.state
    return f"trial {trial.number}: {figure}; {words(trial.params)}"


def _history(found: Found) -> str:
    marks = [_mark(found, trial, float(trial.number)) for trial in found.done]
    if not marks:
        return ""
    plot = marks_plot(found.metric, "of each trial that was done, and the best so far", marks, steps=True)
    return _section("History", plot, "plots one")


def _mark(found: Found, trial: Trial, at: float) -> Mark:
    return Mark(at, trial.figure or 0.0, _label(trial), trial is found.best)


def _argument(found: Found, name: str) -> str:
    each = found.space[name]
    if not found.done:
        return ""
    if isinstance(each, Choice):
        marks = [_mark(found, t, float(each.values.index(t.params[name]))) for t in found.done]
        return marks_plot(name, f"against {found.metric}", marks, names=[str(value) for value in each.values])
    marks = [_mark(found, t, float(t.params[name])) for t in found.done]
    meaning = f"against {found.metric}" + (", logarithmic" if each.log else "")
    return marks_plot(name, meaning, marks, log=each.log)


def _table(found: Found) -> str:
    head = "".join(
        f"<th>{escape(name)}</th>" for name in ("trial", found.metric, "95 %", "seconds", *found.space)
    )
    rows = []
    for trial in found.trials:
        figure = f"{trial.figure:.4f}" if trial.figure is not None else escape(trial.state)
        bold = f"<b>{figure}</b>" if trial is found.best else figure
        cells = [
            bold,
            _span(trial),
            f"{trial.seconds:.1f}",
            *(escape(words({"": trial.params[name]}).strip()) for name in found.space),
        ]
        rows.append(f"<tr><th>{trial.number}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="All trials"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
