"""How long a list takes over loopback, at 10,000 items: ``make bench-serving``."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from benchmarks.machine import machine, stamp

from acclimate.config import Home
from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.models import make_model
from acclimate.snapshot import Registry
from acclimate.state.fold import LiveState
from acclimate.types import Item, Verdict

CLAIM = (
    "With 10,000 items, one connection over loopback gets a list of 10 with reasons in at most 5 ms (p50) "
    "and 20 ms (p99), slates logged; and the list right after an acknowledged event, which knows of it, in "
    "at most 10 ms (p99)."
)
P50, P99, AFTER = 5.0, 20.0, 10.0
N_ITEMS, N_USERS, GROUPS = 10_000, 2_000, 60
MEDIAN_EVENTS, SPREAD = 71, 1.1
"""Histories are as long as in MovieLens latest-small: median 71, mean about 140, at least 20."""
CLOCKS = "sequence, prior and step"
"""The sequence model with what changes at each event."""
SET: dict[str, tuple[str, ...]] = {CLOCKS: ("adapt.prior=on", "adapt.step=on")}
"""Settings of the service."""
PARAMS: dict[str, dict[str, Any]] = {"sequence": {"epochs": 1, "validation_users": 64}}
HERE = Path(__file__).parent
SERVE = """
import sys
from acclimate.config import Home, load_settings
from acclimate.serve.run import run
run(Home(sys.argv[1]), load_settings(None, ("serve.port=0", *sys.argv[2:])))
"""


def made() -> Dataset:
    """Return users who mostly like the items of one group."""
    rng = np.random.default_rng(0)
    taste = rng.integers(0, GROUPS, N_USERS)
    lengths = np.clip(rng.lognormal(np.log(MEDIAN_EVENTS), SPREAD, N_USERS), 20, 2_000).astype(int)
    user = rng.permutation(np.repeat(np.arange(N_USERS), lengths))
    group = np.where(rng.random(len(user)) < 0.8, taste[user], rng.integers(0, GROUPS, len(user)))
    item = group + GROUPS * rng.integers(0, N_ITEMS // GROUPS, len(user))
    catalogue = [Item(f"i{n}", f"Item {n}", categories=(f"g{n % GROUPS}",)) for n in range(N_ITEMS)]
    return Dataset(
        Vocabulary(f"u{n}" for n in range(N_USERS)),
        Vocabulary(entry.item_id for entry in catalogue),
        user,
        item,
        1.7e9 + rng.permutation(len(user)).astype(float),
        catalogue=catalogue,
    )


def publish(home: Home, name: str, data: Dataset) -> None:
    """Fit a model and make it the current snapshot of ``home``."""
    model = make_model(name, **PARAMS.get(name, {}))
    model.fit(data)
    registry = Registry(home.snapshots)
    snapshot = registry.write(model, LiveState.of(data), metrics={})
    registry.publish(snapshot, Verdict(True, ("made for a benchmark",), {"made": True}))


def serve(home: Home, *settings: str) -> tuple[subprocess.Popen[str], http.client.HTTPConnection]:
    """Start the service in a process of its own; return it and a connection when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(home.path), *settings], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    words = process.stderr.readline().split()
    address = urlsplit(next(word for word in words if word.startswith("http://"))).netloc
    connection = http.client.HTTPConnection(address, timeout=60)
    while timed(connection, "GET", "/readyz")[1] != 200:
        if process.poll() is not None:
            raise RuntimeError(process.stderr.read())
    return process, connection


def timed(
    connection: http.client.HTTPConnection, method: str, path: str, body: object = None
) -> tuple[float, int]:
    """Return milliseconds and status of one request."""
    milliseconds, status, _ = answered(connection, method, path, body)
    return milliseconds, status


def answered(
    connection: http.client.HTTPConnection, method: str, path: str, body: object = None
) -> tuple[float, int, bytes]:
    """Return milliseconds, status and answer of one request."""
    data = None if body is None else json.dumps(body)
    started = perf_counter()
    connection.request(method, path, data, {"Content-Type": "application/json"})
    response = connection.getresponse()
    told = response.read()
    return 1000 * (perf_counter() - started), response.status, told


def measure(home: Home, requests: int, *settings: str) -> dict[str, Any]:
    """Return the latencies of lists, of events, and of the list of the same user right after one."""
    process, connection = serve(home, *settings)
    rng = np.random.default_rng(1)
    try:

        def ask() -> float:
            path = f"/v1/recommendations?k=10&user_id=u{rng.integers(N_USERS)}"
            milliseconds, status = timed(connection, "GET", path)
            assert status == 200
            return milliseconds

        def like() -> float:
            user, item = f"u{rng.integers(N_USERS)}", f"i{rng.integers(N_ITEMS)}"
            event = {"user_id": user, "event_type": "like", "item_id": item}
            milliseconds, status = timed(connection, "POST", "/v1/events", event)
            assert status == 200
            return milliseconds

        def next_list() -> float:
            path = f"/v1/recommendations?k=10&user_id=u{rng.integers(N_USERS)}"
            shown = [item["item_id"] for item in json.loads(answered(connection, "GET", path)[2])["items"]]
            event = {"user_id": path.rpartition("=")[2], "event_type": "like", "item_id": shown[0]}
            assert timed(connection, "POST", "/v1/events", event)[1] == 200
            milliseconds, _, told = answered(connection, "GET", path)
            assert shown[0] not in {item["item_id"] for item in json.loads(told)["items"]}
            return milliseconds

        for _ in range(200):
            ask()
        before = cpu_seconds(process.pid)
        lists = [ask() for _ in range(requests)]
        cpu = 1000 * (cpu_seconds(process.pid) - before) / requests
        events = [like() for _ in range(requests // 5)]
        after = [next_list() for _ in range(requests // 2)]
    finally:
        connection.close()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    return {
        "list_ms": percentiles(lists),
        "acknowledged_event_ms": percentiles(events),
        "list_after_event_ms": percentiles(after),
        "cpu_ms_of_a_list": round(cpu, 2),
    }


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used; NaN where the system does not tell."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.is_file():
        return float("nan")
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def percentiles(values: list[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the largest."""
    p50, p99 = np.percentile(values, [50, 99])
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2), "max": round(max(values), 2)}


def main() -> int:
    """Measure, write ``results.json``, and return 0 if the claim holds."""
    parser = argparse.ArgumentParser(description=CLAIM)
    parser.add_argument("--model", action="append", help="registered models; all if not given")
    parser.add_argument("--requests", type=int, default=2_000)
    arguments = parser.parse_args()
    data, models = made(), []
    for name in arguments.model or ["popularity", "ease", "sequence", CLOCKS]:
        with tempfile.TemporaryDirectory() as folder:
            home = Home(folder)
            publish(home, name.partition(",")[0], data)
            models.append({"name": name, **measure(home, arguments.requests, *SET.get(name, ()))})
        print(json.dumps(models[-1]), flush=True)
    holds = all(
        each["list_ms"]["p50"] <= P50
        and each["list_ms"]["p99"] <= P99
        and each["list_after_event_ms"]["p99"] <= AFTER
        for each in models
    )
    document = {
        "claim": CLAIM,
        "holds": holds,
        "items": N_ITEMS,
        "requests": arguments.requests,
        "models": models,
        "load_average": round(os.getloadavg()[0], 1),
        "machine": machine(),
        **stamp(),
    }
    (HERE / "results.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
