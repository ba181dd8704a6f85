"""A search looks at the training part alone; a trial says what went wrong; a process may die."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from acclimate.adapt.search import PROTOCOLS, parts_of
from acclimate.adapt.trials import Done, Failed, Work, Worker
from acclimate.config import Home, Settings
from acclimate.data.dataset import Dataset
from acclimate.data.split import SPLITS, Split
from acclimate.models.vae import VAENet


def data(users: int = 30) -> Dataset:
    rows = [(f"u{u}", f"i{(u % 3 + 3 * t) % 12}", 100.0 * t + u) for u in range(users) for t in range(4)]
    return Dataset.of(rows)


def events(some: Dataset) -> set[tuple[int, int, float]]:
    return set(zip(some.user.tolist(), some.item.tolist(), some.time.tolist(), strict=True))


def asked(split: Split) -> set[tuple[int, int]]:
    return set(zip(split.users[split.rows].tolist(), split.targets.tolist(), strict=True))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_test_target_reaches_a_trial(protocol: str) -> None:
    whole = data()
    (outer,) = SPLITS[protocol](whole, 0, float("inf"))
    parts = parts_of(whole, protocol)
    assert parts.test_sha256 == outer.targets_sha256 != parts.inner.targets_sha256
    told = {(user, item) for user, item, _ in events(parts.inner.train)} | asked(parts.inner)
    assert asked(outer)
    assert not told & asked(outer)
    assert events(parts.inner.train) < events(outer.train)
    assert asked(parts.inner) <= {(user, item) for user, item, _ in events(outer.train)}


def work(tmp_path: Path, model: str) -> Work:
    return Work(Home(tmp_path), Settings(), model, parts_of(data(), "last").inner, 1)


def test_a_trial_comes_to_a_figure_or_says_why_not(tmp_path: Path) -> None:
    done = work(tmp_path, "ease").run({"l2": 10.0}, tmp_path / "trial")
    assert isinstance(done, Done)
    assert 0 <= done.low <= done.figure <= done.high <= 1
    failed = work(tmp_path, "ease").run({"l2": -1.0}, tmp_path / "trial")
    assert failed == Failed("train.params of ease: l2 must be a positive number, got -1.0")


def test_a_loss_of_nan_fails_the_trial_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VAENet, "loss", lambda self, rows: self.bias.sum() * torch.nan)
    failed = work(tmp_path, "vae").run({"latent": 4, "hidden": 4}, tmp_path / "trial")
    assert isinstance(failed, Failed)
    assert failed.why.startswith("the loss is nan in epoch 1, step 1: try a learning_rate below")


def test_a_model_that_breaks_fails_the_trial_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, rows: object) -> None:
        raise RuntimeError("shapes\n do not fit")

    monkeypatch.setattr(VAENet, "loss", broken)
    failed = work(tmp_path, "vae").run({"latent": 4, "hidden": 4}, tmp_path / "trial")
    assert failed == Failed("RuntimeError: shapes do not fit")


def test_a_process_that_dies_is_a_failed_trial(tmp_path: Path) -> None:
    worker = Worker(work(tmp_path, "ease"))
    worker.start({"l2": 3.0}, tmp_path / "trial")
    worker.process.kill()
    said = worker.hear()
    assert isinstance(said, Failed)
    assert "its process ended by itself (signal 9, as when memory runs out" in said.why
    assert not worker.alive
    worker.end()


def test_a_process_measures_as_this_one_does(tmp_path: Path) -> None:
    here = work(tmp_path, "ease").run({"l2": 3.0}, tmp_path / "trial")
    worker = Worker(replace(work(tmp_path, "ease")))
    worker.start({"l2": 3.0}, tmp_path / "trial")
    there = worker.hear()
    worker.end()
    assert isinstance(here, Done)
    assert isinstance(there, Done)
    np.testing.assert_allclose(there[:3], here[:3])
