"""Feedback comes in."""

from __future__ import annotations

import time

from litestar import post
from litestar.params import JSONBody

from acclimate.events.codec import event_entry
from acclimate.serve.engine import aside
from acclimate.serve.meaning import event_of
from acclimate.serve.problems import Refused, documented
from acclimate.serve.routes.parameters import Served
from acclimate.serve.schemas import EventBody, EventsAnswer


@post("/v1/events", status_code=200, tags=["feedback"], responses=documented(400, 409, 413, 415, 422))
async def write_events(data: JSONBody[EventBody | list[EventBody]], engine: Served) -> EventsAnswer:
    """Write one event or many, all or none; answers when they are durable.

    An unknown user or item comes into being. The same `event_id` with the same content counts once; with
    other content it is a conflict. The next list of the user knows the event.
    """
    bodies = data if isinstance(data, list) else [data]
    check_batch(len(bodies), engine.settings.serve.max_batch, "events")
    now = time.time()
    kinds = engine.settings.events.__struct_fields__
    entries = await aside(
        lambda: [
            event_entry(event_of(body, now, kinds, place(data, i)), timed=body.timestamp is not None)
            for i, body in enumerate(bodies)
        ],
        len(bodies),
    )
    appended = await engine.write(entries)
    return EventsAnswer(appended.accepted, appended.duplicates, appended.offset)


def check_batch(given: int, most: int, what: str) -> None:
    """Refuse a batch that is larger than the settings allow.

    Raises:
        Refused: 413, and how to split it.
    """
    if given > most:
        parts = -(-given // most)
        message = f"at most {most} {what} in one request, got {given}; send them in {parts} requests"
        raise Refused(413, message, code="too_many")


def place(data: object, i: int) -> str:
    """Return where element ``i`` stands in a body, for errors: nowhere if the body is no list."""
    return f"[{i}]." if isinstance(data, list) else ""
