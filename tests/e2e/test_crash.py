"""A service that is killed, stopped, or started where it cannot be."""

from __future__ import annotations

import signal
from pathlib import Path
from urllib.parse import quote

import pytest

from acclimate.serve.run import listen
from tests.e2e.serving import Process

LIKE = {"user_id": "u", "event_type": "like", "item_id": "made-3"}


def listed(service: Process) -> list[str]:
    status, answer = service.ask("GET", "/v1/recommendations?user_id=u&k=20")
    assert status == 200
    return [place["item_id"] for place in answer["items"]]


@pytest.mark.timeout(90)
def test_killed_right_after_an_acknowledgement_it_still_knows_the_event(tmp_path: Path) -> None:
    with Process(tmp_path) as service:
        service.until_ready()
        service.ask("PUT", "/v1/items", [{"item_id": f"made-{n}", "title": f"Made {n}"} for n in range(8)])
        assert "made-3" in listed(service)
        status, acknowledged = service.ask("POST", "/v1/events", LIKE)
        service.process.kill()
        assert (status, acknowledged["accepted"]) == (200, 1)
        assert service.end(signal.SIGKILL) == -signal.SIGKILL

    with Process(tmp_path) as again:
        again.until_ready()
        assert sorted(listed(again)) == [f"made-{n}" for n in range(8) if n != 3]
        _, history = again.ask("GET", "/v1/history?user_id=u")
        assert [event["title"] for event in history["events"]] == ["Made 3"]
        assert history["log_offset"] >= acknowledged["offset"]
        long = quote("🦉" * 5_000)
        assert again.ask("GET", f"/v1/history?user_id={long}")[0] == 200
        assert again.end(signal.SIGTERM) == 0
    assert "Traceback" not in "".join(again.lines)


@pytest.mark.timeout(60)
def test_a_second_service_on_the_same_home_ends_with_one_clear_error(tmp_path: Path) -> None:
    with Process(tmp_path) as first:
        first.until_ready()
        with pytest.raises(RuntimeError, match=r"exit status 1: (?s:.*)BusyError"):
            Process(tmp_path)
        assert first.ask("GET", "/readyz")[0] == 200
        assert first.end(signal.SIGINT) == 0


@pytest.mark.timeout(60)
def test_other_machines_are_warned_about(tmp_path: Path) -> None:
    with Process(tmp_path, "serve.host=0.0.0.0") as service:
        service.end(signal.SIGTERM)
    text = " ".join("".join(service.lines).split())
    assert "warning: 0.0.0.0 can be reached from other machines, and there are no keys yet" in text


def test_a_port_in_use_is_known_before_anything_is_loaded(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as held, pytest.raises(RuntimeError, match="choose another with --port"):
        Process(tmp_path, f"serve.port={held.getsockname()[1]}")
    assert not (tmp_path / "log.sqlite").exists()
