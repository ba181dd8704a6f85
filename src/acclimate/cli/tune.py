"""``acclimate tune``: searches good arguments of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acclimate.cli.options import Call, check_page, shared
from acclimate.errors import AcclimateError, InputError, check_range

if TYPE_CHECKING:
    from acclimate.adapt.found import Found


@shared("device", "positive")
def tune(
    call: Call,
    trials: Annotated[
        str,
        typer.Option(
            "--trials",
            metavar="N",
            help="Trials in all, those of an earlier run of the same search included, 1..100000.",
        ),
    ] = "30",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Registered model.  \\[default: train.model, and sequence where that is auto]",
        ),
    ] = None,
    protocol: Annotated[
        str, typer.Option("--protocol", metavar="P", help="How the training part is split: last or time.")
    ] = "last",
    jobs: Annotated[
        str,
        typer.Option("--jobs", metavar="J", help="Trials at the same time, 1..64; each takes its memory."),
    ] = "1",
    minutes: Annotated[
        str | None,
        typer.Option("--minutes", metavar="M", help="Stop after so many minutes; the same command goes on."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a page with plots.")
    ] = None,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply", help="Write the best arguments into HOME/acclimate.toml, or FILE of --config."
        ),
    ] = False,
) -> None:
    """Search good arguments of a model, on the training part alone.

    The first trial is of the defaults. Trials that do worse than half of the others after as many epochs
    are stopped. A search that was stopped, or killed, goes on when it is called again. Arguments that are
    set (--set train.params.NAME=VALUE) are not searched.
    """
    out, settings = call.out, call.settings
    n_trials, n_jobs = check_range("trials", trials, 1, 100_000), check_range("jobs", jobs, 1, 64)
    limit = None if minutes is None else _minutes(minutes)
    check_page(html, "tune.html")
    from acclimate.adapt.search import Search
    from acclimate.adapt.search_page import print_found, write_found
    from acclimate.adapt.train import Trainer

    name = model or settings.train.model
    trainer = Trainer(call.home, settings, progress=True, say=out.step)
    search = Search(trainer, "sequence" if name == "auto" else name, protocol, jobs=n_jobs, minutes=limit)
    with trainer.alone():
        found = search.run(n_trials)
    print_found(found, out.console)
    if html is not None:
        write_found(found, html)
        out.note(f"report: {html}")
    document = {**found.document(), "applied": None, "notes": trainer.notes}
    if found.best is None:
        why = next((trial.why for trial in reversed(found.trials) if trial.why), None)
        told = (
            f"; the last one failed: {why}" if why else ": give it more --minutes, the same command goes on"
        )
        raise AcclimateError(f"no trial came to a figure{told}", code="no_trial_done")
    document["applied"] = _use(call, found, apply)
    for note in trainer.notes:
        out.note(note)
    out.document(document)


def _use(call: Call, found: Found, apply: bool) -> Path | None:
    """Write what was found where the settings of this call were read, or show it; return where it is."""
    file = call.file or call.home.settings_file
    if not apply:
        call.out.show(found.toml.replace("[", "\\["))
        call.out.note(f"put these lines into {file}, or call this again with --apply")
        return None
    from acclimate.adapt.found import apply as write

    write(file, found.model, found.settings)
    by = "" if file == call.home.settings_file else f" with --config {file}"
    call.out.note(f"written to {file}: acclimate train and evaluate use it from now on{by}")
    return file


def _minutes(given: str) -> float:
    try:
        minutes = float(given)
    except ValueError:
        minutes = float("nan")
    if not 0 < minutes <= 1e6:
        raise InputError(
            f"minutes must be above 0 and at most 1000000, got {given[:80]}",
            code="minutes_out_of_range",
            field="minutes",
        )
    return minutes
