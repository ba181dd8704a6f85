"""``acclimate train``: fits a model on everything and publishes a snapshot."""

from __future__ import annotations

from typing import Annotated

import typer

from acclimate.cli.options import (
    ConfigOption,
    DeviceOption,
    HomeOption,
    JsonOption,
    SeedOption,
    SetOption,
    read_settings,
)
from acclimate.cli.output import Output
from acclimate.config import Home


def train(
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="Registered model.  \\[default: train.model]"),
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    seed: SeedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit a model on the data of the home and its feedback, and publish it as a snapshot.

    The model first has to foresee the last item of each user; what is worse than popularity is not published.
    """
    out, place = Output(as_json), Home(home)
    settings = read_settings(
        place, config, overrides, train__model=model, train__device=device, train__seed=seed
    )
    from acclimate.adapt.train import Trainer

    trainer = Trainer(place, settings, progress=True, say=out.step)
    trained = trainer.train([settings.train.model])
    metrics = trained.metrics
    for reason in trained.verdict.reasons:
        out.note(reason)
    for note in trainer.notes:
        out.note(note)
    name, seconds = trained.model.name, trained.fit_seconds
    out.show(f"[bold]{trained.snapshot.id}[/] is published: {name}, fitted in {seconds:.1f} s")
    out.note("a running server takes it up when it starts again")
    out.document(
        {
            "snapshot": trained.snapshot.id,
            "model": trained.model.name,
            "metrics": metrics,
            "fit_seconds": trained.fit_seconds,
            "verdict": trained.verdict,
            "notes": trainer.notes,
        }
    )
