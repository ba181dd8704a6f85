"""A process that is killed in the middle leaves a home that answers, and that can be trained again."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.cli import show
from tests.cli.conftest import SMALL, Run
from tests.processes import Processes

QUICK = ("popularity", "item-knn")
KILL = """
import os, signal, sys
from importlib import import_module
from acclimate.cli import main, show

show.AUTO = {quick}

def kill(*args, **options):
    os.kill(os.getpid(), signal.{signal})

module, dotted = "{where}".split(":")
path = dotted.split(".")
holder = import_module(module)
for name in path[:-1]:
    holder = getattr(holder, name)
setattr(holder, path[-1], kill)
sys.exit(main())
"""


Stop = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def stopped_at(processes: Processes) -> Stop:
    """Run a command in a process that gets a signal when it comes to ``where``."""

    def go(where: str, words: list[str], signal: str = "SIGKILL") -> subprocess.CompletedProcess[str]:
        return processes.run(KILL.format(where=where, quick=QUICK, signal=signal), *words)

    return go


def test_ctrl_c_while_a_network_learns(run: Run, home: Path, stopped_at: Stop) -> None:
    words = ["train", "--model", "sequence", "--home", str(home), *SMALL]
    stopped = stopped_at("acclimate.models.sequence:SequenceNet.loss", words, "SIGINT")
    assert stopped.returncode == 130, stopped.stderr
    assert stopped.stderr.endswith("\nerror: stopped by Ctrl-C\n")
    assert "Traceback" not in stopped.stderr
    assert run("recommend", "--user", "u0", "--home", home).code == 0


@pytest.mark.parametrize(
    ("model", "where"),
    [
        ("sequence", "acclimate.models.sequence:SequenceNet.loss"),
        ("ease", "acclimate.models.ease:EASE.state"),
    ],
)
def test_sigterm_is_told_as_such(home: Path, stopped_at: Stop, model: str, where: str) -> None:
    stopped = stopped_at(where, ["train", "--model", model, "--home", str(home), *SMALL[:2]], "SIGTERM")
    assert stopped.returncode == 143, stopped.stderr
    assert stopped.stderr.endswith("\nerror: stopped by SIGTERM\n")
    assert "Traceback" not in stopped.stderr
    assert (home / "training.lock").read_bytes() == b"", "the lock is let go"


HOLD = """
import sys
from acclimate.adapt.train import Trainer
from acclimate.config import Home, Settings

with Trainer(Home(sys.argv[1]), Settings()).alone():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("command", ["train", "evaluate", "demo"])
def test_one_training_at_a_time_and_a_killed_one_leaves_no_lock(
    run: Run, shop: Path, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show, "AUTO", QUICK)
    place = tmp_path / "home"
    demo = ("demo", "--no-serve", "--data", shop, "--home", place, "--json")
    assert run(*demo).code == 0
    words = demo if command == "demo" else (command, "--model", "popularity", "--home", place, "--json")
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        refused = run(*words)
        other.kill()
    assert (refused.code, refused.document["error"]["code"]) == (1, "busy")
    told = refused.document["error"]["message"]
    assert told.startswith(f"process {other.pid} is training or evaluating in {place}, since ")
    assert told.endswith("wait until it ends, stop it, or use another --home")
    assert run(*words).code == 0


@pytest.mark.parametrize(
    "where",
    [
        "acclimate.models.ease:EASE.state",
        "acclimate.snapshot.registry:Registry._name",
        "acclimate.snapshot.registry:Registry._point",
    ],
)
def test_a_killed_train_leaves_the_old_snapshot_current(
    run: Run, home: Path, stopped_at: Stop, where: str
) -> None:
    old = run("train", "--model", "popularity", "--home", home, "--json").document["snapshot"]
    words = ["train", "--model", "ease", "--home", str(home)]
    killed = stopped_at(where, words)
    assert killed.returncode == -9, killed.stderr
    assert run("recommend", "--user", "u0", "--home", home, "--json").document["snapshot"] == old
    assert run("doctor", "--home", home).code == 0
    new = run("train", "--model", "ease", "--home", home, "--json")
    assert new.code == 0, new.err
    assert (
        run("recommend", "--user", "u0", "--home", home, "--json").document["snapshot"]
        == new.document["snapshot"]
    )


@pytest.mark.parametrize(
    "where",
    [
        "acclimate.data.versions:Versions.publish",
        "acclimate.snapshot.registry:Registry.publish",
        "acclimate.cli.show:write_html",
        "acclimate.cli.show:Show._samples",
    ],
)
def test_a_killed_demo_goes_on(
    run: Run, shop: Path, tmp_path: Path, stopped_at: Stop, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show, "AUTO", QUICK)
    words = ["demo", "--no-serve", "--json", "--home", str(tmp_path / "home"), "--data", str(shop)]
    killed = stopped_at(where, words)
    assert killed.returncode == -9, killed.stderr
    ran = run(*words)
    assert ran.code == 0, ran.err
    assert ran.document["interactions"] + ran.document["already_present"] == 144
    assert ran.document["reused"] == where.endswith("_samples")
