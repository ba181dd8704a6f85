"""Feedback comes in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from litestar import post
from litestar.params import JSONBody

from acclimate.events.codec import event_entry
from acclimate.serve.engine import aside
from acclimate.serve.meaning import event_of
from acclimate.serve.problems import Refused, documented
from acclimate.serve.routes.parameters import Served
from acclimate.serve.schemas import EventBody, EventsAnswer, Problem
from acclimate.state.fold import LiveState
from acclimate.words import counted


@post("/v1/events", status_code=200, tags=["feedback"], responses=documented(400, 409, 413, 415, 422))
async def write_events(data: JSONBody[EventBody | list[EventBody]], engine: Served) -> EventsAnswer:
    """Write one event or many, all or none; answers when they are durable.

    An unknown user or item comes into being; `warnings` name such items, deleted ones, and ratings off the
    scale, which count as its nearer end. The same `event_id` with the same content counts
    once; with other content it is a conflict. The next list of the user knows the event.
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
    rated = [
        (body.event_type, body.value, place(data, i))
        for i, body in enumerate(bodies)
        if body.value is not None
    ]
    places: dict[str, str] = {}
    for i, body in enumerate(bodies):
        if body.item_id is not None:
            places.setdefault(body.item_id, f"{place(data, i)}item_id")
    warnings, appended = await asyncio.gather(  # the question is put first, so it is of the time before
        engine.ask(lambda recommender: _strange(recommender.state, places, rated)), engine.write(entries)
    )
    return EventsAnswer(appended.accepted, appended.duplicates, appended.offset, warnings)


def _strange(
    state: LiveState, places: Mapping[str, str], rated: Sequence[tuple[str, float, str]]
) -> list[Problem]:
    return strange_items(state, places) + strange_ratings(state, rated)


def strange_ratings(state: LiveState, rated: Sequence[tuple[str, float, str]]) -> list[Problem]:
    """Return a warning if ratings are off the scale: they are kept, and weigh as its nearer end.

    Args:
        state: Knows the scales.
        rated: Type, value and place in the body of each event that has a value.
    """
    off = []
    for kind, value, where in rated:
        scale = state.weights.scale(kind)
        if scale and not scale[0] <= value <= scale[1]:
            off.append((value, scale, where))
    if not off:
        return []
    value, (low, high), where = off[0]
    between = f"off the scale {low:g}..{high:g}"
    if len(off) == 1:
        told = f"rating {value:g} is {between}: it counts as {low if value < low else high:g}"
    else:
        each = "each counts as the nearer end of the scale"
        told = f"{len(off)} ratings are {between}, the first is {value:g}: {each}"
    todo = "for another scale set events.rating, as in events.rating='1..100', and train anew"
    return [Problem("off_scale", f"{told}; {todo}", f"{where}value")]


def strange_items(state: LiveState, places: Mapping[str, str]) -> list[Problem]:
    """Return a warning for item ids that are not known, and one for those that were deleted.

    Args:
        state: As it is before the events.
        places: Item id -> where it stands first in the body.
    """
    missing = [name for name in places if state.find_item(name) is None]
    gone = [name for name in missing if name in state.items]
    new = [name for name in missing if name not in state.items]
    kinds = [
        (new, "unknown_item", "not known: there is an id alone until PUT /v1/items says more"),
        (gone, "deleted_item", "deleted: what was done counts, and no list shows it"),
    ]
    return [
        Problem(code, f"{named(names)} {'was' if len(names) == 1 else 'were'} {told}", places[names[0]])
        for names, code, told in kinds
        if names
    ]


def named(names: Sequence[str]) -> str:
    """Return up to three item ids for a person, the first ones of the body."""
    shown = ", ".join(repr(name[:80]) for name in names[:3])
    if len(names) == 1:
        return f"item {shown}"
    return f"{counted(len(names), 'item')} ({shown}{', ...' if len(names) > 3 else ''})"


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
