"""The engine: order, catching up, starting slowly, failing clearly, and answers in batches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from litestar.testing import TestClient

from acclimate.adapt.feedback import gather
from acclimate.adapt.gate import first_verdict
from acclimate.config import Home, Settings
from acclimate.data.dataset import Dataset
from acclimate.errors import BusyError, CorruptError, InputError
from acclimate.events.codec import event_entry
from acclimate.events.log import Appended, Entry
from acclimate.events.sqlite import SqliteLog
from acclimate.models.popularity import Popularity
from acclimate.recommend import Recommender
from acclimate.serve.app import make_app
from acclimate.serve.batching import Batcher
from acclimate.serve.engine import Engine
from acclimate.snapshot import Registry
from acclimate.types import Event, Histories, Query, Slate
from tests.e2e.books import load_library
from tests.serve.conftest import serving


def like(user: str, n: int) -> Event:
    return Event(user, "like", 1_700_000_000.0 + n, item_id=f"made-{n}")


def test_a_restart_knows_what_was_acknowledged(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with serving(Engine(home, Settings(), load_library)) as client:
        event = {"user_id": "u", "event_type": "like", "item_id": "book-gothic-1"}
        offset = client.post("/v1/events", json=event).json()["offset"]
        before = client.get("/v1/recommendations?user_id=u").json()
    with serving(Engine(home, Settings(), load_library)) as client:
        after = client.get("/v1/recommendations?user_id=u").json()
    assert after["log_offset"] >= offset
    assert after["items"] == before["items"]


def test_a_log_that_was_lost_is_told_at_the_start(tmp_path: Path) -> None:
    """Its offsets would begin anew, and what the snapshot seems to know already would never count."""
    home = Home(tmp_path)
    with serving(Engine(home, Settings())) as client:
        for n in range(3):
            event = {"user_id": f"u{n}", "event_type": "like", "item_id": "heat"}
            assert client.post("/v1/events", json=event).status_code == 200
    gathered = gather(home, Settings())
    model = Popularity()
    model.fit(gathered.data)
    registry = Registry(home.snapshots)
    snapshot = registry.write(model, gathered.state, metrics={})
    registry.publish(snapshot, first_verdict(snapshot, report=None))
    with serving(Engine(home, Settings())):
        pass
    for file in tmp_path.glob("log.sqlite*"):
        file.unlink()

    async def main() -> None:
        engine = Engine(home, Settings())
        await engine.start()
        try:
            with pytest.raises(CorruptError, match=r"not the event log .*offset 3: .*Put it back"):
                await engine.until_ready()
        finally:
            await engine.stop()

    asyncio.run(main())


def test_users_are_read_at_the_start_and_after_they_acted(tmp_path: Path) -> None:
    """Before they ask: the newest first, and of many writes at once a few."""
    read: list[list[str]] = []

    class Reader(Popularity):
        def remember(self, histories: Histories) -> None:
            assert histories.users is not None
            read.append(histories.users.tolist())

    def load(home: Home, settings: Settings) -> Recommender:
        rows = [(f"u{n}", "heat", float(n)) for n in range(70)]
        model = Reader()
        model.fit(Dataset.of(rows))
        return Recommender(model)

    with serving(Engine(Home(tmp_path), Settings(), load)) as client:
        assert read == [list(range(69, 5, -1)), list(range(5, -1, -1))]
        event = {"user_id": "u7", "event_type": "like", "item_id": "heat"}
        for _ in range(5):
            assert client.post("/v1/events", json=event).status_code == 200
        assert client.get("/v1/recommendations?user_id=u7").status_code == 200
        assert read[2] == [7]
        assert len(read) < 7


def test_appends_in_flight_are_applied_in_the_order_of_the_log(tmp_path: Path) -> None:
    async def main() -> tuple[list[str], list[str]]:
        engine = Engine(Home(tmp_path), Settings(), load_library)
        await engine.start()
        await engine.until_ready()
        await asyncio.gather(*(engine.write([event_entry(like("u", n))]) for n in range(40)))

        def past(recommender: Recommender) -> list[str]:
            state = recommender.state
            return [state.items.ids[code] for code in state.histories(["u"], 2e9).items]

        seen = await engine.ask(past)
        await engine.stop()
        log = SqliteLog(tmp_path / "log.sqlite", readonly=True)
        written = [record.body["item_id"] for record in log.read(0)]
        log.close()
        return seen, written

    seen, written = asyncio.run(main())
    assert len(seen) == 40
    assert seen == written


def test_while_it_starts_it_is_alive_and_not_ready(tmp_path: Path) -> None:
    go = threading.Event()

    def slow(home: Home, settings: Settings) -> Recommender:
        assert go.wait(20)
        return load_library(home, settings)

    with TestClient(make_app(Engine(Home(tmp_path), Settings(), slow))) as client:
        assert client.get("/livez").json()["status"] == "alive"
        for path in ("/readyz", "/v1/recommendations?user_id=u", "/v1/items", "/v1/snapshots"):
            response = client.get(path)
            assert response.status_code == 503
            assert response.json()["error"]["code"] == "starting"
            assert response.headers["Retry-After"] == "1"
        event = {"user_id": "u", "event_type": "like", "item_id": "book-gothic-1"}
        assert client.post("/v1/events", json=event).status_code == 503
        assert client.get("/").status_code == 200
        go.set()
        while client.get("/readyz").status_code == 503:
            pass
        assert client.post("/v1/events", json=event).json()["accepted"] == 1


def test_a_failed_start_says_why_and_is_told_once(tmp_path: Path) -> None:
    def broken(home: Home, settings: Settings) -> Recommender:
        raise CorruptError("snapshot abc is damaged")

    told: list[bool] = []
    engine = Engine(Home(tmp_path), Settings(), broken)
    engine.when_failed = lambda: told.append(True)

    async def main() -> None:
        await engine.start()
        try:
            await engine.until_ready()
        finally:
            await engine.stop()

    with pytest.raises(CorruptError, match="abc is damaged"):
        asyncio.run(main())
    assert told == [True]


def test_two_services_cannot_write_one_home(tmp_path: Path, engine: Engine) -> None:
    async def second() -> None:
        other = Engine(engine.home, Settings(), load_library)
        await other.start()
        try:
            await other.until_ready()
        finally:
            await other.stop()

    with serving(engine), pytest.raises(BusyError):
        asyncio.run(second())


def test_a_bad_question_fails_alone(engine: Engine) -> None:
    async def main() -> list[object]:
        await engine.start()
        await engine.until_ready()
        queries = [Query(f"reader-{n}", k=5 if n != 3 else 0) for n in range(6)]
        answers = await asyncio.gather(*map(engine.recommend, queries), return_exceptions=True)
        await engine.stop()
        return list(answers)

    answers = asyncio.run(main())
    assert isinstance(answers[3], InputError)
    assert [isinstance(answer, tuple) for answer in answers] == [n != 3 for n in range(6)]


def test_questions_that_wait_are_asked_together() -> None:
    started, go = threading.Event(), threading.Event()
    calls: list[list[int]] = []

    def answer(questions: Sequence[int]) -> list[int]:
        calls.append(list(questions))
        if len(calls) == 1:
            started.set()
            assert go.wait(20)
        return [question * 10 for question in questions]

    async def main(thread: ThreadPoolExecutor) -> list[int]:
        batcher = Batcher(thread, answer, largest=4)
        first = asyncio.create_task(batcher.ask(0))
        await asyncio.to_thread(started.wait)
        others = [asyncio.create_task(batcher.ask(n)) for n in range(1, 8)]
        gone = asyncio.create_task(batcher.ask(99))
        await asyncio.to_thread(lambda: None)
        gone.cancel()
        go.set()
        return [await task for task in (first, *others)]

    with ThreadPoolExecutor(1) as thread:
        assert asyncio.run(main(thread)) == [0, 10, 20, 30, 40, 50, 60, 70]
    assert calls == [[0], [1, 2, 3, 4], [5, 6, 7]]


def test_after_shutdown_a_question_is_refused_and_does_not_hang() -> None:
    thread = ThreadPoolExecutor(1)
    thread.shutdown()
    batcher: Batcher[int, int] = Batcher(thread, list)
    with pytest.raises(RuntimeError):
        asyncio.run(batcher.ask(1))


def test_an_answer_can_be_looked_up_at_once(tmp_path: Path) -> None:
    async def main() -> list[bool]:
        engine = Engine(Home(tmp_path), Settings(), load_library)
        await engine.start()
        await engine.until_ready()
        found = []
        for n in range(20):
            slate, _ = await engine.recommend(Query("u", k=3, request_id=f"r{n}"))
            found.append(await engine.logged_slate(f"r{n}") == slate)
        await engine.stop()
        return found

    assert all(asyncio.run(main()))


def test_a_list_drawn_before_its_user_was_forgotten_is_not_logged(tmp_path: Path) -> None:
    drawn, go = threading.Event(), threading.Event()

    class Slow(Recommender):
        def recommend_many(self, queries: Sequence[Query]) -> list[Slate]:
            slates = super().recommend_many(queries)
            drawn.set()
            assert go.wait(20)
            return slates

    def load(home: Home, settings: Settings) -> Recommender:
        library = load_library(home, settings)
        return Slow(library.model, library.state, library.policy)

    async def main() -> list[str]:
        engine = Engine(Home(tmp_path), Settings(), load)
        await engine.start()
        await engine.until_ready()
        await engine.write([event_entry(like("ann", 1))])
        log = SqliteLog(tmp_path / "log.sqlite", readonly=True)
        asked = asyncio.create_task(engine.recommend(Query("ann", k=3)))
        await asyncio.to_thread(drawn.wait, 20)
        forgotten = asyncio.create_task(engine.forget("ann"))
        while [record.kind for record in log.read(0)] != ["user_deleted"]:
            await asyncio.sleep(0)
        go.set()
        await asyncio.gather(asked, forgotten)
        await engine.stop()
        kinds = [record.kind for record in log.read(0)]
        log.close()
        return kinds

    assert asyncio.run(main()) == ["user_deleted"]


def test_stopping_makes_every_slate_durable(tmp_path: Path) -> None:
    with serving(Engine(Home(tmp_path), Settings(), load_library)) as client:
        asked = {client.get("/v1/recommendations?user_id=u").json()["request_id"] for _ in range(20)}
    log = SqliteLog(tmp_path / "log.sqlite", readonly=True)
    logged = {record.body["request_id"] for record in log.read(0) if record.kind == "slate"}
    log.close()
    assert logged == asked


@pytest.mark.parametrize("at_once", [True, False], ids=["refused", "failed on disk"])
def test_a_list_that_cannot_be_logged_is_told_once_and_shown_until_one_can(
    engine: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    def full(entries: Sequence[Entry], *, linger: float) -> Future[Appended]:
        error = BusyError("cannot write the log: the disk is full")
        if at_once:
            raise error
        failed: Future[Appended] = Future()
        failed.set_exception(error)
        return failed

    with serving(engine) as client:
        assert client.get("/readyz").json()["degraded"] is None
        assert engine._log is not None
        with monkeypatch.context() as patch:
            patch.setattr(engine._log, "append", full)
            for _ in range(5):
                assert client.get("/v1/recommendations?user_id=secret").status_code == 200
        health = client.get("/readyz").json()
        why = "answers are not logged: cannot write the log: the disk is full"
        assert (health["status"], health["degraded"]) == ("ready", why)
        (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert "answers are not logged" in told.getMessage()
        assert "secret" not in caplog.text
        assert "acclimate_lost_slates_total 5.0" in client.get("/metrics").text
        answer = client.get("/v1/recommendations?user_id=u").json()
        assert client.get("/v1/requests", params={"request_id": answer["request_id"]}).status_code == 200
        assert client.get("/readyz").json()["degraded"] is None
