"""One file a group of routes; each is a few thin handlers over the engine."""

from acclimate.serve.routes.events import write_events
from acclimate.serve.routes.items import delete_item, get_items, put_items
from acclimate.serve.routes.operate import activate, docs, livez, metrics, readyz, snapshots
from acclimate.serve.routes.page import favicon, page, page_file
from acclimate.serve.routes.recommend import recommend, recommend_get, request, similar
from acclimate.serve.routes.users import delete_user, get_users, history, put_users

ROUTES = [
    write_events,
    recommend,
    recommend_get,
    similar,
    request,
    put_items,
    get_items,
    delete_item,
    put_users,
    get_users,
    delete_user,
    history,
    snapshots,
    activate,
    livez,
    readyz,
    metrics,
    docs,
    page,
    page_file,
    favicon,
]
"""Everything that the service answers, beside ``/openapi.json``."""
