"""Small sets of weights that tune a language model, kept apart from it.

An adapter belongs to one base and names it by its sha256. Off, the base answers bit for bit as without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from acclimate.durable import replace_file
from acclimate.errors import (
    AcclimateError,
    CorruptError,
    InputError,
    NotFoundError,
    check_range,
    machine_error,
    nearest,
)
from acclimate.types import Floats

if TYPE_CHECKING:
    from acclimate.encode.wrapped import Wrapped

FORMAT = 1
"""Layout of an adapter's folder."""
_FILES = ("adapter.safetensors", "adapter.json")


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to tune a language model.

    Args:
        about: What it trains, in words.
        made_by: File of this room and class, a `acclimate.encode.wrapped.Wrapped`.
        learning_rate: What it learns well with.
        size: How large it is unless asked for otherwise; 0 if it has no size.
        counts: What its size counts.
        merges: Whether it becomes part of the base's weights, so that reading costs nothing more.
    """

    about: str
    made_by: str
    learning_rate: float
    size: int = 0
    counts: str = ""
    merges: bool = True


ADAPTERS: dict[str, Kind] = {
    "frozen": Kind("nothing", "wrapped:Frozen", 1e-3),
    "lora": Kind("low-rank parts of the matrices of all layers", "wrapped:LoRA", 5e-4, 8, "ranks"),
    "adalora": Kind("as lora; ranks move to where they matter", "wrapped:AdaLoRA", 2e-3, 8, "ranks"),
    "ia3": Kind("one factor for each output of all layers", "wrapped:IA3", 5e-3),
    "prefix": Kind(
        "keys and values before the text, in each layer", "wrapped:Prefix", 5e-3, 8, "tokens", merges=False
    ),
    "prompt": Kind("tokens before the text", "wrapped:Prompt", 5e-3, 8, "tokens", merges=False),
    "bottleneck": Kind(
        "a narrow net after each layer", "bottleneck:Bottleneck", 1e-3, 32, "units", merges=False
    ),
    "top": Kind("the last layers", "wrapped:Top", 1e-4, 2, "layers"),
    "full": Kind("every weight", "wrapped:Full", 5e-5),
}
"""Registered name -> how it tunes. A new one is a class and one line here."""


def check_kind(name: str, size: int) -> int:
    """Return the size of a registered kind: ``size``, or the kind's own for 0.

    Raises:
        NotFoundError: No such kind; names the nearest.
        InputError: The kind has no size, or not this one.

    Example:
        >>> check_kind("lora", 0), check_kind("prompt", 20), check_kind("ia3", 0)
        (8, 20, 0)
    """
    if name not in ADAPTERS:
        raise NotFoundError(
            f"no adapter {name!r}: {nearest(name, ADAPTERS)}", code="unknown_adapter", field="adapter"
        )
    kind = ADAPTERS[name]
    if size and not kind.size:
        raise InputError(f"adapter {name} has no size, got {size}: leave it 0", field="size")
    return check_range("size", size or kind.size, 1 if kind.size else 0, 1_024)


def wrap(network: Any, name: str, size: int = 0, *, seed: int = 0) -> Wrapped:
    """Put a new adapter on a network of transformers, which is changed in place.

    Args:
        network: What ``AutoModel`` gives; a BERT or GPT.
        name: A key of `ADAPTERS`.
        size: As in `check_kind`.
        seed: Decides its first weights.

    Raises:
        NotFoundError: No such kind.
        InputError: Its size does not fit, or the network has no layers that we know.
    """
    file, cls = ADAPTERS[name].made_by.split(":") if name in ADAPTERS else ("", "")
    size = check_kind(name, size)
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made: Wrapped = getattr(import_module(f"acclimate.encode.{file}"), cls)(network, size)
    return made


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """Weights of an adapter, and the base that they belong to.

    Args:
        kind: A key of `ADAPTERS`.
        size: As in `check_kind`.
        base: sha256 of the base, as `acclimate.encode.weights.folder_sha256` gives it.
        weights: Name -> float32 array.
        made: How it came about, for people.
    """

    kind: str
    size: int
    base: str
    weights: Mapping[str, Floats]
    made: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides what it does."""
        digest = hashlib.sha256(f"{self.kind} {self.size} {self.base}".encode())
        for name in sorted(self.weights):
            digest.update(name.encode() + np.ascontiguousarray(self.weights[name]).tobytes())
        return digest.hexdigest()

    @property
    def megabytes(self) -> float:
        """What its weights take up."""
        return sum(array.nbytes for array in self.weights.values()) / 1e6

    @classmethod
    def of(cls, wrapped: Wrapped, kind: str, base: str, made: Mapping[str, Any] | None = None) -> Adapter:
        """Take the weights of an adapter off a network."""
        weights = {
            name: value.detach().float().cpu().numpy().copy() for name, value in wrapped.weights().items()
        }
        return cls(kind, wrapped.size, base, weights, dict(made or {}))

    def on(self, network: Any, base: str) -> Wrapped:
        """Put it on a network of transformers, which is changed in place.

        Args:
            network: What ``AutoModel`` gives.
            base: sha256 of its weights.

        Raises:
            InputError: It belongs to another base, or its weights do not fit.
        """
        self.check_base(base)
        wrapped = wrap(network, self.kind, self.size)
        wrapped.take(self.weights)
        return wrapped

    def check_base(self, base: str) -> None:
        """Raise InputError unless it belongs to the base with this sha256."""
        if base != self.base:
            raise InputError(
                f"this {self.kind} adapter was tuned on a base with sha256 {self.base[:16]}..., the encoder "
                f"here has {base[:16]}...: give the base it was tuned on, or tune again",
                code="other_base",
                field="adapter",
            )

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON into ``folder``.

        Raises:
            AcclimateError: The folder cannot be written.
        """
        from safetensors.numpy import save

        data = bytes(save({name: np.ascontiguousarray(array) for name, array in self.weights.items()}))
        told = {
            "format": FORMAT,
            "kind": self.kind,
            "size": self.size,
            "base": self.base,
            "sha256": hashlib.sha256(data).hexdigest(),
            "made": dict(self.made),
        }
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            replace_file(Path(folder) / _FILES[0], data)
            replace_file(Path(folder) / _FILES[1], msgspec.json.encode(told))
        except OSError as error:
            raise AcclimateError(
                f"cannot write the adapter to {folder}: {machine_error(error) or error}", code="not_writable"
            ) from error

    @classmethod
    def load(cls, folder: Path) -> Adapter:
        """Read what `save` wrote.

        Raises:
            NotFoundError: There is no adapter in ``folder``.
            CorruptError: It is not what was written.
            InputError: A newer version wrote it.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        weights, told = (Path(folder) / name for name in _FILES)
        if not told.is_file():
            raise NotFoundError(f"no adapter in {folder}: it has no {_FILES[1]}", field="adapter")
        try:
            data, document = weights.read_bytes(), msgspec.json.decode(told.read_bytes(), type=dict[str, Any])
            if document["format"] > FORMAT:
                raise InputError(
                    f"{told} was written by a newer Acclimate: pip install -U acclimate", field="adapter"
                )
            if hashlib.sha256(data).hexdigest() != document["sha256"]:
                raise CorruptError(f"{weights} is not what was written: tune again", field="adapter")
            arrays = dict(load(data))
            kind, size, base = (document[name] for name in ("kind", "size", "base"))
            return cls(kind, size, base, arrays, document["made"])
        except (OSError, KeyError, TypeError, msgspec.MsgspecError, SafetensorError) as error:
            raise CorruptError(f"the adapter in {folder} is damaged: {error}", field="adapter") from error
