"""Lists go out: what is in an answer, for whom, and that two users' answers never mix."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from acclimate.config import Home, Policy, Repeat, Settings
from acclimate.serve.engine import Engine
from tests.e2e.books import load_library
from tests.e2e.serving import in_thread
from tests.serve.conftest import Client, serving


def test_an_answer_names_what_made_it(client: Client) -> None:
    response = client.post("/v1/recommendations", json={"user_id": "reader-1", "k": 3})
    answer = response.json()
    assert answer["request_id"] == response.headers["X-Request-ID"]
    assert (answer["user_id"], answer["policy"], answer["fallback"]) == ("reader-1", "greedy", None)
    assert answer["snapshot"] == "3f9a27c41b60d8e5"
    assert [place["rank"] for place in answer["items"]] == [1, 2, 3]
    assert all(place["title"] and place["categories"] and place["reasons"] for place in answer["items"])
    assert all(place["propensity"] == 1.0 for place in answer["items"])


def test_get_and_post_agree(client: Client) -> None:
    get = client.get("/v1/recommendations", params={"user_id": "reader-2", "k": 7}).json()
    post = client.post("/v1/recommendations", json={"user_id": "reader-2", "k": 7}).json()
    assert get["items"] == post["items"]


def test_without_explain_there_are_no_reasons(client: Client) -> None:
    answer = client.get("/v1/recommendations", params={"user_id": "reader-2", "explain": "false"}).json()
    assert all(place["reasons"] == [] for place in answer["items"])


def test_candidates_and_exclude(client: Client) -> None:
    body = {
        "k": 10,
        "candidates": ["book-gothic-0", "book-gothic-1", "unknown"],
        "exclude": ["book-gothic-1"],
    }
    items = client.post("/v1/recommendations", json=body).json()["items"]
    assert [place["item_id"] for place in items] == ["book-gothic-0"]


def test_a_session_without_an_id(client: Client) -> None:
    session = [{"item_id": "book-mystery-0"}, {"item_id": "book-mystery-1", "event_type": "like"}]
    answer = client.post("/v1/recommendations", json={"events": session, "k": 5}).json()
    assert answer["user_id"] is None
    titles = [place["item_id"] for place in answer["items"]]
    assert not {"book-mystery-0", "book-mystery-1"} & set(titles)
    assert any(title.startswith("book-mystery") for title in titles)
    reasons = {place["reasons"][0]["item_id"] for place in answer["items"]}
    assert reasons <= {"book-mystery-0", "book-mystery-1", None}
    assert client.get("/v1/users").json()["total"] == 48


def test_an_offset_that_was_never_written_is_refused(client: Client) -> None:
    offset = client.post(
        "/v1/events", json={"user_id": "u", "event_type": "like", "item_id": "book-gothic-1"}
    ).json()["offset"]
    ask = {"user_id": "u", "offset": offset}
    assert client.post("/v1/recommendations", json=ask).status_code == 200
    refused = client.post("/v1/recommendations", json={**ask, "offset": 10_000})
    assert refused.status_code == 422
    assert "at most" in refused.json()["error"]["message"]


def test_similar(client: Client) -> None:
    answer = client.get("/v1/similar", params={"item_id": "book-mystery-0", "k": 4}).json()
    assert [place["rank"] for place in answer["items"]] == [1, 2, 3, 4]
    assert "book-mystery-0" not in [place["item_id"] for place in answer["items"]]
    unknown = client.get("/v1/similar", params={"item_id": "no such"})
    assert unknown.status_code == 404
    assert unknown.json()["error"]["code"] == "unknown_item"


def test_where_nothing_is_near_similar_says_why(client: Client) -> None:
    client.put("/v1/items", json={"item_id": "new", "title": "The Shadow Line (1917)"})
    answer = client.get("/v1/similar", params={"item_id": "new"})
    assert (answer.status_code, answer.json()["items"]) == (200, [])
    assert "item-knn cannot say what is near to this item" in answer.json()["fallback"]["reason"]
    known = client.get("/v1/similar", params={"item_id": "book-mystery-0"}).json()
    assert known["fallback"] is None


def test_an_answer_can_be_looked_up(client: Client) -> None:
    answer = client.get("/v1/recommendations", params={"user_id": "reader-3", "k": 4}).json()
    client.post(
        "/v1/events", json={"user_id": "u", "event_type": "like", "item_id": "i"}
    )  # the log has moved on
    logged = client.get("/v1/requests", params={"request_id": answer["request_id"]}).json()
    assert logged["seed"] == 0
    same = ("request_id", "user_id", "snapshot", "log_offset", "policy", "fallback")
    assert [logged[name] for name in same] == [answer[name] for name in same]
    shown = [{key: place[key] for key in logged["items"][0]} for place in answer["items"]]
    assert logged["items"] == shown
    assert client.get("/v1/requests", params={"request_id": "never"}).status_code == 404


def test_what_the_model_cannot_score_has_no_score_and_comes_last(client: Client) -> None:
    client.put("/v1/items", json={"item_id": "new", "title": "Untold"}).raise_for_status()
    known = client.get("/v1/recommendations?user_id=reader-0&k=2").json()["items"]
    for wanted in ([place["item_id"] for place in known], []):
        body = {"user_id": "reader-0", "candidates": ["new", *wanted]}
        answer = client.post("/v1/recommendations", json=body).json()
        *others, last = answer["items"]
        assert [place["score"] for place in others] == [place["score"] for place in known[: len(others)]]
        assert (last["item_id"], last["score"]) == ("new", None)
        logged = client.get("/v1/requests", params={"request_id": answer["request_id"]}).json()
        assert logged["items"][-1]["score"] is None


def test_an_exploring_policy_says_what_chance_each_item_had(tmp_path: Path) -> None:
    settings = Settings(policy=Policy(name="epsilon", epsilon=0.5))
    with serving(Engine(Home(tmp_path), settings, load_library)) as client:
        items = client.get("/v1/recommendations", params={"user_id": "reader-0", "k": 20}).json()["items"]
    assert all(0 < place["propensity"] < 1 for place in items[:10])
    assert len({place["item_id"] for place in items}) == 20


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("repeat", "comes"), [("never", False), ("1h", False), ("always", True)])
def test_the_setting_repeat_decides_what_comes_again(tmp_path: Path, repeat: str, comes: bool) -> None:
    settings = Settings(repeat=Repeat(repeat))
    with serving(Engine(Home(tmp_path / "home"), settings)) as client:
        client.put("/v1/items", json=[{"item_id": name} for name in "abc"]).raise_for_status()
        like = {"user_id": "ann", "event_type": "like", "item_id": "a"}
        client.post("/v1/events", json=like).raise_for_status()
        found = client.get("/v1/recommendations?user_id=ann&k=3").json()
        assert ("a" in [item["item_id"] for item in found["items"]]) == comes


def test_two_users_never_get_each_others_answer(engine: Engine) -> None:
    users = [f"reader-{n}" for n in range(12)] + [f"né/w {n}" for n in range(4)]
    with in_thread(engine) as url, ThreadPoolExecutor(8) as threads:

        def ask(user: str) -> tuple[str, str, tuple[str, ...]]:
            with urlopen(f"{url}/v1/recommendations?k=5&user_id={quote(user, safe='')}") as response:
                answer = json.load(response)
                assert response.headers["X-Request-ID"] == answer["request_id"]
            return answer["user_id"], answer["request_id"], tuple(i["item_id"] for i in answer["items"])

        alone = {user: ask(user)[2] for user in users}
        asked = users * 12
        answers = list(threads.map(ask, asked))
    assert [user for user, _, _ in answers] == asked
    assert len({request for _, request, _ in answers}) == len(asked)
    assert all(items == alone[user] for user, _, items in answers)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"item_id": "nope"}, "none of the session's events is of an item that is known here: "),
        ({"event_type": "search", "query": "q"}, "the session holds searches, and no event of an item: "),
    ],
)
def test_a_session_that_says_nothing_is_told_why(client: Client, event: dict[str, str], reason: str) -> None:
    answer = client.post("/v1/recommendations", json={"k": 2, "events": [event]}).json()
    assert answer["fallback"]["reason"].startswith(reason)
    assert len(answer["items"]) == 2
