"""A search in a made home: what it finds, what it keeps, what stops it, and what is wrong with a call."""

import multiprocessing
import os
import select
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from acclimate.adapt.spaces import SPACES, Choice
from acclimate.adapt.train import Trainer
from acclimate.config import Home, Settings, load_settings
from acclimate.snapshot import Registry
from tests.cli.conftest import Run
from tests.processes import FORKS

KEYS = {"number", "state", "params", "figure", "low", "high", "epochs", "seconds", "fit_seconds", "why"}


@pytest.fixture(autouse=True)
def workers_are_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes of trials begin as forks of one that has imported all; spawned ones import anew."""
    if FORKS:
        forks = multiprocessing.get_context("forkserver")
        forks.set_forkserver_preload(["lightning.pytorch", "acclimate.adapt.trials", "acclimate.models.vae"])
        others = multiprocessing.get_context
        choose = lambda method=None: forks if method == "spawn" else others(method)  # noqa: E731
        monkeypatch.setattr(multiprocessing, "get_context", choose)


def test_a_search_finds_tells_applies_and_goes_on(run: Run, home: Path, tmp_path: Path) -> None:
    page = tmp_path / "tune.html"
    words = ("tune", "--model", "ease", "--home", home, "--json")
    ran = run(*words, "--trials", 3, "--html", page, "--apply")
    assert ran.code == 0, ran.err
    document = ran.document
    assert document["model"] == "ease"
    assert [trial.keys() for trial in document["trials"]] == [KEYS] * 3
    assert document["trials"][0]["params"] == {"l2": 200.0}, "the defaults come first"
    assert document["default"] == document["trials"][0]
    figures = [trial["figure"] for trial in document["trials"]]
    best = document["best"]
    assert best["figure"] == max(figures)
    assert best["low"] <= best["figure"] <= best["high"]
    assert tomllib.loads(document["toml"]) == {"train": {"tuned": {"ease": best["params"]}}}
    assert Path(document["applied"]) == home / "acclimate.toml"
    assert load_settings(home / "acclimate.toml").train.tuned == {"ease": best["params"]}
    assert "Each argument" in page.read_text()
    assert "No trial saw the targets that acclimate evaluate asks for" in ran.err

    evaluated = run("evaluate", "--model", "ease", "--home", home, "--json").document
    assert evaluated["targets_sha256"] == document["test_sha256"] != document["targets_sha256"]
    trained = run("train", "--model", "ease", "--home", home, "--json").document
    current = Registry(home / "snapshots").current()
    assert current is not None
    assert current.id == trained["snapshot"]
    assert current.manifest["params"] == best["params"], "train uses what was applied"

    other = tmp_path / "other.toml"
    other.write_text("[policy]\nseed = 3\n")
    again = run(*words, "--config", other, "--trials", 3, "--apply")
    assert Path(again.document["applied"]) == other, "which is what such a command reads"
    assert load_settings(other).train.tuned == {"ease": best["params"]}
    assert load_settings(other).policy.seed == 3
    assert f"use it from now on with --config {other}" in again.err

    again = run(*words, "--trials", 3).document
    assert (again["before"], again["trials"]) == (3, document["trials"]), "there is nothing left to do"
    more = run(*words, "--trials", 4).document
    assert (more["before"], more["trials"][:3], len(more["trials"])) == (3, document["trials"], 4)
    other = run(*words, "--trials", 1, "--protocol", "time").document
    assert (other["before"], other["protocol"]) == (0, "time"), "another protocol is another search"


def test_a_table_for_people(run: Run, home: Path) -> None:
    ran = run("tune", "--model", "item-knn", "--trials", 2, "--home", home, "--set", "train.params.shrink=3")
    assert ran.code == 0, ran.err
    for part in (
        "neighbours 50 (default)",
        "[train.tuned.item-knn]",
        "shrink = 3",
        "Set, not searched: shrink 3",
    ):
        assert part in ran.out
    assert not (home / "acclimate.toml").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--trials", "0"), 2, "trials must be 1..100000, got 0"),
        (("--trials", "-1"), 2, "trials must be 1..100000, got -1"),
        (("--trials", "many"), 2, "trials must be 1..100000, got 'many'"),
        (("--jobs", "0"), 2, "jobs must be 1..64, got 0"),
        (("--minutes", "0"), 2, "minutes must be above 0 and at most 1000000, got 0"),
        (("--minutes", "nan"), 2, "minutes must be above 0"),
        (("--model", "eaze"), 2, "no model 'eaze': did you mean 'ease'?"),
        (("--model", "popularity"), 2, "popularity has nothing to tune: did you mean 'recent-popularity'?"),
        (
            ("--model", "ease", "--protocol", "kfold"),
            2,
            "no protocol 'kfold' for a search: allowed are last, time",
        ),
        (("--model", "ease", "--set", "train.params.l3=1"), 2, "ease: no argument 'l3': allowed is l2"),
        (("--model", "ease", "--set", "train.params.l2=1"), 2, "nothing is left to search"),
        (
            ("--model", "item-knn", "--set", "train.params.shrink=-1"),
            1,
            "shrink must be 0 or a positive number",
        ),
        (("--html", "."), 2, "--html wants a file"),
        (("--model", "ease", "--set", "train.tracking=tensorbord"), 2, "did you mean 'tensorboard'?"),
    ],
)
def test_a_wrong_call_is_told(run: Run, home: Path, words: tuple[str, ...], code: int, message: str) -> None:
    ran = run("tune", "--trials", 1, *words, "--home", home)
    assert ran.code == code, ran.err
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_no_data_too_little_data_and_a_damaged_file(run: Run, home: Path, tmp_path: Path) -> None:
    ran = run("tune", "--model", "ease", "--home", tmp_path / "empty")
    assert (ran.code, "no data yet" in ran.err) == (2, True)
    file = tmp_path / "two.csv"
    file.write_text("user_id,item_id,timestamp\nann,heat,1\nann,alien,2\n")
    assert run("data", "import", file, "--home", tmp_path / "small").code == 0
    ran = run("tune", "--model", "ease", "--home", tmp_path / "small")
    assert (ran.code, "protocol 'last' can hold nothing out" in ran.err) == (2, True), ran.err
    (home / "tuning.sqlite").write_bytes(b"no database, but long enough to look at " * 200)
    ran = run("tune", "--model", "ease", "--home", home)
    assert (ran.code, "move the file away to begin the search anew" in ran.err) == (1, True), ran.err
    (home / "tuning.sqlite").unlink()
    (home / "tuning.sqlite").mkdir()
    ran = run("tune", "--model", "ease", "--home", home)
    assert (ran.code, "tuning.sqlite: unable to open database file" in ran.err) == (1, True), ran.err


def test_a_trial_that_fails_is_told_and_the_search_goes_on(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SPACES, "ease", {"l2": Choice((200.0, -1.0))})
    ran = run("tune", "--model", "ease", "--trials", 8, "--home", home, "--json")
    assert ran.code == 0, ran.err
    states = {trial["params"]["l2"]: trial["state"] for trial in ran.document["trials"]}
    assert states == {200.0: "done", -1.0: "failed"}
    assert len(ran.document["trials"]) == 8
    assert (
        "a trial failed with l2 -1: train.params of ease: l2 must be a positive number, got -1.0" in ran.err
    )
    monkeypatch.setitem(SPACES, "ease", {"l2": Choice((-2.0, -1.0))})
    ran = run("tune", "--model", "ease", "--trials", 2, "--home", home, "--json")
    assert ran.code == 1
    assert ran.document["error"]["code"] == "no_trial_done"
    assert "the last one failed: train.params of ease: l2 must be" in ran.document["error"]["message"]


def test_trials_that_lag_behind_are_stopped_and_may_run_side_by_side(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = {"learning_rate": Choice((3e-3, 1e-9)), "latent": Choice((8, 16, 64))}
    monkeypatch.setitem(SPACES, "vae", space)
    fixed = [
        word
        for pair in ("epochs=12", "patience=12", "hidden=16")
        for word in ("--set", f"train.params.{pair}")
    ]
    ran = run("tune", "--model", "vae", "--trials", 12, "--jobs", 2, "--home", home, "--json", *fixed)
    assert ran.code == 0, ran.err
    trials = ran.document["trials"]
    stopped = [trial for trial in trials if trial["state"] == "stopped"]
    assert stopped, "some are"
    for trial in trials:
        assert len(trial["epochs"]) == 12 if trial["state"] == "done" else 4 <= len(trial["epochs"]) < 12
    done = [max(trial["epochs"]) for trial in trials if trial["state"] == "done"]
    assert all(max(trial["epochs"]) < max(done) for trial in stopped)
    assert not list(home.rglob("*.ckpt"))


SLOW = pytest.mark.slow
KILL = """
import os, signal, sys
from acclimate.adapt.search import Search
from acclimate.adapt.trials import Worker
from acclimate.cli import main

