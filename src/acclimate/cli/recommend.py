"""``acclimate recommend``: one list from the current snapshot and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from acclimate.cli.options import (
    ConfigOption,
    HomeOption,
    JsonOption,
    LengthOption,
    SeedOption,
    SetOption,
    read_settings,
)
from acclimate.cli.output import Output
from acclimate.config import Home, Settings
from acclimate.errors import InputError, NotFoundError, check_range

if TYPE_CHECKING:
    from acclimate.recommend import Recommender
    from acclimate.types import Slate


def recommend(
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Whom for; a stranger gets a list too.")],
    k: LengthOption = "10",
    explain: Annotated[bool, typer.Option("--explain", help="Say why each item is listed.")] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    seed: SeedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print one list for a user. Nothing is written: the list does not count as shown."""
    out, place, length = Output(as_json), Home(home), check_range("k", k, 1, 1000)
    if not user:
        raise InputError("--user wants an id, got an empty one", field="user")
    settings = read_settings(place, config, overrides, policy__seed=seed)
    recommender = open_recommender(place, settings)
    from acclimate.types import Query

    request_id = None if seed is None else f"cli-{seed}"
    slate = recommender.recommend(Query(user, length, explain=explain, request_id=request_id))
    _show(out, slate, recommender)
    out.document(
        {
            "request_id": slate.request_id,
            "user_id": slate.user_id,
            "snapshot": slate.snapshot,
            "log_offset": slate.log_offset,
            "policy": slate.policy,
            "fallback": None if slate.fallback is None else {"reason": slate.fallback},
            "items": slate.items,
        }
    )


def open_recommender(home: Home, settings: Settings) -> Recommender:
    """Return what a server of ``home`` would answer with now, without taking its log from it.

    Raises:
        NotFoundError: Nothing was imported, trained or logged here.
    """
    from acclimate.adapt.feedback import NO_DATA
    from acclimate.events.sqlite import SqliteLog
    from acclimate.serve.load import catch_up, check_log, load_recommender

    recommender = load_recommender(home, settings)
    if home.log.exists():
        log = SqliteLog(home.log, readonly=True)
        try:
            check_log(recommender, log)
            catch_up(recommender, log)
        finally:
            log.close()
    if not recommender.state.n_items:
        raise NotFoundError(NO_DATA, code="no_data")
    return recommender


def _show(out: Output, slate: Slate, recommender: Recommender) -> None:
    from rich.table import Table
    from rich.text import Text

    state = recommender.state
    table = Table(title=Text(f"For {slate.user_id}"), title_justify="left")
    for name, justify in (("#", "right"), ("item", "left"), ("title", "left"), ("score", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    explained = any(listed.reasons for listed in slate.items)
    if explained:
        table.add_column("why")
    for listed in slate.items:
        item = state.find_item(listed.item_id)
        row = [str(listed.rank), listed.item_id, item.title if item else "", f"{listed.score:.3f}"]
        why = [" ".join(reason.text for reason in listed.reasons)] if explained else []
        table.add_row(*map(Text, row + why))
    out.show(table)
    if slate.fallback:
        out.note(f"fallback: {slate.fallback}")
    out.note(f"snapshot {slate.snapshot or 'none'}, policy {slate.policy}, log offset {slate.log_offset}")
