"""The service without HTTP: one log, one model thread, and the order in which they are used."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TypeVar

from acclimate.config import Home, Settings
from acclimate.errors import AcclimateError, BusyError
from acclimate.events.codec import slate_entry, slate_from
from acclimate.events.log import Appended, Entry, Record
from acclimate.events.sqlite import SqliteLog
from acclimate.recommend import Recommender
from acclimate.serve.batching import Batcher
from acclimate.serve.load import catch_up, check_log, load_recommender, remember
from acclimate.serve.monitor import Monitor
from acclimate.serve.uptake import LOOK_EVERY, Uptake
from acclimate.types import Item, Listed, Query, Slate

logger = logging.getLogger("acclimate.serve")
T = TypeVar("T")
FEW = 100
"""So many entries are checked and encoded in less than a millisecond or two."""
LINGER = 0.05
"""Seconds for which answers may wait to be logged together; a write takes along what waits before it."""
FEW_USERS, PAUSE = 4, 0.05
"""So many users are read anew after they acted, and so many seconds lie between two times."""
TELL_EVERY = 60.0
"""Seconds between two lines about answers that cannot be logged."""
Shown = tuple[Slate, list[Item]]
"""A slate, and what its items are at the same moment."""


class Engine:
    """Writes are durable, then applied, then acknowledged; questions are scored together.

    One thread owns the model and the state: it folds the log and it answers. So an answer never sees half
    an update, and the next request of a user sees the event that was just acknowledged. The event loop
    waits for neither the disk nor the model.

    Args:
        home: The folder that holds the log and the snapshots; made if it is missing.
        settings: The events, policy and serve tables are used.
        load: Builds what answers.
        settle: Called on the model thread when something else answers from now on.

    Example:
        >>> import tempfile
        >>> async def main(folder):
        ...     engine = Engine(Home(folder), Settings())
        ...     await engine.start()
        ...     await engine.until_ready()
        ...     slate, _ = await engine.recommend(Query(user_id="ann", k=3))
        ...     await engine.stop()
        ...     return slate.items, slate.fallback
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     asyncio.run(main(folder))
        ((), 'no model yet: run `acclimate train`; no item may be listed: the catalogue is empty')
    """

    def __init__(
        self,
        home: Home,
        settings: Settings,
        load: Callable[[Home, Settings], Recommender] = load_recommender,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self.home, self.settings, self.monitor = home, settings, Monitor()
        self.failure: Exception | None = None
        self.offset = 0
        self.when_ready: Callable[[], None] = lambda: None
        self.when_failed: Callable[[], None] = lambda: None
        self._load_recommender, self._settle = load, settle
        self._uptake = Uptake(home, settings, load)
        self._unlogged: str | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="acclimate-model")
        self._batcher: Batcher[Query, Shown] = Batcher(self._thread, self._answer)
        self._log: SqliteLog | None = None
        self._recommender: Recommender | None = None
        self._loading: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._told = self._read_at = -math.inf
        self._last_slate: Future[Appended] | None = None

    async def start(self) -> None:
        """Begin to open the log, load the snapshot and catch up; returns at once."""
        self._loading = asyncio.create_task(self._load())

    async def until_ready(self) -> None:
        """Wait until the log is caught up.

        Raises:
            AcclimateError: The log is held by another process, or the snapshot is broken.
        """
        assert self._loading is not None, "start() comes first"
        await self._loading
        if self.failure is not None:
            raise self.failure

    async def stop(self) -> None:
        """Finish what was begun, make it durable, and let go of the log."""
        if self._loading is not None:
            await self._loading
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
        self.monitor.ready.set(0)
        await asyncio.to_thread(self._thread.shutdown, wait=True)
        if self._log is not None:
            await asyncio.to_thread(self._log.close)

    @property
    def ready(self) -> bool:
        """Whether the log is caught up, so that questions may come."""
        return self._recommender is not None

    @property
    def recommender(self) -> Recommender:
        """What answers; only the model thread may use it.

        Raises:
            BusyError: Still starting.
        """
        if self._recommender is None:
            raise BusyError("the service is starting: it reads its log; try again soon", code="starting")
        return self._recommender

    @property
    def degraded(self) -> str | None:
        """What works less well just now: answers are not logged, a snapshot is not taken up; or None."""
        return "; ".join(why for why in (self._unlogged, self._uptake.trouble) if why) or None

    async def ask(self, question: Callable[[Recommender], T]) -> T:
        """Return ``question(recommender)`` of what answers when the model thread comes to it."""
        _ = self.recommender
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: question(self.recommender))

    async def recommend(self, query: Query) -> Shown:
        """Return a list and its items; it is logged without being waited for."""
        _ = self.recommender
        with self.monitor.stage("model"):
            slate, items = await self._batcher.ask(query)
        self._log_slate(slate)
        return slate, items

    async def write(self, entries: Sequence[Entry]) -> Appended:
        """Append ``entries``, all or none, and return after they are durable and applied.

        Raises:
            ConflictError: An event id stands for other content already.
            BusyError: Starting, or more is waiting than the log can take.
        """
        _ = self.recommender
        assert self._log is not None
        with self.monitor.stage("log"):
            log = self._log
            appending = await aside(lambda: log.append(entries), len(entries))
            appended = await asyncio.wrap_future(appending)
        users = await self.ask(self._catch_up)
        self._remember(users)
        if entries:  # of one kind: a route writes either events, items or users
            self.monitor.records.labels(entries[0].kind).inc(appended.accepted)
        self.monitor.duplicates.inc(appended.duplicates)
        return appended

    async def forget(self, user_id: str) -> Appended:
        """Erase a user from the log, then from the state."""
        _ = self.recommender
        assert self._log is not None
        appended = await asyncio.wrap_future(self._log.forget(user_id))
        await self.ask(self._catch_up)
        return appended

    async def logged_slate(self, request_id: str) -> Slate | None:
        """Return the answer to a request if the log has it or is about to."""
        _ = self.recommender
        assert self._log is not None
        log, last = self._log, self._last_slate

        def find() -> Record | None:
            wait([] if last is None else [last])
            return log.find("slate", request_id)

        record = await asyncio.to_thread(find)
        return None if record is None else slate_from(record.body)

    async def _load(self) -> None:
        try:
            recommender = await asyncio.get_running_loop().run_in_executor(self._thread, self._open)
        except Exception as error:
            self.failure = error
            if not isinstance(error, AcclimateError):
                logger.error("could not start", exc_info=error)
            self.when_failed()
            return
        self._recommender = recommender
        self._following = asyncio.create_task(self._follow())
        self.monitor.ready.set(1)
        self.when_ready()

    async def _follow(self) -> None:
        """Take up what is published, as long as it serves."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with suppress(RuntimeError):  # the thread was shut down
                await self.take_up()

    async def take_up(self) -> None:
        """Let the current snapshot answer, if it is another than the one that does and can be used."""
        serving, told = self.recommender.snapshot_id, self._uptake.trouble
        fresh = await asyncio.to_thread(self._uptake.bring, serving)
        if fresh is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._switch, fresh)
        elif (trouble := self._uptake.trouble) and trouble != told:
            logger.error("%s", trouble)

    def _open(self) -> Recommender:
        self.home.path.mkdir(parents=True, exist_ok=True)
        self._log = SqliteLog(self.home.log)
        recommender = self._load_recommender(self.home, self.settings)
        check_log(recommender, self._log)
        self._catch_up(recommender)
        remember(recommender)
        self._show(recommender)
        self._settle()
        return recommender

    def _switch(self, fresh: Recommender) -> None:
        """Let ``fresh`` answer from now on; it knows all that was acknowledged."""
        try:
            self._catch_up(fresh)
        except Exception as error:  # it stays as it was
            self._uptake.refuse(f"snapshot {fresh.snapshot_id}", self.recommender.snapshot_id, error)
            logger.error("%s", self._uptake.trouble)
            return
        self._recommender, self._uptake.trouble = fresh, None
        self._show(fresh)
        self._settle()

    def _show(self, recommender: Recommender) -> None:
        """Name what answers at /metrics."""
        named = recommender.snapshot_id or "none", recommender.model.name, recommender.policy.name
        self.monitor.snapshot.clear()
        self.monitor.snapshot.labels(*named).set(1)

    def _catch_up(self, recommender: Recommender) -> set[str]:
        assert self._log is not None
        users = catch_up(recommender, self._log)
        self.offset = recommender.state.offset
        self.monitor.offset.set(self.offset)
        return users

    def _remember(self, users: set[str]) -> None:
        """Read who just acted, as their lists are asked for next; in a flood it would be in the way."""
        now = time.monotonic()
        if self.recommender.remembers and 0 < len(users) <= FEW_USERS and now - self._read_at >= PAUSE:
            self._read_at = now
            with suppress(RuntimeError):  # the thread was shut down
                self._thread.submit(self.recommender.remember, sorted(users))

    def _answer(self, queries: Sequence[Query]) -> list[Shown]:
        self.monitor.batch.observe(len(queries))
        slates = self.recommender.recommend_many(list(queries))
        return [(slate, items_of(self.recommender, slate.items)) for slate in slates]

    def _log_slate(self, slate: Slate) -> None:
        assert self._log is not None
        try:
            written = self._log.append([slate_entry(slate)], linger=LINGER)
        except BusyError as error:
            self._slate_lost(error)
        else:
            self._last_slate = written
            written.add_done_callback(self._slate_written)

    def _slate_written(self, written: Future[Appended]) -> None:
        if (error := written.exception()) is not None:
            self._slate_lost(error)
        else:
            self._unlogged = None
            self.monitor.records.labels(kind="slate").inc(written.result().accepted)

    def _slate_lost(self, error: BaseException) -> None:
        """Count an answer that is not in the log, show it in `degraded`, and tell it once a minute."""
        self.monitor.lost_slates.inc()
        why = error.message if isinstance(error, AcclimateError) else type(error).__name__
        self._unlogged = f"answers are not logged: {why}"
        now = time.monotonic()
        if now - self._told >= TELL_EVERY:
            self._told = now
            logger.error("%s; acclimate_lost_slates_total at /metrics counts them", self._unlogged)


async def aside(work: Callable[[], T], size: int) -> T:
    """Return ``work()``, done on a thread if it handles more than a few things, so that others may go on."""
    return await asyncio.to_thread(work) if size > FEW else work()


def items_of(recommender: Recommender, places: Sequence[Listed]) -> list[Item]:
    """Return what is known of the items of a list."""
    state = recommender.state
    return [state.item(state.items.code(place.item_id)) for place in places]
