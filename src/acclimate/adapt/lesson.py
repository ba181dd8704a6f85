"""What is learned from the log on top of a snapshot, and what is held back to judge it by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from acclimate.adapt.foreseen import Foreseen
from acclimate.adapt.questions import Questions
from acclimate.adapt.slow import Slow
from acclimate.evaluate.keeping import joined, part_of
from acclimate.events.log import Record
from acclimate.rng import scattered
from acclimate.snapshot import Loaded
from acclimate.state.changes import Happened, stream
from acclimate.types import Histories, Model, State

HELD_BACK, AT_MOST = 5, 2
"""Of so many users the events of one are held back, other users in each round; where there are few users,
of fewer, but no more than half of them."""
PASSED = 500
"""Events of one user that are learned in a round, each item once: what is more changes nobody's lists."""
LASTING = ("lasting", "alarming")
"""Levels of drift at which learning faster has not mended it."""
OLDER, EACH = 1_000, 20
"""Questions of earlier rounds that are kept, and of a user in one round, so that nobody pushes out others."""


class Lesson:
    """One round of the learner: a pure fold of the log, from a snapshot to the next candidate.

    Each event of a user who is held back in this round is a question that no model has learned; it is
    learned when the next round begins.

    Args:
        loaded: The snapshot, as it was read; its model learns and its state goes on.
        current: The same model once more; it stays as it is.
        kept: What an earlier round left beside the snapshot; None if nothing did.
        seed: Of what is replayed, and dropped.
        adapter: Which weights learn, a key of `acclimate.adapt.growing.WEIGHTS`.
        enough: Users of whom events have to be held back; of twice as many they are, where there are any.

    Raises:
        InputError: The model cannot go on learning; says why.
    """

    def __init__(
        self,
        loaded: Loaded,
        current: Model,
        kept: State | None = None,
        *,
        seed: int = 0,
        adapter: str = "off",
        enough: int = 0,
    ) -> None:
        self.slow, self.state, self.current = (
            Slow(loaded.model, seed=seed, adapter=adapter),
            loaded.state,
            current,
        )
        self.one_in = HELD_BACK
        if enough:
            self.one_in = max(AT_MOST, min(HELD_BACK, len(loaded.state.users.ids) // (2 * enough)))
        self.newest, self.before = Questions(), Questions(OLDER)
        self.number, self.learned, self.judged, self.offset = 0, 0, 0, loaded.state.offset
        self.flushed = 0
        self.earlier: str | None = None
        """The snapshot whose place this one has taken, as long as it may have to come back."""
        self._fresh, self._held = list[Happened](), list[Happened]()
        self._items, self._asked = set[int](), Counter[int]()
        self._once, self._own = set[tuple[int, int]](), Counter[int]()
        """What was done in this round, and by whom how often, up to what counts."""
        self._models: list[Model] = [self.slow, current]
        self._begin(loaded.model.state(), kept or ({}, {}))

    def beside(self, model: Model) -> None:
        """Let ``model`` know of all items, too, from now on."""
        self._models.append(model)
        self._hand_over(model, set(range(model.n_items, self.state.n_items)))

    @property
    def asked(self) -> int:
        """Users who can be asked about, as events of theirs were held back in this round."""
        return len(self._asked)

    def skip(self, records: Sequence[Record]) -> None:
        """Take in records that were dealt with before: who did what is known, and nothing is learned."""
        changes = self.state.apply(records)
        self._items |= set(changes.items)
        for user in changes.forgotten:
            self._forget(user)

    def take(self, records: Sequence[Record], *, every: int, users: int) -> bool:
        """Learn from ``records``, in the order of the log, until there is enough to be judged.

        Args:
            records: Those behind ``state.offset``.
            every: Events that a candidate has learned, at least.
            users: Users of whom events were held back, at least.

        Returns:
            Whether there is enough; the rest of the records is not taken in then.
        """
        for record in records:
            if self.ripe(every, users):
                break
            history = self._history(record)
            changes = self.state.apply([record])
            if (self._fresh or self.foreseen.waits) and (changes.items or changes.forgotten):
                self.flush()
            self._items |= set(changes.items)
            for user in changes.forgotten:
                self._forget(user)
            for event in changes.events:
                self._event(event, history, record.offset)
        self.flush()
        return self.ripe(every, users)

    def ripe(self, every: int, users: int) -> bool:
        """Return whether ``every`` events were learned since it was judged, and ``users`` can be asked."""
        return self.learned - self.judged >= every and self.asked >= users

    def flush(self) -> None:
        """Learn what waits, with the items that are there by now, and see how well it was foreseen."""
        if self._items:
            for model in self._models:
                self._hand_over(model, self._items)
            self._items = set()
        if self._fresh:
            self.slow.learn(stream(self._fresh))
            self.flushed += len(self._fresh)
            self._fresh = []
        if self.foreseen.waits:
            self.foreseen.look()
            self._heed()

    def held(self, user: int) -> bool:
        """Return whether the events of the user with this code are held back in this round."""
        return bool(scattered([user * 2**20 + self.number % 2**20])[0] % np.uint64(self.one_in) == 0)

    def left(self, earlier: str) -> State:
        """Return what the next round begins with, where what was learned takes the place of ``earlier``."""
        older = Questions(OLDER)
        older.take(self.before)
        older.take(self.newest)
        arrays, about = self.slow.state()
        learned = {name: part for name, part in arrays.items() if not name.startswith("base.")}
        slow = learned, {name: part for name, part in about.items() if name != "base"}
        kept = joined({"slow": slow, "older": older.state(), "drift": self.foreseen.state()})
        return beginning(kept, self._held, self.number + 1, self.state.offset, earlier)

    def again(self) -> State:
        """Return what the next round begins with, where what was learned in this one is dropped."""
        names = [name for name in ("slow", "older") if name in self._kept[1]]
        kept = {name: part_of(self._kept, name) for name in names} | {"drift": self.foreseen.state()}
        return beginning(joined(kept), [], self.number + 1, self.state.offset, self.earlier)

    def anew(self, earlier: str) -> State:
        """Return what a round begins with, where a full fit takes the place of ``earlier``."""
        kept = joined({"drift": self.foreseen.fitted()})
        return beginning(kept, [], self.number + 1, 0, earlier)

    def _begin(self, base: State, kept: State) -> None:
        self._kept = kept
        self.foreseen = Foreseen(self.current, part_of(kept, "drift") if "drift" in kept[1] else None)
        if "slow" in kept[1]:
            arrays, document = part_of(kept, "slow")
            own, about = joined({"base": base})
            self.slow.restore(({**arrays, **own}, {**document, **about}))
            self.slow.hold_on()
            self.before = Questions.restored(part_of(kept, "older"))
        else:
            self.slow.go_on(self.state)
        self._heed()
        if "round" in kept[1]:
            arrays, about = part_of(kept, "round")
            self.number, self.offset, self.earlier = about["number"], about["offset"], about["earlier"]
            self._fresh = [(int(row[0]), int(row[1]), *row[2:]) for row in arrays["due"].tolist()]
            self.learned = len(self._fresh)

    def _heed(self) -> None:
        """Let the slow clock know of drift."""
        finding = self.foreseen.finding
        self.slow.rate, self.slow.weights.lasting = finding.rate, finding.level in LASTING

    def _history(self, record: Record) -> Histories | None:
        """Return what is known of the user of an event that is held back, before it is."""
        if record.kind != "event":
            return None
        user_id = record.body["user_id"]
        code = self.state.users.code(user_id)
        return self.state.histories([user_id], record.time) if code >= 0 and self.held(code) else None

    def _event(self, event: Happened, history: Histories | None, offset: int) -> None:
        user, item, time, weight, _ = event
        if weight <= 0 or (user, item) in self._once or self._own[user] >= PASSED:
            return
        self._once.add((user, item))
        self._own[user] += 1
        if not self.held(user):
            self._fresh.append(event)
            self.learned += 1
            return
        if history is None:  # the first that is heard of this user
            history = Histories.of([[]], now=[time], users=[user])
        self._held.append(event)
        if self._asked[user] < EACH and self.newest.add(history, item, offset):
            self._asked[user] += 1
            if self.foreseen.add(history, item, self.state.item(item).categories):
                self.flush()

    def _forget(self, user: int) -> None:
        self.slow.forget(user)
        self.newest.forget(user)
        self.before.forget(user)
        self._held = [event for event in self._held if event[0] != user]
        self._fresh = [event for event in self._fresh if event[0] != user]
        self._asked.pop(user, None)
        self._own.pop(user, None)
        self._once = {pair for pair in self._once if pair[0] != user}

    def _hand_over(self, model: Model, changed: set[int]) -> None:
        codes = sorted({*changed, *range(model.n_items, self.state.n_items)})
        if codes:
            model.put_items(np.array(codes, np.int32), [self.state.item(code) for code in codes])


def beginning(kept: State, due: Sequence[Happened], number: int, offset: int, earlier: str | None) -> State:
    """Return what a round begins with.

    Args:
        kept: What is known of the slow clock and of older questions; nothing if both begin anew.
        due: Events that are learned first.
        number: Counts rounds; other users are held back in each.
        offset: What is in the log up to here was dealt with.
        earlier: The snapshot whose place the one beside has taken, or None.
    """
    events = np.array(due, np.float64).reshape(-1, 5)
    about = {"number": number, "offset": offset, "earlier": earlier}
    arrays, document = joined({"round": ({"due": events}, about)})
    return {**kept[0], **arrays}, {**kept[1], **document}
