"""Options that several commands share: the same name, help and meaning everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from acclimate.config import Home, Settings, load_settings
from acclimate.errors import check_range

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
    int | None, typer.Option("--seed", help="Makes the run repeatable.", show_default=False)
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", help="auto, cpu, cuda or mps.  \\[default: train.device]", show_default=False),
]
LengthOption = Annotated[str, typer.Option("-k", "--k", metavar="K", help="Length of a list, 1..1000.")]
HostOption = Annotated[
    str | None,
    typer.Option("--host", help="Address to listen on.  \\[default: serve.host]", show_default=False),
]
PortOption = Annotated[
    str | None,
    typer.Option("--port", metavar="PORT", help="Port to listen on, 0 for any.  \\[default: serve.port]"),
]


def read_settings(
    home: Home,
    config: Path | None = None,
    overrides: list[str] | None = None,
    **given: object,
) -> Settings:
    """Return the settings of a command: defaults, then the file, then ``--set``, then its own options.

    Args:
        home: Its ``acclimate.toml`` is read if there is one and ``config`` is None.
        config: What ``--config`` names.
        overrides: What ``--set`` gave, as ``section.key=value``.
        given: Options with a setting of their own, as ``train__model="ease"``; None if not given.

    Raises:
        InputError: As `acclimate.config.load_settings`.
    """
    file = config or (home.settings_file if home.settings_file.is_file() else None)
    options = [
        f"{name.replace('__', '.')}={_toml(value)}" for name, value in given.items() if value is not None
    ]
    return load_settings(file, (*(overrides or ()), *options))


def port_number(given: str | None) -> int | None:
    """Return what ``--port`` gave as a number, None if it was not given; InputError if it is no port."""
    return None if given is None else check_range("port", given, 0, 65535)


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)  # strings, numbers and booleans are written alike in TOML
