"""What a log promises: appended records are durable, ordered, counted once and never renumbered."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from acclimate.errors import CorruptError

KINDS = ("event", "item", "item_deleted", "user", "user_deleted", "slate")
"""What a record can be; its body is what `acclimate.events.codec` makes of the value of that kind."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to be written.

    Args:
        kind: One of `KINDS`.
        body: Its content, as JSON can hold it.
        time: When it happened, in seconds since 1970 UTC.
        key: Counts once for each kind: the event id of an event, the request id of a slate.
        knows: It was made of the records up to this offset. If its user was forgotten behind that, it is
            not written: it may hold what was erased.
    """

    kind: str
    body: dict[str, Any]
    time: float
    key: str | None = None
    knows: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Something that was written; ``offset`` is its place in the log, counted from 1."""

    offset: int
    kind: str
    time: float
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of an append.

    Args:
        accepted: Records written.
        duplicates: Entries whose key and content were there already; nothing was written for them.
        offset: Who has read as far knows every entry of the append, the duplicates as well.
    """

    accepted: int
    duplicates: int
    offset: int


class EventLog(Protocol):
    """An append-only log with one writer and any number of readers."""

    @property
    def id(self) -> str | None:
        """Tells this log from every other; None if it has no id."""
        ...

    @property
    def offset(self) -> int:
        """Offset of the last durable record; 0 for an empty log."""
        ...

    def append(self, entries: Sequence[Entry], *, linger: float = 0.0) -> Future[Appended]:
        """Write all of ``entries`` or none; the future is done when they are durable.

        With ``linger`` they may wait so many seconds for others to go with them.
        """
        ...

    def read(self, after: int, limit: int = 10_000) -> list[Record]:
        """Return up to ``limit`` records behind offset ``after``, in order."""
        ...

    def find(self, kind: str, key: str) -> Record | None:
        """Return the record that was written under ``key``, if it is there."""
        ...

    def forget(self, user_id: str) -> Future[Appended]:
        """Erase every record of a user, and write a ``user_deleted`` in their place."""
        ...

    def close(self) -> None:
        """Write what waits, and let go of the files."""
        ...


def check_continues(events: EventLog, log: str | None, offset: int, whose: str) -> None:
    """Look whether ``events`` goes on from what is known of the log ``log`` up to ``offset``.

    In another log the same offsets are other records: its first ones would be skipped as if they were known.

    Args:
        events: The log that is there.
        log: Id of the log that was folded; None if it had none.
        offset: Up to where it was folded; 0 goes on from any log.
        whose: Who knows it, in words.

    Raises:
        CorruptError: ``events`` is another log, or ends before ``offset``; says what to do.
    """
    if not offset:
        return
    mend = "Put it back, or train anew from what is there: acclimate train"
    if None not in (log, events.id) and log != events.id:
        raise CorruptError(
            f"this is not the event log that {whose} knows up to offset {offset}: "
            f"that was deleted or replaced. {mend}",
            code="log_replaced",
        )
    if events.offset < offset:
        raise CorruptError(
            f"the event log ends at offset {events.offset}, and {whose} knows it up to {offset}: "
            f"it was deleted or cut. {mend}",
            code="log_behind",
        )
