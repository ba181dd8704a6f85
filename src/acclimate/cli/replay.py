"""``acclimate replay``: every event in true order of time, first foreseen, then learned."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli.options import Call, LengthOption, check_page, shared
from acclimate.durations import moment, seconds
from acclimate.errors import InputError, check_range


@shared("device", "positive")
def replay(
    call: Call,
    levels: Annotated[
        list[str] | None,
        typer.Option(
            "--level",
            metavar="L",
            help="frozen (as it was fitted), live (histories go on), items (new items too), prior "
            "(popularity of now too) or slow (weights go on learning), each the model of train.model, or "
            "sequence where that is auto; or a registered model; may be repeated.  \\[default: all that the "
            "model can, and every model that learns from single events]",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", metavar="TIME", help="What is before is fitted on.  \\[default: half of the events]"
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            "--window", metavar="D", help="Length of a point of the curve, as 30d.  \\[default: a twelfth]"
        ),
    ] = None,
    delay: Annotated[
        str, typer.Option("--delay", metavar="S", help="Time until an event is known, as 90s or 15m.")
    ] = "0s",
    k: LengthOption = "10",
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a page with the curves.")
    ] = None,
) -> None:
    """Measure adaptation: all items are ranked at each event, then it is learned. Goes on after a kill."""
    out, home, settings = call.out, call.home, call.settings
    length = check_range("k", k, 1, 1000)
    begin = None if start is None else moment(start, "start")
    width, wait = None if window is None else seconds(window, "window"), seconds(delay, "delay")
    if width == 0:
        raise InputError("window must be longer than 0 seconds", field="window")
    check_page(html, "replay.html")
    from acclimate.adapt.feedback import gather
    from acclimate.adapt.levels import check_levels, level_names, make_levels, who_is_trained
    from acclimate.adapt.train import Trainer
    from acclimate.evaluate.prequential import replay as run
    from acclimate.evaluate.stream_page import print_stream, write_stream

    trainer = Trainer(home, settings, progress=True, say=out.step)
    names = levels or level_names(trainer)
    check_levels(trainer, names)
    with trainer.alone():
        data = gather(home, settings).data
        again = settings.repeat.again
        told = f"{trainer.fingerprint(data, names)} {begin} {wait} {again} {length}"
        folder = home.cache / "replay" / hashlib.sha256(told.encode()).hexdigest()[:16]
        report = run(
            make_levels(trainer, names),
            data,
            start=begin,
            window=width,
            delay=wait,
            again=again,
            k=length,
            seed=settings.train.seed,
            folder=folder,
            progress=True,
        )
    print_stream(report, out.console)
    if html is not None:
        write_stream(report, html)
        out.note(f"report: {html}")
    who = who_is_trained(trainer, names)
    notes = [*([who] if who else []), *trainer.notes]
    for note in notes:
        out.note(note)
    out.document({**report.document(), "notes": notes})
