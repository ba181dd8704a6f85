"""``acclimate snapshots``: what was published, by which verdict; go back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acclimate.cli.options import HomeOption, JsonOption
from acclimate.cli.output import Output
from acclimate.config import Home
from acclimate.errors import CorruptError

if TYPE_CHECKING:
    from acclimate.snapshot import Registry, Snapshot
    from acclimate.types import Verdict

app = typer.Typer(help="What was published, by which verdict; go back to an earlier one.")


@app.callback(invoke_without_command=True)
def _root(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    if context.invoked_subcommand is None:
        _list(Output(as_json), _registry(home))


@app.command("list")
def listing(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the snapshots, newest first; the same as `acclimate snapshots`."""
    home, as_json = _given(context, home, as_json)
    _list(Output(as_json), _registry(home))


@app.command()
def rollback(
    context: typer.Context,
    snapshot: Annotated[str, typer.Argument(metavar="ID", help="Id of a snapshot, as the list shows it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an earlier snapshot the current one. A running server takes it up within seconds."""
    _activate(context, snapshot, home, as_json, "is current now")


@app.command()
def approve(
    context: typer.Context,
    snapshot: Annotated[str, typer.Argument(metavar="ID", help="Id of a snapshot that waits.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a snapshot current that passed the gate and waits, as with adapt.gate = "ask"."""
    _activate(context, snapshot, home, as_json, "is approved, and current now")


def _activate(context: typer.Context, snapshot: str, home: Any, as_json: bool, done: str) -> None:
    """Make a snapshot current, if it goes with log and catalogue, and say what was done."""
    home, as_json = _given(context, home, as_json)
    from acclimate.snapshot.activation import activate

    out, registry = Output(as_json), _registry(home)
    activate(Home(home), snapshot)
    out.note(f"{snapshot} {done}; a running server takes it up within seconds")
    _list(out, registry)


def _given(context: typer.Context, home: Any, as_json: bool) -> tuple[Any, bool]:
    """Options may stand before the sub-command as well: `acclimate snapshots --home X rollback ID`."""
    outer = context.parent.params if context.parent else {}
    return home or outer.get("home"), as_json or bool(outer.get("as_json"))


def _registry(home: Any) -> Registry:
    from acclimate.snapshot import Registry

    return Registry(Home(home).checked().snapshots)


def _list(out: Output, registry: Registry) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    current = None
    try:
        current = registry.current()
    except CorruptError as error:
        out.note(error.message)
    every = registry.list(verify=True)
    rows = [_row(snapshot, current, _waits(snapshot, current)) for snapshot in every]
    table = Table(
        "", Column("snapshot", no_wrap=True), "created (UTC)", "model", "offset", "ndcg@10", "verdict"
    )
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in _cells(row)))
    out.show(table if rows else "no snapshots yet: acclimate train, or acclimate demo")
    for row in rows:
        if row["waits"]:
            out.note(f"? waits for a person: acclimate snapshots approve {row['id']}")
    out.document({"snapshots": rows})


def _waits(snapshot: Snapshot, current: Snapshot | None) -> bool:
    """Return whether a snapshot passed the gate after the current one, and never was current."""
    if snapshot.broken or snapshot.published or current is None:
        return False
    passed = snapshot.verdict is not None and snapshot.verdict.passed
    return passed and snapshot.manifest["created"] > current.manifest["created"]


def _row(snapshot: Snapshot, current: Snapshot | None, waits: bool) -> dict[str, Any]:
    manifest = snapshot.manifest
    return {
        "id": snapshot.id,
        "created": manifest.get("created"),
        "model": manifest.get("model"),
        "offset": manifest.get("offset"),
        "metrics": manifest.get("metrics"),
        "verdict": None if snapshot.broken else snapshot.verdict,
        "current": current is not None and snapshot.id == current.id,
        "waits": waits,
        "broken": snapshot.broken,
    }


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    created = row["created"] and datetime.fromtimestamp(row["created"], UTC).strftime("%Y-%m-%d %H:%M")
    mark = "*" if row["current"] else "?" if row["waits"] else ""
    judged = "broken, see --json" if row["broken"] else _judged(row["verdict"])
    return mark, row["id"], created, row["model"], row["offset"], _figure(row["metrics"] or {}), judged


def _figure(metrics: dict[str, Any]) -> str | None:
    """Return NDCG@10 when it was made; of what the learner made, on users who were held back."""
    for name, told in (("ndcg@10", ""), ("live_ndcg@10", " live")):
        if name in metrics:
            return f"{metrics[name]['mean']:.4f}{told}"
    return None


def _judged(verdict: Verdict | None) -> str:
    """Return what the gate found: how much better than the one before, or what failed."""
    if verdict is None:
        return "not judged"
    if not verdict.passed:
        return f"refused: {', '.join(name for name, held in verdict.checks.items() if not held)}"
    gain = verdict.figures.get("gain")
    return "passed" if gain is None else f"passed, {gain:+.4f}"
