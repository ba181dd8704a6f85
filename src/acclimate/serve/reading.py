"""Bytes of a body become checked structs, with errors that name what was given and what is allowed."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from acclimate.errors import InputError, check_range, nearest
from acclimate.serve.problems import RANGES, Refused, unfit, wanted
from acclimate.serve.schemas import LONGEST_ID

_FRAMEWORK = {"self", "request", "engine", "data"}
FOR_PEOPLE = "for_people"
"""Option of a route that people open in a browser, by links that others may have added parameters to."""
_NOT_FINITE = re.compile(rb"-?(NaN|Infinity)")
_ESCAPES = re.compile(rb"\\u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(\\u[dD][89a-fA-F]\w\w)|\\.")
"""What a backslash begins in JSON; the group is half a surrogate pair."""


class JsonRequest(Request[Any, Any, Any]):
    """A request whose body is decoded straight into the type that its handler declares."""

    async def json(self) -> Any:
        """Return the body as the type of the handler's ``data``.

        Raises:
            InputError: It is not JSON, or does not fit; the message says where.
        """
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Refused(
                415,
                f"Content-Type must be application/json, got {media_type[:80] or 'none'!r}",
                code="not_json",
                field="Content-Type",
            )
        field = self.route_handler.parsed_data_field
        assert field is not None, "the framework calls json() only for a handler with data"
        return read(await self.body(), field.raw)


async def only_known_parameters(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Refuse a query parameter that the route lacks, a second one, or one that is not UTF-8.

    A route `FOR_PEOPLE` takes any. It is async to save a thread hop.
    """
    if handler.opt.get(FOR_PEOPLE):
        return
    _check_utf8(connection.scope["query_string"])
    known = handler.parsed_fn_signature.parameters.keys() - _FRAMEWORK
    given = connection.query_params
    for name in given:
        if name not in known:
            hint = nearest(name, known) if known else "this route has none"
            raise InputError(
                f"no query parameter {name[:80]!r}: {hint}", code="unknown_parameter", field=name[:80]
            )
        if len(given.getall(name)) > 1:
            raise InputError(f"{name} is given twice; give it once", code="repeated_parameter", field=name)
        if name in RANGES:  # the framework would take 1e1 for 10
            check_range(name, given[name], *RANGES[name])


def _check_utf8(query: bytes) -> None:
    """Raise InputError if a parameter is not UTF-8: two ids must not become one by replaced characters."""
    for part in query.split(b"&"):
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            name = unquote(part.partition(b"=")[0].decode("latin-1"))[:80]
            message = f"{name} is not UTF-8: an address holds UTF-8 in percent signs, as %C3%A9 for é"
            raise InputError(message, code="not_utf8", field=name) from None


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def read(body: bytes, kind: Any) -> Any:
    """Decode JSON ``body`` as ``kind``, a struct or a union of a struct and a list of it.

    Raises:
        InputError: Broken JSON (with the position), an unknown field (with the nearest), a number out of
            range, or a field that stands twice in an object: status 400. A value of the wrong type or size:
            status 422.

    Example:
        >>> from acclimate.serve.schemas import UserBody
        >>> read(b'{"user_id": "ann"}', UserBody).user_id
        'ann'
        >>> read(b'{"user": "ann"}', UserBody)
        Traceback (most recent call last):
        acclimate.errors.InputError: no field 'user': did you mean 'user_id'? Allowed: attributes, user_id
    """
    try:
        try:
            value = _decoder(kind).decode(body)
            _ONCE.decode(body.decode())
            return value
        except msgspec.ValidationError as error:
            raise _misfit(str(error), body, kind) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _broken(str(error), body) from error
    except RecursionError as error:  # from either: what does not fit is decoded again to be shown
        raise InputError("the JSON is nested too deeply", code="broken_json") from error


def _once(pairs: list[tuple[str, Any]]) -> None:
    """Raise InputError if an object has a field twice, of which a decoder would take the last in silence."""
    names = {name for name, _ in pairs}
    if len(names) < len(pairs):
        told = [name for name, _ in pairs]
        twice = next(name for name in told if told.count(name) > 1)
        raise InputError(
            f"{twice[:80]!r} stands twice in one object; give it once",
            code="repeated_field",
            field=twice[:80],
        )


