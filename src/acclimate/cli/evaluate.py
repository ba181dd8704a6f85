"""``acclimate evaluate``: fits each named model on the training part and measures what it foresees."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli.options import Call, check_page, shared
from acclimate.errors import check_range


@shared("device", "positive")
def evaluate(
    call: Call,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Registered model; may be repeated.  \\[default: the five that train compares]",
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option("--protocol", metavar="P", help="last, time, kfold, cold-item or cold-user."),
    ] = "last",
    k: Annotated[
        str,
        typer.Option(
            "-k",
            "--k",
            metavar="K[,K...]",
            help="Length of a list, 1..1000, or several as in 10,5,20; the first is that of the table.",
        ),
    ] = "10",
    seeds: Annotated[
        str,
        typer.Option(
            "--seeds",
            metavar="N",
            help="Seeds for each model that takes one, 1..100: mean and spread.",
        ),
    ] = "1",
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a page with plots.")
    ] = None,
) -> None:
    """Measure models: each is fitted on what came before, and has to find what came next among all items."""
    out, home, settings = call.out, call.home, call.settings
    lengths = [check_range("k", each.strip(), 1, 1000) for each in k.split(",")]
    n_seeds = check_range("seeds", seeds, 1, 100)
    check_page(html, "report.html")
    from acclimate.adapt.choices import candidates
    from acclimate.adapt.feedback import gather
    from acclimate.adapt.train import Trainer
    from acclimate.evaluate.protocols import check_protocol
    from acclimate.evaluate.report import print_table, write_html

    check_protocol(protocol)
    trainer = Trainer(home, settings, progress=True, say=out.step, keep=True)
    names = models or candidates("auto", settings.repeat.again)
    trainer.check(names)
    with trainer.alone():
        data = gather(home, settings).data
        report = trainer.compare(names, data, protocol=protocol, k=lengths, seeds=n_seeds)
    print_table(report, out.console)
    if html is not None:
        write_html(report, html)
        out.note(f"report: {html}")
    for note in trainer.notes:
        out.note(note)
    out.document({**report.document(), "notes": trainer.notes})
