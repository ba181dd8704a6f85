"""``acclimate learn`` and ``acclimate snapshots approve``, as a user calls them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from acclimate.adapt.learner import Learner
from acclimate.config import Home
from acclimate.events.codec import event_entry
from acclimate.events.sqlite import SqliteLog
from acclimate.types import Event
from tests.cli.conftest import SMALL, Run

FIT = ("train", "--model", "sequence", *SMALL, "--set", "train.params.heads=1", "--json")
ROUND = ("--set", "adapt.publish_every=300")
PARTS = ("published", "waiting", "refused")


@pytest.fixture
def shop(run: Run, tmp_path: Path) -> Path:
    """Many users who like one half of the items, whose snapshot knows of the first four events of each."""
    home, rng = tmp_path / "home", np.random.default_rng(1)
    liked = {user: rng.permutation(np.arange(user % 2, 40, 2))[:8] for user in range(700)}
    rows = [f"u{u},i{item},{100 * u + n}" for u, items in liked.items() for n, item in enumerate(items[:4])]
    (tmp_path / "r.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    assert run("data", "import", tmp_path / "r.csv", "--home", home).code == 0
    fitted = run(*FIT, "--home", home)
    assert fitted.code == 0, fitted.err
    log = SqliteLog(Home(home).log)
    events = [
        Event(f"u{u}", "like", 1e6 + u + 1_000 * n, item_id=f"i{items[4 + n]}")
        for n in range(2)
        for u, items in liked.items()
    ]
    log.append([event_entry(event) for event in events]).result()
    log.close()
    return home


def current(run: Run, home: Path) -> str:
    rows = run("snapshots", "--home", home, "--json").document["snapshots"]
    (name,) = (row["id"] for row in rows if row["current"])
    return str(name)


@pytest.mark.timeout(240)
def test_what_is_learned_passes_the_gate_or_waits_for_a_person(run: Run, shop: Path) -> None:
    first = current(run, shop)
    asked = run("learn", "--once", "--home", shop, *ROUND, "--set", "adapt.gate=ask", "--json")
    assert asked.code == 0, asked.err
    told = asked.document
    assert told["events"] > 900
    assert told["offset"] == 1_400
    assert told["published"] == []
    assert told["waiting"] or told["refused"]
    assert current(run, shop) == first
    assert told["verdict"]["checks"].keys() >= {"loads", "equal", "valid"}
    if told["waiting"]:
        name = told["waiting"][-1]
        assert f"waits for: acclimate snapshots approve {name}" in " ".join(asked.err.split())
        rows = run("snapshots", "--home", shop, "--json").document["snapshots"]
        assert next(row["id"] for row in rows if row["waits"]) == name
        told = " ".join(run("snapshots", "--home", shop).err.split())
        assert f"waits for a person: acclimate snapshots approve {name}" in told
        approved = run("snapshots", "approve", name, "--home", shop)
        assert approved.code == 0, approved.err
        assert current(run, shop) == name
    by_itself = run("learn", "--once", "--home", shop, *ROUND, "--json")
    assert by_itself.code == 0, by_itself.err
    assert by_itself.document["waiting"] == []


def test_before_there_is_a_snapshot_it_says_what_to_do(run: Run, tmp_path: Path) -> None:
    refused = run("learn", "--once", "--home", tmp_path / "empty", "--json")
    assert refused.code == 2
    assert refused.document["error"]["message"] == "nothing to learn on yet: acclimate train --model sequence"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("adapt.gate=maybe", "no gate 'maybe': take auto or ask"),
        ("adapt.publish_every=0", "adapt.publish_every must be 1..10000000, got 0"),
        ("adapt.publish_ever=5", "unknown setting 'adapt.publish_ever'"),
    ],
)
def test_bad_settings_say_what_is_allowed(run: Run, tmp_path: Path, setting: str, words: str) -> None:
    refused = run("learn", "--once", "--home", tmp_path / "empty", "--set", setting, "--json")
    assert refused.code == 2
    assert words in refused.document["error"]["message"]


def test_a_model_that_cannot_learn_on_is_named(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "r.csv").write_text("user_id,item_id,timestamp\n" + "a,x,1\na,y,2\nb,x,3\nb,z,4\n")
    assert run("data", "import", tmp_path / "r.csv", "--home", home).code == 0
    assert run("train", "--model", "popularity", "--home", home).code == 0
    refused = run("learn", "--once", "--home", home, "--json")
    assert refused.code == 2
    assert "popularity cannot go on learning: take sequence" in refused.document["error"]["message"]


def test_what_was_learned_by_then_is_told_where_it_is_stopped(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(self: Learner, *, once: bool = False) -> None:
        self.account.events, self.account.open = 7, 7
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    monkeypatch.setattr(Learner, "run", stopped)
    ended = run("learn", "--once", "--home", tmp_path, "--json")
    assert ended.code == 1, ended.err
    assert ended.document["events"] == ended.document["open"] == 7
    assert "stopped; what is in no snapshot is learned again" in ended.err


@pytest.mark.timeout(120)
def test_it_stops_when_it_is_told_to(shop: Path) -> None:
    command = [sys.executable, "-m", "acclimate.cli", "learn", "--home", str(shop)]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    end = time.monotonic() + 60
    while not (shop / "learner" / "CURRENT").exists():
        assert process.poll() is None
        assert time.monotonic() < end
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "stopped; what is in no snapshot is learned again" in " ".join(err.split())
    assert "Traceback" not in out + err
