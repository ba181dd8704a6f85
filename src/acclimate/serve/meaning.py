"""What a body says becomes the vocabulary of the house: events, items, users, with their times."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import UTC, datetime

from acclimate.errors import InputError, nearest
from acclimate.serve.problems import unfit
from acclimate.serve.schemas import EventBody, ItemBody, RecommendBody, SessionEvent, UserBody
from acclimate.types import Event, Item, Query, User

DAY = 86_400.0
_MILLISECONDS = 1e11
"""A larger number of seconds would be the year 5138; it is milliseconds."""


def seconds(given: float | str, field: str) -> float:
    """Return seconds since 1970 UTC from a number of seconds or an ISO 8601 text.

    Raises:
        Refused: 422 for milliseconds, a time before 1970, NaN or text that is no time.

    Example:
        >>> seconds("1970-01-02T00:00:00Z", "timestamp"), seconds(5, "timestamp")
        (86400.0, 5.0)
    """
    if isinstance(given, str):
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            allowed = "seconds since 1970, or ISO 8601 as in 2024-05-01T12:00:00Z"
            raise unfit(f"{field} must be {allowed}, got {given[:40]!r}", field) from None
        given = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    elif given >= _MILLISECONDS and math.isfinite(given):
        raise unfit(f"{field} must be in seconds, got {given:.15g}; for milliseconds divide by 1000", field)
    if not math.isfinite(given) or given < 0:
        raise unfit(f"{field} must be seconds since 1970, got {given}", field)
    return float(given)


def happened(given: float | str | None, now: float, field: str) -> float:
    """Return when an event happened: ``now`` if it does not say; at most a day ahead of our clock."""
    if given is None:
        return now
    at = seconds(given, field)
    if at > now + DAY:
        ahead = (at - now) / DAY
        raise unfit(f"{field} must not lie more than 1 day ahead, got {ahead:.1f} days", field)
    return at


def event_of(body: EventBody, now: float, kinds: Collection[str], where: str = "") -> Event:
    """Return the event that ``body`` means.

    Args:
        body: One event of a request.
        now: Time of the request in seconds.
        kinds: The event types of the settings.
        where: Place in a batch, as in ``[3].``.

    Raises:
        Refused: 422 for an unknown type (names the allowed), a missing item or query, a bad time or value.
    """
    _check_kind(body.event_type, kinds, where)
    _check_value(body.value, body.event_type, where)
    _check_object(body, where)
    return Event(
        user_id=body.user_id,
        event_type=body.event_type,
        timestamp=happened(body.timestamp, now, f"{where}timestamp"),
        item_id=body.item_id,
        value=body.value,
        event_id=body.event_id,
        query=body.query,
        request_id=body.request_id,
        context=body.context,
    )


def query_of(body: RecommendBody, request_id: str, now: float, kinds: Collection[str]) -> Query:
    """Return the question that ``body`` asks; the events of the session are taken in the order given."""
    session = tuple(
        _session_event(event, body.user_id or "", now, kinds, f"events[{i}].")
        for i, event in enumerate(body.events)
    )
    return Query(
        user_id=body.user_id,
        k=body.k,
        events=session,
        candidates=None if body.candidates is None else tuple(body.candidates),
        exclude=tuple(body.exclude),
        explain=body.explain,
        request_id=request_id,
        now=now,
    )


def item_of(body: ItemBody, where: str = "") -> Item:
    """Return the item that ``body`` describes."""
    created = None if body.created_at is None else seconds(body.created_at, f"{where}created_at")
    expires = None if body.expires_at is None else seconds(body.expires_at, f"{where}expires_at")
    if created is not None and expires is not None and expires <= created:
        raise InputError(
            f"expires_at must be later than created_at, got {expires:.0f} and {created:.0f}: the item "
            "would never be in a list",
            code="expires_before_created",
            field=f"{where}expires_at",
        )
    return Item(
        item_id=body.item_id,
        title=body.title,
        text=body.text,
        categories=tuple(body.categories),
        available=body.available,
        created_at=created,
        expires_at=expires,
        attributes=body.attributes,
    )


def user_of(body: UserBody) -> User:
    """Return the user that ``body`` describes."""
    return User(body.user_id, body.attributes)


def _session_event(
    event: SessionEvent, user_id: str, now: float, kinds: Collection[str], where: str
) -> Event:
    _check_kind(event.event_type, kinds, where)
    _check_value(event.value, event.event_type, where)
    _check_object(event, where)
    at = happened(event.timestamp, now, f"{where}timestamp")
    return Event(user_id, event.event_type, at, item_id=event.item_id, value=event.value, query=event.query)


def _check_object(event: EventBody | SessionEvent, where: str) -> None:
    if event.event_type == "search":
        if not event.query:
            raise unfit(f"{where}query is missing: a search needs what was searched for", f"{where}query")
    elif event.item_id is None:
        raise unfit(f"{where}item_id is missing: {event.event_type!r} needs an item", f"{where}item_id")


def _check_kind(kind: str, kinds: Collection[str], where: str) -> None:
    if kind not in kinds:
        raise unfit(f"no event type {kind[:80]!r}: {nearest(kind[:80], kinds)}", f"{where}event_type")


def _check_value(value: float | None, kind: str, where: str) -> None:
    if value is not None and not math.isfinite(value):
        raise unfit(f"{where}value must be a finite number, got {value}", f"{where}value")
    if value is None and kind == "rating":
        raise unfit(f"{where}value is missing: a rating needs one", f"{where}value")
