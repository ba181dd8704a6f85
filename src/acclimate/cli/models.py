"""``acclimate models``: which there are, and what each takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acclimate.cli.options import JsonOption
from acclimate.cli.output import Output

if TYPE_CHECKING:
    from acclimate.models.described import Argument


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of them: its arguments, and what they mean.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the models that can be fitted, or the arguments of one of them.

    An argument is set by train.params, as in --set train.params.epochs=5, or found by acclimate tune.
    """
    from acclimate.models import MODELS
    from acclimate.models.described import ELSEWHERE, described

    out = Output(as_json)
    if name is None:
        every = [described(each) for each in MODELS]
        rows = [(each.name, each.about, each.new_item) for each in every]
        _table(out, ("model", "what it does", "an item without events"), rows)
        out.show("acclimate models NAME lists its arguments")
        out.document({"models": [asdict(each) for each in every]})
        return
    one = described(name)
    out.show(f"[bold]{one.name}[/]: {one.about}")
    out.show(f"Someone without a history: {one.new_user}")
    out.show(f"An item without events: {one.new_item}")
    if one.arguments:
        rows = [(each.name, _shown(each.default), _meaning(each)) for each in one.arguments]
        _table(out, ("argument", "default", "what it means"), rows)
        if own := [each for each in one.arguments if each.setting not in ELSEWHERE.values()]:
            out.show(f"set one as in: --set {own[0].setting}={_shown(own[0].default)}")
    else:
        out.show("It takes no arguments.")
    out.document(asdict(one))


def _table(out: Output, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Show rows of plain text."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*head, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*map(Text, row))
    out.show(table)


def _meaning(argument: Argument) -> str:
    """Return what it means, and its setting if that is not in train.params."""
    usual = argument.setting == f"train.params.{argument.name}"
    return argument.about if usual else f"{argument.about} Set by {argument.setting}."


def _shown(value: Any) -> str:
    """Return a default as it is written in settings."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return json.dumps(value)
    return str(value)
