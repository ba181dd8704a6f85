"""The snapshots of a home: written in full, published at once or not at all."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from acclimate.config import Settings
from acclimate.durable import replace_file, sync, write_file
from acclimate.errors import (
    AcclimateError,
    ConflictError,
    CorruptError,
    InputError,
    NotFoundError,
    machine_error,
    nearest,
)
from acclimate.locks import lock
from acclimate.snapshot.folder import FORMAT, OTHERWISE, PUBLISHED, Snapshot, encode, fill, id_of
from acclimate.state.fold import LiveState
from acclimate.types import Model, Verdict

_UNFINISHED = (".writing-*", ".CURRENT-*", "*/.verdict.json-*")  # as long as it is not whole


class Registry:
    """The snapshots of a home, and which of them is current.

    A snapshot is written to a hidden folder, made durable, and renamed, so it is there in full or not at
    all. Publishing replaces one small file; killed at any point, the old one stays current.

    Args:
        folder: Where the snapshots lie; made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(
        self,
        model: Model,
        state: LiveState,
        *,
        metrics: Mapping[str, Any],
        settings: Settings | None = None,
    ) -> Snapshot:
        """Save a model and a state; complete on disk, and not yet current.

        Args:
            model: Fitted; a registered one.
            state: Of the same catalogue; its offset is where the log goes on.
            metrics: What was measured, kept for people.
            settings: What it was made with, kept for people.

        Raises:
            AcclimateError: The disk is full, or the folder cannot be written.
        """
        hidden = self.folder / f".writing-{uuid.uuid4().hex}"
        with _told(self.folder):
            try:
                self._sweep()
                hidden.mkdir(parents=True)
                files, params = fill(hidden, model, state)
                manifest = {
                    "format": FORMAT,
                    "created": time.time(),
                    "model": model.name,
                    "params": params,
                    "encoder": None if model.encoder is None else model.encoder.name,
                    "offset": state.offset,
                    "log": state.log,
                    "data": state.name,
                    "n_users": len(state.users),
                    "n_items": state.n_items,
                    "metrics": msgspec.to_builtins(metrics, str_keys=True),
                    "settings": None if settings is None else msgspec.to_builtins(settings),
                    "files": files,
                }
                write_file(hidden / "snapshot.json", encode(manifest))
                return self._name(hidden, id_of(manifest))
            finally:
                shutil.rmtree(hidden, ignore_errors=True)

    def judge(self, snapshot: Snapshot, verdict: Verdict) -> None:
        """Keep the verdict with the snapshot.

        Raises:
            AcclimateError: It is that the snapshot may not be published; says why.
            CorruptError: The snapshot is damaged.
        """
        if not isinstance(verdict, Verdict):
            raise TypeError(f"a snapshot needs the Verdict of a gate, got {type(verdict).__name__}")
        with _told(self.folder):
            replace_file(snapshot.path / "verdict.json", encode(verdict))
        if not verdict.passed:
            raise AcclimateError(
                f"snapshot {snapshot.id} is not published, {_told_by(verdict)}", code="refused"
            )
        snapshot.verify()

    def publish(self, snapshot: Snapshot, verdict: Verdict, *, instead_of: Snapshot | None = None) -> None:
        """Keep the verdict with the snapshot and, if it passed, make it the current one.

        Args:
            snapshot: As `write` returned it.
            verdict: What the gate found.
            instead_of: If given, only as long as this one is current.

        Raises:
            AcclimateError: The verdict is that it may not be published; says why.
            ConflictError: Another one has become current.
            CorruptError: The snapshot is damaged.
        """
        self.judge(snapshot, verdict)
        self._point(snapshot, instead_of)

    def rollback(self, snapshot_id: str, *, instead_of: Snapshot | None = None) -> Snapshot:
        """Make a snapshot that passed a gate current, as an earlier one again, and return it.

        Raises:
            NotFoundError: There is no such snapshot; names the nearest.
            AcclimateError: It never passed a gate.
            ConflictError: Another one than ``instead_of``, if given, has become current.
            CorruptError: It is damaged.
        """
        snapshot = self.get(snapshot_id)
        verdict = snapshot.verdict
        if verdict is None:
            raise AcclimateError(f"snapshot {snapshot_id} never stood before a gate", code="refused")
        if not verdict.passed:
            raise AcclimateError(f"snapshot {snapshot_id} did not pass, {_told_by(verdict)}", code="refused")
        snapshot.verify()
        self._point(snapshot, instead_of)
        return snapshot

    def remove(self, snapshot: Snapshot) -> None:
        """Delete a snapshot; the current one stays."""
        with lock(self.folder / ".publishing", what=f"publishing in {self.folder}"):
            if self.pointer() != snapshot.id:
                shutil.rmtree(snapshot.path, ignore_errors=True)

    def current(self) -> Snapshot | None:
        """Return the published snapshot, or None if there never was one.

        Raises:
            CorruptError: It is missing or damaged. Nothing takes its place by itself.
        """
        name = self.pointer()
        if name is None:
            return None
        if not (self.folder / name).is_dir():
            raise CorruptError(f"the current snapshot {name!r} is missing from {self.folder}: {OTHERWISE}")
        return self._open(self.folder / name)

    def pointer(self) -> str | None:
        """Return the id of the published snapshot, or None; raises CorruptError if it is no id."""
        try:
            name = (self.folder / "CURRENT").read_text("utf-8").strip()
        except FileNotFoundError:
            return None
        if not re.fullmatch(r"[0-9a-f]{16}", name):
            raise CorruptError(
                f"{self.folder / 'CURRENT'} does not name a snapshot: {name[:40]!r}: {OTHERWISE}"
            )
        return name

    def get(self, snapshot_id: str) -> Snapshot:
        """Return a snapshot by its id.

        Raises:
            NotFoundError: There is none; names the nearest.
            CorruptError: Its manifest is damaged.
        """
        names = self._names()
        if snapshot_id not in names:
            hint = nearest(snapshot_id, names) if names else "there are none yet: acclimate train"
            raise NotFoundError(f"no snapshot {snapshot_id[:80]!r}: {hint}", field="snapshot")
        return self._open(self.folder / snapshot_id)

    def list(self, *, verify: bool = False) -> list[Snapshot]:
        """Return all snapshots, newest first; a damaged one comes last and says what is wrong with it.

        Args:
            verify: Whether every byte is checked; else names and sizes alone.
        """
        found = []
        for name in self._names():
            try:
                snapshot = self._open(self.folder / name)
                _ = snapshot.verdict
                if verify:
                    snapshot.verify()
            except AcclimateError as error:
                snapshot = Snapshot(name, self.folder / name, {}, broken=error.message)
            found.append(snapshot)
        return sorted(found, key=lambda snapshot: -snapshot.manifest.get("created", 0.0))

    def _names(self) -> set[str]:
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return {path.name for path in found if re.fullmatch(r"[0-9a-f]{16}", path.name) and path.is_dir()}

    def _open(self, path: Path) -> Snapshot:
        file = path / "snapshot.json"
        try:
            manifest = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.MsgspecError) as error:
            why = machine_error(error) or error
            raise CorruptError(f"{file} is missing or damaged ({why}): {OTHERWISE}") from error
        if id_of(manifest) != path.name:
            raise CorruptError(f"{file} is damaged: it is not what was written; {OTHERWISE}")
        if manifest["format"] > FORMAT:
            raise InputError(
                f"{file} was written by a newer Acclimate (layout {manifest['format']}, "
                f"this one reads {FORMAT}): pip install -U acclimate"
            )
        for name, about in manifest["files"].items():
            part = path / name
            size = part.stat().st_size if part.is_file() else None
            if size != about["bytes"]:
                altered = f"altered ({size} bytes, {about['bytes']} were written)"
                raise CorruptError(f"{part} is {'missing' if size is None else altered}: {OTHERWISE}")
        return Snapshot(path.name, path, manifest)

    def _name(self, hidden: Path, name: str) -> Snapshot:
        final = self.folder / name
        try:
            snapshot = self._open(final)
            snapshot.verify()
        except CorruptError:
            shutil.rmtree(final, ignore_errors=True)
            sync(hidden)
            os.rename(hidden, final)
            sync(self.folder)
            return self._open(final)
        return snapshot

    def _point(self, snapshot: Snapshot, instead_of: Snapshot | None) -> None:
        with _told(self.folder), lock(self.folder / ".publishing", what=f"publishing in {self.folder}"):
            if instead_of is not None and (current := self.pointer()) != instead_of.id:
                raise ConflictError(
                    f"snapshot {snapshot.id} is not published: it was to take the place of {instead_of.id}, "
                    f"and {current or 'none'} is current by now",
                    code="not_current",
                )
            (snapshot.path / PUBLISHED).touch()
            replace_file(self.folder / "CURRENT", f"{snapshot.id}\n".encode())

    def _sweep(self) -> None:
        """Remove what a writer left behind that was killed a day ago or more."""
        for path in (found for pattern in _UNFINISHED for found in self.folder.glob(pattern)):
            old = path.stat().st_mtime < time.time() - 86_400
            if old and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif old:
                path.unlink(missing_ok=True)


def _told_by(verdict: Verdict) -> str:
    """Return which checks failed, and why."""
    failed = [name for name, held in verdict.checks.items() if not held]
    return f"{', '.join(failed)} failed: {'; '.join(verdict.failed or verdict.reasons)}"


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say in our words that the disk is full or the folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise AcclimateError(
            f"cannot write a snapshot to {folder}: {machine_error(error) or error}", code="not_writable"
        ) from error
