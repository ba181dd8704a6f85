"""For those who run the service."""

from __future__ import annotations

import asyncio

from litestar import MediaType, Response, get, post
from litestar.params import JSONBody
from msgspec import to_builtins

from acclimate.errors import AcclimateError
from acclimate.home import Home
from acclimate.serve.problems import Refused, documented, status_of
from acclimate.serve.routes.page import read_page
from acclimate.serve.routes.parameters import Served
from acclimate.serve.schemas import ActivateAnswer, ActivateBody, Health, SnapshotAnswer, SnapshotsAnswer
from acclimate.snapshot import Registry, Snapshot
from acclimate.snapshot.activation import activate as make_current


@get("/livez", tags=["operation"])
async def livez() -> Health:
    """Say that the process is alive, ready or not."""
    return Health("alive")


@get("/readyz", tags=["operation"], responses=documented())
async def readyz(engine: Served) -> Health:
    """Say whether the log is caught up, so that questions may come."""
    recommender = engine.recommender
    state = recommender.state
    return Health(
        "ready",
        recommender.snapshot_id,
        engine.offset,
        state.n_present,
        state.users.n_known,
        engine.degraded,
    )


@get("/metrics", media_type=MediaType.TEXT, tags=["operation"])
async def metrics(engine: Served) -> Response[bytes]:
    """Show counters and latencies in the Prometheus text format; no ids."""
    return Response(engine.monitor.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@get("/v1/snapshots", tags=["operation"], responses=documented(400))
async def snapshots(engine: Served) -> SnapshotsAnswer:
    """List what was published, newest first, and by which verdict; a damaged one says what is wrong."""
    registry = Registry(engine.home.snapshots)
    found = await asyncio.to_thread(registry.list)
    serving = engine.recommender.snapshot_id
    return SnapshotsAnswer([_shown(snapshot, serving) for snapshot in found])


@post("/v1/snapshots/activate", status_code=200, tags=["operation"], responses=documented(400, 404, 409, 422))
async def activate(data: JSONBody[ActivateBody], engine: Served) -> ActivateAnswer:
    """Approve a snapshot that passed the gate and waits, or go back to an earlier one.

    One that never passed a gate, is damaged, or belongs to another log or catalogue is refused.
    """
    previous = await asyncio.to_thread(_made_current, engine.home, data.id)
    return ActivateAnswer(data.id, previous, engine.recommender.snapshot_id)


@get("/docs", media_type=MediaType.HTML, include_in_schema=False)
async def docs() -> Response[bytes]:
    """Show the routes for people; the page reads /openapi.json and needs nothing from elsewhere."""
    return read_page("docs.html")


def _made_current(home: Home, name: str) -> str | None:
    """Make a snapshot current; return which one was."""
    try:
        previous = Registry(home.snapshots).pointer()
    except AcclimateError:  # CURRENT is damaged: that is mended by this
        previous = None
    try:
        make_current(home, name)
    except AcclimateError as error:
        status = 409 if error.code in ("refused", "corrupt") else status_of(error)
        if status == 500:
            raise
        raise Refused(status, error.message, code=error.code, field="id") from error
    return previous


def _shown(snapshot: Snapshot, serving: str | None) -> SnapshotAnswer:
    about = snapshot.manifest
    verdict = None if snapshot.broken else snapshot.verdict
    return SnapshotAnswer(
        id=snapshot.id,
        created=about.get("created"),
        offset=about.get("offset"),
        model=about.get("model"),
        metrics=about.get("metrics") or {},
        verdict=None if verdict is None else to_builtins(verdict),
        current=snapshot.id == serving,
        broken=snapshot.broken,
    )
