"""Lists go out."""

from __future__ import annotations

import math
import time
from typing import Any

from litestar import Request, get, post
from litestar.params import JSONBody

from acclimate.errors import NotFoundError
from acclimate.recommend import Recommender
from acclimate.serve.engine import Engine, items_of
from acclimate.serve.hooks import request_id as id_of
from acclimate.serve.meaning import query_of
from acclimate.serve.problems import documented, unfit
from acclimate.serve.routes.parameters import Flag, Id, K, MaybeId, Served
from acclimate.serve.schemas import (
    Fallback,
    LoggedPlace,
    Neighbour,
    Place,
    ReasonAnswer,
    RecommendAnswer,
    RecommendBody,
    RequestAnswer,
    SimilarAnswer,
)
from acclimate.types import Item, Listed, Similar, Slate


@post("/v1/recommendations", status_code=200, tags=["lists"], responses=documented(400, 413, 415, 422))
async def recommend(
    data: JSONBody[RecommendBody], request: Request[Any, Any, Any], engine: Served
) -> RecommendAnswer:
    """Recommend a list to a user, or to a session without an id.

    An unknown user is no error: the answer says in `fallback` why it is weaker. The answer is logged with
    the chance that each item had, so that it can be replayed and learned from.
    """
    return await _answer(data, request, engine)


@get("/v1/recommendations", tags=["lists"], responses=documented(400, 422))
async def recommend_get(
    request: Request[Any, Any, Any],
    engine: Served,
    user_id: MaybeId = None,
    k: K = 10,
    explain: Flag = True,
) -> RecommendAnswer:
    """Recommend a list, for the browser and curl."""
    return await _answer(RecommendBody(user_id=user_id, k=k, explain=explain), request, engine)


@get("/v1/similar", tags=["lists"], responses=documented(400, 404, 422))
async def similar(engine: Served, item_id: Id, k: K = 10) -> SimilarAnswer:
    """List the items that are near to one.

    Where the model cannot say what is near, the list is empty and `fallback` says why.
    """

    def ask(recommender: Recommender) -> SimilarAnswer:
        near = recommender.similar(item_id, k)
        items = items_of(recommender, near.items)
        places = [
            Neighbour(at.item_id, at.rank, _number(at.score), item.title, list(item.categories))
            for at, item in zip(near.items, items, strict=True)
        ]
        return SimilarAnswer(item_id, recommender.snapshot_id, _fallback(near), places)

    return await engine.ask(ask)


@get("/v1/requests", tags=["lists"], responses=documented(400, 404, 422))
async def request(engine: Served, request_id: Id) -> RequestAnswer:
    """Show what was answered to a request, with which snapshot, policy and chances."""
    slate = await engine.logged_slate(request_id)
    if slate is None:
        raise NotFoundError(f"no answer {request_id[:80]!r} is in the log", field="request_id")
    return RequestAnswer(
        request_id=slate.request_id,
        user_id=slate.user_id,
        snapshot=slate.snapshot,
        log_offset=slate.log_offset,
        policy=slate.policy,
        seed=slate.seed,
        now=slate.now,
        fallback=_fallback(slate),
        items=[
            LoggedPlace(at.item_id, at.rank, _number(at.score), at.propensity, _reasons(at))
            for at in slate.items
        ],
    )


async def _answer(body: RecommendBody, request: Request[Any, Any, Any], engine: Engine) -> RecommendAnswer:
    kinds = engine.settings.events.__struct_fields__
    query = query_of(body, id_of(request.scope), time.time(), kinds)
    if body.offset > engine.offset:
        known, given = f"one that a write answered with, at most {engine.offset}", str(body.offset)[:40]
        raise unfit(f"offset must be {known}; got {given}", "offset")
    slate, items = await engine.recommend(query)
    return RecommendAnswer(
        request_id=slate.request_id,
        user_id=slate.user_id,
        snapshot=slate.snapshot,
        log_offset=slate.log_offset,
        policy=slate.policy,
        fallback=_fallback(slate),
        items=[_place(listed, item) for listed, item in zip(slate.items, items, strict=True)],
    )


def _place(listed: Listed, item: Item) -> Place:
    return Place(
        item_id=listed.item_id,
        rank=listed.rank,
        score=_number(listed.score),
        propensity=listed.propensity,
        reasons=_reasons(listed),
        title=item.title,
        categories=list(item.categories),
    )


def _fallback(answer: Slate | Similar) -> Fallback | None:
    return None if answer.fallback is None else Fallback(answer.fallback)


def _reasons(listed: Listed) -> list[ReasonAnswer]:
    return [ReasonAnswer(why.kind, why.text, why.item_id, _number(why.similarity)) for why in listed.reasons]


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