_ONCE = json.JSONDecoder(object_pairs_hook=_once, parse_int=len, parse_float=len)
"""Looks for fields that stand twice, and keeps nothing."""


def _broken(message: str, body: bytes) -> InputError:
    if not body.strip():
        return InputError("the body is empty; send one JSON document", code="no_body")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        at = error.start
        return InputError(f"the body is not UTF-8: byte 0x{body[at]:02x} at {at}", code="broken_json")
    found = re.search(r"\(byte (\d+)\)", message)
    at = int(found.group(1)) if found else len(body)
    if not_finite := _NOT_FINITE.search(body, max(0, at - 2), at + 9):
        word = not_finite.group().decode()
        return unfit(f"{word} (byte {not_finite.start()}) is not a number in JSON; leave the field out", None)
    halves = _ESCAPES.finditer(body) if "truncated" in message or "surrogate" in message else ()
    if half := next((escape for escape in halves if escape.group(1)), None):
        shown = f"{half.group().decode()} at byte {half.start()}"
        hint = "send both halves, or the character itself in UTF-8"
        return InputError(f"{shown} is half a surrogate pair; {hint}", code="broken_json")
    what = message.split(" (byte")[0].removeprefix("JSON is malformed: ")
    return InputError(f"broken JSON at byte {at} of {len(body)}: {what}", code="broken_json")


def _misfit(message: str, body: bytes, kind: Any) -> InputError:
    problem, _, where = message.partition(" - at `$")
    path = where.rstrip("`").lstrip(".")
    if unknown := re.search(r"unknown field `(.*)`", problem):
        name, owner = unknown.group(1), _struct_at(kind, path)
        hint = nearest(name, (field.encode_name for field in msgspec.structs.fields(owner)))
        return InputError(
            f"no field {name[:80]!r}: {hint}", code="unknown_field", field=_join(path, name[:80])
        )
    if missing := re.search(r"required field `(.*)`", problem):
        name = missing.group(1)
        return Refused(422, f"{name} is missing", code="missing_field", field=_join(path, name))
    last = path.rpartition(".")[2]
    given = _at(body, path)
    if last in RANGES:
        low, high = RANGES[last]
        try:
            if isinstance(given, int | float | str) and not isinstance(given, bool):
                check_range(last, given, low, high)
        except InputError as refused:
            return refused
        message = f"{last} must be a whole number {low}..{high}, got {_shown(given)}"
        return InputError(message, code=f"{last}_out_of_range", field=last)
    return unfit(_sentence(path or "the body", problem, given), path or None)


def _sentence(path: str, problem: str, given: Any) -> str:
    if isinstance(given, str) and "of length" in problem:
        return f"{path} must be 1..{LONGEST_ID} characters, got {len(given)}"
    if problem == "Number out of range":
        return f"{path} is a number that is too large; at most 1.8e308 is allowed"
    names = wanted(problem)
    if names is None:
        return f"{path}: {problem.replace('`', '')}"
    if path == "the body" and given is None:
        return f"the body is null; {names} is wanted"
    number = isinstance(given, int | float) and not isinstance(given, bool)
    hint = "; put it in quotes" if names.startswith("a string") and number else ""
    return f"{path} must be {names}, got {_shown(given)}{hint}"


def _shown(given: Any) -> str:
    """Return a value of a body for an error message: as in JSON, but strings in single quotes."""
    return (repr(given) if isinstance(given, str) else msgspec.json.encode(given).decode())[:80]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _at(body: bytes, path: str) -> Any:
    """Return the value at ``path`` of a JSON body, for an error message; None if it cannot be reached."""
    try:
        value = msgspec.json.decode(body)
        for step in re.findall(r"[^.\[\]]+", path):
            value = value[int(step)] if isinstance(value, list) else value[step]
    except (msgspec.DecodeError, LookupError, TypeError, ValueError):
        return None
    return value


def _struct_at(kind: Any, path: str) -> type[msgspec.Struct]:
    owner = next(_structs(kind))
    for step in re.findall(r"[^.\[\]]+", path):
        if not step.isdigit():
            owner = next(_structs(typing.get_type_hints(owner)[step]))
    return owner


def _structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for part in typing.get_args(kind):
        yield from _structs(part)
