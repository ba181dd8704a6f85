"""What happens around every request: its id, its time, and the headers that keep a browser safe."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, BeforeMessageSendHookHandler, Message, Receive, Scope, Send

from acclimate.serve.monitor import Monitor

_STARTED, _ID = "acclimate_started", "acclimate_request_id"
_SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        b"default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
]
_NOT_KEPT = (b"cache-control", b"no-store")


def request_id(scope: Scope) -> str:
    """Return the id of a request, made up when it is first asked for."""
    state: dict[str, Any] = scope["state"]
    made: str = state.setdefault(_ID, uuid4().hex)
    return made


class Clock(ASGIMiddleware):
    """Notes when a request came."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Note the time and go on."""
        scope["state"][_STARTED] = time.perf_counter()
        await next_app(scope, receive, send)


def sign_answers(monitor: Monitor) -> BeforeMessageSendHookHandler:
    """Return the hook that puts ``X-Request-ID`` and safe headers on every answer and counts it."""

    async def sign(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        headers = [*message["headers"], *_SAFE, (b"x-request-id", request_id(scope).encode())]
        if all(name.lower() != _NOT_KEPT[0] for name, _ in headers):
            headers.append(_NOT_KEPT)
        message["headers"] = headers
        handler = scope.get("route_handler")
        route = min(handler.paths, default="none") if handler is not None else "none"
        monitor.requests.labels(route, scope.get("method", ""), str(message["status"])).inc()
        if (started := scope["state"].get(_STARTED)) is not None:
            monitor.stages.labels("request").observe(time.perf_counter() - started)

    return sign
