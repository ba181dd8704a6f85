"""The command ``acclimate``: one short file a command; the work is elsewhere.

Nothing here imports torch, polars or the web framework: ``acclimate --help`` answers at once, and a
command imports what it needs when it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, cast

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from acclimate import __version__
from acclimate.cli import (
    data,
    demo,
    doctor,
    evaluate,
    learn,
    models,
    recommend,
    replay,
    serve,
    snapshots,
    train,
    tune,
)
from acclimate.cli.errors import INTERRUPTED, report, terminable
from acclimate.errors import InputError
from acclimate.parallel import processes

app = typer.Typer(
    name="acclimate",
    help="A recommender that reads with language models and keeps learning from live feedback.",
    epilog="Start with: acclimate demo",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"acclimate {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("demo")(demo.demo)
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.command("tune")(tune.tune)
app.command("evaluate")(evaluate.evaluate)
app.command("models")(models.models)
app.command("replay")(replay.replay)
app.command("recommend")(recommend.recommend)
app.command("serve")(serve.serve)
app.command("learn")(learn.learn)
app.add_typer(snapshots.app, name="snapshots")
app.command("doctor")(doctor.doctor)


def command_line() -> TyperGroup:
    """Return all commands. In their help a flag has no type beside it, since it takes no value."""
    root = cast(TyperGroup, get_command(app))
    waiting: list[tuple[TyperCommand | TyperGroup, typer.Context | None]] = [(root, None)]
    for command, parent in waiting:  # it grows
        context = typer.Context(command, parent, **command.context_settings)
        for param in command.get_params(context):
            if isinstance(param, TyperOption) and param.is_flag:
                param.metavar = ""
        inner = getattr(command, "commands", {})
        waiting += [(child, context) for child in inner.values()]
    return root


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 2 wrong call, 130 or 143
    stopped by Ctrl-C or SIGTERM.

    Args:
        args: The words after ``acclimate``; those of this process if None.

    Example:
        >>> main(["--version"])
        acclimate 0.1.0
        0
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads leave the cores while they wait
    words = list(sys.argv[1:] if args is None else args)
    as_json = "--json" in words
    try:
        if processes().count > 1 and words[:1] != ["train"]:
            raise InputError(
                f"torchrun shares the work of acclimate train alone, got {' '.join(words[:1]) or 'nothing'}: "
                "call acclimate without it",
                field="command",
            )
        with terminable():
            code = command_line()(words, prog_name="acclimate", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone, as in `| head`: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return report(error, as_json)
    if code == INTERRUPTED:
        return report(KeyboardInterrupt(), as_json)
    return code if isinstance(code, int) else 0
