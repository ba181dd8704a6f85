"""The engine behind HTTP: routes, checks, errors and the OpenAPI page in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Schema
from litestar.types import Message

import acclimate
from acclimate.serve import schemas
from acclimate.serve.engine import Engine
from acclimate.serve.hooks import Clock, sign_answers
from acclimate.serve.problems import HANDLERS
from acclimate.serve.reading import JsonRequest, only_known_parameters
from acclimate.serve.routes import ROUTES

DESCRIPTION = """Acclimate recommends and keeps learning. Ids never stand in a path: they are query
parameters or in the body, so any string can be an id (an address holds 64 KB; a body more). Errors have one
shape, and every answer has an `X-Request-ID`, but to what is no HTTP, or has a method that HTTP lacks."""


class App(Litestar):
    """Answers HEAD as GET, without the body: monitors ask so."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        if scope["type"] == "http" and scope["method"] == "HEAD":
            as_get: Any = {**scope, "method": "GET"}
            await super().__call__(as_get, receive, send_head)
        else:
            await super().__call__(scope, receive, send)


def make_app(engine: Engine) -> Litestar:
    """Return the ASGI application of one engine, which starts and stops with it.

    Args:
        engine: What answers; not started yet.

    Example:
        >>> from acclimate.config import Home, Settings
        >>> app = make_app(Engine(Home("nowhere"), Settings()))
        >>> sorted(path for path in app.openapi_schema.paths if path.startswith("/v1/re"))
        ['/v1/recommendations', '/v1/requests']
    """

    @asynccontextmanager
    async def running(_: Litestar) -> AsyncIterator[None]:
        await engine.start()
        try:
            yield
        finally:
            await engine.stop()

    most = engine.settings.serve.max_body_mb
    app = App(
        ROUTES,
        dependencies={"engine": Provide(lambda: engine, sync_to_thread=False, use_cache=True)},
        lifespan=[running],
        state=State({"max_body_mb": most}),
        request_class=JsonRequest,
        request_max_body_size=most * 2**20,
        guards=[only_known_parameters],
        middleware=[Clock()],
        before_send=[sign_answers(engine.monitor)],
        exception_handlers=HANDLERS,
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="Acclimate",
            version=acclimate.__version__,
            description=DESCRIPTION,
            path="/openapi.json",
            render_plugins=[JsonRenderPlugin(path="/")],
            use_handler_docstrings=True,
        ),
    )
    _say_what_is_refused(app)
    return app


def _say_what_is_refused(app: Litestar) -> None:
    """Write into the OpenAPI page that a body has no other fields; Litestar leaves that out."""
    for name, schema in app.openapi_schema.components.schemas.items():
        kind = getattr(schemas, name, None)
        if isinstance(kind, type) and issubclass(kind, schemas.Request):
            assert isinstance(schema, Schema)
            schema.additional_properties = False
