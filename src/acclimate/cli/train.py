"""``acclimate train``: fits a model on everything and publishes a snapshot."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec.structs import replace

from acclimate.cli.options import Call, shared


@shared("device", "positive")
def train(
    call: Call,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Registered model, or auto for the best of five.  \\[default: train.model]",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SNAPSHOT",
            help="Start from what a snapshot has learned: its id, or a folder of another home (sequence).",
        ),
    ] = None,
) -> None:
    """Fit a model on the data of the home and its feedback, and publish it as a snapshot.

    By default popularity, recent-popularity, item-knn, ease and sequence have to foresee the last item of
    each user, and the best is fitted on everything. A model that is named is compared with popularity; what
    is significantly worse is not published. Under torchrun the processes share each batch.
    """
    out, settings = call.out, call.settings
    if model is not None:
        settings = replace(settings, train=replace(settings.train, model=model))
    from acclimate.adapt.choices import candidates
    from acclimate.adapt.start import started
    from acclimate.adapt.train import Trainer
    from acclimate.evaluate.report import print_table
    from acclimate.parallel import processes

    names, start = candidates(settings.train.model, settings.repeat.again), None
    if source is not None:
        start = started(call.home, source, names, chosen=settings.train.model != "auto")
    first = processes().first
    say = out.step if first else lambda line: None
    trainer = Trainer(call.home, settings, progress=first, say=say, start=start, keep=True)
    trainer.check(names)
    if not first:
        trainer.follow(names)
        return
    with trainer.alone():
        trained = trainer.train(names)
    if trained.report is not None:
        print_table(trained.report, out.console)
    for line in (*trained.verdict.reasons, *trainer.notes):
        out.note(line)
    name, seconds = trained.model.name, trained.fit_seconds
    out.show(f"[bold]{trained.snapshot.id}[/] is published: {name}, fitted in {seconds:.1f} s")
    out.note("a running server takes it up within seconds")
    compared = trained.report.models if trained.report else ()
    out.document(
        {
            "snapshot": trained.snapshot.id,
            "model": name,
            "from": start.snapshot.id if start and start.model.name == name else None,
            "metrics": trained.metrics,
            "fit_seconds": seconds,
            "compared": {entry.name: entry.metrics for entry in compared},
            "left_out": trained.report.left_out if trained.report else {},
            "verdict": trained.verdict,
            "notes": trainer.notes,
        }
    )
