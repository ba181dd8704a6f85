from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.data.fetch import fetch


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Write text or bytes into a file, ``ratings.csv`` unless named."""

    def write(content: str | bytes, name: str = "ratings.csv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture(scope="session")
def known_set(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a published set out of ``ACCLIMATE_DATA``; skips where it is not."""
    cache = tmp_path_factory.mktemp("sets")

    def find(name: str) -> Path:
        folder = os.environ.get("ACCLIMATE_DATA")
        if not folder:
            pytest.skip("ACCLIMATE_DATA is not set: no real data to read")
        found = fetch(name, cache=cache)
        if found.source.startswith(("package", "http")):
            pytest.skip(f"{name} is not in ACCLIMATE_DATA")
        return found.path

    return find
