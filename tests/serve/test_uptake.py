"""A service takes up what is published while it answers, and nothing that it cannot use."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from acclimate.adapt.feedback import gather
from acclimate.adapt.gate import first_verdict
from acclimate.config import Home, Settings
from acclimate.data.store import Store
from acclimate.data.tables import read_tables
from acclimate.durable import replace_file
from acclimate.errors import AcclimateError
from acclimate.events.codec import event_entry
from acclimate.models import make_model
from acclimate.serve.engine import Engine
from acclimate.serve.load import load_recommender
from acclimate.snapshot import Registry, Snapshot
from acclimate.types import Event
from tests.e2e.serving import ask, in_thread

FOUND = "snapshot"


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acclimate.serve.engine.LOOK_EVERY", 0.02)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    table = tmp_path / "ratings.csv"
    rows = [f"u{u},i{(u + t) % 12},{t}" for u in range(30) for t in range(8)]
    table.write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    home = Home(tmp_path / "home")
    Store(home.data).add(read_tables([table]))
    return home


def written(home: Home, model: str, **params: Any) -> Snapshot:
    """Return a snapshot of a model, which is not current."""
    gathered = gather(home, Settings())
    made = make_model(model, None, **params)
    made.fit(gathered.data)
    return Registry(home.snapshots).write(made, gathered.state, metrics={})


def publish(home: Home, model: str, **params: Any) -> Snapshot:
    snapshot = written(home, model, **params)
    Registry(home.snapshots).publish(snapshot, first_verdict(snapshot, report=None))
    return snapshot


def point(home: Home, name: str) -> None:
    """Name what is current, checked or not."""
    replace_file(home.snapshots / "CURRENT", f"{name}\n".encode())


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


def serving(url: str) -> str | None:
    found: str | None = ask(url, "GET", "/readyz")[1][FOUND]
    return found


class Crowd:
    """Users who act and ask, each again and again, until they are told to stop."""

    def __init__(self, url: str, n: int) -> None:
        self.url, self.enough = url, threading.Event()
        self.statuses: Counter[int] = Counter()
        self.snapshots: list[list[str | None]] = [[] for _ in range(n)]
        self.wrong: list[str] = []
        self.threads = [threading.Thread(target=self._act, args=(n,)) for n in range(n)]

    def _act(self, n: int) -> None:
        done, user = 0, f"crowd{n}"
        while not self.enough.is_set():
            item = f"i{done % 11}"
            status, acknowledged = ask(
                self.url, "POST", "/v1/events", {"user_id": user, "event_type": "like", "item_id": item}
            )
            self.statuses[status] += 1
            status, answer = ask(self.url, "GET", f"/v1/recommendations?user_id={user}&k=12")
            self.statuses[status] += 1
            if status != 200:
                self.wrong.append(str(answer))
                continue
            self.snapshots[n].append(answer["snapshot"])
            if answer["log_offset"] < acknowledged["offset"]:
                self.wrong.append(f"offset {answer['log_offset']} after {acknowledged['offset']}")
            if item in [place["item_id"] for place in answer["items"]]:
                self.wrong.append(f"{item} is listed, and was acknowledged")
            done += 1

    @contextmanager
    def acting(self) -> Iterator[None]:
        for thread in self.threads:
            thread.start()
        try:
            yield
        finally:
            self.enough.set()
            for thread in self.threads:
                thread.join(20)


def in_turn(seen: list[str | None]) -> list[str | None]:
    """What was seen, without what came twice in a row."""
    return [each for n, each in enumerate(seen) if n == 0 or each != seen[n - 1]]


@pytest.mark.timeout(120)
def test_three_snapshots_and_a_rollback_are_taken_up_with_no_failed_request(home: Home) -> None:
    with in_thread(Engine(home, Settings())) as url:
        crowd = Crowd(url, 3)
        with crowd.acting():
            until(lambda: len(crowd.snapshots[0]) > 3)
            order: list[str | None] = [None]
            for model, params in (("popularity", {}), ("ease", {"l2": 5.0}), ("item-knn", {"neighbours": 5})):
                name = publish(home, model, **params).id
                until(lambda name=name: serving(url) == name)  # type: ignore[misc]
                order.append(name)
                seen = [len(each) for each in crowd.snapshots]
                until(lambda seen=seen: all(len(s) > n for s, n in zip(crowd.snapshots, seen, strict=True)))  # type: ignore[misc]
            Registry(home.snapshots).rollback(str(order[2]))
            until(lambda: serving(url) == order[2])
            seen = [len(each) for each in crowd.snapshots]
            until(lambda: all(len(s) > n + 1 for s, n in zip(crowd.snapshots, seen, strict=True)))
    assert crowd.wrong == []
    assert set(crowd.statuses) == {200}
    assert crowd.statuses[200] > 30
    for each in crowd.snapshots:
        assert in_turn(each) == [*order, order[2]], "nobody is answered by an earlier one again"


def test_the_snapshot_that_answers_is_named_at_metrics(home: Home) -> None:
    with in_thread(engine := Engine(home, Settings())) as url:
        assert 'snapshot="none"' in engine.monitor.text().decode()
        name = publish(home, "ease").id
        until(lambda: serving(url) == name)
        told = [line for line in engine.monitor.text().decode().splitlines() if "snapshot_info{" in line]
        assert told == [f'acclimate_snapshot_info{{model="ease",policy="greedy",snapshot="{name}"}} 1.0']


def test_what_cannot_be_used_is_told_and_the_one_before_answers(
    home: Home, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = publish(home, "popularity")
    with in_thread(Engine(home, Settings())) as url, caplog.at_level(logging.ERROR, "acclimate.serve"):
        bad = written(home, "ease")
        weights = bad.path / "model.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        point(home, bad.id)
        until(lambda: ask(url, "GET", "/readyz")[1]["degraded"] is not None)
        health = ask(url, "GET", "/readyz")[1]
        assert health["snapshot"] == good.id
        assert health["degraded"].startswith(
            f"snapshot {bad.id} is current and cannot be taken up, {good.id} answers: "
        )
        assert "model.safetensors is altered" in health["degraded"]
        assert ask(url, "GET", "/v1/recommendations?user_id=u1")[1]["snapshot"] == good.id
        assert caplog.text.count("cannot be taken up") == 1, "told once, not at each look"
        weights.write_bytes(whole)
        monkeypatch.setattr("acclimate.serve.uptake.TRY_AGAIN", 0.0)
        point(home, "gibberish")
        until(lambda: "does not name a snapshot" in ask(url, "GET", "/readyz")[1]["degraded"])
        another = publish(home, "item-knn")
        until(lambda: serving(url) == another.id)
        assert ask(url, "GET", "/readyz")[1]["degraded"] is None


def test_what_is_mended_is_tried_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acclimate.serve.uptake.TRY_AGAIN", 0.05)
    with in_thread(Engine(home, Settings())) as url:
        snapshot = written(home, "ease")
        weights = snapshot.path / "model.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(b"x" * len(whole))
        point(home, snapshot.id)
        until(lambda: ask(url, "GET", "/readyz")[1]["degraded"] is not None)
        weights.write_bytes(whole)
        until(lambda: serving(url) == snapshot.id)


def test_a_snapshot_of_another_log_is_not_taken_up(home: Home, tmp_path: Path) -> None:
    """Its offsets are those of another log: what happened here would not count."""
    other = Home(tmp_path / "other")
    Store(other.data).add(read_tables([tmp_path / "ratings.csv"]))
    with in_thread(Engine(other, Settings())) as url:
        ask(url, "POST", "/v1/events", {"user_id": "u", "event_type": "like", "item_id": "i1"})
    foreign = publish(other, "ease")
    with in_thread(Engine(home, Settings())) as url:
        home.snapshots.mkdir(parents=True)
        foreign.path.rename(home.snapshots / foreign.id)
        point(home, foreign.id)
        until(lambda: ask(url, "GET", "/readyz")[1]["degraded"] is not None)
        health = ask(url, "GET", "/readyz")[1]
        assert health["snapshot"] is None
        assert "not the event log" in health["degraded"]


def test_nothing_that_is_acknowledged_around_the_switch_is_lost(home: Home) -> None:
    """Whoever waits for the model thread while it switches is asked of what answers then."""

    async def main() -> tuple[int, int]:
        engine = Engine(home, Settings())
        await engine.start()
        await engine.until_ready()
        writes = []
        for n in range(60):
            event = Event("ann", "like", 1_700_000_000.0 + n, item_id=f"i{n % 12}", event_id=f"e{n}")
            writes.append(asyncio.create_task(engine.write([event_entry(event)])))
            if n == 20:
                publish(home, "ease")
                writes.append(asyncio.create_task(engine.take_up()))  # type: ignore[arg-type]
            await asyncio.sleep(0)
        done = await asyncio.gather(*writes)
        last = max(each.offset for each in done if each is not None)
        seen = await engine.ask(lambda recommender: recommender.state.offset)
        assert engine.recommender.snapshot_id is not None
        count = await engine.ask(lambda r: len(r.state.histories(["ann"], 2e9).items))
        await engine.stop()
        assert seen >= last
        return count, engine.offset

    count, offset = asyncio.run(main())
    assert (count, offset) == (60, 60)


def test_what_cannot_catch_up_does_not_answer(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault while the newest records are folded leaves what answers as it is."""
    monkeypatch.setattr("acclimate.serve.engine.LOOK_EVERY", 1e9)  # it looks when it is told to

    async def main() -> None:
        engine = Engine(home, Settings())
        await engine.start()
        await engine.until_ready()
        publish(home, "ease")
        fresh = load_recommender(home, Settings())

        def broken(records: object) -> object:
            raise AcclimateError("the disk is gone")

        fresh.apply = broken  # type: ignore[assignment,method-assign]
        await engine.write([event_entry(Event("ann", "like", 1.0, item_id="i1"))])
        await engine.ask(lambda _: engine._switch(fresh))
        assert engine.recommender.snapshot_id is None
        assert (engine.degraded or "").endswith("no snapshot answers: the disk is gone")
        assert engine.offset == 1
        await engine.stop()

    asyncio.run(main())


