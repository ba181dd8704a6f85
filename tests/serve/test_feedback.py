"""Events come in, count once, and are known to the next list."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from acclimate.adapt.gate import first_verdict
from acclimate.config import Home, Serve, Settings
from acclimate.data.dataset import Dataset
from acclimate.models.popularity import Popularity
from acclimate.serve.engine import Engine
from acclimate.snapshot import Registry
from acclimate.state.fold import LiveState
from tests.serve.conftest import Client, serving

LIKE = {"user_id": "new one", "event_type": "like", "item_id": "book-gothic-1"}


def ids(client: Client, user: str, k: int = 1000) -> list[str]:
    answer = client.post("/v1/recommendations", json={"user_id": user, "k": k})
    assert answer.status_code == 200
    return [place["item_id"] for place in answer.json()["items"]]


def test_the_next_list_knows_the_event(client: Client) -> None:
    before = client.get("/v1/recommendations", params={"user_id": "new one", "k": 5}).json()
    assert before["fallback"]["reason"].startswith("unknown user")
    written = client.post("/v1/events", json=LIKE).json()
    after = client.get("/v1/recommendations", params={"user_id": "new one", "k": 5}).json()
    assert written["accepted"] == 1
    assert after["log_offset"] >= written["offset"]
    assert after["fallback"] is None
    assert after["items"] != before["items"]
    assert after["items"][0]["reasons"][0]["item_id"] == "book-gothic-1"
    assert "book-gothic-1" not in ids(client, "new one")


def test_a_dislike_leaves_the_lists(client: Client) -> None:
    first = ids(client, "reader-0")[0]
    client.post("/v1/events", json={"user_id": "reader-0", "event_type": "dislike", "item_id": first})
    assert first not in ids(client, "reader-0")


def test_the_same_event_id_counts_once(client: Client) -> None:
    event = {**LIKE, "event_id": "e1", "timestamp": 1_700_000_000}
    first = client.post("/v1/events", json=event).json()
    again = client.post("/v1/events", json=event).json()
    assert (first["accepted"], first["duplicates"]) == (1, 0)
    assert (again["accepted"], again["duplicates"]) == (0, 1)
    assert client.get("/v1/users", params={"user_id": "new one"}).json()["users"][0]["events"] == 1


def test_without_a_timestamp_a_repeat_is_still_a_repeat(client: Client) -> None:
    answers = [client.post("/v1/events", json={**LIKE, "event_id": "e1"}).json() for _ in range(2)]
    assert [answer["duplicates"] for answer in answers] == [0, 1]


def test_an_event_id_cannot_stand_for_two_events(client: Client) -> None:
    client.post("/v1/events", json={**LIKE, "event_id": "e1"})
    answer = client.post("/v1/events", json={**LIKE, "event_type": "dislike", "event_id": "e1"})
    assert answer.status_code == 409
    assert "e1" in answer.json()["error"]["message"]


def test_a_batch_is_written_whole_or_not_at_all(client: Client) -> None:
    good = [{**LIKE, "item_id": f"book-gothic-{n}"} for n in range(3)]
    refused = client.post("/v1/events", json=[*good, {**LIKE, "event_type": "lke"}])
    assert refused.status_code == 422
    assert refused.json()["error"]["field"] == "[3].event_type"
    assert client.get("/v1/history", params={"user_id": "new one"}).json()["events"] == []
    assert client.post("/v1/events", json=good).json()["accepted"] == 3
    assert len(client.get("/v1/history", params={"user_id": "new one"}).json()["events"]) == 3


def test_an_empty_batch_is_no_error(client: Client) -> None:
    assert client.post("/v1/events", json=[]).json()["accepted"] == 0


def test_a_batch_is_warned_once_for_each_kind_and_loses_nothing(client: Client) -> None:
    assert client.delete("/v1/items", params={"item_id": "book-gothic-2"}).status_code == 200
    names = ["book-gothic-1", "a", "book-gothic-2", "b", "a", "c" * 200, "d"]
    batch = [{**LIKE, "item_id": name} for name in names]
    batch.append({"user_id": "new one", "event_type": "search", "query": "sea"})
    written = client.post("/v1/events", json=batch).json()
    assert written["accepted"] == len(batch)
    unknown, deleted = written["warnings"]
    assert (unknown["code"], unknown["field"]) == ("unknown_item", "[1].item_id")
    assert unknown["message"].startswith(f"4 items ('a', 'b', '{'c' * 80}', ...) were not known: ")
    assert (deleted["code"], deleted["field"]) == ("deleted_item", "[2].item_id")
    assert deleted["message"].startswith("item 'book-gothic-2' was deleted")
    assert client.post("/v1/events", json=LIKE).json()["warnings"] == []


def test_unknown_items_come_into_being(client: Client) -> None:
    written = client.post("/v1/events", json={**LIKE, "item_id": "never seen"}).json()
    assert written["accepted"] == 1
    assert written["warnings"] == [
        {
            "code": "unknown_item",
            "message": "item 'never seen' was not known: there is an id alone until PUT /v1/items says more",
            "field": "item_id",
        }
    ]
    assert client.post("/v1/events", json={**LIKE, "item_id": "never seen"}).json()["warnings"] == []
    assert client.get("/v1/items", params={"item_id": "never seen"}).status_code == 200
    assert "never seen" in ids(client, "reader-0")


def test_a_search_needs_no_item(client: Client) -> None:
    search = {"user_id": "s", "event_type": "search", "query": "whales"}
    assert client.post("/v1/events", json=search).json()["accepted"] == 1


@pytest.mark.parametrize(
    "user", ["a/b//c", "a b", "", "#?&=%", "007", "x" * 10_000, "用户", "🦉" * 50, "a\nb"]
)
def test_any_string_is_an_id(client: Client, user: str) -> None:
    answer = client.post("/v1/events", json={**LIKE, "user_id": user, "item_id": user})
    if not user:
        assert answer.status_code == 422
        return
    assert answer.status_code == 200
    history = client.get("/v1/history", params={"user_id": user}).json()
    assert history["user_id"] == user
    assert [event["item_id"] for event in history["events"]] == [user]


def test_history_is_newest_first_with_titles(client: Client) -> None:
    for n in (1, 2):
        client.post("/v1/events", json={**LIKE, "item_id": f"book-gothic-{n}"})
    history = client.get("/v1/history", params={"user_id": "new one", "limit": 1}).json()
    (event,) = history["events"]
    assert event["title"] == "Carmilla (1872)"
    assert event["weight"] == 2.0
    assert abs(event["timestamp"] - time.time()) < 60
    assert (history["total"], history["more"]) == (2, False)
    assert client.get("/v1/history", params={"user_id": "nobody"}).json()["known"] is False


def test_history_says_what_each_event_was(client: Client) -> None:
    for kind, more in (("view", {}), ("rating", {"value": 0.5}), ("purchase", {"value": 19.5})):
        client.post("/v1/events", json={**LIKE, "event_type": kind, **more})
    events = client.get("/v1/history", params={"user_id": "new one"}).json()["events"]
    assert [(event["event_type"], event["value"]) for event in events] == [
        ("purchase", 19.5),
        ("rating", 0.5),
        ("view", None),
    ]
    imported = client.get("/v1/history", params={"user_id": "reader-0"}).json()["events"]
    assert {(event["event_type"], event["value"]) for event in imported} == {(None, None)}


def test_a_history_that_was_cut_says_so(tmp_path: Path) -> None:
    settings = Settings(serve=Serve(max_history=3))
    with serving(Engine(Home(tmp_path), settings)) as client:
        client.post("/v1/events", json=[{**LIKE, "item_id": f"i{n}"} for n in range(5)])
        history = client.get("/v1/history", params={"user_id": "new one", "limit": 2}).json()
        (user,) = client.get("/v1/users").json()["users"]
    assert [event["item_id"] for event in history["events"]] == ["i4", "i3"]
    assert (history["total"], history["more"]) == (user["events"], user["more"]) == (3, True)


def test_how_much_is_kept_holds_for_what_a_snapshot_knows(tmp_path: Path) -> None:
    home, few = Home(tmp_path), Settings(serve=Serve(max_history=5))
    data = Dataset.of([("ann", f"i{n}", float(n)) for n in range(19)])
    model = Popularity()
    model.fit(data)
    registry = Registry(home.snapshots)
    snapshot = registry.write(model, LiveState.of(data), metrics={})
    registry.publish(snapshot, first_verdict(snapshot, report=None))
    for settings, kept in ((Settings(), 19), (few, 5), (few, 5)):
        with serving(Engine(home, settings)) as client:
            history = client.get("/v1/history?user_id=ann").json()
            assert (history["total"], history["more"]) == (kept, kept < 19)
            assert ids(client, "ann") == [], "what is older was had all the same"
    with serving(Engine(home, few)) as client:
        client.post("/v1/events", json={**LIKE, "user_id": "ann", "item_id": "new"})
        history = client.get("/v1/history?user_id=ann").json()
    assert [event["item_id"] for event in history["events"]] == ["new", "i18", "i17", "i16", "i15"]


def test_a_rating_off_the_scale_is_kept_and_warned_about(client: Client) -> None:
    rating = {"user_id": "reader-0", "event_type": "rating", "item_id": "book-gothic-1"}
    assert client.post("/v1/events", json={**rating, "value": 5}).json()["warnings"] == []
    batch = [{**rating, "value": value} for value in (1, 87, -3)] + [{**LIKE, "value": 99}]
    written = client.post("/v1/events", json=batch).json()
    assert written["accepted"] == 4
    (warned,) = written["warnings"]
    assert (warned["code"], warned["field"]) == ("off_scale", "[1].value")
    assert warned["message"] == (
        "2 ratings are off the scale 1..5, the first is 87: each counts as the nearer end of the scale; "
        "for another scale set events.rating, as in events.rating='1..100', and train anew"
    )
    one = client.post("/v1/events", json={**rating, "value": 0}).json()["warnings"]
    assert one[0]["message"].startswith("rating 0 is off the scale 1..5: it counts as 1; ")
    history = client.get("/v1/history?user_id=reader-0").json()["events"]
    assert 87 in [past["value"] for past in history]
