"""``acclimate evaluate``: fits each named model on the training part and measures what it foresees."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli.options import (
    ConfigOption,
    DeviceOption,
    HomeOption,
    JsonOption,
    LengthOption,
    SeedOption,
    SetOption,
    read_settings,
)
from acclimate.cli.output import Output
from acclimate.config import Home
from acclimate.errors import check_range


def evaluate(
    models: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="Registered model; may be repeated.  \\[default: all]"),
    ] = None,
    protocol: Annotated[str, typer.Option("--protocol", metavar="P", help="last or time.")] = "last",
    k: LengthOption = "10",
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a page with plots.")
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    seed: SeedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure models: each is fitted on what came before, and has to find what came next among all items."""
    out, place, length = Output(as_json), Home(home), check_range("k", k, 1, 1000)
    settings = read_settings(place, config, overrides, train__device=device, train__seed=seed)
    from acclimate.adapt.feedback import gather
    from acclimate.adapt.train import Trainer
    from acclimate.evaluate.report import print_table, write_html
    from acclimate.models import MODELS

    trainer = Trainer(place, settings, progress=True, say=out.step)
    names = models or list(MODELS)
    trainer.check(names)
    report = trainer.compare(names, gather(place, settings).data, protocol=protocol, k=length)
    print_table(report, out.console)
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        write_html(report, html)
        out.note(f"report: {html}")
    for note in trainer.notes:
        out.note(note)
    out.document({**report.document(), "notes": trainer.notes})
