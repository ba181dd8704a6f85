"""Keep vectors on disk, so that no text is read twice."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from acclimate.types import Encoder, Floats, Histories, JointEncoder, State

_SCHEMA = """CREATE TABLE IF NOT EXISTS vectors (
    encoder TEXT, text BLOB, vector BLOB, crc INTEGER, PRIMARY KEY (encoder, text)) WITHOUT ROWID"""
_AT_ONCE = 500
_SAVED = 16_384
"""Texts after which what was encoded is saved, so that a kill loses little."""
_logger = logging.getLogger(__name__)
T = TypeVar("T")


class CachedEncoder:
    """Answer from disk where the same encoder has read the same text before.

    A vector is found by the sha256 of its text and the fingerprint of the encoder, so a change of either
    is a miss. Several processes may use one folder. What is damaged is encoded again; a folder that
    cannot be written costs time and a warning in the log, not the answer. The folder may be deleted.

    Args:
        encoder: Whose vectors are kept.
        folder: Where; made when it is first needed.

    Example:
        >>> import tempfile
        >>> from acclimate.encode.tfidf import TfidfEncoder
        >>> encoder = CachedEncoder(TfidfEncoder(), Path(tempfile.mkdtemp()))
        >>> encoder.fit(["one text", "another"])
        >>> first, again = encoder.encode(["a text"]), encoder.encode(["a text"])
        >>> bool((first == again).all())
        True
    """

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self.encoder, self.path = encoder, Path(folder) / "vectors-1.sqlite"
        self.name, self.note = encoder.name, encoder.note

    @property
    def fingerprint(self) -> str:
        """That of the encoder."""
        return self.encoder.fingerprint

    def fit(self, texts: Sequence[str], histories: Histories | None = None) -> None:
        """Fit the encoder."""
        self.encoder.fit(texts, histories)

    def joint(self, texts: Sequence[str]) -> Any | None:
        """Return the net of an encoder that learns along with a model; None for others."""
        return self.encoder.joint(texts) if isinstance(self.encoder, JointEncoder) else None

    def take(self, net: Any) -> None:
        """Let the encoder take over what the net has learned."""
        assert isinstance(self.encoder, JointEncoder)
        self.encoder.take(net)

    def state(self) -> State:
        """Return that of the encoder; the cache is no part of it."""
        return self.encoder.state()

    def restore(self, state: State) -> None:
        """Restore the encoder."""
        self.encoder.restore(state)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return float32[n, d] as the encoder does; equal texts are read once."""
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        encoder = self.fingerprint
        known = self._try(lambda db: _read(db, encoder, set(keys))) or {}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        todo = list(missing)
        for start in range(0, len(todo), _SAVED):
            part = todo[start : start + _SAVED]
            made = dict(zip(part, self.encoder.encode([missing[key] for key in part]), strict=True))
            known |= made
            self._try(lambda db, rows=made: _write(db, encoder, rows))  # type: ignore[misc]
        if not keys:
            return self.encoder.encode([])
        return np.stack([known[key] for key in keys])

    def _try(self, job: Callable[[sqlite3.Connection], T]) -> T | None:
        return on_disk(self.path, _SCHEMA, job)


def on_disk(path: Path, schema: str, job: Callable[[sqlite3.Connection], T]) -> T | None:
    """Do ``job`` on a database that may be deleted; a damaged file is made anew, and None is "could not".

    Args:
        path: The file; it and its folder are made when they are first needed.
        schema: Makes what is not there.
        job: What to do, in one transaction.
    """
    for _ in range(2):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(path, timeout=30)) as db, db:
                db.execute(schema)
                return job(db)
        except (OSError, sqlite3.OperationalError) as error:
            _logger.warning("no cache of %s at %s: %s", path.stem.split("-")[0], path, error)
            return None
        except sqlite3.DatabaseError as error:
            _logger.warning("making the damaged %s anew: %s", path, error)
            path.unlink(missing_ok=True)
            Path(f"{path}-journal").unlink(missing_ok=True)
    return None


def _read(db: sqlite3.Connection, encoder: str, keys: set[bytes]) -> dict[bytes, Floats]:
    wanted, found = list(keys), {}
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        marks = ",".join("?" * len(part))
        query = f"SELECT text, vector, crc FROM vectors WHERE encoder = ? AND text IN ({marks})"
        for key, blob, crc in db.execute(query, [encoder, *part]):
            if zlib.crc32(blob) == crc:
                found[key] = np.frombuffer(blob, np.float32)
    return found


def _write(db: sqlite3.Connection, encoder: str, rows: dict[bytes, Floats]) -> None:
    blobs = [(encoder, key, row.tobytes()) for key, row in rows.items()]
    db.executemany(
        "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", [(*b, zlib.crc32(b[2])) for b in blobs]
    )
