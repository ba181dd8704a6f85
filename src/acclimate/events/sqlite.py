"""The event log in one SQLite file: one writing process, any number of readers."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import msgspec

from acclimate.errors import AcclimateError, BusyError, ConflictError, CorruptError, InputError
from acclimate.events.files import open_log, read_id
from acclimate.events.log import KINDS, Appended, Entry, Record
from acclimate.locks import lock
from acclimate.words import counted

MAX_WAITING = 100_000
"""Records that may wait for the disk; beyond it an append is refused."""

_INSERT = 'INSERT INTO records ("offset", kind, time, key, user_id, body) VALUES (?, ?, ?, ?, ?, ?)'
_READ = 'SELECT "offset", kind, time, body FROM records WHERE "offset" > ? ORDER BY "offset" LIMIT ?'
_FIND = 'SELECT "offset", kind, time, body FROM records WHERE kind = ? AND key = ?'
_encoder = msgspec.json.Encoder(order="deterministic")


class _Row(NamedTuple):
    kind: str
    time: float
    key: str | None
    user_id: str | None
    body: bytes
    knows: int | None


@dataclass(slots=True)
class _Job:
    rows: list[_Row]
    forget: str | None = None
    due: float = 0.0
    future: Future[Appended] = field(default_factory=Future)


class SqliteLog:
    """An append-only log that acknowledges after fsync.

    Appends from any thread are gathered by one writer thread: all that wait share a transaction, so
    that the cost of an fsync is shared as well. Offsets count 1, 2, 3, ...; only `forget` leaves gaps.
    An append is all or nothing; one that conflicts is refused alone, its neighbours are written.

    Args:
        path: The file; made, with its folder, if it is not there.
        readonly: Read what another process writes. Takes no lock and never writes a record.

    Raises:
        BusyError: Another process writes this log.
        InputError: The file belongs to another application, or to a newer Acclimate.
        CorruptError: The file is damaged.
        NotFoundError: ``readonly``, and there is no such file.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     log = SqliteLog(Path(folder) / "log.sqlite")
        ...     log.append([Entry("event", {"user_id": "42", "event_type": "like"}, 1.0)]).result()
        ...     [record.body["user_id"] for record in log.read(after=0)]
        ...     log.close()
        Appended(accepted=1, duplicates=0, offset=1)
        ['42']
    """

    def __init__(self, path: str | Path, *, readonly: bool = False) -> None:
        self.path, self.readonly = Path(path), readonly
        self._reading, self._wake = threading.Lock(), threading.Condition()
        self._queue: list[_Job] = []
        self._waiting, self._due = 0, math.inf
        self._closed = False
        self._thread: threading.Thread | None = None
        with ExitStack() as files:
            if not readonly:
                beside = self.path.with_name(self.path.name + ".lock")  # SQLite's own locks are on the file
                files.enter_context(lock(beside, what=f"writing {self.path}"))
                self._writer = files.enter_context(closing(open_log(self.path, readonly=False)))
            self._reader = files.enter_context(closing(open_log(self.path, readonly=readonly)))
            self._offset = self._last()
            self._files = files.pop_all()
        if not readonly:
            self._thread = threading.Thread(target=self._write, name="event-log", daemon=True)
            self._thread.start()

    @property
    def id(self) -> str | None:
        """Random, and of this log alone; a copy has the same. None for an old log that is only read."""
        with self._reading, _mended(self.path):
            return read_id(self._reader)

    @property
    def offset(self) -> int:
        """Offset of the last durable record; 0 for an empty log."""
        return self._last() if self.readonly else self._offset

    def append(self, entries: Sequence[Entry], *, linger: float = 0.0) -> Future[Appended]:
        """Write all of ``entries`` or none.

        For up to ``linger`` seconds they may wait for others to go with them, if nobody waits for them: an
        append without it, or `close`, takes along what waits.

        An entry whose key was used before for the same kind and content is a duplicate and is not
        written again; nor is one that was made of what `forget` has erased since. The future's result
        comes after the records are durable; its exception is a ConflictError if a key was used before
        for another content.

        Raises:
            BusyError: Too much waits for the disk already; try again.
            InputError: An entry is not JSON, or not Unicode, or of no known kind.
        """
        due = time.monotonic() + linger if linger else 0.0
        return self._submit(_Job([_row(entry) for entry in entries], due=due))

    def forget(self, user_id: str) -> Future[Appended]:
        """Erase every record of a user from the file, and write a ``user_deleted`` in their place.

        The record keeps the id, for readers and snapshots that still know the user. Nothing else of the
        user is left in the file, nor in its write-ahead log unless another process is reading: then that
        is emptied at a later checkpoint. Event ids of erased events are free again.
        """
        now = time.time()
        return self._submit(_Job([_row(Entry("user_deleted", {"user_id": user_id}, now))], forget=user_id))

    def read(self, after: int, limit: int = 10_000) -> list[Record]:
        """Return up to ``limit`` records behind offset ``after``, in order; [] at the end."""
        return self._select(_READ, (after, limit))

    def find(self, kind: str, key: str) -> Record | None:
        """Return the record of this kind that was written under ``key``, if it is there."""
        return next(iter(self._select(_FIND, (kind, key))), None)

    def close(self) -> None:
        """Write what waits, and let go of the files. A second call does nothing."""
        if self._thread is not None:
            with self._wake:
                self._closed = True
                self._wake.notify()
            self._thread.join()
        self._closed = True
        with self._reading:
            self._files.close()

    def _select(self, query: str, arguments: tuple[object, ...]) -> list[Record]:
        with self._reading, _mended(self.path):
            rows = self._reader.execute(query, arguments).fetchall()
            return [Record(at, kind, when, msgspec.json.decode(body)) for at, kind, when, body in rows]

    def _last(self) -> int:
        with self._reading, _mended(self.path):
            return int(self._reader.execute('SELECT coalesce(max("offset"), 0) FROM records').fetchone()[0])

    def _submit(self, job: _Job) -> Future[Appended]:
        if self._thread is None:
            raise InputError(f"{self.path} is open for reading only")
        with self._wake:
            if self._closed:
                raise BusyError(f"{self.path} is closed: the service is stopping")
            if self._waiting and self._waiting + len(job.rows) > MAX_WAITING:
                raise BusyError(
                    f"{counted(self._waiting, 'record waits', 'records wait')} for the disk, {MAX_WAITING} "
                    "may: try again in a second",
                    code="log_full",
                )
            self._queue.append(job)
            self._waiting += len(job.rows)
            if job.due < self._due:
                self._due = job.due
                self._wake.notify()
        return job.future

    def _write(self) -> None:
        """Run on the writer thread: one transaction for all that waits, until closed and drained."""
        while True:
            with self._wake:
                while not self._closed and (left := self._due - time.monotonic()) > 0:
                    self._wake.wait(None if left == math.inf else left)
                if not self._queue:
                    break
                jobs, self._queue, self._waiting, self._due = self._queue, [], 0, math.inf
            self._commit([job for job in jobs if job.future.set_running_or_notify_cancel()])

    def _commit(self, jobs: list[_Job]) -> None:
        outcomes: list[Appended | Exception] = []
        db, at = self._writer, self._offset
        try:
            db.execute("BEGIN IMMEDIATE")
            for job in jobs:
                try:
                    done = _apply(db, job, at)
                except ConflictError as conflict:
                    outcomes.append(conflict)
                else:
                    outcomes.append(done)
                    at += done.accepted
            db.execute("COMMIT")
        except Exception as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            outcomes = [_failure(self.path, error) for _ in jobs]
        else:
            self._offset = at
            if any(job.forget is not None for job in jobs):
                with suppress(sqlite3.Error):  # it is committed; the next checkpoint does what is left
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, Exception):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)


def _row(entry: Entry) -> _Row:
    if entry.kind not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}, got {entry.kind!r}", field="kind")
    try:
        body = _encoder.encode(entry.body)
        if entry.key is not None:
            entry.key.encode()
    except UnicodeEncodeError as error:
        raise InputError("a text holds half a surrogate pair, which is not Unicode: send UTF-8") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"a log entry must be JSON: {error}") from error
    user_id = entry.body.get("user_id")
    if not isinstance(user_id, str | None) or not isfinite(entry.time):
        raise InputError(
            f"an entry needs a text as user_id and a finite time, got {user_id!r}, {entry.time}",
            field="user_id" if isfinite(entry.time) else "timestamp",
        )
    return _Row(entry.kind, float(entry.time), entry.key, user_id, body, entry.knows)


def _apply(db: sqlite3.Connection, job: _Job, at: int) -> Appended:
    """Write one job behind offset ``at``; a ConflictError leaves nothing of it behind."""
    fresh: list[tuple[object, ...]] = []
    written: dict[tuple[str, str], tuple[int, bytes]] = {}
    duplicates = known = 0
    for row in job.rows:
        if row.knows is not None and _forgotten(db, row.user_id) > row.knows:
            continue
        if row.key is not None:
            name = (row.kind, row.key)
            found = written.get(name) or _stored(db, *name)
            if found is not None:
                if found[1] != row.body:
                    shown = row.key if len(row.key) <= 80 else row.key[:77] + "..."
                    raise ConflictError(
                        f"{row.kind} id {shown!r} was used before for another content: send a new id",
                        field="event_id" if row.kind == "event" else "request_id",
                    )
                duplicates, known = duplicates + 1, max(known, found[0])
                continue
            written[name] = (at + len(fresh) + 1, row.body)
        fresh.append((at + len(fresh) + 1, row.kind, row.time, row.key, row.user_id, row.body))
    if job.forget is not None:
        db.execute("DELETE FROM records WHERE user_id = ?", (job.forget,))
    db.executemany(_INSERT, fresh)
    last = at + len(fresh) if fresh or not duplicates else known
    return Appended(len(fresh), duplicates, last)


def _forgotten(db: sqlite3.Connection, user_id: str | None) -> int:
    """Return the offset at which a user was last forgotten, 0 if never: then no earlier record is left."""
    query = 'SELECT "offset", kind FROM records WHERE user_id = ? ORDER BY "offset" LIMIT 1'
    first = db.execute(query, (user_id,)).fetchone()
    return int(first[0]) if first is not None and first[1] == "user_deleted" else 0


def _stored(db: sqlite3.Connection, kind: str, key: str) -> tuple[int, bytes] | None:
    row = db.execute('SELECT "offset", body FROM records WHERE kind = ? AND key = ?', (kind, key)).fetchone()
    return None if row is None else (row[0], row[1])


def _failure(path: Path, error: Exception) -> Exception:
    if not isinstance(error, sqlite3.Error):
        return error
    return AcclimateError(f"cannot write {path}: {error}; nothing was recorded", code="log_not_writable")


@contextmanager
def _mended(path: Path) -> Iterator[None]:
    """Turn SQLite's errors on reading into ours."""
    try:
        yield
    except sqlite3.ProgrammingError as error:
        raise BusyError(f"{path} is closed") from error
    except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
        raise CorruptError(f"{path} is damaged: {error}; restore it from a dump or a copy") from error
