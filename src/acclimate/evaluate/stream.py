"""A dataset as a stream: which events are foreseen, what is known before each, and which items exist."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.durations import written
from acclimate.errors import InputError
from acclimate.types import Events, Floats, Histories, Times
from acclimate.words import counted

BEFORE = 0.5
"""Share of the events that a model is fitted on, if nobody says when the stream starts."""


@dataclass(frozen=True)
class Stream:
    """Events in the order in which they are foreseen and learned.

    All that one user did in one second stands together, for it was known at once: each such group is
    foreseen before any of it is learned. An item exists from its ``created_at`` or from its first event on,
    whichever is earlier, that event included.

    Args:
        data: The whole.
        start: What is before this time, in whole seconds, is for ``fit``.
        delay: Seconds until an event is known.
        again: Seconds after which an item that the user has had may come again; infinite for never.

    Raises:
        InputError: The data have no times, or nothing lies on one side of ``start``.

    Example:
        >>> rows = [("ann", "heat", 1.0), ("bob", "heat", 2.0), ("bob", "alien", 2.5), ("ann", "alien", 3.0)]
        >>> stream = Stream(Dataset.of(rows), start=2.0)
        >>> stream.asked.tolist(), stream.known[stream.asked].tolist()
        ([1, 2, 3], [1, 1, 3])
    """

    data: Dataset
    start: float
    delay: float = 0.0
    again: float = np.inf

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", float(np.floor(self.start)))
        self.data.check_timed("A replay")
        time = self.data.time
        if len(time) and time[0] == time[-1]:
            raise _at_one_moment(self.data)
        for name in ("delay", "again"):
            if not getattr(self, name) >= 0:
                value = getattr(self, name)
                raise InputError(f"{name} must be 0 or more seconds, got {value}", field=name)
        before = int((time < self.start).sum())
        if before in (0, len(time)):
            side, rest = ("from", " on") if before else ("before", "")
            span = f"they go from {written(time[0])} to {written(time[-1])}" if len(time) else "there is none"
            raise InputError(
                f"no event lies {side} the start of the replay ({written(self.start)}){rest}: {span}",
                field="start",
            )

    @cached_property
    def events(self) -> Events:
        """All events; each group of one user's events in one second stands where its first event stood."""
        return self.data.events.part(self._order)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        user, second = self.data.user.astype(np.int64), np.floor(self.data.time)
        _, step = np.unique(second, return_inverse=True)
        _, first, group = np.unique(step * self.data.n_users + user, return_index=True, return_inverse=True)
        return np.argsort(first[group], kind="stable")

    @cached_property
    def _group_start(self) -> NDArray[np.int64]:
        """Position of the first event of each event's group, int64[n]."""
        events = self.events
        new = np.diff(np.floor(events.time), prepend=np.nan) != 0
        new |= np.diff(events.user, prepend=-1) != 0
        return np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))

    @cached_property
    def known(self) -> NDArray[np.int64]:
        """How many events are known when each is foreseen, int64[n]; rising."""
        time = np.maximum.accumulate(self.events.time)
        due = np.searchsorted(time, time - self.delay, side="right")
        return np.maximum.accumulate(np.maximum(np.minimum(due, self._group_start), self.first))

    @cached_property
    def first(self) -> int:
        """How many events are for ``fit``."""
        return int((self.data.time < self.start).sum())

    @cached_property
    def asked(self) -> NDArray[np.int64]:
        """Positions of the events that are foreseen: positive, with an item that may come (again)."""
        events = self.events
        liked = np.flatnonzero(events.weight > 0)
        pairs = events.user[liked].astype(np.int64) * self.data.n_items + events.item[liked]
        order = np.argsort(pairs, kind="stable")
        time = events.time[liked[order]]
        away = np.where(np.diff(pairs[order], prepend=-1) == 0, np.diff(time, prepend=0.0), np.inf)
        may = np.empty(len(liked), bool)
        may[order] = away >= self.again
        return liked[may & (liked >= self.first)]

    @cached_property
    def born(self) -> Times:
        """From when on each item exists, float64[n_items]; never, if it has no event and no date."""
        born = np.full(self.data.n_items, np.inf)
        np.minimum.at(born, self.data.item, self.data.time)
        dated = [np.inf if item.created_at is None else item.created_at for item in self.data.catalogue]
        np.minimum(born, np.array(dated, np.float64), out=born)
        return born

    @cached_property
    def _histories(self) -> Histories:
        return self.data.histories()

    def before(self, positions: NDArray[np.int64], known: NDArray[np.int64] | None = None) -> Histories:
        """Return what is known of the user of each event when it is foreseen.

        Args:
            positions: Of events, int64[m].
            known: How many events are known, int64[m]; by default `known`.
        """
        events, known = self.events, self.known[positions] if known is None else known
        user = events.user[positions]
        keys, start = self._by_user
        lengths = np.searchsorted(keys, user.astype(np.int64) * len(events.time) + known) - start[user]
        return self._histories.first(user, lengths).replace(now=events.time[positions])

    def places(
        self, positions: NDArray[np.int64], histories: Histories, scores: Floats
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return how many items stand above that of each event, and how many have its score: int32[m] each.

        Ranked are the items that exist, but those that the user turned down, or had and may not have again.

        Args:
            positions: Of events, int64[m].
            histories: What is known of their users, m.
            scores: float32[m, n_items], overwritten.
        """
        events, each = self.events.part(positions), np.arange(len(positions))
        wanted = scores[each, events.item]
        scores[self.born > events.time[:, None]] = -np.inf
        closed = histories.closed(self.again)
        scores[closed.rows, closed.items] = -np.inf
        scores[each, events.item] = wanted
        above = (scores > wanted[:, None]).sum(axis=1, dtype=np.int32)
        tied = (scores == wanted[:, None]).sum(axis=1, dtype=np.int32)
        for row in np.flatnonzero(np.isnan(wanted)):  # "cannot say" ranks last
            blank = np.isnan(scores[row])
            tied[row] = blank.sum()
            above[row] = (~blank & (scores[row] != -np.inf)).sum()
        return above, tied

    @cached_property
    def _by_user(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each event's (user, position) as one rising number int64[n]; where each user begins."""
        user = self.events.user.astype(np.int64)
        keys = np.sort(user * len(user) + np.arange(len(user)))
        return keys, np.concatenate([[0], np.cumsum(np.bincount(user, minlength=self.data.n_users))])

    @cached_property
    def since_last(self) -> Times:
        """Seconds since the user's event before, for each event; infinite for a first one: float64[n]."""
        order = np.argsort(self.events.user, kind="stable")
        user, time = self.events.user[order], self.events.time[order]
        gaps = np.empty(len(order))
        gaps[order] = np.where(np.diff(user, prepend=-1) == 0, np.diff(time, prepend=0.0), np.inf)
        return gaps

    @property
    def skipped(self) -> dict[str, int]:
        """Why an event of the stream is not foreseen, and how many."""
        weight = self.events.weight[self.first :]
        positive = int((weight > 0).sum())
        return {"not positive": len(weight) - positive, "had before": positive - len(self.asked)}

    @cached_property
    def sha256(self) -> str:
        """Hash of the lines ``time TAB user_id TAB item_id`` of what is foreseen, in order."""
        users, items, events = self.data.users.ids, self.data.items.ids, self.events.part(self.asked)
        rows = zip(events.time.tolist(), events.user.tolist(), events.item.tolist(), strict=True)
        lines = "".join(f"{time!r}\t{users[user]}\t{items[item]}\n" for time, user, item in rows)
        return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()


def _at_one_moment(data: Dataset) -> InputError:
    """Return the error of a stream whose first event is as late as its last."""
    when = written(data.time[0])
    if len(data) == 1:
        held, it, mend = f"one event, at {when}", "it", "give more events"
    else:
        held, it = f"{counted(len(data), 'event')}, all at one moment, {when}", "them"
        mend = "see that the column with the times is taken, or use the protocol 'last'"
    return InputError(
        f"{data.name!r} holds {held}, so there is nothing before {it} to learn from. A replay needs events "
        f"at two times or more; {mend}",
        code="one_moment",
        field="timestamp",
    )


def default_start(data: Dataset) -> float:
    """Return the time from which on half of the events lie."""
    return float(data.time[int(BEFORE * len(data))]) if len(data) else 0.0
