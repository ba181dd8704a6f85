"""``acclimate recommend``: one list from the current snapshot and the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from acclimate.cli.options import Call, LengthOption, shared
from acclimate.cli.output import Output
from acclimate.config import Home, Settings
from acclimate.errors import InputError, NotFoundError, check_range

if TYPE_CHECKING:
    from acclimate.data.profile import Profile
    from acclimate.recommend import Recommender
    from acclimate.types import Slate


@shared()
def recommend(
    call: Call,
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Whom for; a stranger gets a list too.")],
    k: LengthOption = "10",
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what is known of the user, and why each item is listed.")
    ] = False,
) -> None:
    """Print one list for a user. Nothing is written: the list does not count as shown."""
    length = check_range("k", k, 1, 1000)
    if not user:
        raise InputError("--user wants an id, got an empty one", field="user")
    recommender = open_recommender(call.home, call.settings)
    from acclimate.types import Query

    request_id = None if call.seed is None else f"cli-{call.seed}"
    slate = recommender.recommend(Query(user, length, explain=explain, request_id=request_id))
    titles = [_title(recommender, listed.item_id) for listed in slate.items]
    profile = recommender.state.profile(user, slate.now) if explain else None
    if profile is not None:
        _show_profile(call.out, user, profile)
    _show(call.out, slate, titles)
    call.out.document(
        {
            "request_id": slate.request_id,
            "user_id": slate.user_id,
            "snapshot": slate.snapshot,
            "log_offset": slate.log_offset,
            "policy": slate.policy,
            "fallback": None if slate.fallback is None else {"reason": slate.fallback},
            "profile": None if profile is None else asdict(profile),
            "items": [
                asdict(listed) | {"title": title} for listed, title in zip(slate.items, titles, strict=True)
            ],
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


def _title(recommender: Recommender, item_id: str) -> str:
    """Return the title of an item; empty if it has none."""
    item = recommender.state.find_item(item_id)
    return item.title if item else ""


def _show_profile(out: Output, user: str, profile: Profile) -> None:
    from rich.text import Text

    from acclimate.data.profile import in_words

    if lines := in_words(profile):
        out.show(Text(f"{user}: {'; '.join(lines)}"))


def _show(out: Output, slate: Slate, titles: Sequence[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"For {slate.user_id}"), title_justify="left")
    for name, justify in (("#", "right"), ("item", "left"), ("title", "left"), ("score", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    explained = any(listed.reasons for listed in slate.items)
    if explained:
        table.add_column("why")
    for listed, title in zip(slate.items, titles, strict=True):
        score = "–" if listed.score is None else f"{listed.score:.3f}"
        row = [str(listed.rank), listed.item_id, title, score]
        why = [" ".join(reason.text for reason in listed.reasons)] if explained else []
        table.add_row(*map(Text, row + why))
    out.show(table)
    if slate.fallback:
        out.note(f"fallback: {slate.fallback}")
    out.note(f"snapshot {slate.snapshot or 'none'}, policy {slate.policy}, log offset {slate.log_offset}")
