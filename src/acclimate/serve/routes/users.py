"""Who asks, what is known of them, and how to be forgotten."""

from __future__ import annotations

import time

from litestar import delete, get, put
from litestar.params import JSONBody

from acclimate.errors import NotFoundError
from acclimate.events.codec import user_entry
from acclimate.recommend import Recommender
from acclimate.serve.engine import aside
from acclimate.serve.meaning import user_of
from acclimate.serve.problems import documented
from acclimate.serve.routes.events import check_batch
from acclimate.serve.routes.parameters import Id, Limit, MaybeId, Served
from acclimate.serve.schemas import HistoryAnswer, PastEvent, UserAnswer, UserBody, UsersAnswer, WriteAnswer


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
async def get_users(engine: Served, user_id: MaybeId = None, limit: Limit = 50) -> UsersAnswer:
    """Show one user, or those with the longest histories."""

    def ask(recommender: Recommender) -> UsersAnswer:
        total = sum(map(recommender.state.known, recommender.state.users.ids))
        if user_id is not None:
            return UsersAnswer([_shown(recommender, known_user(recommender, user_id))], total)
        return UsersAnswer([_shown(recommender, name) for name in _busiest(recommender, limit)], total)

    return await engine.ask(ask)


@delete("/v1/users", status_code=200, tags=["users"], responses=documented(400, 404, 422))
async def delete_user(engine: Served, user_id: Id) -> WriteAnswer:
    """Forget a user: the history, the attributes, and what the log says of them."""
    await engine.ask(lambda recommender: known_user(recommender, user_id))
    appended = await engine.forget(user_id)
    return WriteAnswer(appended.accepted, appended.offset)


@get("/v1/history", tags=["users"], responses=documented(400, 422))
async def history(engine: Served, user_id: Id, limit: Limit = 50) -> HistoryAnswer:
    """Show what a user did with items, newest first; empty for a user who is not known."""

    def ask(recommender: Recommender) -> HistoryAnswer:
        state = recommender.state
        events = []
        if state.known(user_id):
            past = state.histories([user_id], time.time())
            newest = zip(past.items[::-1], past.times[::-1], past.weights[::-1], strict=True)
            for (code, at, weight), _ in zip(newest, range(limit), strict=False):
                item = state.item(int(code))
                events.append(
                    PastEvent(item.item_id, item.title, list(item.categories), float(at), float(weight))
                )
        return HistoryAnswer(user_id, state.known(user_id), state.offset, events)

    return await engine.ask(ask)


def known_user(recommender: Recommender, user_id: str) -> str:
    """Return ``user_id`` if it is known.

    Raises:
        NotFoundError: There is no such user.
    """
    if not recommender.state.known(user_id):
        raise NotFoundError(f"no user {user_id[:80]!r}; the first event makes one", field="user_id")
    return user_id


def _busiest(recommender: Recommender, limit: int) -> list[str]:
    names = [name for name in recommender.state.users.ids if recommender.state.known(name)]
    lengths = recommender.state.histories(names, time.time()).lengths
    order = sorted(range(len(names)), key=lambda i: (-lengths[i], i))
    return [names[i] for i in order[:limit]]


def _shown(recommender: Recommender, user_id: str) -> UserAnswer:
    user = recommender.state.user(user_id)
    events = int(recommender.state.histories([user_id], time.time()).lengths[0])
    return UserAnswer(user_id, {} if user is None else dict(user.attributes), events)
