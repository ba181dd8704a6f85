"""Two processes that share each batch come to what one process comes to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from acclimate.cli import main
from acclimate.errors import InputError
from acclimate.models.item_vectors import ItemVectors
from acclimate.models.parts import part_of_batch as part
from acclimate.models.sequence import SequenceModel
from acclimate.models.sequence_fit import Batches
from acclimate.models.sequence_net import Batch, SequenceNet
from tests.cli.conftest import SMALL as QUICK
from tests.cli.conftest import write_shop
from tests.models.test_sequence import SMALL, kinds
from tests.shared_fit import FITS

pytestmark = pytest.mark.timeout(600)  # processes that import torch, on cores that others may use
TOLERANCE = 1e-3
"""Of weights; sums of float32 in another order are another number in the last digits, in each step."""
TORCHRUN = (
    "-m",
    "torch.distributed.run",
    "--standalone",
    "--local-addr",
    "127.0.0.1",
    "--nproc-per-node",
    "2",
)


def call(*words: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "ACCLIMATE_HOME": "",
    }
    del environment["ACCLIMATE_HOME"]
    words = (sys.executable, *map(str, words))
    return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=300, check=False)


@pytest.fixture(scope="module")
def fits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in ("one", "two")}
    alone = call("-m", "tests.shared_fit", folders["one"])
    assert alone.returncode == 0, alone.stderr
    shared = call(*TORCHRUN, "-m", "tests.shared_fit", folders["two"])
    assert shared.returncode == 0, shared.stderr
    return folders


def told(folder: Path, name: str, mine: int) -> tuple[dict[str, Any], dict[str, Any]]:
    document = json.loads((folder / f"{name}-{mine}.json").read_text())
    return document, dict(np.load(folder / f"{name}-{mine}.npz"))


@pytest.mark.parametrize("name", FITS)
def test_two_processes_come_to_the_weights_of_one(fits: dict[str, Path], name: str) -> None:
    (one, alone), (two, shared) = told(fits["one"], name, 0), told(fits["two"], name, 0)
    assert alone.keys() == shared.keys()
    for key, weights in alone.items():
        np.testing.assert_allclose(shared[key], weights, atol=TOLERANCE, err_msg=key)
    assert two["epochs"] == one["epochs"]
    assert two["resumed"] is one["resumed"] is (FITS[name]["epochs"] > 2)
    np.testing.assert_allclose(two["watched"], one["watched"], atol=1e-6)
    np.testing.assert_allclose(two["figure"], one["figure"], atol=1e-6)
    losses = [[row["loss"] for row in each["curve"]] for each in (one, two)]
    np.testing.assert_allclose(*losses, atol=1e-4)


@pytest.mark.parametrize("name", FITS)
def test_all_processes_hold_the_same_and_the_first_alone_writes(fits: dict[str, Path], name: str) -> None:
    (one, first), (two, second) = (told(fits["two"], name, mine) for mine in (0, 1))
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)
    assert json.dumps(one) == json.dumps(two)
    stopped = FITS[name]["epochs"] > 2
    assert len(list((fits["two"] / f"kept-{name}" / "logs").rglob("events*"))) == 1 + stopped
    assert [path.name for path in (fits["two"] / f"kept-{name}").iterdir()] == ["logs"]  # no checkpoint stays


def test_train_under_torchrun_publishes_once_and_speaks_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    shop = write_shop(tmp_path / "shop")
    assert main(["data", "import", str(shop), "--home", str(home)]) == 0
    words = ("train", "--model", "sequence", *QUICK, "--home", home, "--json")
    ran = call(*TORCHRUN, "-m", "acclimate.cli", *words)
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    assert document["model"] == "sequence"
    assert [path.name for path in (home / "snapshots").iterdir() if path.is_dir()] == [document["snapshot"]]
    assert ran.stderr.count("saving the snapshot") == 1


@pytest.mark.parametrize("mine", [0, 1])
def test_other_commands_are_refused_by_the_first_process_alone(
    mine: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "TORCHELASTIC_RUN_ID": "x",
        "WORLD_SIZE": 2,
        "RANK": mine,
        "LOCAL_RANK": mine,
    }.items():
        monkeypatch.setenv(name, str(value))
    assert main(["evaluate", "--json"]) == 2
    told = capfd.readouterr()
    assert ("torchrun shares the work of acclimate train alone, got evaluate" in told.out) == (mine == 0)
    assert bool(told.err) == (mine == 0)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_parts_of_a_batch_are_the_batch_and_their_weights_sum_to_one(count: int) -> None:
    model = SequenceModel(**SMALL)
    batches = Batches(kinds().histories(), model.params, kinds().n_items)
    for batch in batches(0):
        parts = [part(batch, mine, count, model.params) for mine in range(count)]
        assert sum(weight for _, weight in parts) == pytest.approx(1.0)
        whole = torch.cat([each.steps.items for each, _ in parts])
        assert torch.equal(whole, batch.steps.items)
        assert torch.equal(torch.cat([each.targets for each, _ in parts]), batch.targets)
        assert torch.equal(torch.cat([each.steps.lengths for each, _ in parts]), batch.steps.lengths)
        sizes = [len(each.targets) for each, _ in parts]
        assert max(sizes) - min(sizes) <= 2 * int(batch.steps.lengths.max())
        assert all(int(each.steps.lengths.sum()) == len(each.targets) for each, _ in parts)


@pytest.mark.parametrize("loss", ["full", "gbce", "bpr"])
def test_the_losses_of_the_parts_by_their_weights_are_that_of_the_batch(loss: str) -> None:
    params = SequenceModel(**SMALL, loss=loss, negatives=8).params
    net = SequenceNet(ItemVectors(torch.randn(96, 32), 16, 0.0), params, np.ones(96, np.int64)).eval()
    batch = next(iter(Batches(kinds().histories(), params, 96)(0)))
    liked = (torch.arange(len(batch.targets)) < 300).float()  # the last part has none
    batch = batch._replace(weights=batch.weights * liked)

    def told(some: Batch) -> torch.Tensor:
        torch.manual_seed(0)
        return net.loss(some)

    parts = [net.part(batch, mine, 3) for mine in range(3)]
    assert len({round(weight, 2) for _, weight in parts}) > 1
    total = sum(weight * told(some) for some, weight in parts)
    torch.testing.assert_close(total, told(batch), atol=1e-3, rtol=1e-3)  # bf16


def test_a_batch_of_fewer_sequences_than_processes_is_the_firsts() -> None:
    model = SequenceModel(**SMALL)
    histories = kinds().histories()[:1]
    (batch,) = Batches(histories, model.params, kinds().n_items)(0)
    assert [part(batch, mine, 3, model.params)[1] for mine in range(3)] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["contrast", "perturbation"])
def test_what_looks_at_a_whole_batch_is_refused(name: str) -> None:
    model = SequenceModel(**SMALL, **{name: 0.1})
    batch = next(iter(Batches(kinds().histories(), model.params, kinds().n_items)(0)))
    with pytest.raises(
        InputError, match=rf"{name}=0.1 looks at a batch as a whole.*set train.params.{name}=0"
    ):
        part(batch, 0, 2, model.params)
