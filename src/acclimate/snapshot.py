"""A model and the state it starts from as one folder, named by its hash, published at once or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from acclimate.config import Settings
from acclimate.durable import replace_file, sync, write_file
from acclimate.encode import make_encoder
from acclimate.errors import AcclimateError, CorruptError, InputError, NotFoundError, machine_error, nearest
from acclimate.models import make_model
from acclimate.state.fold import LiveState
from acclimate.types import Encoder, Floats, Model, State, Verdict

FORMAT = 2
"""Layout of a snapshot's folder."""
OTHERWISE = "go back to another (acclimate snapshots rollback ID), or train anew"
"""What to do when a snapshot cannot be used."""
_UNFINISHED = (".writing-*", ".CURRENT-*", "*/.verdict.json-*")  # as long as it is not whole
PROBE_USERS, PROBE_ITEMS = 16, 1000
_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a snapshot holds.

    Args:
        model: Scores as it did when it was written.
        state: What was known then; fold the log from ``state.offset`` on.
        probe: Scores of `probe` when it was written.
        notes: What works less well on this machine, in words.
    """

    model: Model
    state: LiveState
    probe: Floats
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folder on disk; nothing in it changes but the verdict beside it.

    Args:
        id: First 16 hex digits of a sha256 over the manifest, which holds that of every file.
        path: The folder.
        manifest: ``model params encoder offset log created metrics data settings files``; empty if broken.
        broken: What is wrong with it, if something is.
    """

    id: str
    path: Path
    manifest: Mapping[str, Any]
    broken: str | None = None

    @property
    def verdict(self) -> Verdict | None:
        """What the gate found, or None if it never stood before one."""
        path = self.path / "verdict.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Verdict)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise CorruptError(f"{path} is damaged: {error}") from error

    def verify(self) -> None:
        """Check every file against the manifest.

        Raises:
            CorruptError: A file is missing or altered; names it.
        """
        for name in self.manifest["files"]:
            self._read(name)

    def load(self, cache: Path | None = None) -> Loaded:
        """Return the model and the state; every byte is checked.

        Args:
            cache: Folder of item vectors, as in `acclimate.encode.make_encoder`.

        Raises:
            CorruptError: A file is missing or altered; names it.
            InputError: An earlier version wrote it.
        """
        if self.manifest["format"] < FORMAT:
            raise InputError(
                f"snapshot {self.id} was written by an earlier Acclimate (layout {self.manifest['format']}, "
                f"this one reads {FORMAT}): train again with acclimate train",
                code="old_snapshot",
            )
        notes: list[str] = []
        encoder = self._encoder(cache, notes) if self.manifest["encoder"] else None
        model = make_model(self.manifest["model"], encoder, **self.manifest["params"])
        model.restore(self._state("model"))
        state = LiveState()
        state.restore(self._state("state"))
        return Loaded(model, state, self._arrays("probe")["scores"], tuple(notes))

    def _encoder(self, cache: Path | None, notes: list[str]) -> Encoder | None:
        """Return the encoder; where this machine lacks it, add a note: known items keep their vectors."""
        state = self._state("encoder")
        name = self.manifest["encoder"]
        try:
            encoder = make_encoder(name, cache=cache, progress=False)
            encoder.restore(state)
        except AcclimateError as error:
            notes.append(f"encoder {name!r} is not here, so new items are not read: {error.message}")
            return None
        return encoder

    def _state(self, part: str) -> State:
        return self._arrays(part), msgspec.json.decode(self._read(f"{part}.json"))

    def _arrays(self, part: str) -> dict[str, np.ndarray[Any, Any]]:
        from safetensors.numpy import load

        return dict(load(self._read(f"{part}.safetensors")))

    def _read(self, name: str) -> bytes:
        path = self.path / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CorruptError(f"{path} cannot be read ({error.strerror}): {OTHERWISE}") from error
        if hashlib.sha256(data).hexdigest() != self.manifest["files"][name]["sha256"]:
            raise CorruptError(f"{path} is altered (its bytes are not those that were written): {OTHERWISE}")
        return data


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
                files, params = _fill(hidden, model, state)
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
                write_file(hidden / "snapshot.json", _encode(manifest))
                return self._name(hidden, _id(manifest))
            finally:
                shutil.rmtree(hidden, ignore_errors=True)

    def publish(self, snapshot: Snapshot, verdict: Verdict) -> None:
        """Keep the verdict with the snapshot and, if it passed, make it the current one.

        Raises:
            AcclimateError: The verdict is that it may not be published; says why.
            CorruptError: The snapshot is damaged.
        """
        if not isinstance(verdict, Verdict):
            raise TypeError(f"publish needs the Verdict of a gate, got {type(verdict).__name__}")
        with _told(self.folder):
            replace_file(snapshot.path / "verdict.json", _encode(verdict))
        if not verdict.passed:
            failed = [name for name, held in verdict.checks.items() if not held]
            why = "; ".join(verdict.reasons)
            raise AcclimateError(
                f"snapshot {snapshot.id} is not published, {', '.join(failed)} failed: {why}", code="refused"
            )
        snapshot.verify()
        self._point(snapshot)

    def rollback(self, snapshot_id: str) -> Snapshot:
        """Make an earlier snapshot current again, and return it.

        Raises:
            NotFoundError: There is no such snapshot; names the nearest.
            AcclimateError: It never passed a gate.
            CorruptError: It is damaged.
        """
        snapshot = self.get(snapshot_id)
        verdict = snapshot.verdict
        if verdict is None or not verdict.passed:
            raise AcclimateError(f"snapshot {snapshot_id} never passed a gate", code="refused")
        snapshot.verify()
        self._point(snapshot)
        return snapshot

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
        if _id(manifest) != path.name:
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

    def _point(self, snapshot: Snapshot) -> None:
        with _told(self.folder):
            replace_file(self.folder / "CURRENT", f"{snapshot.id}\n".encode())

    def _sweep(self) -> None:
        """Remove what a writer left behind that was killed a day ago or more."""
        for path in (found for pattern in _UNFINISHED for found in self.folder.glob(pattern)):
            old = path.stat().st_mtime < time.time() - 86_400
            if old and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif old:
                path.unlink(missing_ok=True)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say in our words that the disk is full or the folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise AcclimateError(
            f"cannot write a snapshot to {folder}: {machine_error(error) or error}", code="not_writable"
        ) from error


