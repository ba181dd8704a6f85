"""Who holds a lock is named; who is killed holds none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from acclimate.errors import BusyError, InputError
from acclimate.locks import lock

HOLD = """
import sys
from pathlib import Path
from acclimate.locks import lock

with lock(Path(sys.argv[1]), what="training"):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """Start a process that holds the lock until its input ends."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    return other


def test_another_process_is_named_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "home" / "training.lock"
    with hold(path) as other:
        said = (
            rf"^process {other.pid} is training in my home, since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d: wait until"
        )
        with pytest.raises(BusyError, match=said), lock(path, what="training in my home"):
            pass
        other.send_signal(signal.SIGKILL)
    assert path.read_text().startswith(f"{other.pid} ")
    with lock(path, what="training"):
        assert path.read_text().startswith(f"{os.getpid()} ")
    assert path.read_text() == ""


def test_a_second_lock_in_the_same_process_is_refused_and_the_first_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock(path, what="writing"):
        for _ in range(2):
            with (
                pytest.raises(BusyError, match="this process is writing already"),
                lock(path, what="writing"),
            ):
                pass
    with lock(path, what="writing"):
        pass


def test_an_error_inside_lets_go_though_a_child_has_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    reading, writing = os.pipe()
    children: list[int] = []

    def fail() -> None:
        with lock(path, what="writing"):
            if (child := os.fork()) == 0:
                os.close(writing)
                os.read(reading, 1)
                os._exit(0)
            children.append(child)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with lock(path, what="writing"):
        pass
    os.close(writing)
    assert os.waitpid(children[0], 0)[1] == 0
    os.close(reading)


@pytest.mark.parametrize("text", ["", "nonsense", "1 2 3\n", "\0" * 200])
def test_who_did_not_sign_is_another_process(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lock"
    with lock(path, what="writing"):
        path.write_text(text)
        with pytest.raises(BusyError, match=r"^another process is writing: wait"), lock(path, what="writing"):
            pass


def test_where_no_file_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"), lock(tmp_path / "file" / "lock", what="writing"):
        pass