@pytest.mark.timeout(120)
def test_a_person_approves_and_goes_back_over_http(home: Home, tmp_path: Path) -> None:
    first, registry = publish(home, "popularity"), Registry(home.snapshots)
    with in_thread(Engine(home, Settings())) as url:

        def activate(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            return ask(url, "POST", "/v1/snapshots/activate", body)

        waits = written(home, "item-knn")
        status, answer = activate({"id": waits.id})
        assert (status, answer["error"]["code"]) == (409, "refused")
        assert "never stood before a gate" in answer["error"]["message"]
        registry.judge(waits, first_verdict(waits, report=None))
        assert activate({"id": waits.id})[1] == {"id": waits.id, "previous": first.id, "serving": first.id}
        until(lambda: serving(url) == waits.id)
        status, answer = activate({"id": first.id[:-1]})
        assert (status, answer["error"]["code"]) == (404, "not_found")
        assert first.id in answer["error"]["message"]
        for body in ({}, {"id": 7}, {"id": ""}, {"name": first.id}):
            assert activate(body)[0] in (400, 422), body
        (waits.path / "verdict.json").write_bytes(b"{")
        assert activate({"id": first.id})[0] == 200
        until(lambda: serving(url) == first.id)
        status, answer = activate({"id": waits.id})
        assert (status, answer["error"]["code"]) == (409, "corrupt")
        shutil.copytree(elsewhere(tmp_path).path, home.snapshots / elsewhere(tmp_path).id)
        status, answer = activate({"id": elsewhere(tmp_path).id})
        assert (status, answer["error"]["code"]) == (400, "other_catalogue")
        assert registry.pointer() == first.id


def elsewhere(folder: Path) -> Snapshot:
    """Return a published snapshot of another shop."""
    home, table = Home(folder / "elsewhere"), folder / "elsewhere.csv"
    if (current := Registry(home.snapshots).current()) is not None:
        return current
    table.write_text("user_id,item_id,timestamp\n" + "\n".join(f"u{u},sku{u % 7},{u}" for u in range(30)))
    Store(home.data).add(read_tables([table]))
    return publish(home, "popularity")
