"""A model and the state it starts from as one folder: what is in it, and how it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from acclimate.durable import write_file
from acclimate.encode import make_encoder
from acclimate.errors import AcclimateError, CorruptError, InputError
from acclimate.models import make_model
from acclimate.state.fold import LiveState
from acclimate.types import Encoder, Floats, Model, State, Verdict

FORMAT = 2
"""Layout of a snapshot's folder."""
PUBLISHED = "published"
"""The empty file of a snapshot that was current at some time."""
OTHERWISE = "go back to another (acclimate snapshots rollback ID), or train anew"
"""What to do when a snapshot cannot be used."""
PROBE_USERS, PROBE_ITEMS = 16, 1000
encode = msgspec.json.Encoder(order="deterministic").encode


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
            raise CorruptError(f"{path} is damaged ({error}): {OTHERWISE}") from error

    @property
    def published(self) -> bool:
        """Whether it was current at some time."""
        return (self.path / PUBLISHED).exists()

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


def fill(folder: Path, model: Model, state: LiveState) -> tuple[dict[str, Any], dict[str, Any]]:
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
        keep(f"{name}.json", encode(documents[name]))
    keep("probe.safetensors", _save({"scores": probe(model, state)}))
    return files, documents["model"]["params"]


def _save(arrays: dict[str, np.ndarray[Any, Any]]) -> bytes:
    from safetensors.numpy import save

    return bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def id_of(manifest: Mapping[str, Any]) -> str:
    """Return the id of a snapshot with this manifest; when it was written does not count."""
    lasting = {name: part for name, part in manifest.items() if name != "created"}
    return hashlib.sha256(encode(lasting)).hexdigest()[:16]
