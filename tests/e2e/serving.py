"""A service on a loopback port, in a thread of this process or in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import uvicorn

from acclimate.serve.app import make_app
from acclimate.serve.engine import Engine
from acclimate.serve.run import listen

RUN = """
import sys
from acclimate.config import Home, load_settings
from acclimate.serve.run import run
run(Home(sys.argv[1]), load_settings(None, tuple(sys.argv[2:])))
"""


@contextmanager
def in_thread(engine: Engine) -> Iterator[str]:
    """Serve ``engine``; yields the address."""
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(make_app(engine), log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        while ask(url, "GET", "/readyz")[0] != 200:
            assert thread.is_alive()
            assert engine.failure is None, engine.failure
        yield url
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        assert not thread.is_alive()


def ask(url: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Return status and JSON of one request to the service at ``url``."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    headers = {"Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    with connection.getresponse() as response:
        answer = json.loads(response.read())
    connection.close()
    return response.status, answer


class Process:
    """``serve.run.run`` in a process of its own, on a free port."""

    def __init__(self, home: Path, *overrides: str) -> None:
        command = [sys.executable, "-c", RUN, str(home), "serve.port=0", *overrides]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        assert self.process.stderr is not None
        self.lines = []
        for line in self.process.stderr:
            self.lines.append(line)
            if "http://" in line:
                break
        if not any("http://" in line for line in self.lines):
            status = self.process.wait(20)
            self.process.stderr.close()
            raise RuntimeError(f"exit status {status}: {''.join(self.lines)}")
        self.url = self.lines[-1].split()[3]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and JSON of one request."""
        return ask(self.url, method, path, body)

    def until_ready(self) -> None:
        """Ask until the log is caught up."""
        while self.ask("GET", "/readyz")[0] != 200:
            assert self.process.poll() is None, "the service ended"

    def end(self, how: int) -> int:
        """Send the signal ``how`` and return the exit status."""
        self.process.send_signal(how)  # does nothing if it has ended
        status = self.process.wait(20)
        assert self.process.stderr is not None
        if not self.process.stderr.closed:
            self.lines += self.process.stderr.readlines()
            self.process.stderr.close()
        return status
