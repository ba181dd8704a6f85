"""Options that several commands share: the same name, help and meaning everywhere."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from acclimate.cli.output import Output
from acclimate.config import Home, Settings, blaming, load_settings
from acclimate.errors import InputError, check_range

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="ACCLIMATE_HOME",
        metavar="DIR",
        help="Folder of the data, the event log and the snapshots.  \\[default: ./acclimate-home]",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings in TOML.  \\[default: HOME/acclimate.toml, if it is there]"
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="One setting, as in train.params.epochs=5; may be repeated."
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="Makes the run repeatable.", show_default=False),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="auto, cpu, cuda or mps.  \\[default: train.device]",
        show_default=False,
    ),
]
PositiveOption = Annotated[
    str | None,
    typer.Option(
        "--positive",
        metavar="WHICH",
        help="Which rows of a ratings set are positive: all, or as in '>=4'.  \\[default: train.positive]",
        show_default=False,
    ),
]
LengthOption = Annotated[str, typer.Option("-k", "--k", metavar="K", help="Length of a list, 1..1000.")]
HostOption = Annotated[
    str | None,
    typer.Option(
        "--host", metavar="HOST", help="Address to listen on.  \\[default: serve.host]", show_default=False
    ),
]
PortOption = Annotated[
    str | None,
    typer.Option("--port", metavar="PORT", help="Port to listen on, 0 for any.  \\[default: serve.port]"),
]

_SHARED: dict[str, tuple[Any, Any]] = {
    "host": (HostOption, None),
    "port": (PortOption, None),
    "device": (DeviceOption, None),
    "positive": (PositiveOption, None),
    "home": (HomeOption, None),
    "config": (ConfigOption, None),
    "overrides": (SetOption, None),
    "seed": (SeedOption, None),
    "as_json": (JsonOption, False),
}
"""Parameter -> its option and its default, in the order of the help."""
_SOME = frozenset({"host", "port", "device", "positive"})
"""Of these a command names which it takes; it takes all the others."""


@dataclass(frozen=True, slots=True)
class Call:
    """What the shared options of a command came to.

    Args:
        out: Where it speaks.
        home: The folder it works in.
        settings: Defaults, then the file, then ``--set``, then options with a setting of their own.
        seed: What ``--seed`` gave; None if it was not given.
        file: Where the settings were read; None if there is no such file.
        overrides: What stands above the file, as ``section.key=value``.
    """

    out: Output
    home: Home
    settings: Settings
    seed: int | None = None
    file: Path | None = None
    overrides: tuple[str, ...] = ()


def check_page(file: Path | None, example: str) -> None:
    """Refuse a page that could not be written, before there is any work in it.

    Args:
        file: What ``--html`` gave; None if nothing.
        example: Name of a file to propose.

    Raises:
        InputError: It is a folder, or in a folder that is not there.
    """
    if file is None:
        return
    if file.is_dir():
        raise InputError(f"--html wants a file, {file} is a folder: {file / example}", field="html")
    if not file.parent.is_dir():
        message = f"--html {file}: there is no folder {file.parent}; make it first, or name another"
        raise InputError(message, code="no_such_folder", field="html")


def shared(*some: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the shared options, and hand it what they came to as its first argument, a `Call`.

    All take ``--home --config --set --seed --json``; ``some`` names those of ``host port device
    positive`` that it takes too. ``--seed`` sets ``train.seed`` and ``policy.seed``.

    Example:
        >>> @shared("device")
        ... def count(call: Call, k: LengthOption = "10") -> None:
        ...     print(k, call.settings.train.device, call.settings.policy.seed)
        >>> count(device="cpu", seed=3)
        10 cpu 3
        >>> list(inspect.signature(count).parameters)
        ['k', 'device', 'home', 'config', 'overrides', 'seed', 'as_json']
    """

    def give(command: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(command, eval_str=True).parameters.values()
        taken = [name for name in _SHARED if name in some or name not in _SOME]
        options = {name: _SHARED[name] for name in taken}

        def run(**given: Any) -> None:
            mine = {name: value for name, value in given.items() if name not in options}
            call = _call(**{name: given.get(name, options[name][1]) for name in options})
            with blaming(call.file, call.overrides):
                command(call, **mine)

        more = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option)
            for name, (option, default) in options.items()
        ]
        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own] + more
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return give


def _call(
    home: Path | None,
    config: Path | None,
    overrides: list[str] | None,
    seed: int | None,
    as_json: bool,
    host: str | None = None,
    port: str | None = None,
    device: str | None = None,
    positive: str | None = None,
) -> Call:
    out, place = Output(as_json), Home(home).checked()
    own = {
        "serve.host": host,
        "serve.port": None if port is None else check_range("port", port, 0, 65535),
        "train.device": device,
        "train.positive": positive,
        "train.seed": seed,
        "policy.seed": seed,
    }
    file = settings_file(place, config)
    options = [f"{name}={_toml(value)}" for name, value in own.items() if value is not None]
    above = (*(overrides or ()), *options)
    return Call(out, place, load_settings(file, above), seed, file, above)


def settings_file(home: Home, config: Path | None) -> Path | None:
    """Return what ``--config`` names, else the ``acclimate.toml`` of the home if there is one, else None."""
    return config or (home.settings_file if home.settings_file.is_file() else None)


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)  # strings, numbers and booleans are written alike in TOML
