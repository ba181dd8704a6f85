"""``acclimate doctor``: what is installed, reachable, wrong, and how to mend it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from acclimate.cli.options import ConfigOption, HomeOption, JsonOption, SetOption, settings_file
from acclimate.cli.output import Output
from acclimate.config import Home, Settings, load_settings
from acclimate.errors import AcclimateError, CorruptError
from acclimate.words import counted

if TYPE_CHECKING:
    from acclimate.snapshot import Snapshot

FREE_GB = 1.0
"""Below this much free disk space training and importing may fail."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was found.

    Args:
        name: A word that stays the same, for programs.
        ok: Whether it is as it should be.
        detail: What was found, in words.
        fix: What to do about it; empty where nothing is to be done.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""

    @property
    def matters(self) -> bool:
        """Whether the product cannot do its work without it."""
        return self.name not in ADVICE


MEND_LOG = "put the log of this home back, or fit anew: acclimate train"
ADVICE = frozenset({"encoder", "port"})
"""Checks without which the product works, only less well."""


def doctor(
    home: HomeOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what is installed, reachable or wrong, and how to mend it; status 1 if what matters is wrong."""
    from rich.markup import escape

    out, place = Output(as_json), Home(home)
    checks = examine(place, config, overrides)
    for check in checks:
        mark = "[green]ok[/]  " if check.ok else "[red]bad[/] " if check.matters else "[yellow]note[/]"
        out.show(mark, escape(f"{check.name}: {check.detail}"))
        if check.fix:
            out.show("    ", escape(f"mend: {check.fix}"))
    out.document({"checks": [{**asdict(check), "matters": check.matters} for check in checks]})
    if any(check.matters and not check.ok for check in checks):
        raise typer.Exit(1)


def examine(home: Home, config: Path | None = None, overrides: list[str] | None = None) -> list[Check]:
    """Return one Check for each thing that can be wrong; never raises for what it finds."""
    try:
        settings = load_settings(settings_file(home, config), tuple(overrides or ()))
        first = _settings(settings, settings_file(home, config), overrides)
    except AcclimateError as error:
        settings, first = Settings(), Check("settings", False, error.message, "correct the named setting")
    return [first, *(_run(name, check, home, settings) for name, check in CHECKS.items())]


def _settings(settings: Settings, file: Path | None, overrides: list[str] | None) -> Check:
    """Return where the settings come from, and whether the names in them are of parts that there are."""
    from acclimate.adapt.choices import candidates
    from acclimate.policies import make_policy

    given = f"{counted(len(overrides), 'setting')} given with --set" if overrides else ""
    told = " and ".join(part for part in (f"read from {file}" if file else "", given) if part)
    candidates(settings.train.model)
    make_policy(settings.policy)
    return Check("settings", True, told or "defaults")


def _run(name: str, check: Callable[[Home, Settings], Check], home: Home, settings: Settings) -> Check:
    try:
        return check(home, settings)
    except (AcclimateError, OSError, ImportError) as error:
        return Check(name, False, " ".join(str(error).split()), FIXES.get(name, ""))


def _python(home: Home, settings: Settings) -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    fix = "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer: make PYTHON=python3.12 setup"
    return Check("python", not fix, f"{version}, 3.11 or newer is needed", fix)


def _torch(home: Home, settings: Settings) -> Check:
    import torch

    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    return Check("torch", True, f"{torch.__version__}, best device {device}")


def _encoder(home: Home, settings: Settings) -> Check:
    from acclimate.encode import ENCODERS, make_encoder

    name = settings.train.encoder
    try:
        encoder = make_encoder(name, progress=False)
    except AcclimateError as error:
        if name in ENCODERS:
            raise
        return Check("encoder", False, error.message, "correct train.encoder, or leave it at auto")
    fix = FIXES["encoder"] if encoder.note else ""
    return Check("encoder", not encoder.note, encoder.note or encoder.name, fix)


def _known_data(home: Home, settings: Settings) -> Check:
    folder = os.environ.get("ACCLIMATE_DATA")
    if not folder:
        return Check(
            "known data", True, "ACCLIMATE_DATA is not set: data sets come from packages or home pages"
        )
    if not Path(folder).is_dir():
        fix = "set ACCLIMATE_DATA to a folder of known data sets, or unset it"
        return Check("known data", False, f"ACCLIMATE_DATA names {folder}, which is no folder", fix)
    entries = counted(len(os.listdir(folder)), "entry", "entries")
    return Check("known data", True, f"ACCLIMATE_DATA is {folder}, {entries}")


def _home(home: Home, settings: Settings) -> Check:
    at = home.path.absolute()
    while not at.exists():
        at = at.parent
    if not at.is_dir() or not os.access(at, os.W_OK | os.X_OK):
        return Check("home", False, f"{home.path} cannot be written", "choose another folder with --home")
    made = "" if home.path.exists() else ", will be made when first used"
    return Check("home", True, f"{home.path}{made}")


def _disk(home: Home, settings: Settings) -> Check:
    at = home.path.absolute()
    while not at.exists():
        at = at.parent
    free = shutil.disk_usage(at).free / 1e9
    fix = "" if free >= FREE_GB else f"free some space, or delete {home.cache}, which can be made again"
    return Check("disk", not fix, f"{free:.1f} GB free, {FREE_GB:.0f} GB is needed", fix)


def _data(home: Home, settings: Settings) -> Check:
    from acclimate.data.store import Store

    store = Store(home.data)
    if store.empty:
        return Check("data", True, "none yet: acclimate data import ratings.csv, or acclimate demo")
    data = store.load()
    sizes = {"interaction": len(data), "user": data.n_users, "item": data.n_items}
    return Check("data", True, ", ".join(counted(size, name) for name, size in sizes.items()))


def _log(home: Home, settings: Settings) -> Check:
    from acclimate.events.log import check_continues
    from acclimate.events.sqlite import SqliteLog

    current = _current(home)
    if not home.log.exists():
        if current is None or not current.manifest["offset"]:
            return Check("log", True, "none yet: it is made when the server first runs")
        known = current.manifest["offset"]
        lost = f"{home.log} is not there, snapshot {current.id} knows it up to offset {known}"
        return Check("log", False, lost, MEND_LOG)
    with closing(SqliteLog(home.log, readonly=True)) as log:
        offset = log.offset
        try:
            if current is not None:
                manifest = current.manifest
                check_continues(log, manifest.get("log"), manifest["offset"], f"snapshot {current.id}")
        except CorruptError as error:
            return Check("log", False, error.message, MEND_LOG)
    return Check("log", True, f"{home.log} at offset {offset}")


def _current(home: Home) -> Snapshot | None:
    from acclimate.snapshot import Registry

    try:
        return Registry(home.snapshots).current()
    except AcclimateError:  # told by the check of the snapshot
        return None


def _snapshot(home: Home, settings: Settings) -> Check:
    from acclimate.snapshot import Registry

    current = Registry(home.snapshots).current()
    if current is None:
        return Check("snapshot", True, "none yet: acclimate train, or acclimate demo")
    loaded = current.load()
    items = counted(loaded.model.n_items, "item")
    return Check("snapshot", True, f"{current.id} loads: {loaded.model.name}, {items}")


def _port(home: Home, settings: Settings) -> Check:
    from acclimate.cli.serve import find_port

    find_port(settings)
    return Check("port", True, f"{settings.serve.host}:{settings.serve.port} is free")


CHECKS: dict[str, Callable[[Home, Settings], Check]] = {
    "python": _python,
    "torch": _torch,
    "encoder": _encoder,
    "known data": _known_data,
    "home": _home,
    "disk": _disk,
    "data": _data,
    "log": _log,
    "snapshot": _snapshot,
    "port": _port,
}

FIXES = {
    "torch": "make setup, or pip install 'torch>=2.13,<2.14'",
    "encoder": "pip install 'acclimate[demo]', or train with --set train.encoder=tfidf",
    "data": "move the data folder of the home away and import again: acclimate data import ...",
    "log": "restore the log from a copy, or choose another home with --home",
    "snapshot": "go back to a sound one: acclimate snapshots rollback ID, or acclimate train",
    "port": "a server may run already; choose another port: acclimate serve --port 8081",
}
"""What to do when a check fails with an error of its own."""
