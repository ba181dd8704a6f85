"""One TOML file becomes validated settings."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from acclimate.durations import again_after, lasting, seconds
from acclimate.errors import SEEDS, InputError, nearest
from acclimate.home import Home as Home
from acclimate.parallel import ITEM_ROWS
from acclimate.tracking import TRACKING

RANGES = {
    "train.seed": (0, SEEDS),
    "train.max_tokens": (2, 100_000),
    "adapt.publish_every": (1, 10_000_000),
    "policy.epsilon": (0, 1),
    "policy.seed": (0, SEEDS),
    "serve.port": (0, 65_535),
    "serve.max_body_mb": (1, 1_024),
    "serve.max_batch": (1, 1_000_000),
    "serve.max_history": (1, 1_000_000),
}
"""The lowest and the highest value of these settings; other numbers need only be finite here."""
ABOVE = {"policy.epsilon": "for no exploration take the policy 'greedy'"}
"""Settings that have to be above the lowest value of their range, and what to do instead of it."""


def check_numbers(table: str, given: msgspec.Struct) -> None:
    """Raise InputError if a number of the settings ``[table]`` is not finite, or out of its range.

    Example:
        >>> check_numbers("policy", Policy(epsilon=0.5))
    """
    for name in given.__struct_fields__:
        value, where = getattr(given, name), f"{table}.{name}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        low, high = RANGES.get(where, (-math.inf, math.inf))
        if not (math.isfinite(value) and low <= value <= high) or (value == low and where in ABOVE):
            allowed = f"{low}..{high}" if where in RANGES else "a finite number"
            message = f"{where} must be {allowed}, got {value}"
            if where in ABOVE:
                message = f"{where} must be above {low} and up to {high}, got {value}; {ABOVE[where]}"
            raise InputError(message, code="bad_setting", field=where)


class EventsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each kind of event is worth: weight in training and reward in policies.

    Below 0 is a dislike, 0 an exposure. A rating is mapped to [-1, 1] around the user's own mean: with
    ``"value"`` it is on a scale of 1 to 5, else on one such as ``"0..100"``.
    """

    view: float = 0.2
    click: float = 1.0
    like: float = 2.0
    add_to_cart: float = 2.0
    purchase: float = 4.0
    rating: str | float = "value"
    dislike: float = -1.0
    impression: float = 0.0
    search: float = 0.0

    def __post_init__(self) -> None:
        check_numbers("events", self)
        if isinstance(self.rating, str):
            rating_scale(self.rating)


def rating_scale(text: str) -> tuple[float, float]:
    """Return the lowest and the highest rating of a scale.

    Raises:
        InputError: It is neither "value" nor "LOW..HIGH".

    Example:
        >>> rating_scale("value"), rating_scale("0..100")
        ((1.0, 5.0), (0.0, 100.0))
    """
    if text == "value":
        return 1.0, 5.0
    match = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*\.\.\s*(-?\d+(?:\.\d+)?)\s*", text)
    if not match or not float(match[1]) < float(match[2]):
        allowed = "a number, 'value' (for a scale of 1 to 5) or a scale such as '1..100'"
        message = f"events.rating must be {allowed}, got {text!r}"
        raise InputError(message, code="bad_setting", field="events.rating")
    return float(match[1]), float(match[2])


EVENT_TYPES = EventsTable.__struct_fields__
"""Names of the event types; snapshots hold their places here, so a new type comes last."""


