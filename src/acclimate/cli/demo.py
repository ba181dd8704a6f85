"""``acclimate demo``: the whole loop on MovieLens, from the data to a page that learns what you like."""

from __future__ import annotations

from typing import Annotated

import typer

from acclimate.cli.options import (
    ConfigOption,
    DeviceOption,
    HomeOption,
    HostOption,
    JsonOption,
    PortOption,
    SeedOption,
    SetOption,
    port_number,
    read_settings,
)
from acclimate.cli.output import Output
from acclimate.cli.serve import find_port, url
from acclimate.config import Home

KNOWN_SET = "ml-latest-small-2016"


def demo(
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop before the page is served.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Train again even if nothing changed.")] = False,
    data: Annotated[
        str,
        typer.Option("--data", metavar="NAME|PATH", help="A known set, or a folder or file of your own."),
    ] = KNOWN_SET,
    home: HomeOption = None,
    host: HostOption = None,
    port: PortOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    seed: SeedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import MovieLens, compare models, publish the best one and serve a page that learns what you like.

    The best is the one with the highest NDCG@10 in the table; it is fitted again on all the data. A second
    run finds what the first one did, and goes straight to the table and the page.
    """
    out, place = Output(as_json), Home(home)
    settings = read_settings(
        place,
        config,
        overrides,
        serve__host=host,
        serve__port=port_number(port),
        train__device=device,
        train__seed=seed,
        policy__seed=seed,
    )
    if not no_serve:
        settings = find_port(settings)  # a busy port is known now, not after the training
    from acclimate.cli.show import Show

    show = Show(out, place, settings)
    document = show.play(data, again=again)
    if not no_serve:
        document["url"] = url(settings)
    out.document(document)
    if not no_serve:
        from acclimate.serve.run import run

        run(place, settings)
    else:
        out.note(f"see the page: acclimate serve --home {place.path}")
