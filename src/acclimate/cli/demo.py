"""``acclimate demo``: the whole loop on MovieLens, from the data to a page that learns what you like."""

from __future__ import annotations

from typing import Annotated

import typer

from acclimate.cli.options import Call, shared
from acclimate.cli.serve import find_port, url

KNOWN_SET = "ml-latest-small-2016"


@shared("host", "port", "device")
def demo(
    call: Call,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop before the page is served.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Train again even if nothing changed.")] = False,
    data: Annotated[
        str,
        typer.Option("--data", metavar="NAME|PATH", help="A known set, or a folder or file of your own."),
    ] = KNOWN_SET,
) -> None:
    """Import MovieLens, compare models, publish the best one and serve a page that learns what you like.

    The best is the one with the highest NDCG@10 in the table; it is fitted again on all the data. A second
    run finds what the first one did, and goes straight to the table and the page.
    """
    out, settings = call.out, call.settings
    if not no_serve:
        settings = find_port(settings)  # a busy port is known now, not after the training
    from acclimate.cli.show import Show

    document = Show(out, call.home, settings).play(data, again=again)
    if not no_serve:
        document["url"] = url(settings)
    out.document(document)
    if not no_serve:
        from acclimate.serve.run import run

        run(call.home, settings)
    else:
        out.note(f"see the page: acclimate serve --home {call.home.path}")