class Repeat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether an item that a user has had may come again: never, always, or after a time such as 7d.

    ``"auto"`` is never, but lists of a snapshot follow the setting that it was trained with.
    """

    default: str = "auto"

    def __post_init__(self) -> None:
        again_after(self.default)

    @property
    def again(self) -> float:
        """Seconds after which an item may come again; infinite for never."""
        return again_after(self.default)

    @property
    def in_words(self) -> str:
        """What ``default`` means: ``"never"`` for ``"auto"``, else itself."""
        return "never" if self.default == "auto" else self.default


POOLINGS = ("mean", "cls", "last")
"""Of which token vectors that of a text is made."""
PRECISIONS = ("auto", "fp32", "bf16")
"""How precisely a language model computes."""


class Train(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model is fitted. ``params`` go to every model that takes them, ``tuned`` to the one named.

    ``pooling``, ``max_tokens`` and ``precision`` are those of `acclimate.encode.text.TextEncoder`.
    """

    model: str = "auto"
    encoder: str = "auto"
    device: str = "auto"
    seed: int = 0
    params: dict[str, Any] = {}
    positive: str = "all"
    tuned: dict[str, dict[str, Any]] = {}
    tracking: str = "tensorboard"
    item_rows: str = "auto"
    pooling: str = "mean"
    max_tokens: int = 64
    precision: str = "auto"

    def __post_init__(self) -> None:
        check_numbers("train", self)
        for name, given, allowed in (
            ("tracking", self.tracking, TRACKING),
            ("item_rows", self.item_rows, ITEM_ROWS),
            ("pooling", self.pooling, POOLINGS),
            ("precision", self.precision, PRECISIONS),
        ):
            if given not in allowed:
                message = f"no {name} {given!r}: {nearest(given, allowed)}"
                raise InputError(message, code="bad_setting", field=f"train.{name}")


class Adapter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the language model that reads items is tuned; a size or learning rate of 0 is the adapter's own."""

    name: str = "frozen"
    signal: str = "pairs"
    size: int = 0
    epochs: int = 1
    steps: int = 200
    batch: int = 64
    learning_rate: float = 0.0
    word_dropout: float = 0.0
    synonyms: str = ""
    synonym_share: float = 0.0
    paraphraser: str | list[str] = ""
    paraphrase_share: float = 0.5

    def __post_init__(self) -> None:
        check_numbers("adapter", self)


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a list may risk."""

    name: str = "greedy"
    epsilon: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        check_numbers("policy", self)


GATES = ("auto", "ask")
"""Who decides about what has passed the gate."""
ADAPTERS = ("off", "lora", "adalora", "drift")
"""Which weights the learner changes: `acclimate.adapt.growing.WEIGHTS`."""


SHORTEST_DEEP = 60.0
"""Seconds between two full fits, at least."""


class Adapt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What changes while it serves.

    With ``prior = "on"`` how often items are chosen now replaces how often they were; with ``step = "on"``
    items move towards those who choose them; with ``meta = "on"`` new users get a start that was learned
    over users; all where that pays. The learner publishes after
    ``publish_every`` events what passes the gate; with ``gate = "ask"`` it waits for a person to approve.
    With an ``adapter`` other than ``"off"`` narrow factors beside the weights learn in their place. It
    fits anew on everything when drift asks for it, beside that each so often if ``deep`` is a length of time,
    and never with ``deep = "off"``.
    """

    prior: str = "off"
    step: str = "off"
    meta: str = "off"
    gate: str = "auto"
    publish_every: int = 2_000
    adapter: str = "off"
    deep: str = "drift"

    def __post_init__(self) -> None:
        check_numbers("adapt", self)
        switches = [(name, getattr(self, name), ("off", "on")) for name in ("prior", "step", "meta")]
        named = ("gate", self.gate, GATES), ("adapter", self.adapter, ADAPTERS)
        for name, given, allowed in (*switches, *named):
            if given not in allowed:
                message = f"no {name} {given!r}: take {' or '.join(allowed)}"
                raise InputError(message, code="bad_setting", field=f"adapt.{name}")
        _ = self.deep_every

    @property
    def deep_every(self) -> float:
        """Seconds between two full fits that drift does not ask for; infinite if there are none."""
        if self.deep in ("drift", "off"):
            return math.inf
        try:
            every = seconds(self.deep, "adapt.deep")
        except InputError as error:
            message = f"adapt.deep must be drift, off, or a length of time such as 7d, got {self.deep!r}"
            raise InputError(message, code="bad_setting", field="adapt.deep") from error
        if every < SHORTEST_DEEP:
            message = f"adapt.deep must be {lasting(SHORTEST_DEEP)} or more, got {self.deep!r}"
            raise InputError(message, code="bad_setting", field="adapt.deep")
        return every