def probe(model: Model, state: LiveState) -> Floats:
    """Return the scores float32[m, n] that tell whether a model is still itself.

    They are those of up to 16 users, spread over all, and of nobody, for up to 1,000 items.
    """
    ids = [name for name in state.users.ids if name]
    users = [ids[at] for at in np.linspace(0, len(ids) - 1, min(len(ids), PROBE_USERS)).astype(int)]
    histories = state.histories([*users, None], now=0.0)
    histories = state.histories([*users, None], now=histories.times.max(initial=0.0))
    items = np.linspace(0, model.n_items - 1, min(model.n_items, PROBE_ITEMS)).astype(int)
    return np.ascontiguousarray(model.score(histories)[:, items], np.float32)


def _fill(folder: Path, model: Model, state: LiveState) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write every file but the manifest; return what it says about them, and the model's arguments."""
    files: dict[str, Any] = {}
    documents: dict[str, Any] = {}

    def keep(name: str, data: bytes) -> None:
        write_file(folder / name, data)
        files[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}

    parts = {"model": model.state, "state": state.state}
    if model.encoder is not None:
        parts["encoder"] = model.encoder.state
    for name, ask in parts.items():
        arrays, documents[name] = ask()
        keep(f"{name}.safetensors", _save(arrays))
        keep(f"{name}.json", _encode(documents[name]))
    keep("probe.safetensors", _save({"scores": probe(model, state)}))
    return files, documents["model"]["params"]


def _save(arrays: dict[str, np.ndarray[Any, Any]]) -> bytes:
    from safetensors.numpy import save

    return bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def _id(manifest: Mapping[str, Any]) -> str:
    lasting = {name: part for name, part in manifest.items() if name != "created"}
    return hashlib.sha256(_encode(lasting)).hexdigest()[:16]
