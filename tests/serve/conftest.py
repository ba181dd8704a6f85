from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from acclimate.config import Home, Settings
from acclimate.serve.app import make_app
from acclimate.serve.engine import Engine
from tests.e2e.books import load_library

Client = TestClient[Litestar]


@contextmanager
def serving(engine: Engine) -> Iterator[Client]:
    """A client of ``engine`` in this process, once it is ready."""
    with TestClient(make_app(engine), raise_server_exceptions=False) as client:
        deadline = time.monotonic() + 20
        while client.get("/readyz").status_code != 200:
            assert engine.failure is None, engine.failure
            assert time.monotonic() < deadline
        yield client


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(Home(tmp_path / "home"), Settings(), load_library)


@pytest.fixture
def client(engine: Engine) -> Iterator[Client]:
    with serving(engine) as client:
        yield client


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Client]:
    """A service on a home in which there is nothing."""
    with serving(Engine(Home(tmp_path / "empty"), Settings())) as client:
        yield client


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One service for many requests that are refused or only read."""
    home = Home(tmp_path_factory.mktemp("shared"))
    with serving(Engine(home, Settings(), load_library)) as client:
        yield client
