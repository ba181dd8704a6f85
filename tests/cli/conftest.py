"""A made home with two groups of users, and the command line run in this process."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acclimate.cli import main

SMALL = ("--set", "train.encoder=tfidf", "--set", "train.params.epochs=2", "--set", "train.params.width=16")
"""Makes the sequence model quick."""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``acclimate WORDS`` and return its status and its streams."""
    monkeypatch.delenv("ACCLIMATE_HOME", raising=False)
    monkeypatch.delenv("ACCLIMATE_DEBUG", raising=False)

    def go(*words: object) -> Ran:
        capfd.readouterr()
        code = main([str(word) for word in words])
        return Ran(code, *capfd.readouterr())

    return go


def write_shop(folder: Path, users: int = 24, items: int = 16) -> Path:
    """Write ratings.csv and movies.csv: even users like even items, odd ones odd items."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    titles = [
        f"{item},{'Space opera' if item % 2 else 'Kitchen story'} {item},Drama|Film" for item in range(items)
    ]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "\n".join(titles) + "\n")
    rows = ["userId,movieId,rating,timestamp"]
    for user in range(users):
        mine = rng.permutation(np.arange(user % 2, items, 2))[:6]
        rows += [f"u{user},{item},4.0,{1000 + 97 * user + 13 * n}" for n, item in enumerate(mine)]
    (folder / "ratings.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop") / "made-shop")


@pytest.fixture
def home(tmp_path: Path, shop: Path, run: Run) -> Path:
    """A home with imported data, and no snapshot."""
    folder = tmp_path / "home"
    ran = run("data", "import", shop, "--home", folder)
    assert ran.code == 0, ran.err
    return folder
