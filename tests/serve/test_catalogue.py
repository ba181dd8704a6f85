"""Items and users change while they are served."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from acclimate.config import Home, Settings
from acclimate.encode.tfidf import TfidfEncoder
from acclimate.models.content import Content
from acclimate.recommend import Recommender
from acclimate.serve.engine import Engine
from acclimate.state.fold import LiveState
from tests.e2e.books import library
from tests.serve.conftest import Client, serving


def listed(client: Client) -> list[str]:
    answer = client.post("/v1/recommendations", json={"user_id": "reader-0", "k": 1000}).json()
    return [place["item_id"] for place in answer["items"]]


def test_an_item_put_now_can_be_recommended_now(client: Client) -> None:
    item = {"item_id": "new/1", "title": "The Shadow Line (1917)", "categories": ["Adventure"]}
    written = client.put("/v1/items", json=item).json()
    assert written["accepted"] == 1
    assert "new/1" in listed(client)
    (shown,) = client.get("/v1/items", params={"item_id": "new/1"}).json()["items"]
    assert shown["title"] == "The Shadow Line (1917)"
    assert (shown["available"], shown["expires_at"]) == (True, None)


def test_many_items_and_then_one_replaced(client: Client) -> None:
    items = [{"item_id": f"n{i}", "title": f"Title {i}"} for i in range(250)]
    assert client.put("/v1/items", json=items).json()["accepted"] == 250
    client.put("/v1/items", json={"item_id": "n1", "text": "only text now"})
    (shown,) = client.get("/v1/items", params={"item_id": "n1"}).json()["items"]
    assert (shown["title"], shown["text"]) == ("", "only text now")
    assert client.get("/v1/items", params={"limit": 3}).json()["total"] == 62 + 250


def test_unavailable_expired_and_deleted_items_are_never_listed(client: Client) -> None:
    client.put(
        "/v1/items", json=[{"item_id": "off", "available": False}, {"item_id": "old", "expires_at": 1}]
    )
    client.put("/v1/items", json={"item_id": "later", "expires_at": time.time() + 3600})
    gone = listed(client)[0]
    assert client.delete("/v1/items", params={"item_id": gone}).status_code == 200
    now = listed(client)
    assert not {"off", "old", gone} & set(now)
    assert "later" in now
    assert client.get("/v1/items", params={"item_id": gone}).status_code == 404
    again = client.delete("/v1/items", params={"item_id": gone})
    assert again.status_code == 404
    assert "PUT /v1/items" in again.json()["error"]["message"]


def test_a_deleted_item_is_no_part_of_the_catalogue_until_it_is_put_again(client: Client) -> None:
    first, second = (item["item_id"] for item in client.get("/v1/items?limit=2").json()["items"])
    client.delete("/v1/items", params={"item_id": first})
    answer = client.get("/v1/items?limit=1").json()
    assert [item["item_id"] for item in answer["items"]] == [second]
    assert answer["total"] == client.get("/readyz").json()["items"] == 61
    client.put("/v1/items", json={"item_id": first, "title": "Again"})
    assert client.get("/v1/items?limit=1").json()["items"][0]["title"] == "Again"
    assert client.get("/readyz").json()["items"] == 62


def test_the_last_day_there_is_means_never(client: Client) -> None:
    item = {"item_id": "ever", "expires_at": "9999-12-31T23:59:59Z"}
    assert client.put("/v1/items", json=item).status_code == 200
    assert "ever" in listed(client)


def test_users_with_attributes(client: Client) -> None:
    assert client.put("/v1/users", json=[{"user_id": "z", "attributes": {"age": 7}}]).json()["accepted"] == 1
    (user,) = client.get("/v1/users", params={"user_id": "z"}).json()["users"]
    assert user == {"user_id": "z", "attributes": {"age": 7}, "events": 0, "more": False}
    assert client.get("/v1/users", params={"user_id": "nobody"}).status_code == 404


def test_the_longest_histories_come_first(client: Client) -> None:
    answer = client.get("/v1/users", params={"limit": 5}).json()
    counts = [user["events"] for user in answer["users"]]
    assert counts == sorted(counts, reverse=True)
    assert len(counts) == 5
    assert answer["total"] == 48


def found(client: Client, **asked: Any) -> list[str]:
    return [user["user_id"] for user in client.get("/v1/users", params=asked).json()["users"]]


def test_users_are_found_by_the_beginning_of_their_id_or_name(client: Client) -> None:
    client.put("/v1/users", json=[{"user_id": "Reader-30x"}, {"user_id": "☂", "attributes": {"name": 7}}])
    assert client.get("/v1/users", params={"prefix": "reader-3", "limit": 1}).json()["total"] == 12
    assert found(client, prefix="reader-3")[0] == "reader-3", "the id itself comes first"
    assert set(found(client, prefix="READER-30")) == {"reader-30", "Reader-30x"}
    assert found(client, prefix="dor") == ["reader-3"]
    assert found(client, prefix="☂") == found(client, prefix="7") == ["☂"]
    assert found(client, prefix="nobody") == []
    client.delete("/v1/users", params={"user_id": "reader-3"})
    assert found(client, prefix="dor") == []
    assert "" not in found(client, limit=1000)


def test_users_of_a_moderate_history_can_be_asked_for(client: Client) -> None:
    users = client.get("/v1/users", params={"max_events": 6, "limit": 1000}).json()["users"]
    counts = [user["events"] for user in users]
    assert counts == sorted(counts, reverse=True)
    assert set(counts) == {5, 6}
    assert found(client, max_events=6, prefix=users[-1]["user_id"])[0] == users[-1]["user_id"]
    assert found(client, max_events=0) == []


def test_a_history_comes_with_what_it_says_of_the_user(client: Client) -> None:
    user = {"user_id": "profiled"}
    for kind, value in (("rating", 4.0), ("purchase", 99.0), ("dislike", None)):
        event = {**user, "item_id": "book-gothic-1", "event_type": kind, "value": value}
        assert client.post("/v1/events", json=event).status_code == 200
    profile = client.get("/v1/history", params=user).json()["profile"]
    assert (profile["dislikes"], profile["items"], profile["mean_value"]) == (1, 1, 4.0)
    assert sum(taste["share"] for taste in profile["tastes"]) == pytest.approx(1.0)
    assert sum(profile["hours"]) == pytest.approx(1.0)
    assert profile["words"][-1] == "rates 4.0 on average"


def test_a_forgotten_user_is_a_stranger(client: Client) -> None:
    user = {"user_id": "reader-0"}
    assert client.delete("/v1/users", params=user).status_code == 200
    assert client.get("/v1/users", params=user).status_code == 404
    assert client.delete("/v1/users", params=user).status_code == 404
    answer = client.get("/v1/history", params=user).json()
    profile = answer.pop("profile")
    assert (profile["likes"], profile["tastes"], profile["words"]) == (0, [], [])
    assert answer == {
        "user_id": "reader-0",
        "known": False,
        "log_offset": 1,
        "total": 0,
        "more": False,
        "events": [],
    }
    answer = client.get("/v1/recommendations", params=user).json()
    assert answer["fallback"]["reason"].startswith("unknown user")
    assert client.get("/v1/users").json()["total"] == client.get("/readyz").json()["users"] == 47


def test_a_new_item_that_will_come_last_is_warned_about(client: Client) -> None:
    new = [{"item_id": "n1", "title": "New"}, {"item_id": "n2", "title": "Too"}]
    (warned,) = client.put("/v1/items", json=new).json()["warnings"]
    assert (warned["code"], warned["field"]) == ("comes_last", "[0].item_id")
    assert warned["message"] == (
        "2 items ('n1', 'n2') come last in every list for now: an item that nobody liked cannot be scored; "
        "the first like that is learned makes it known; a model that reads texts can place them: "
        "acclimate train --model sequence"
    )
    known = {"item_id": "book-gothic-1", "title": "Of old"}
    off = {"item_id": "off", "available": False}
    later, over = {"item_id": "later", "created_at": "2035-01-01"}, {"item_id": "over", "expires_at": 5.0}
    assert client.put("/v1/items", json=[known, off]).json()["warnings"] == []
    warned = client.put("/v1/items", json=[off, later, over]).json()["warnings"]
    assert [(each["code"], each["message"], each["field"]) for each in warned] == [
        ("expired", "item 'over' is in no list: expires_at is over", "[2].item_id"),
        ("not_yet", "item 'later' is in no list: created_at is still to come", "[1].item_id"),
    ]
    (bare,) = client.put("/v1/items", json={"item_id": "bare"}).json()["warnings"]
    assert bare["message"].endswith("makes it known"), "what has no text no model can place"


def test_an_item_that_is_over_before_it_is_there_is_refused(client: Client) -> None:
    answer = client.put("/v1/items", json=[{"item_id": "n", "created_at": 20.0, "expires_at": 10.0}])
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == ("expires_before_created", "[0].expires_at")
    assert "expires_at must be later than created_at, got 10 and 20" in error["message"]


def test_a_model_that_reads_texts_warns_only_of_items_without_one(tmp_path: Path) -> None:
    def load(home: Home, settings: Settings) -> Recommender:
        model, data = Content(TfidfEncoder()), library()
        model.fit(data)
        return Recommender(model, LiveState.of(data))

    with serving(Engine(Home(tmp_path), Settings(), load)) as client:
        texts = [{"item_id": "told", "title": "Shadow"}, {"item_id": "bare"}]
        (warned,) = client.put("/v1/items", json=texts).json()["warnings"]
        assert warned["field"] == "[1].item_id"
        assert warned["message"] == (
            "item 'bare' comes last in every list for now: a new item is scored by its text at once; without "
            "a text it cannot be scored"
        )