begin, hear, heard = Worker.__init__, Worker.hear, []

def told(self, work):
    begin(self, work)
    print(self.process.pid, flush=True)

def until(self):
    heard.append(hear(self))
    if len(heard) == 5:
        os.kill(os.getpid(), signal.{signal})
    return heard[-1]

Worker.__init__, Worker.hear = told, until
if __name__ == "__main__":
    sys.exit(main())
"""


@pytest.mark.parametrize(
    ("signal", "status"),
    [("SIGKILL", -9), pytest.param("SIGTERM", 143, marks=SLOW), pytest.param("SIGINT", 130, marks=SLOW)],
)
def test_a_search_that_was_stopped_goes_on(run: Run, home: Path, signal: str, status: int) -> None:
    words = ["tune", "--model", "vae", "--trials", "2", "--home", str(home)]
    words += ["--set", "train.params.epochs=8", "--set", "train.params.patience=8"]
    code = KILL.format(signal=signal)
    with subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True) as search:
        assert search.stdout is not None
        worker = int(search.stdout.readline())
        handle = os.pidfd_open(worker)
        search.wait(100)
    assert search.returncode == status
    assert select.select([handle], [], [], 60)[0], "the trial's process ends with the search"
    os.close(handle)
    (unfinished,) = home.rglob("last.ckpt")
    ran = run(*words, "--json")
    assert ran.code == 0, ran.err
    first, second = ran.document["trials"]
    assert first["params"]["latent"] == 64, "the trial that was stopped is taken up again"
    assert (len(first["epochs"]), second["number"]) == (8, 2)
    assert not unfinished.exists(), "and its fit went on from the checkpoint"


def test_time_that_is_up_leaves_the_rest_for_later(run: Run, home: Path) -> None:
    words = ("tune", "--model", "ease", "--trials", 1, "--home", home, "--json")
    ran = run(*words, "--minutes", "0.0001")
    assert (ran.code, ran.document["error"]["code"]) == (1, "no_trial_done"), ran.err
    assert "unfinished; the same command goes on" in ran.err
    assert len(run(*words).document["trials"]) == 1


def test_a_search_waits_for_no_other(run: Run, home: Path) -> None:
    with Trainer(Home(home), Settings()).alone():
        ran = run("tune", "--model", "ease", "--home", home, "--json")
    assert (ran.code, ran.document["error"]["code"]) == (1, "busy")
