# ruff: noqa: E501
"""Every wrong request gets the one shape of an error: what was given, what is allowed, what to do."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.errors import InputError
from acclimate.serve.engine import Engine
from acclimate.serve.reading import read
from acclimate.serve.schemas import EventBody, ItemBody, RecommendBody, Request, UserBody
from tests.e2e.serving import in_thread
from tests.serve.conftest import Client

JSON = {"Content-Type": "application/json"}
LIKE = b'{"user_id":"u","event_type":"like","item_id":"i"'
Answer = tuple[int, str, str, str | None]


def problem(response: Any) -> Answer:
    document = response.json()
    assert set(document) == {"error"}
    assert set(document["error"]) == {"code", "message", "field"}
    assert len(response.headers["X-Request-ID"]) == 32
    error = document["error"]
    return response.status_code, error["code"], error["message"], error["field"]


@pytest.mark.parametrize(("k", "shown"), [(0, "0"), (-1, "-1"), (10**9, "1000000000"), ("ten", "'ten'")])
def test_k_out_of_range(shared: Client, k: Any, shown: str) -> None:
    expected = (400, "k_out_of_range", f"k must be 1..1000, got {shown}", "k")
    assert problem(shared.get("/v1/recommendations", params={"k": k})) == expected
    assert problem(shared.post("/v1/recommendations", json={"k": k})) == expected
    assert problem(shared.get("/v1/similar", params={"k": k, "item_id": "book-gothic-1"})) == expected


@pytest.mark.parametrize("k", [" 10", "1_0", "+10", "007", "1e1", "5.0", "\u0661", "9" * 40])
def test_k_written_strangely(shared: Client, k: str) -> None:
    expected = (400, "k_out_of_range", f"k must be 1..1000, got {k!r}", "k")
    assert problem(shared.get("/v1/recommendations", params={"k": k})) == expected


@pytest.mark.parametrize("k", [None, 2.5, True, [3], 10**400])
def test_k_of_another_type(shared: Client, k: Any) -> None:
    status, code, message, _ = problem(shared.post("/v1/recommendations", json={"k": k}))
    assert (status, code) == (400, "k_out_of_range")
    assert "k must be" in message
    assert not {"None", "True"} & set(message.split())


@pytest.mark.parametrize(
    ("body", "status", "part", "field"),
    [
        (b'{"user_id":', 400, "broken JSON at byte 11 of 11", None),
        (LIKE + b',"value":1,}', 400, "broken JSON at byte", None),
        (b"\xff\xfe{}", 400, "not UTF-8: byte 0xff at 0", None),
        (LIKE + b',"context":' + b'{"a":' * 50_000, 400, "nested too deeply", None),
        (b"[" * 100_000, 400, "nested too deeply", None),
        (b"[" * 2_000 + b"]" * 2_000, 400, "nested too deeply", None),
        (LIKE + b',"item_id":"j"}', 400, "'item_id' stands twice in one object; give it once", "item_id"),
        (b"[" + LIKE + b"}," + LIKE + b',"user_id":"v"}]', 400, "'user_id' stands twice", "user_id"),
        (LIKE + b',"context":{"a":1,"b":2,"a":3}}', 400, "'a' stands twice", "a"),
        (b"", 400, "the body is empty", None),
        (b" \n", 400, "the body is empty; send one JSON document", None),
        (b"null", 422, "the body is null; an object or a list is wanted", None),
        (b"5", 422, "the body must be an object or a list, got 5", None),
        (b"true", 422, "the body must be an object or a list, got true", None),
        (b"[null]", 422, "[0] must be an object, got null", "[0]"),
        (b'{"user_id":true,"event_type":"like"}', 422, "user_id must be a string, got true", "user_id"),
        (b'{"user_id":["a",null],"event_type":"like"}', 422, 'must be a string, got ["a",null]', "user_id"),
        (LIKE + b',"vale":1}', 400, "no field 'vale': did you mean 'value'? Allowed: ", "vale"),
        (b"[" + LIKE + b'},{"usr":1}]', 400, "no field 'usr': did you mean 'user_id'?", "[1].usr"),
        (b'{"user_id":"u","item_id":"i"}', 422, "event_type is missing", "event_type"),
        (b'{"user_id":7,"event_type":"like"}', 422, "user_id must be a string, got 7; put it in quotes", "user_id"),
        (b'{"user_id":"","event_type":"like"}', 422, "user_id must be 1..10000 characters, got 0", "user_id"),
        (LIKE + b',"request_id":""}', 422, "request_id must be 1..10000 characters, got 0", "request_id"),
        (LIKE + b',"query":"\\ud800"}', 400, f"\\ud800 at byte {len(LIKE) + 10} is half a surrogate pair", None),
        (LIKE + b',"query":"\\udc00"}', 400, f"\\udc00 at byte {len(LIKE) + 10} is half a surrogate pair", None),
        (LIKE + b',"query":"\\ud83d\\ude00 \\\\ud800', 400, "Input data was truncated", None),
        (LIKE + b',"event_id":""}', 422, "event_id must be 1..10000 characters, got 0", "event_id"),
        (LIKE + b',"value":NaN}', 422, f"NaN (byte {len(LIKE) + 9}) is not a number in JSON", None),
        (LIKE + b',"value":-Infinity}', 422, f"-Infinity (byte {len(LIKE) + 9}) is not a number", None),
        (LIKE + b',"value":1e999}', 422, "value is a number that is too large; at most 1.8e308", "value"),
        (LIKE + b',"timestamp":1700000000000}', 422, "in seconds, got 1700000000000; for milliseconds divide", "timestamp"),
        (LIKE + b',"timestamp":1e300}', 422, "timestamp must be in seconds, got 1e+300; for milliseconds", "timestamp"),
        (LIKE + b',"timestamp":-5}', 422, "timestamp must be seconds since 1970, got -5.0", "timestamp"),
        (LIKE + b',"timestamp":"yesterday"}', 422, "or ISO 8601 as in 2024-05-01T12:00:00Z, got 'yesterday'", "timestamp"),
        (b'{"user_id":"u","event_type":"lik","item_id":"i"}', 422, "no event type 'lik': did you mean 'like'?", "event_type"),
        (b'{"user_id":"u","event_type":"like"}', 422, "item_id is missing: 'like' needs an item", "item_id"),
        (b'{"user_id":"u","event_type":"search"}', 422, "query is missing: a search needs", "query"),
        (b'{"user_id":"u","event_type":"rating","item_id":"i"}', 422, "a rating needs one", "value"),
    ],
)  # fmt: skip
def test_a_wrong_event(shared: Client, body: bytes, status: int, part: str, field: str | None) -> None:
    found = problem(shared.post("/v1/events", content=body, headers=JSON))
    assert found[0] == status
    assert part in found[2]
    assert found[3] == field
    assert shared.get("/v1/history", params={"user_id": "u"}).json()["known"] is False


def test_times_that_are_accepted(shared: Client) -> None:
    now = time.time()
    for at in (
        0,
        1_700_000_000,
        "2024-05-01T12:00:00Z",
        "2024-05-01",
        "2024-05-01T12:00:00+02:00",
        now + 3600,
    ):
        event = {"user_id": "timely", "event_type": "like", "item_id": "i", "timestamp": at}
        assert shared.post("/v1/events", json=event).status_code == 200
    event["timestamp"] = now + 3 * 86_400
    status, _, message, _ = problem(shared.post("/v1/events", json=event))
    assert status == 422
    assert "must not lie more than 1 day ahead, got 3.0 days" in message


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_only_json_is_read(shared: Client, content_type: str) -> None:
    body = LIKE.replace(b'u"', b'typed"', 1) + b"}"
    response = shared.post("/v1/events", content=body, headers={"Content-Type": content_type})
    assert problem(response)[:2] == (415, "not_json")
    named = {"Content-Type": "application/json; charset=utf-8"}
    assert shared.post("/v1/events", content=body, headers=named).status_code == 200


@pytest.mark.parametrize("field", ["filters", "boosts", "pins", "caps", "experiment", "context"])
def test_what_later_releases_bring_is_not_silently_ignored(shared: Client, field: str) -> None:
    status, code, message, at = problem(shared.post("/v1/recommendations", json={"k": 3, field: {}}))
    assert (status, code, at) == (400, "unknown_field", field)
    assert "candidates, events, exclude, explain, k, offset, user_id" in message


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/recommendations?user=42", (400, "unknown_parameter", "user")),
        ("/v1/recommendations?user_id=", (422, "bad_value", "user_id")),
        ("/v1/recommendations?user_id=" + "x" * 10_001, (422, "bad_value", "user_id")),
        ("/v1/recommendations?explain=maybe", (400, "bad_parameter", "explain")),
        ("/v1/similar", (400, "missing_parameter", "item_id")),
        ("/v1/users?limit=0", (400, "limit_out_of_range", "limit")),
        ("/v1/users?max_events=-1", (400, "bad_parameter", "max_events")),
        ("/v1/users?max_events=few", (400, "bad_parameter", "max_events")),
        ("/v1/users?prefix=" + "x" * 10_001, (400, "bad_parameter", "prefix")),
        ("/livez?x=1", (400, "unknown_parameter", "x")),
        ("/v1/nothing", (404, "no_such_route", None)),
        ("/page/..%2Fapp.py", (404, "no_such_route", None)),
        ("/page/app.py", (404, "no_such_route", None)),
    ],
)
def test_a_wrong_address(shared: Client, path: str, expected: tuple[int, str, str | None]) -> None:
    status, code, _, field = problem(shared.get(path))
    assert (status, code, field) == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("recommendations?explain=x", "explain must be true or false, got 'x'"),
        ("users?max_events=-1", "max_events must be a whole number, 0 or more, got -1"),
        ("users?max_events=few", "max_events must be a whole number, got 'few'"),
        ("users?prefix=" + "x" * 10_001, "prefix must be at most 10000 characters, got 10001"),
    ],
)
def test_a_wrong_parameter_is_told_in_plain_words(shared: Client, path: str, message: str) -> None:
    assert problem(shared.get(f"/v1/{path}"))[2] == message


@pytest.mark.parametrize(
    ("offset", "message"),
    [
        (-1, "offset must be a whole number, 0 or more, got -1"),
        ("x", "offset must be a whole number, got 'x'"),
        (10**60, "offset must be one that a write answered with, at most "),
    ],
)
def test_a_wrong_offset(shared: Client, offset: Any, message: str) -> None:
    answer = shared.post("/v1/recommendations", json={"offset": offset})
    _, code, told, field = problem(answer)
    assert (code, told[: len(message)], field) == ("bad_value", message, "offset")
    assert len(told) < 120


@pytest.mark.parametrize(
    ("query", "code", "part", "field"),
    [
        ("user_id=%FF", "not_utf8", "user_id is not UTF-8: an address holds", "user_id"),
        ("k=3&user_id=%ED%A0%80", "not_utf8", "user_id is not UTF-8", "user_id"),
        ("user_id=a&user_id=b", "repeated_parameter", "user_id is given twice", "user_id"),
        ("user_id=a&k=3&user_id=a", "repeated_parameter", "user_id is given twice", "user_id"),
    ],
)
def test_an_address_that_means_two_things(
    shared: Client, query: str, code: str, part: str, field: str
) -> None:
    found = problem(shared.get(f"/v1/recommendations?{query}"))
    assert (*found[:2], found[3]) == (400, code, field)
    assert part in found[2]


def test_an_id_may_hold_the_character_that_stands_for_others(shared: Client) -> None:
    assert shared.get("/v1/history?user_id=%EF%BF%BD+%F0%9F%98%80").json()["user_id"] == "\ufffd \U0001f600"


def test_a_wrong_method_names_the_right_ones(shared: Client) -> None:
    response = shared.post("/livez")
    assert problem(response)[:2] == (405, "method_not_allowed")
    assert "GET" in response.headers["Allow"]
    assert problem(shared.request("PROPFIND", "/livez"))[2] == "PROPFIND is not allowed on /livez"


def test_a_method_that_http_lacks_is_refused_before_the_service(engine: Engine) -> None:
    with in_thread(engine) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        connection.request("FOO", "/livez")
        with connection.getresponse() as response:
            assert (response.status, response.getheader("X-Request-ID")) == (400, None), "as the docs say"
        connection.close()


def test_too_many_events(shared: Client) -> None:
    event = {"user_id": "u", "event_type": "like", "item_id": "i"}
    status, code, message, _ = problem(shared.post("/v1/events", json=[event] * 10_001))
    assert (status, code) == (413, "too_many")
    assert message == "at most 10000 events in one request, got 10001; send them in 2 requests"


@pytest.mark.timeout(60)
def test_a_body_of_50_mb_is_refused_before_it_is_read(engine: Engine) -> None:
    with in_thread(engine) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        connection.putrequest("POST", "/v1/events")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(50 * 2**20))
        connection.endheaders(b"[")  # and nothing more: an answer can only come from the header
        response = connection.getresponse()
        assert response.status == 413
        assert b"larger than 8 MB; send it in several requests" in response.read()
        connection.close()


def test_a_large_body_of_unknown_length_is_refused(shared: Client) -> None:
    def chunks() -> Any:
        for _ in range(12):
            yield b" " * 2**20

    response = shared.post("/v1/events", content=chunks(), headers=JSON)
    assert problem(response)[:2] == (413, "body_too_large")


KINDS = [EventBody | list[EventBody], RecommendBody, ItemBody | list[ItemBody], UserBody]
WORDS = st.sampled_from(["user_id", "item_id", "k", "events", "timestamp", "value", "", "é"])
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def outcome(body: bytes, kind: Any) -> Any:
    """What ``read`` returns, or the InputError that it raises; any other error is a fault."""
    try:
        return read(body, kind)
    except InputError as refused:
        return refused


@given(body=st.binary(max_size=60) | TREES.map(lambda tree: json.dumps(tree).encode()))
@pytest.mark.parametrize("kind", KINDS, ids=["event", "question", "item", "user"])
def test_no_body_gets_past_the_reader_but_as_a_value_or_an_input_error(kind: Any, body: bytes) -> None:
    found = outcome(body, kind)
    assert isinstance(found, Request | list) or found.message
