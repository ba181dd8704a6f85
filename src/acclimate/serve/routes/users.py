"""Who asks, what is known of them, and how to be forgotten."""

from __future__ import annotations

import math
import time

import numpy as np
from litestar import delete, get, put
from litestar.params import JSONBody
from numpy.typing import NDArray

from acclimate.config import EVENT_TYPES
from acclimate.data.profile import Profile, in_words
from acclimate.errors import NotFoundError
from acclimate.events.codec import user_entry
from acclimate.recommend import Recommender
from acclimate.serve.engine import aside
from acclimate.serve.meaning import user_of
from acclimate.serve.problems import documented
from acclimate.serve.routes.events import check_batch
from acclimate.serve.routes.parameters import Id, Limit, MaxEvents, MaybeId, Prefix, Served
from acclimate.serve.schemas import (
    HistoryAnswer,
    PastEvent,
    ProfileAnswer,
    TasteAnswer,
    UserAnswer,
    UserBody,
    UsersAnswer,
    WriteAnswer,
)
from acclimate.state.fold import LiveState
from acclimate.types import Item


@put("/v1/users", tags=["users"], responses=documented(400, 413, 415, 422))
async def put_users(data: JSONBody[UserBody | list[UserBody]], engine: Served) -> WriteAnswer:
    """Put one user or many, all or none; each replaces what was known of its id."""
    bodies = data if isinstance(data, list) else [data]
    check_batch(len(bodies), engine.settings.serve.max_batch, "users")
    now = time.time()
    entries = await aside(lambda: [user_entry(user_of(body), now) for body in bodies], len(bodies))
    appended = await engine.write(entries)
    return WriteAnswer(appended.accepted, appended.offset)


@get("/v1/users", tags=["users"], responses=documented(400, 404, 422))
async def get_users(
    engine: Served,
    user_id: MaybeId = None,
    prefix: Prefix = "",
    max_events: MaxEvents = None,
    limit: Limit = 50,
) -> UsersAnswer:
    """Show one user, or search among all: who has the longest history comes first.

    A user whose id is `prefix` itself stands before all others.
    """

    def ask(recommender: Recommender) -> UsersAnswer:
        state = recommender.state
        if user_id is not None:
            return UsersAnswer([_shown(state, known_user(recommender, user_id))], 1)
        found = _found(state, prefix, max_events)
        return UsersAnswer([_shown(state, state.users.ids[code]) for code in found[:limit]], len(found))

    return await engine.ask(ask)


@delete("/v1/users", status_code=200, tags=["users"], responses=documented(400, 404, 422))
async def delete_user(engine: Served, user_id: Id) -> WriteAnswer:
    """Forget a user: the history, the attributes, and what the log says of them."""
    await engine.ask(lambda recommender: known_user(recommender, user_id))
    appended = await engine.forget(user_id)
    return WriteAnswer(appended.accepted, appended.offset)


@get("/v1/history", tags=["users"], responses=documented(400, 422))
async def history(engine: Served, user_id: Id, limit: Limit = 50) -> HistoryAnswer:
    """Show what a user did with items, newest first, and what that says; empty for one who is not known."""

    def ask(recommender: Recommender) -> HistoryAnswer:
        state = recommender.state
        past = state.past(user_id)
        events = [_event(state.item(int(event["item"])), event) for event in past[::-1][:limit]]
        return HistoryAnswer(
            user_id,
            state.known(user_id),
            state.offset,
            len(past),
            state.has_older(user_id),
            events,
            _profile(state.profile(user_id, time.time())),
        )

    return await engine.ask(ask)


def known_user(recommender: Recommender, user_id: str) -> str:
    """Return ``user_id`` if it is known.

    Raises:
        NotFoundError: There is no such user.
    """
    if not recommender.state.known(user_id):
        raise NotFoundError(f"no user {user_id[:80]!r}; the first event makes one", field="user_id")
    return user_id


def _found(state: LiveState, prefix: str, max_events: int | None) -> NDArray[np.int64]:
    """Return the codes of the users that fit, the exact id first, then the longest histories: int64[m]."""
    begin, counts, ids = prefix.casefold(), state.counts, state.users.ids
    fits = np.array([bool(name) and name.casefold().startswith(begin) for name in ids], np.bool_)
    for code, user in state.people.items():
        fits[code] |= str(user.attributes.get("name", "")).casefold().startswith(begin)
    if max_events is not None:
        fits &= counts <= max_events
    codes = np.flatnonzero(fits)
    return codes[np.lexsort((codes, -counts[codes], codes != state.users.code(prefix)))]


def _shown(state: LiveState, user_id: str) -> UserAnswer:
    user = state.user(user_id)
    attributes = {} if user is None else dict(user.attributes)
    return UserAnswer(user_id, attributes, len(state.past(user_id)), state.has_older(user_id))


def _profile(profile: Profile) -> ProfileAnswer:
    return ProfileAnswer(
        likes=profile.likes,
        dislikes=profile.dislikes,
        items=profile.items,
        since_last=profile.since_last,
        active_days=profile.active_days,
        hours=list(profile.hours),
        weekdays=list(profile.weekdays),
        tastes=[TasteAnswer(name, share) for name, share in profile.tastes],
        variety=profile.variety,
        mean_value=profile.mean_value,
        words=in_words(profile),
    )


def _event(item: Item, event: np.void) -> PastEvent:
    value = float(event["value"])
    return PastEvent(
        item_id=item.item_id,
        title=item.title,
        categories=list(item.categories),
        timestamp=float(event["time"]),
        weight=float(event["weight"]),
        event_type=EVENT_TYPES[event["kind"]] if event["kind"] >= 0 else None,
        value=value if math.isfinite(value) else None,
    )
