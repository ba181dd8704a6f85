"""A process killed right after an acknowledgement has lost nothing; an append is never half there."""

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from acclimate.events.sqlite import SqliteLog

ONE_BY_ONE = """
import sys
from acclimate.events.log import Entry
from acclimate.events.sqlite import SqliteLog
log = SqliteLog(sys.argv[1])
for at in range(10_000):
    log.append([Entry("event", {"user_id": "ann", "n": at}, 1.0, str(at))]).result()
    print(at, flush=True)
"""

TOGETHER = """
import sys, threading
from acclimate.events.log import Entry
from acclimate.events.sqlite import SqliteLog
log = SqliteLog(sys.argv[1])
def said(name):
    return lambda future: (sys.stdout.write(f"{name}\\n"), sys.stdout.flush())
def send(name):
    for at in range(10_000):
        tag = f"{name}-{at}"
        future = log.append([Entry("event", {"user_id": tag, "part": part}, 1.0) for part in range(7)])
        future.add_done_callback(said(tag))
        if at % 5 == 0:
            future.result()
for name in range(4):
    threading.Thread(target=send, args=(name,), daemon=True).start()
threading.Event().wait()
"""


def killed_after(script, path, lines):
    """Run ``script`` until it has said ``lines`` lines, kill it, and return all that it said."""
    child = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
    said = [child.stdout.readline() for _ in range(lines)]
    os.kill(child.pid, signal.SIGKILL)
    said += child.stdout.readlines()
    child.wait()
    child.stdout.close()
    assert child.returncode == -signal.SIGKILL
    return [line.strip() for line in said if line.endswith("\n")]


@pytest.mark.parametrize("acknowledged", [1, 2, 3, 5, 9, 20, 60, 150])
def test_what_was_acknowledged_survives(tmp_path, acknowledged):
    said = killed_after(ONE_BY_ONE, tmp_path / "log.sqlite", acknowledged)
    assert len(said) >= acknowledged
    log = SqliteLog(tmp_path / "log.sqlite")
    there = [record.body["n"] for record in log.read(0)]
    assert there[: len(said)] == list(range(len(said)))
    assert len(there) <= len(said) + 1
    log.close()


@pytest.mark.parametrize("acknowledged", [1, 7, 30, 120])
def test_a_group_is_whole_or_absent(tmp_path, acknowledged):
    said = killed_after(TOGETHER, tmp_path / "log.sqlite", acknowledged)
    log = SqliteLog(tmp_path / "log.sqlite")
    parts = Counter(record.body["user_id"] for record in log.read(0, limit=1_000_000))
    assert set(said) <= set(parts)
    assert set(parts.values()) == {7}
    log.close()
