"""What ``data import`` and ``data check`` say of the tables that were read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from acclimate.cli.output import Output
from acclimate.words import counted

if TYPE_CHECKING:
    from acclimate.data.advice_events import Advice
    from acclimate.data.frames import Dropped
    from acclimate.data.store import Imported
    from acclimate.data.tables import Tables

MARKS = {"warning": ("!", "yellow"), "hint": ("i", "cyan"), "fine": ("✓", "green")}
"""Severity -> what stands before the finding, and its colour."""


def report(out: Output, tables: Tables, done: Imported, word: str, *, whole: bool) -> None:
    """Say what was taken, what was not, and what a careful colleague would say of it.

    Args:
        out: Where to.
        tables: What was read.
        done: What the store made of it.
        word: ``"new"``, or ``"would be new"``.
        whole: Whether all advice is wanted; else what looks wrong alone.

    Raises:
        typer.Exit: Nothing could be taken; status 1.
    """
    from acclimate.data.advice import advise, wrong

    notes = [*tables.notes, *done.notes]
    for note in notes:
        out.note(note)
    out.show(
        f"[bold]{done.interactions:,}[/] interaction{'s' * (done.interactions != 1)}, "
        f"{counted(done.users, 'user')} and {counted(done.items, 'item')} {word}; "
        f"{counted(done.already_present, 'interaction was', 'interactions were')} already present"
    )
    if done.searches:
        out.show(f"{counted(done.searches, 'search', 'searches')} {word}")
    for kind in ("users", "items"):
        if done.changed[kind] or done.unchanged[kind]:
            changed = counted(done.changed[kind], kind.removesuffix("s"))
            out.show(f"{changed} changed, {done.unchanged[kind]:,} already present")
    _show_dropped(out, done.dropped)
    empty = not len(tables.dataset)
    advice = [] if empty else advise(tables.dataset) if whole else list(wrong(tables.dataset))
    if whole:
        _show_advice(out, advice)
    else:
        for one in (one for one in advice if one.severity == "warning"):
            out.note(f"{one.finding}; {one.todo}")
    out.document({**asdict(done), "notes": notes, "advice": [asdict(one) for one in advice]})
    if tables.empty:
        out.note("no interaction could be taken; nothing was written")
        raise typer.Exit(1)


def _show_dropped(out: Output, dropped: Sequence[Dropped]) -> None:
    from rich.text import Text

    for lost in dropped:
        out.show(f"[yellow]{lost.count:,} dropped: {lost.reason}[/]")
        for example in lost.examples:
            where = example["file"] if example["line"] is None else f"{example['file']}:{example['line']}"
            out.show(Text(f"    {where}  {example['text']}"))


def _show_advice(out: Output, advice: Sequence[Advice]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not advice:
        return
    table = Table(title="What to know before training", title_justify="left", show_header=False, box=None)
    table.add_column(width=1)
    table.add_column(ratio=1)
    for one in advice:
        mark, colour = MARKS[one.severity]
        finding = Text(one.finding[:1].upper() + one.finding[1:])
        if one.todo:
            finding.append(f"\n{one.todo}", style="dim")
        table.add_row(Text(mark, style=colour), finding)
    out.show(table)
