"""What operators see, and what a browser is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from acclimate.config import Home, Settings
from acclimate.errors import BusyError, InputError
from acclimate.models.popularity import Popularity
from acclimate.serve.engine import Engine
from acclimate.serve.run import is_loopback, listen
from acclimate.snapshot import Registry
from acclimate.state.fold import LiveState
from acclimate.types import Verdict
from tests.e2e.books import library
from tests.serve.conftest import Client, serving


def test_an_empty_home_works(empty: Client) -> None:
    answer = empty.get("/v1/recommendations?user_id=u").json()
    assert answer["items"] == []
    assert answer["snapshot"] is None
    assert answer["fallback"]["reason"].startswith("no model yet: run `acclimate train`")
    empty.put("/v1/items", json={"item_id": "first", "title": "First"})
    items = empty.get("/v1/recommendations?user_id=u").json()["items"]
    assert [item["item_id"] for item in items] == ["first"]
    assert empty.get("/v1/snapshots").json() == {"snapshots": []}
    assert empty.get("/readyz").json()["items"] == 1


def test_the_current_snapshot_answers(tmp_path: Path) -> None:
    home, data, model = Home(tmp_path), library(), Popularity()
    model.fit(data)
    registry = Registry(home.snapshots)
    snapshot = registry.write(model, LiveState.of(data), metrics={"ndcg@10": 0.1})
    registry.publish(snapshot, Verdict(True, ("valid",), {"valid": True}))
    with serving(Engine(home, Settings())) as client:
        assert client.get("/readyz").json()["snapshot"] == snapshot.id
        (shown,) = client.get("/v1/snapshots").json()["snapshots"]
        answer = client.get("/v1/recommendations?user_id=reader-0").json()
        metrics = client.get("/metrics").text
    assert (shown["id"], shown["current"], shown["model"]) == (snapshot.id, True, "popularity")
    assert (shown["verdict"]["passed"], shown["metrics"]) == (True, {"ndcg@10": 0.1})
    assert (answer["snapshot"], answer["fallback"]) == (snapshot.id, None)
    assert f'snapshot="{snapshot.id}"' in metrics


def test_metrics_count_and_hold_no_ids(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    secret = "secret-user-4711"
    client.post("/v1/events", json={"user_id": secret, "event_type": "like", "item_id": secret})
    client.get("/v1/recommendations", params={"user_id": secret})
    client.get(f"/v1/{secret}")
    client.get("/v1/users", params={"user_id": secret + "?"})
    text = client.get("/metrics").text
    assert 'acclimate_requests_total{method="POST",route="/v1/events",status="200"} 1.0' in text
    assert 'acclimate_requests_total{method="GET",route="none",status="404"} 1.0' in text
    assert 'acclimate_records_total{kind="event"} 1.0' in text
    assert 'acclimate_stage_seconds_count{stage="model"} 1.0' in text
    assert "acclimate_batch_size_count 1.0" in text
    assert "acclimate_ready 1.0" in text
    assert re.search(r"^acclimate_log_offset [1-9]", text, re.MULTILINE)
    assert secret not in text
    assert secret not in caplog.text


def test_a_bug_is_answered_in_the_one_shape_and_logged_without_ids(
    client: Client, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError("oops")

    engine.recommender.recommend_many = bug  # type: ignore[method-assign, assignment]
    response = client.get("/v1/recommendations?user_id=secret-user")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert response.headers["X-Request-ID"] in caplog.text
    assert "oops" in caplog.text
    assert "oops" not in response.text
    assert "secret-user" not in caplog.text


@pytest.mark.parametrize("path", ["/", "/docs", "/page/app.js", "/favicon.ico", "/v1/nothing", "/readyz"])
def test_every_answer_is_safe_in_a_browser(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert headers["Cache-Control"] in ("no-store", "no-cache")
    assert len(headers["X-Request-ID"]) == 32


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/v1/items?limit=3", "/v1/nothing"])
def test_head_answers_as_get_without_a_body(client: Client, path: str) -> None:
    whole, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["Content-Length"] == str(len(whole.content))
    assert head.headers["Content-Type"] == whole.headers["Content-Type"]
    assert len(head.headers["X-Request-ID"]) == 32


def test_every_file_of_the_page_is_served_and_nothing_comes_from_elsewhere(client: Client) -> None:
    folder = Path(__file__).parents[2] / "src/acclimate/serve/page"
    for file in folder.iterdir():
        response = client.get(f"/page/{file.name}")
        assert response.status_code == 200
        assert response.content == file.read_bytes()
        again = client.get(f"/page/{file.name}", headers={"If-None-Match": response.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        outside = [url for url in re.findall(r"https?://[^\"' ]+", file.read_text()) if "w3.org" not in url]
        assert outside == []


def test_a_port_in_use_is_named_with_the_option_to_change_it() -> None:
    with listen("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        with pytest.raises(
            BusyError, match=f"port {port} on 127.0.0.1 is in use; choose another with --port"
        ):
            listen("127.0.0.1", port)


def test_a_host_that_is_not_ours() -> None:
    with pytest.raises(InputError, match=r"cannot listen on 192\.0\.2\.1 port 0"):
        listen("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)],
)
def test_what_only_this_machine_can_reach(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "query", ["utm_source=x", "user_id=", "user_id=a&user_id=b", "x=%FF", "user_id=" + "x" * 20_000]
)
def test_the_page_opens_whatever_the_address_says(client: Client, query: str) -> None:
    response = client.get(f"/?{query}")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert client.get("/readyz?utm_source=x").status_code == 400, "for programs a mistake is a mistake"
