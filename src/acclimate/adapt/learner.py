"""The learner: a process beside the servers that reads the log, learns, stands before the gate, publishes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing

import msgspec
import numpy as np

from acclimate.adapt.account import Account
from acclimate.adapt.against import ENOUGH, against_users
from acclimate.adapt.beside import Beside
from acclimate.adapt.deep import FITTED, Deep
from acclimate.adapt.drift import Finding
from acclimate.adapt.gate import next_verdict
from acclimate.adapt.lesson import Lesson, beginning
from acclimate.adapt.questions import Questions
from acclimate.config import Home, Settings
from acclimate.durations import lasting
from acclimate.errors import AcclimateError, ConflictError, NotFoundError
from acclimate.events.log import check_continues
from acclimate.events.sqlite import SqliteLog
from acclimate.locks import lock
from acclimate.snapshot import Registry, Snapshot
from acclimate.types import Model
from acclimate.words import counted

AT_ONCE, LOOK_EVERY, TRY_AGAIN, TELL_EVERY = 512, 1.0, 60.0, 10.0
"""Records that are read together; seconds between two looks at the log, after a full disk, and between two
lines about how far it is."""
NOTHING = "nothing to learn on yet: acclimate train --model sequence"
REST = 600.0
"""Seconds between a full fit that failed and the next one."""
KEPT = 5
"""Snapshots of the learner that stay, beside the current one and the one before."""
LIVE = "live_ndcg@10"
"""The figure that snapshots of the learner have, and no others."""
PASSING = frozenset({"not_writable", "busy"})
"""Errors that may pass: the disk is full, or another process publishes at this moment."""


class Learner:
    """Learns from what is logged, on top of the current snapshot, and publishes what passes the gate.

    All that it does follows from the current snapshot, what it kept beside that, and the log: killed at any
    point, it begins the round again, counts nothing twice and skips nothing.

    Args:
        home: Where log and snapshots lie.
        settings: The table ``adapt``.
        say: Hears a line for each thing that happens.
        pause: Waits for so many seconds, when there is nothing to read.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Learner(Home(folder), Settings()).run(once=True)
        Traceback (most recent call last):
        ...
        acclimate.errors.NotFoundError: nothing to learn on yet: acclimate train --model sequence
    """

    def __init__(
        self,
        home: Home,
        settings: Settings,
        *,
        say: Callable[[str], None] = lambda line: None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.home, self.settings, self.account = home, settings, Account()
        self.registry, self.beside = Registry(home.snapshots), Beside(home.learner)
        self._say, self._pause = say, pause
        self._log: SqliteLog | None = None
        self._told = time.monotonic()
        self._waited_in: Lesson | None = None
        """The round in which it was said that there is nobody to judge a candidate by."""
        self._earlier: Model | None = None
        """The model whose place the current one has taken; None once that has stood its ground."""
        self.deep = Deep(home, settings)
        self._answered: int | None = None
        """The event at which drift asked for the full fit that was begun last."""
        self._fitted_at = 0.0
        """When the last full fit was begun, or ended, in seconds since 1970."""
        self._rests_until = 0.0
        """When a full fit may be begun again after one that failed."""

    def run(self, *, once: bool = False) -> Account:
        """Learn until it is stopped, or ``once`` up to the end of the log.

        Raises:
            BusyError: Another learner is at work in this home.
            NotFoundError: There is no snapshot to learn on.
            InputError: Its model cannot go on learning; says why.
            CorruptError: A file is damaged, or the log is another one.
        """
        with (
            self._alone(),
            ExitStack() as files,
            closing(self.deep),
        ):
            self._open()
            while True:
                try:
                    read = self._read(files)
                    self._deepen(once=once and not read)
                    if not read and once:
                        self._last()
                        return self.account
                    wait = 0.0 if read else LOOK_EVERY
                except AcclimateError as error:
                    if once or error.code not in PASSING:
                        raise
                    self._note(f"{error.message}; it is tried again in {TRY_AGAIN:.0f} s")
                    wait = TRY_AGAIN
                if wait:
                    self._pause(wait)

    def _alone(self) -> AbstractContextManager[None]:
        """Be the only learner of a home that has something to learn on."""
        if self.registry.pointer() is None:
            raise NotFoundError(NOTHING, code="no_snapshot")
        return lock(self.home.path / "learning.lock", what=f"learning in {self.home.path}")

    def _read(self, files: ExitStack) -> int:
        """Deal with the next records; return how many there were."""
        if (pointer := self.registry.pointer()) != self.snapshot.id:
            self._say(
                f"{pointer} is current now, in place of {self.snapshot.id}: learning goes on from there"
            )
            self._open()
        lesson, adapt = self.lesson, self.settings.adapt
        if self._log is None:
            if not self.home.log.exists():
                return 0
            self._log = files.enter_context(closing(SqliteLog(self.home.log, readonly=True)))
        check_continues(self._log, lesson.state.log, lesson.state.offset, f"snapshot {self.snapshot.id}")
        lesson.state.log = self._log.id
        log = self._log
        records = log.read(lesson.state.offset, AT_ONCE)
        known = [record for record in records if record.offset <= lesson.offset]
        lesson.skip(known)
        was = lesson.flushed
        ripe = lesson.take(records[len(known) :], every=adapt.publish_every, users=ENOUGH)
        self.account.events += lesson.flushed - was
        self.account.offset, self.account.open = lesson.state.offset, lesson.learned - lesson.judged
        self._tell_drift(lesson.foreseen.finding)
        for line in lesson.slow.weights.heard():
            self._note(line)
        if records and (now := time.monotonic()) - self._told >= TELL_EVERY:
            self._told = now
            self._say(f"learned {self.account.events:,} events: at {lesson.state.offset:,} of {log.offset:,}")
        if ripe:
            self._judge()
            self.account.open = self.lesson.learned - self.lesson.judged
        elif lesson.learned - lesson.judged >= adapt.publish_every and self._waited_in is not lesson:
            self._waited_in = lesson
            self._say(f"a candidate is due, and waits: {self._asked_too_few()}")
        return len(records)

    def _asked_too_few(self) -> str:
        return (
            f"to judge by, there are events of {counted(self.lesson.asked, 'user')} that were held back (one "
            f"in {self.lesson.one_in}), {ENOUGH} are needed"
        )

    def _last(self) -> None:
        """At the end of the log: judge what was learned, if there are enough users to judge it by."""
        lesson = self.lesson
        if lesson.learned > lesson.judged and lesson.asked >= ENOUGH:
            self._judge()
            self.account.open = self.lesson.learned - self.lesson.judged
        elif lesson.learned > lesson.judged:
            self._note(
                f"{counted(lesson.learned - lesson.judged, 'event')} of these are in no snapshot: "
                f"{self._asked_too_few()}. They are learned again with those that follow"
            )

    def _open(self) -> None:
        """Begin a round on top of what is current."""
        snapshot = self.registry.current()
        if snapshot is None:
            raise NotFoundError(NOTHING, code="no_snapshot")
        cache = self.home.cache / "vectors"
        self._go_back(snapshot)
        loaded, kept = snapshot.load(cache), self.beside.get(snapshot.id)
        self.snapshot, self._earlier = snapshot, None
        seed, adapter = self.settings.train.seed, self.settings.adapt.adapter
        current = snapshot.load(cache).model
        lesson = Lesson(loaded, current, kept, seed=seed, adapter=adapter, enough=ENOUGH)
        self.lesson = lesson
        every = self.registry.list()
        self._full = max((each.manifest["created"] for each in every if _full(each)), default=0.0)
        if lesson.earlier in {each.id for each in every}:
            before = self.registry.get(str(lesson.earlier)).load(cache)
            if before.state.items.ids == loaded.state.items.ids[: len(before.state.items.ids)]:
                self._earlier = before.model
                lesson.beside(self._earlier)
        for note in loaded.notes:
            self._note(f"snapshot {snapshot.id}: {note}")

    def _go_back(self, snapshot: Snapshot) -> None:
        """Where a person went back to ``snapshot``, do not learn again what led away from it."""
        last = self.beside.current
        self.beside.current = snapshot.id
        names = {each.id for each in self.registry.list()}
        if last in (None, snapshot.id) or last not in names:
            return
        was = self.registry.get(str(last)).manifest
        own = self.beside.get(snapshot.id)
        if own is not None and own[1].get("round", {}).get("earlier") == last:
            return  # a step forward, by a fit that began before
        if snapshot.manifest["created"] < was["created"]:
            kept = self.beside.get(str(last))
            self._drop(snapshot.id, max(was["offset"], kept[1]["round"]["offset"] if kept else 0))

    def _drop(self, name: str, offset: int) -> None:
        """Begin the next round on top of a snapshot behind ``offset``; what is before is not learned."""
        kept = self.beside.get(name) or ({}, {})
        was = kept[1].get("round", {"number": 0, "offset": 0, "earlier": None})
        offset = max(offset, was["offset"])
        self.beside.put(name, beginning(kept, [], was["number"] + 1, offset, was["earlier"]))

    def _judge(self) -> None:
        """Let what was learned stand before the gate, and what is current beside the one before."""
        lesson = self.lesson
        if self._earlier is not None and self._worse():
            return
        if self._judge_fitted():
            return
        known = self.snapshot.manifest["settings"]
        candidate = self.registry.write(
            lesson.slow.base,
            lesson.state,
            metrics={LIVE: against_users(lesson.newest, lesson.slow.base)},
            settings=None if known is None else msgspec.convert(known, Settings),
        )
        try:
            self.beside.put(candidate.id, lesson.left(self.snapshot.id))
        except AcclimateError:  # as on a full disk: it shall not take what room there is
            self.registry.remove(candidate)
            raise
        if self._stand(candidate, lesson.newest):
            lesson.judged = lesson.learned
        elif candidate.id in self.account.refused:
            self.beside.put(self.snapshot.id, lesson.again())
        self._tidy(candidate)
        if candidate.id not in self.account.waiting:
            self._open()

    def _stand(self, candidate: Snapshot, asked: Questions) -> bool:
        """Let a candidate stand before the gate and take the place of what is current; return whether it may.

        With ``adapt.gate = "ask"`` it waits for a person then.
        """
        lesson, asks = self.lesson, self.settings.adapt.gate == "ask"
        verdict = next_verdict(candidate, lesson.current, self.snapshot, asked, lesson.before, lesson.state)
        self.account.verdict = verdict
        try:
            if asks:
                self.registry.judge(candidate, verdict)
            else:
                self.registry.publish(candidate, verdict, instead_of=self.snapshot)
        except ConflictError as error:  # another one is current by now: this one was learned on the old
            self._note(error.message)
            return False
        except AcclimateError as error:
            if error.code != "refused":
                raise
            self.account.refused.append(candidate.id)
            self._note(error.message)
            return False
        told = self.account.waiting if asks else self.account.published
        told.append(candidate.id)
        why = next(line for line in verdict.reasons if "the current model" in line)
        place = f"is published in place of {self.snapshot.id}"
        what = f"waits for: acclimate snapshots approve {candidate.id}" if asks else place
        self._say(f"{candidate.id} {what}: {why}")
        return True

    def _deepen(self, *, once: bool) -> None:
        """Begin a full fit where one is due, and take over what it wrote; ``once``: wait for it."""
        try:
            if not self.deep.running and (why := self._due()) is not None:
                self._answered, self._fitted_at = self.lesson.foreseen.finding.deep, time.time()
                self._say(f"fitting anew on everything, from {self.snapshot.id}, in a process apart: {why}")
                self.deep.begin(self.snapshot)
            name = self.deep.ended(None if once else 0.0)
        except AcclimateError as error:
            self._answered, self._rests_until = None, time.time() + REST
            self._note(f"{error.message}; it is tried again in {lasting(REST)} if it is still wanted")
            return
        if name is not None:
            self.beside.candidate, self._fitted_at = name, time.time()
            self.account.fitted.append(name)
            self._say(f"{name} was fitted anew; it is judged by what is held back from now on")

    def _due(self) -> str | None:
        """Return why a full fit should be made now, or None."""
        adapt, finding = self.settings.adapt, self.lesson.foreseen.finding
        if adapt.deep == "off" or self.beside.candidate is not None or time.time() < self._rests_until:
            return None
        if finding.deep is not None and finding.deep != self._answered:
            return "; ".join(finding.reasons)
        since = max(self._fitted_at, self._full)
        if time.time() - since >= adapt.deep_every:
            return f"adapt.deep is {adapt.deep}"
        return None

    def _judge_fitted(self) -> bool:
        """Let what a full fit wrote stand before the gate, if there is enough that it has not learned.

        Returns:
            Whether a new round has begun with it.
        """
        name, lesson = self.beside.candidate, self.lesson
        if name is None:
            return False
        try:
            candidate = self.registry.get(name)
        except AcclimateError as error:
            self._note(f"what was fitted anew is lost: {error.message}")
            self.beside.candidate = None
            return False
        asked = lesson.newest.since(candidate.manifest["offset"])
        if len(np.unique(asked.users)) < ENOUGH:
            return False
        self.beside.put(name, lesson.anew(self.snapshot.id))
        passed = self._stand(candidate, asked)
        self.beside.candidate = None
        self._tidy(candidate)
        if not passed or name in self.account.waiting:
            return False
        self._open()
        return True

    def _tell_drift(self, finding: Finding) -> None:
        """Say when drift begins, gets worse, is over; warn a person once."""
        was, self.account.drift = self.account.drift, finding
        if finding.level == (was.level if was else "calm"):
            return
        if finding.warning is not None:
            self._note(finding.warning)
        elif finding.level == "calm":
            self._say("what was learned holds again")
        else:
            told = {"shifting": "learning faster", "lasting": "that did not mend it"}[finding.level]
            self._say(f"{'; '.join(finding.reasons)}: {told}")

    def _worse(self) -> bool:
        """Go back to the snapshot before if what took its place does worse on what came since."""
        lesson, before = self.lesson, self._earlier
        assert before is not None
        gain = against_users(lesson.newest, lesson.current, before)
        if gain.sign >= 0:
            return False
        bad, good = self.snapshot, str(lesson.earlier)
        self._drop(good, lesson.state.offset)
        self.registry.rollback(good, instead_of=bad)
        self.account.rolled_back.append(bad.id)
        self._note(
            f"went back from {bad.id} to {good}: of what came since, ndcg@10 was {gain.mean:+.4f} "
            f"[{gain.low:+.4f}, {gain.high:+.4f}] beside the one before"
        )
        self._open()
        return True

    def _tidy(self, candidate: Snapshot) -> None:
        """Delete snapshots of the learner but the newest, and what was kept beside those that are gone."""
        needed = {self.registry.pointer(), self.snapshot.id, self.lesson.earlier, candidate.id}
        needed |= {self.beside.candidate, *self.account.waiting}
        every = self.registry.list()
        made = [each for each in every if {LIVE, FITTED} & set(each.manifest.get("metrics", ()))]
        own = [each for each in made if each.id not in needed]
        for each in own[KEPT:]:
            self.registry.remove(each)
        self.beside.forget({each.id for each in self.registry.list()})

    def _note(self, line: str) -> None:
        self.account.notes.append(line)
        self._say(line)


def _full(snapshot: Snapshot) -> bool:
    """Return whether a snapshot was fitted on everything, and did not learn on."""
    return not snapshot.broken and LIVE not in snapshot.manifest.get("metrics", {})
