"""Every error becomes the one shape, with the status that fits it."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec

from acclimate.errors import AcclimateError, BusyError, ConflictError, InputError, NotFoundError, check_range
from acclimate.serve.hooks import request_id
from acclimate.serve.schemas import K_RANGE, LONGEST_ID, Problem, ProblemAnswer

log = logging.getLogger("acclimate.serve")

CODES = {404: "no_such_route", 405: "method_not_allowed", 413: "body_too_large", 503: "unavailable"}
RANGES = {"k": K_RANGE, "limit": K_RANGE}
_KINDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
}


class Refused(InputError):
    """A request that is refused with a status of its own.

    Args:
        status: HTTP status, 400..499 or 503.
        message: What was given, what is allowed, what to do.
        code: A short name for programs.
        field: Where in the request, as in ``[3].timestamp``.
    """

    def __init__(self, status: int, message: str, *, code: str, field: str | None = None) -> None:
        super().__init__(message, code=code, field=field)
        self.status = status


def wanted(problem: str) -> str | None:
    """Return in plain words which kind of value the decoder expected; None if it speaks of other things.

    Example:
        >>> wanted("Expected `int` >= 0"), wanted("Expected `array | null`, got `str`")
        ('a whole number, 0 or more', 'a list or null')
    """
    found = re.search(r"Expected `([^`]*)`(?! of)( >= 0)?", problem)
    if found is None:
        return None
    kinds = " or ".join(_KINDS.get(name, name) for name in found[1].split(" | "))
    return f"{kinds}, 0 or more" if found[2] else kinds


def unfit(message: str, field: str | None) -> Refused:
    """Return the error for a value that is well-formed and cannot be accepted (422)."""
    return Refused(422, message, code="bad_value", field=field)


def status_of(error: AcclimateError) -> int:
    """Return the HTTP status that an error of ours stands for."""
    if isinstance(error, Refused):
        return error.status
    for kind, status in ((NotFoundError, 404), (ConflictError, 409), (InputError, 400), (BusyError, 503)):
        if isinstance(error, kind):
            return status
    return 500


def on_ours(request: Request[Any, Any, Any], error: AcclimateError) -> Response[ProblemAnswer]:
    """Answer an error of ours, whose message is written for the caller."""
    status = status_of(error)
    if status == 500:
        log.error("%s failed: %s", request.scope["path"], error.message)
    headers = {"Retry-After": "1"} if status == 503 else None
    return answer(status, error.code, error.message, error.field, headers)


def on_parameters(request: Request[Any, Any, Any], error: ValidationException) -> Response[ProblemAnswer]:
    """Answer a query parameter or body that the framework refused."""
    extra = error.extra[0] if isinstance(error.extra, list) and error.extra else {}
    missing = re.search(r"parameter '(\w+)'", error.detail)
    name = extra.get("key") or (missing.group(1) if missing else "data")
    given = request.query_params.get(name)
    if name == "data" or name.startswith("data"):
        return answer(400, "no_body", "the body is empty; send one JSON document", None)
    if given is None:
        return answer(
            400, "missing_parameter", f"the query parameter {name!r} is missing; add ?{name}=...", name
        )
    if name in RANGES:
        try:
            check_range(name, given, *RANGES[name])
        except InputError as refused:
            return answer(400, refused.code, refused.message, refused.field)
    if name.endswith("_id"):
        return answer(422, "bad_value", f"{name} must be 1..{LONGEST_ID} characters, got {len(given)}", name)
    hint = str(extra.get("message", "it does not fit"))
    if "of length" in hint:
        message = f"{name} must be at most {LONGEST_ID} characters, got {len(given)}"
    elif kind := wanted(hint):
        shown = given if re.fullmatch(r"-?[0-9]{1,30}", given) else repr(given[:80])
        message = f"{name} must be {kind.removesuffix(' or null')}, got {shown}"
    else:
        message = f"{name}: {hint.replace('`', '')}; got {given[:80]!r}"
    return answer(400, "bad_parameter", message, name)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[ProblemAnswer]:
    """Answer what the framework found before a handler was reached: no route, method, size."""
    status = error.status_code
    path = request.scope["path"][:200]
    message = {
        404: f"no route {path}; /docs lists the routes",
        405: f"{request.method} is not allowed on {path}",
        413: f"the body is larger than {request.app.state.max_body_mb} MB; send it in several requests",
    }.get(status, HTTPStatus(status).phrase)
    return answer(status, CODES.get(status, "failed"), message, None, error.headers)


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemAnswer]:
    """Answer anything else: a fault of ours, with the trace in the log and not in the answer."""
    name = request_id(request.scope)
    log.error("%s %s failed, X-Request-ID %s", request.method, request.scope["path"], name, exc_info=error)
    return answer(500, "internal", "the server failed; the cause is in its log under X-Request-ID", None)


def answer(
    status: int, code: str, message: str, field: str | None, headers: dict[str, str] | None = None
) -> Response[ProblemAnswer]:
    """Return the one shape of an error."""
    return Response(ProblemAnswer(Problem(code, message, field)), status_code=status, headers=headers)


HANDLERS: dict[int | type[Exception], Any] = {
    AcclimateError: on_ours,
    ValidationException: on_parameters,
    HTTPException: on_http,
    Exception: on_bug,
}

_MEANING = {
    400: "The request cannot be read",
    404: "There is no such thing",
    409: "The same id stands for other content",
    413: "Too large for one request",
    415: "The body is not application/json",
    422: "A value cannot be accepted",
    503: "Not ready; try again soon",
}


def documented(*statuses: int) -> dict[int, ResponseSpec]:
    """Return what the OpenAPI page says about errors with ``statuses`` and with 503."""
    return {
        status: ResponseSpec(ProblemAnswer, description=_MEANING[status], generate_examples=False)
        for status in (*statuses, 503)
    }
