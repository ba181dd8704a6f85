"""A forked script is, to whoever looks from outside, a Python of its own."""

import os
import signal

import pytest

from tests.processes import Processes

CTRL_C = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.parametrize(
    ("code", "status", "out", "err"),
    [
        ("import sys; print(sys.argv[1:]); print('told', file=sys.stderr)", 0, "['a b', '1']\n", "told\n"),
        ("import sys; sys.exit(3)", 3, "", ""),
        ("import atexit; atexit.register(print, 'the end')", 0, "the end\n", ""),
        ("import os; print(os.environ['TOLD'])", 0, "yes\n", ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, "", ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, "", ""),
        (CTRL_C, 0, "stopped\n", ""),
    ],
)  # fmt: skip
def test_it_ends_and_tells_as_python_does(
    processes: Processes, code: str, status: int, out: str, err: str
) -> None:
    done = processes.run(code, "a b", 1, env={"TOLD": "yes"})
    assert (done.returncode, done.stdout, done.stderr) == (status, out, err)


def test_an_error_is_a_traceback_and_nothing_stays_for_the_next(processes: Processes) -> None:
    failed = processes.run("import os, sys; sys.mark = os.environ['MARK'] = 'here'; raise ValueError('no')")
    assert failed.returncode == 1
    assert failed.stderr.startswith("Traceback") and failed.stderr.endswith("ValueError: no\n")  # noqa: PT018
    after = processes.run("import os, sys; print(hasattr(sys, 'mark'), 'MARK' in os.environ, os.getpid())")
    assert after.stdout.split()[:2] == ["False", "False"]
    assert int(after.stdout.split()[2]) != os.getpid()


def test_two_at_a_time_are_two_processes(processes: Processes) -> None:
    pids = {processes.run("import os; print(os.getpid())").stdout for _ in range(3)}
    assert len(pids) == 3
