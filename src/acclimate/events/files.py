"""Opening the SQLite file of a log: who may write, what format it has, how it is made durable."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from acclimate.errors import CorruptError, InputError, NotFoundError, machine_error

APPLICATION = 0x41434C4D
"""``PRAGMA application_id`` of our files: "ACLM"."""
VERSION = 2
"""``PRAGMA user_version``: the layout below."""

_TABLES = """
CREATE TABLE records (
    "offset" INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    time REAL NOT NULL,
    key TEXT,
    user_id TEXT,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX record_by_key ON records (kind, key) WHERE key IS NOT NULL;
CREATE INDEX record_by_user ON records (user_id) WHERE user_id IS NOT NULL;
"""

_NAME = """
CREATE TABLE log (id TEXT NOT NULL) STRICT;
INSERT INTO log VALUES (lower(hex(randomblob(16))));
"""
"""New in layout 2: a log has an id of its own, so that another one in its place is noticed."""


def open_log(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """Return a checked connection in autocommit mode; makes the tables if the file is new."""
    if readonly and not path.is_file():
        raise NotFoundError(f"there is no event log at {path}", field="home")
    uri = path.absolute().as_uri() + ("?mode=ro" if readonly else "?mode=rwc")
    try:
        db = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise InputError(f"cannot open {path}: {error}", field="home") from error
    try:
        _prepare(db, path, readonly=readonly)
    except sqlite3.DatabaseError as error:
        db.close()
        if words := machine_error(error):
            raise InputError(f"cannot open {path}: {words}", field="home") from error
        raise CorruptError(f"{path} is not a readable event log: {error}") from error
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path, *, readonly: bool) -> None:
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    new = not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] and not application
    if not new and application != APPLICATION:
        raise InputError(f"{path} is a database of another application: move it away, or name another file")
    if version > VERSION:
        raise InputError(
            f"{path} was written by a newer Acclimate (layout {version}, this one reads {VERSION}): "
            "pip install -U acclimate"
        )
    if readonly:
        if new:
            raise NotFoundError(f"the event log at {path} is empty", field="home")
        db.execute("PRAGMA query_only = ON")
        return
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")
    if new or version < VERSION:
        header = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
        tables = _TABLES if new else ""
        db.executescript(f"BEGIN IMMEDIATE; {tables} {_NAME} {header} COMMIT;")


def read_id(db: sqlite3.Connection) -> str | None:
    """Return the id of an open log; None for one of layout 1 that no process has written since."""
    if db.execute("PRAGMA user_version").fetchone()[0] < 2:
        return None
    return str(db.execute("SELECT id FROM log").fetchone()[0])
