"""LiveState: what users did, what the catalogue holds, by log record after log record."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from acclimate.config import EVENT_TYPES, EventsTable
from acclimate.data.dataset import Dataset
from acclimate.data.profile import Profile, UserProfile
from acclimate.data.vocab import Vocabulary
from acclimate.events.codec import event_of, item_from, to_body, user_from
from acclimate.events.log import Record
from acclimate.histories import Searched
from acclimate.state.changes import Changes
from acclimate.state.columns import Column
from acclimate.state.histories import EVENT, Events, UserHistories, rated
from acclimate.state.shelf import Shelf
from acclimate.state.weights import Weights
from acclimate.types import Codes, Event, Histories, Item, State, User

MOST_SEARCHES = 50
"""Searches of a user that are kept, the newest."""
LONGEST_SEARCH = 500
"""Characters of a search that are kept."""
KINDS = {name: place for place, name in enumerate(EVENT_TYPES)}
"""Place of each event type in `acclimate.config.EVENT_TYPES`, as `LiveState.past` has it."""


class LiveState:
    """Everything that a snapshot does not hold still: a pure fold over the log.

    The same records end in the same state, however they are chunked, and a record that was applied is
    skipped when it comes again. Events count in the order of the log, also where their timestamps go
    back. An unknown item or user in an event comes into being. Searches and exposures (weight 0) make a
    user known but are no events of the history, so that what was only shown pushes out nothing; the newest
    searches go along with it.

    Args:
        events: Weight of each event type. A restored state keeps the table it was saved with.
        max_history: How many events of a user are kept in full, 1 or more.
        name: What the data it starts from is called.

    Example:
        >>> state = LiveState.of(Dataset.of([("ann", "heat", 1.0)]))
        >>> body = {"user_id": "bob", "event_type": "like", "item_id": "alien"}
        >>> state.apply([Record(1, "event", 5.0, body)])
        Changes(users={'bob'}, items=[1], events=[(1, 1, 5.0, 2.0, nan)], forgotten=[])
        >>> histories = state.histories(["bob", None], now=6.0)
        >>> histories.items.tolist(), histories.weights.tolist(), histories.lengths.tolist()
        ([1], [2.0], [1, 0])
    """

    def __init__(
        self, events: EventsTable | None = None, *, max_history: int = 1000, name: str = "live"
    ) -> None:
        if max_history < 1:
            raise ValueError(f"max_history must be 1 or more, got {max_history}")
        self.users = Vocabulary()
        self.name, self.offset, self.max_history = name, 0, max_history
        self.log: str | None = None
        """Id of the log that ``offset`` counts in; None if it has none, or nothing was folded."""
        self.weights = Weights(events or EventsTable())
        self._shelf = Shelf()
        self._people: dict[int, User] = {}
        self._histories = UserHistories(Histories.of([]), max_history)
        self._searches: dict[int, deque[tuple[float, str]]] = {}
        self._liked = Column(np.zeros(0, np.int64), 0)

    @classmethod
    def of(
        cls,
        data: Dataset,
        events: EventsTable | None = None,
        *,
        max_history: int = 1000,
        offset: int = 0,
    ) -> LiveState:
        """Return the state of a dataset.

        Args:
            data: What it starts from; its weights are taken as they are.
            events: Weight of each event type to come.
            max_history: As in the constructor.
            offset: Every log record up to here is part of ``data`` already.
        """
        state = cls(events, max_history=max_history, name=data.name)
        state.offset = offset
        state.users, state._shelf = data.users.copy(), Shelf(data.catalogue)
        state._people = {code: user for code, user in enumerate(data.people) if user.attributes}
        histories, kinds = data.histories(), data.kind[np.argsort(data.user, kind="stable")]
        acted = histories.weights != 0
        state._histories = UserHistories(histories.where(acted), max_history, kinds[acted])
        state._liked = Column(np.bincount(data.item[data.weight > 0], minlength=data.n_items), 0)
        state.weights.seed(data.user, data.value, data.n_users)
        asked = data.searches
        for user, time, query in zip(asked.user.tolist(), asked.time.tolist(), asked.queries, strict=True):
            state._search(user, time, query)
        return state

    @property
    def items(self) -> Vocabulary:
        """Ids of the items."""
        return self._shelf.ids

    @property
    def n_items(self) -> int:
        """Size of the catalogue, with the items that were deleted."""
        return len(self.items)

    @property
    def n_present(self) -> int:
        """How many items there are, without those that were deleted."""
        return self.n_items - len(self._shelf.deleted)

    @property
    def catalogue(self) -> Sequence[Item]:
        """One Item for each code; a bare id, not available, for what was deleted."""
        return self._shelf.items

    @property
    def liked(self) -> NDArray[np.int64]:
        """How often each item was chosen by anyone: events of positive weight, int64[n_items]."""
        return _read_only(self._liked.values)

    @property
    def open(self) -> NDArray[np.bool_]:
        """Whether each item is in the catalogue and available, whatever its time, bool[n_items]."""
        return _read_only(self._shelf.open)

    def expired(self, now: float) -> NDArray[np.bool_]:
        """Return whether the time of each item is over at ``now`` seconds, bool[n_items]."""
        return self._shelf.expired(now)

    def upcoming(self, now: float) -> NDArray[np.bool_]:
        """Return whether each item is not there yet at ``now`` seconds, bool[n_items].

        It is there from its ``created_at`` on, or from when somebody chose it, whichever comes first.
        """
        chosen: NDArray[np.bool_] = self.liked > 0
        return self._shelf.upcoming(now) & ~chosen

    def available(self, now: float) -> NDArray[np.bool_]:
        """Return whether each item may be shown at ``now`` seconds: open, and in its time, bool[n_items]."""
        return self._shelf.open & ~self._shelf.expired(now) & ~self.upcoming(now)

    def item(self, code: int) -> Item:
        """Return the item with this code."""
        return self._shelf.items[code]

    def find_item(self, item_id: str) -> Item | None:
        """Return the item with this id; None if there is none, or no more."""
        return self._shelf.find(item_id)

    def known(self, user_id: str | None) -> bool:
        """Return whether anything was ever heard of this user."""
        return user_id is not None and user_id in self.users

    def user(self, user_id: str) -> User | None:
        """Return the user with this id; None if unknown."""
        code = self.users.code(user_id)
        return None if code < 0 else self._people.get(code, User(user_id))

    def past(self, user_id: str) -> Events:
        """Return the newest events of a user and what each was, EVENT[m] oldest first; none of a stranger."""
        return self._histories.of(self.users.code(user_id))

    def has_older(self, user_id: str) -> bool:
        """Return whether the user did more than `past` holds."""
        return self._histories.has_older(self.users.code(user_id))

    def profile(self, user_id: str | None, now: float) -> Profile:
        """Return what is known of a user at ``now`` seconds, from the events that `past` holds."""
        past = self._histories.of(-1 if user_id is None else self.users.code(user_id))
        past = past[past["time"] <= now]
        labels = [self.item(code).categories for code in past["item"].tolist()]
        user = UserProfile()
        values = np.where(rated(past["kind"]), past["value"], np.nan)
        user.learn(past["item"], past["time"], past["weight"], values, labels)
        return user.at(now)

    def rated_low(self, user_id: str | None) -> Codes:
        """Return the items that the user rated below their mean, int32[m], by what `past` holds."""
        past = self._histories.of(-1 if user_id is None else self.users.code(user_id))
        past = past[rated(past["kind"]) & np.isfinite(past["value"])]
        if not len(past):
            return np.zeros(0, np.int32)
        low: Codes = np.unique(past["item"][past["value"] < past["value"].mean(dtype=np.float64) - 1e-6])
        return low

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many events `past` holds of each user by code, int64[n_users]."""
        return self._histories.counts(len(self.users))

    def newest(self, n: int) -> list[str]:
        """Return the ids of the ``n`` users who acted last, the last one first."""
        return [self.users.ids[code] for code in self._histories.newest(n).tolist()]

    @property
    def people(self) -> Mapping[int, User]:
        """Those users of whom attributes are known, by code."""
        return MappingProxyType(self._people)

    def apply(self, records: Iterable[Record]) -> Changes:
        """Take in log records, in the order of the log; those up to ``offset`` are known already."""
        changes = Changes()
        items: set[int] = set()
        for record in records:
            if record.offset <= self.offset:
                continue
            if record.kind == "event":
                self._event(event_of(record), record.time, changes, items)
            elif record.kind == "item":
                items.add(self._put(item_from(record.body)))
            elif record.kind == "item_deleted":
                if (code := self._shelf.delete(record.body["item_id"])) >= 0:
                    items.add(code)
            elif record.kind == "user":
                user = user_from(record.body)
                self._people[self.users.add(user.user_id)] = user
                changes.users.add(user.user_id)
            elif record.kind == "user_deleted":
                changes.forgotten += self._forget(record.body["user_id"])
                changes.users.add(record.body["user_id"])
            self.offset = record.offset
        changes.items = sorted(items)
        return changes

    def histories(
        self,
        user_ids: Sequence[str | None],
        now: float | Sequence[float],
        extra: Sequence[Sequence[Event]] = (),
    ) -> Histories:
        """Return the newest events of each user side by side; nobody's and a stranger's are empty.

        Args:
            user_ids: Who; None for a session without an id.
            now: Time of the question in seconds, one for all or one for each.
            extra: For each user, events that are not in the log, oldest first; unknown items are left out.
        """
        codes = [-1 if name is None else self.users.code(name) for name in user_ids]
        more = extra or [()] * len(codes)
        tails = [self._session(code, events) for code, events in zip(codes, more, strict=True)]
        events, offsets = self._histories.gather(codes, tails)
        times = np.broadcast_to(np.asarray(now, np.float64), len(codes))
        searched = [
            [
                *self._searches.get(code, ()),
                *((e.timestamp, e.query[:LONGEST_SEARCH]) for e in asked if e.query),
            ]
            for code, asked in zip(codes, more, strict=True)
        ]
        return Histories(
            events["item"],
            events["time"],
            events["weight"],
            offsets,
            times,
            values=events["value"],
            users=np.array(codes, np.int32),
            searches=Searched.of(searched) if any(searched) else None,
            kinds=events["kind"],
        )

    def searched(self, user_id: str) -> list[tuple[float, str]]:
        """Return the newest searches of a user, oldest first: (seconds, text)."""
        return list(self._searches.get(self.users.code(user_id), ()))

    def standing(
        self, user_id: str | None, extra: Sequence[Event] = (), since: float | None = None
    ) -> tuple[Codes, Codes]:
        """Return the codes of items that the user has had, and of those disliked.

        Had is what an event of positive weight was ever about; with ``since`` seconds, what was had later
        than that, as far as the newest ``max_history`` events tell. Of likes and dislikes of one item the
        last one counts. ``extra`` as in `histories`.
        """
        code = -1 if user_id is None else self.users.code(user_id)
        return self._histories.standing(code, self._session(code, extra), since)

    def state(self) -> State:
        """Return arrays and a JSON document from which `restore` makes an equal state."""
        arrays = self._histories.state(len(self.users))
        arrays["liked"] = self._liked.values.copy()
        self.weights.sums.grow(len(self.users))
        self.weights.counts.grow(len(self.users))
        arrays["rating_sum"] = self.weights.sums.values.copy()
        arrays["rating_count"] = self.weights.counts.values.copy()
        document = {
            "offset": self.offset,
            "log": self.log,
            "name": self.name,
            "max_history": self.max_history,
            "events": msgspec.to_builtins(self.weights.table),
            "users": self.users.ids.copy(),
            "catalogue": [to_body(item) for item in self.catalogue],
            "people": {str(code): dict(user.attributes) for code, user in self._people.items()},
            "deleted": sorted(self._shelf.deleted),
            "searches": {str(code): list(asked) for code, asked in sorted(self._searches.items())},
        }
        return arrays, document

    def restore(self, state: State) -> None:
        """Become the state whose `state` this is."""
        arrays, document = state
        self.offset, self.log, self.name = document["offset"], document.get("log"), document["name"]
        self.max_history = document["max_history"]
        self.weights = Weights(msgspec.convert(document["events"], EventsTable))
        self.weights.sums = Column(arrays["rating_sum"], 0.0)
        self.weights.counts = Column(arrays["rating_count"], 0)
        self.users = Vocabulary(document["users"])
        self._people = {
            int(code): User(self.users.ids[int(code)], attributes)
            for code, attributes in document["people"].items()
        }
        self._shelf = Shelf(map(item_from, document["catalogue"]), document["deleted"])
        self._histories = UserHistories.restore(arrays, self.max_history)
        self._liked = Column(arrays["liked"], 0)
        self._searches = {}
        for code, asked in document.get("searches", {}).items():
            for time, query in asked:
                self._search(int(code), time, query)

    def keep(self, max_history: int) -> None:
        """Keep ``max_history`` events of a user in full from now on.

        With fewer than before it is the state that had always kept so many. What was cut does not come back.
        """
        self.max_history = self._histories.max_history = max_history

    def _search(self, user: int, time: float, query: str) -> None:
        kept = self._searches.setdefault(user, deque(maxlen=MOST_SEARCHES))
        kept.append((time, query[:LONGEST_SEARCH]))

    def _event(self, event: Event, logged: float, changes: Changes, items: set[int]) -> None:
        user = self.users.add(event.user_id)
        changes.users.add(event.user_id)
        weight = self.weights.add(user, event)
        if event.query:
            self._search(user, event.timestamp, event.query)
        if event.item_id is None:
            return
        item = self.items.code(event.item_id)
        if item < 0:
            item = self._put(Item(event.item_id))
            items.add(item)
        if weight:
            row = _row(item, event, weight)
            self._histories.append(user, *row)
            changes.events.append((user, item, min(row[1], logged), *row[2:4]))
        if weight > 0:
            self._liked.values[item] += 1

    def _put(self, item: Item) -> int:
        code = self._shelf.put(item)
        self._liked.grow(code + 1)
        return code

    def _forget(self, user_id: str) -> list[int]:
        if user_id not in self.users:
            return []
        code = self.users.forget(user_id)
        self._people.pop(code, None)
        self._searches.pop(code, None)
        self._histories.forget(code)
        self.weights.forget(code)
        return [code]

    def _session(self, user: int, events: Sequence[Event]) -> Events:
        rows = []
        for event in events:
            item = -1 if event.item_id is None else self.items.code(event.item_id)
            weight = self.weights.ask(user, event)
            if item >= 0 and weight:
                rows.append(_row(item, event, weight))
        return np.array(rows, EVENT)


def _row(item: int, event: Event, weight: float) -> tuple[int, float, float, float, int]:
    value = np.nan if event.value is None else event.value
    return item, event.timestamp, weight, value, KINDS.get(event.event_type, -1)


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    view = values.view()
    view.flags.writeable = False
    return view
