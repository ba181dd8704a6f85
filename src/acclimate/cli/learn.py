"""``acclimate learn``: weights go on learning from what is logged, and what passes the gate is published."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated

import typer

from acclimate.cli.options import Call, shared
from acclimate.words import counted


@shared()
def learn(
    call: Call,
    once: Annotated[
        bool, typer.Option("--once", help="Learn up to the end of the log and stop, as for a schedule.")
    ] = False,
) -> None:
    """Learn from the log beside the servers, and publish what passes the gate, until Ctrl-C.

    The model of the current snapshot goes on learning (sequence). After adapt.publish_every events it stands
    before the gate, against the current one, on events of users who were held back. A running server takes
    up what is published; what turns out worse is rolled back. Where drift asks for it a full fit is made in
    a process apart. Killed at any point it goes on.
    """
    out = call.out
    from acclimate.adapt.learner import Learner

    learner = Learner(call.home, call.settings, say=out.note)
    stopped = True
    with suppress(KeyboardInterrupt), _terminated():
        learner.run(once=once)
        stopped = False
    if stopped:
        out.note("stopped; what is in no snapshot is learned again")
    account = learner.account
    out.show(
        f"{counted(account.events, 'event')} learned, up to offset {account.offset:,}, of which "
        f"{account.open:,} are in no snapshot yet; published: [bold]{len(account.published)}[/], "
        f"refused: {len(account.refused)}, waiting: {len(account.waiting)}"
    )
    out.document(
        {
            "events": account.events,
            "open": account.open,
            "offset": account.offset,
            "published": account.published,
            "waiting": account.waiting,
            "refused": account.refused,
            "rolled_back": account.rolled_back,
            "verdict": account.verdict,
            "fitted": account.fitted,
            "drift": account.drift,
            "notes": account.notes,
        }
    )
    if once and stopped:
        raise typer.Exit(1)  # it has not come to the end of the log


@contextmanager
def _terminated() -> Iterator[None]:
    """Take SIGTERM as Ctrl-C: to be stopped is how a service ends."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
