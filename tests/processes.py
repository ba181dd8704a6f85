"""Python in a process of its own, for tests of kills and of other processes, without an import for each.

Torch, Lightning and peft take eight seconds to import. One process does it once and forks for each script: a
child has run nothing but imports, and ends, or is killed, as ``python -c`` would be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

SERVER = """
import atexit, gc, json, os, sys, threading
import lightning.pytorch, peft, acclimate.cli, acclimate.encode.transformer, acclimate.models.sequence

def run(code):
    try:
        exec(compile(code, "<string>", "exec"), sys.modules["__main__"].__dict__)
    except SystemExit as stopped:
        if stopped.code is None or isinstance(stopped.code, int):
            return stopped.code or 0
        print(stopped.code, file=sys.stderr)
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0

gc.freeze()
for line in iter(sys.stdin.readline, ""):
    job = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    os._exit(0)
for at, path in enumerate((os.devnull, job["out"], job["err"])):
    os.dup2(os.open(path, os.O_WRONLY if at else os.O_RDONLY), at)
os.environ.update(job["env"])
sys.argv = ["-c", *job["words"]]
status = run(job["code"])
threading._shutdown()
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)  # to take all the modules apart would cost a second
"""
FORKS = sys.platform == "linux"
"""Elsewhere libraries do not bear a fork, and each script has a Python of its own."""


class Processes:
    """Runs scripts, one after the other, each in a process of its own."""

    def __init__(self) -> None:
        self.server: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            self.server.communicate()

    def run(
        self, code: str, *words: object, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python -c code words``; return its output and its status, minus the signal that ended it."""
        args, more = [str(word) for word in words], dict(env or {})
        if not FORKS:
            command, whole = [sys.executable, "-c", code, *args], {**os.environ, **more}
            return subprocess.run(command, capture_output=True, text=True, env=whole, check=False)
        if self.server is None:
            self.server = subprocess.Popen(
                [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            out.touch()
            err.touch()
            job = {"code": code, "words": args, "env": more, "out": str(out), "err": str(err)}
            self.server.stdin.write(json.dumps(job) + "\n")
            self.server.stdin.flush()
            status = self.server.stdout.readline()
            assert status, "the process that forks has ended"
            return subprocess.CompletedProcess(args, int(status), out.read_text(), err.read_text())
