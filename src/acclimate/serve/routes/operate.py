"""For those who run the service."""

from __future__ import annotations

from litestar import MediaType, Response, get

from acclimate.serve.engine import Engine
from acclimate.serve.problems import documented
from acclimate.serve.routes.page import read_page
from acclimate.serve.schemas import Health


@get("/livez", tags=["operation"])
async def livez() -> Health:
    """Say that the process is alive, ready or not."""
    return Health("alive")


@get("/readyz", tags=["operation"], responses=documented())
async def readyz(engine: Engine) -> Health:
    """Say whether the log is caught up, so that questions may come."""
    recommender = engine.recommender
    state = recommender.state
    return Health("ready", recommender.snapshot_id, engine.offset, state.n_items, len(state.users))


@get("/metrics", media_type=MediaType.TEXT, tags=["operation"])
async def metrics(engine: Engine) -> Response[bytes]:
    """Show counters and latencies in the Prometheus text format; no ids."""
    return Response(engine.monitor.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@get("/docs", media_type=MediaType.HTML, include_in_schema=False)
async def docs() -> Response[bytes]:
    """Show the routes for people; the page reads /openapi.json and needs nothing from elsewhere."""
    return read_page("docs.html")