class Serve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The HTTP service."""

    host: str = "127.0.0.1"
    port: int = 8080
    max_body_mb: int = 8
    max_batch: int = 10_000
    max_history: int = 1_000

    def __post_init__(self) -> None:
        check_numbers("serve", self)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set, in ``acclimate.toml`` or by ``--set section.key=value``."""

    events: EventsTable = EventsTable()
    repeat: Repeat = Repeat()
    train: Train = Train()
    adapter: Adapter = Adapter()
    policy: Policy = Policy()
    adapt: Adapt = Adapt()
    serve: Serve = Serve()


def load_settings(path: Path | None = None, overrides: tuple[str, ...] = ()) -> Settings:
    """Return settings from a TOML file and ``section.key=value`` overrides, defaults for the rest.

    Args:
        path: The file; None for defaults alone.
        overrides: Values are read as TOML (``serve.port=9000``), and as text if they are not.

    Raises:
        InputError: The file is not TOML, a key is unknown (names the nearest), or a value does not fit. It
            names the file if the key stands there.
    """
    tree = _read(path)
    with blaming(path, overrides):
        return _settled(tree, overrides)


@contextmanager
def blaming(path: Path | None, overrides: tuple[str, ...] = ()) -> Iterator[None]:
    """Put the name of the settings file before the message of an InputError about a value that stands there.

    Args:
        path: The file; None if there is none.
        overrides: As of `load_settings`; what they set is not the file's fault.
    """
    try:
        yield
    except InputError as error:
        if path is not None and error.field and _stands_in(_read(path), error, overrides):
            error.message = f"{path}: {error.message}"
            error.args = (error.message,)
        raise


def _stands_in(tree: dict[str, Any], error: InputError, overrides: tuple[str, ...]) -> bool:
    """Return whether ``error`` is about a key of the file; a short name, as of an option, is one of train."""
    given = [override.partition("=")[0].strip() for override in overrides]
    for key in (str(error.field), f"train.{error.field}"):
        at: Any = tree
        for part in key.partition("[")[0].split("."):
            at = at.get(part) if isinstance(at, dict) else None
        meant = key == error.field or repr(at) in error.message
        if at is not None and meant and not any(f"{each}.".startswith(f"{key}.") for each in given):
            return True
    return False


def _read(path: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8")) if path else {}
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", field="config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}", field="config") from error


def _settled(tree: dict[str, Any], overrides: tuple[str, ...]) -> Settings:
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise InputError(f"--set wants section.key=value, got {override!r}", field="set")
        *sections, last = key.strip().split(".")
        at = tree
        for section in sections:
            at = at.setdefault(section, {})
            if not isinstance(at, dict):
                raise InputError(f"--set {key}: {section!r} is not a section", field=key)
        at[last] = _value(text)
    _check_keys(tree, Settings, "")
    try:
        return msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        where = re.search(r"`\$\.?([^`]*)`", str(error))
        field = where.group(1) if where else None
        message = f"setting {field}: {str(error).split(' - at')[0]}"
        if kinds := re.search(r"Expected `([^`]+)`, got `([^`]+)`", message):
            wanted, got = map(_kinds, kinds.groups())
            message = f"{field} must be {wanted}, got {got}"
        raise InputError(message, code="bad_setting", field=field) from error


KINDS = {
    "object": "a table",
    "array": "a list",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "null": "nothing",
}
"""What the kinds of TOML are called in a message."""


def _kinds(told: str) -> str:
    return " or ".join(KINDS.get(kind, kind) for kind in told.split(" | "))


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _check_keys(tree: dict[str, Any], struct: type[msgspec.Struct], prefix: str) -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(struct)}
    for key, value in tree.items():
        if key not in fields:
            where = f"{prefix}{key}"
            hint = nearest(key, fields)
            raise InputError(f"unknown setting {where!r}: {hint}", code="unknown_setting", field=where)
        inner = fields[key]
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            _check_keys(value, inner, f"{prefix}{key}.")
