"""The catalogue changes while it is served."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import islice

from litestar import delete, get, put
from litestar.params import JSONBody

from acclimate.errors import NotFoundError
from acclimate.events.codec import item_deleted_entry, item_entry
from acclimate.recommend import Recommender
from acclimate.serve.engine import aside
from acclimate.serve.meaning import item_of
from acclimate.serve.problems import documented
from acclimate.serve.routes.events import check_batch, named, place
from acclimate.serve.routes.parameters import Id, Limit, MaybeId, Served
from acclimate.serve.schemas import ItemAnswer, ItemBody, ItemsAnswer, Problem, PutItemsAnswer, WriteAnswer
from acclimate.types import Item


@put("/v1/items", tags=["catalogue"], responses=documented(400, 413, 415, 422))
async def put_items(data: JSONBody[ItemBody | list[ItemBody]], engine: Served) -> PutItemsAnswer:
    """Put one item or many, all or none; each replaces what was known of its id.

    A new item can be recommended on the next request, by its text; `warnings` name those that come last,
    since the model reads no texts or there is none, and those that are in no list, since they are expired
    or not there yet. An expired item is never listed, nor one before its
    `created_at`, unless somebody chose it already.
    """
    bodies = data if isinstance(data, list) else [data]
    check_batch(len(bodies), engine.settings.serve.max_batch, "items")
    now = time.time()
    entries = await aside(
        lambda: [item_entry(item_of(body, place(data, i)), now) for i, body in enumerate(bodies)],
        len(bodies),
    )
    appended = await engine.write(entries)
    places: dict[str, str] = {}
    for i, body in enumerate(bodies):
        places.setdefault(body.item_id, f"{place(data, i)}item_id")
    warnings = await engine.ask(
        lambda recommender: [*unlisted_items(recommender, places), *last_items(recommender, places)]
    )
    return PutItemsAnswer(appended.accepted, appended.offset, warnings)


def last_items(recommender: Recommender, places: Mapping[str, str]) -> list[Problem]:
    """Return a warning if items that nobody chose come last, since the model cannot read them.

    Args:
        recommender: Knows the items already.
        places: Item id -> where it stands first in the body.
    """
    state, model = recommender.state, recommender.model
    listed = state.available(time.time())
    last = [
        name
        for name in places
        if (item := state.find_item(name)) is not None
        and listed[state.items.code(name)]
        and not state.liked[state.items.code(name)]
        and (model.encoder is None or not item.reading)
    ]
    if not last:
        return []
    one = len(last) == 1
    told = (
        f"{named(last)} {'comes' if one else 'come'} last in every list for now: "
        f"{model.new_item[0].lower()}{model.new_item[1:].rstrip('.')}"
    )
    if model.encoder is None and all(state.catalogue[state.items.code(name)].reading for name in last):
        which = "it" if one else "them"
        told += f"; a model that reads texts can place {which}: acclimate train --model sequence"
    return [Problem("comes_last", told, places[last[0]])]


def unlisted_items(recommender: Recommender, places: Mapping[str, str]) -> list[Problem]:
    """Return a warning of items that are over, and one of items that are not there yet.

    Args:
        recommender: Knows the items already.
        places: Item id -> where it stands first in the body.
    """
    state, now = recommender.state, time.time()
    found = {name: item for name in places if (item := state.find_item(name)) is not None and item.available}
    over = [name for name, item in found.items() if item.expires_at is not None and item.expires_at <= now]
    upcoming = state.upcoming(now)
    coming = [name for name in found if upcoming[state.items.code(name)]]
    parts = (("expired", over, "expires_at is over"), ("not_yet", coming, "created_at is still to come"))
    return [
        Problem(
            code, f"{named(names)} {'is' if len(names) == 1 else 'are'} in no list: {why}", places[names[0]]
        )
        for code, names, why in parts
        if names
    ]


@get("/v1/items", tags=["catalogue"], responses=documented(400, 404, 422))
async def get_items(engine: Served, item_id: MaybeId = None, limit: Limit = 50) -> ItemsAnswer:
    """Show one item, or the first of the catalogue."""

    def ask(recommender: Recommender) -> ItemsAnswer:
        state = recommender.state
        if item_id is not None:
            return ItemsAnswer([_shown(known_item(recommender, item_id))], state.n_present)
        present = (item for item in state.catalogue if state.find_item(item.item_id) is not None)
        return ItemsAnswer([_shown(item) for item in islice(present, limit)], state.n_present)

    return await engine.ask(ask)


@delete("/v1/items", status_code=200, tags=["catalogue"], responses=documented(400, 404, 422))
async def delete_item(engine: Served, item_id: Id) -> WriteAnswer:
    """Take an item out of every list from now on."""
    await engine.ask(lambda recommender: known_item(recommender, item_id))
    appended = await engine.write([item_deleted_entry(item_id, time.time())])
    return WriteAnswer(appended.accepted, appended.offset)


def known_item(recommender: Recommender, item_id: str) -> Item:
    """Return an item of the catalogue.

    Raises:
        NotFoundError: There is no such item, or no more.
    """
    item = recommender.state.find_item(item_id)
    if item is None:
        raise NotFoundError(f"no item {item_id[:80]!r}; PUT /v1/items adds it", field="item_id")
    return item


def _shown(item: Item) -> ItemAnswer:
    return ItemAnswer(
        item_id=item.item_id,
        title=item.title,
        text=item.text,
        categories=list(item.categories),
        available=item.available,
        created_at=item.created_at,
        expires_at=item.expires_at,
        attributes=dict(item.attributes),
    )
