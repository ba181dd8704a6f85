"""Values of the house <-> bodies of log records, which are plain JSON objects."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, TypeVar

import msgspec

from acclimate.errors import CorruptError, InputError
from acclimate.events.log import Entry, Record
from acclimate.types import Event, Item, Slate, User

Value = TypeVar("Value", Event, Item, User, Slate)
_EMPTY: tuple[Any, ...] = (None, "", (), [], {})


def to_body(value: Event | Item | User | Slate) -> dict[str, Any]:
    """Return the JSON object for a value, without what is empty.

    Raises:
        InputError: An id is empty, a number is not finite, or an attribute is not plain data.

    Example:
        >>> to_body(Event("42", "like", 1.0, item_id="heat"))
        {'user_id': '42', 'event_type': 'like', 'timestamp': 1.0, 'item_id': 'heat'}
    """
    try:
        body: dict[str, Any] = msgspec.to_builtins(value, str_keys=True)
        try:
            json.dumps(body, allow_nan=False)
        except ValueError:
            _check_finite(body, type(value).__name__)
            raise
    except (TypeError, ValueError) as error:
        raise InputError(f"{type(value).__name__} holds something that is not JSON: {error}") from error
    except RecursionError as error:
        raise InputError(f"{type(value).__name__} is nested too deeply; make it flatter") from error
    for name in ("user_id", "item_id", "event_type", "request_id"):
        if body.get(name) == "":
            raise InputError(f"{name} must not be empty", field=name)
    return {name: part for name, part in body.items() if part not in _EMPTY}


def event_from(body: dict[str, Any], time: float = 0.0) -> Event:
    """Return the event of a body; ``time`` (seconds) stands in where it was sent without a time."""
    return _convert({"timestamp": time, **body}, Event)


def item_from(body: dict[str, Any]) -> Item:
    """Return the item of a body."""
    return _convert(body, Item)


def user_from(body: dict[str, Any]) -> User:
    """Return the user of a body."""
    return _convert(body, User)


def slate_from(body: dict[str, Any]) -> Slate:
    """Return the slate of a body, as it was shown."""
    return _convert({"user_id": None, "items": [], "snapshot": None, "fallback": None, **body}, Slate)


def event_of(record: Record) -> Event:
    """Return the event of a record of kind ``event``."""
    return event_from(record.body, record.time)


def event_entry(event: Event, *, timed: bool = True) -> Entry:
    """Return the entry that logs an event.

    Args:
        event: What happened.
        timed: False if the time is not the sender's but was made up on receipt; it is then no part
            of the content that a repeated event id has to agree with.
    """
    body = to_body(event)
    if not timed:
        del body["timestamp"]
    return Entry("event", body, event.timestamp, event.event_id)


def item_entry(item: Item, time: float) -> Entry:
    """Return the entry that puts an item into the catalogue, new or changed, at ``time`` seconds."""
    return Entry("item", to_body(item), time)


def item_deleted_entry(item_id: str, time: float) -> Entry:
    """Return the entry that takes an item out of the catalogue at ``time`` seconds."""
    return Entry("item_deleted", {"item_id": item_id}, time)


def user_entry(user: User, time: float) -> Entry:
    """Return the entry that says who a user is, from ``time`` seconds on."""
    return Entry("user", to_body(user), time)


def slate_entry(slate: Slate) -> Entry:
    """Return the entry that logs what was shown, unless its user is forgotten by then."""
    return Entry("slate", to_body(slate), slate.now, slate.request_id, slate.log_offset)


def _convert(body: dict[str, Any], kind: type[Value]) -> Value:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise CorruptError(f"a log record is not a valid {kind.__name__}: {error}") from error


def _check_finite(value: Any, where: str) -> None:
    if isinstance(value, float) and not isfinite(value):
        raise InputError(f"{where} must be a finite number, got {value}", field=where.split(".")[-1])
    if isinstance(value, dict):
        for name, part in value.items():
            _check_finite(part, f"{where}.{name}")
    elif isinstance(value, list | tuple):
        for part in value:
            _check_finite(part, where)
