"""Rows of the items that processes hold apart, and the items that a batch looks at."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from acclimate.errors import InputError
from acclimate.models import rows
from acclimate.models.item_vectors import ItemVectors
from acclimate.models.rows import Rows, held_apart
from acclimate.models.sequence import SequenceModel
from acclimate.models.sequence_fit import Batches
from acclimate.models.sequence_net import SequenceNet
from acclimate.parallel import Processes
from acclimate.training import Training
from tests.models.test_sequence import SMALL, kinds


@pytest.mark.parametrize(("n", "count"), [(10, 1), (10, 3), (2, 3), (0, 2), (9, 3)])
def test_each_row_is_held_by_one_process(n: int, count: int) -> None:
    table = torch.arange(n)[:, None].float()
    held = [Rows(Processes(count, mine), n) for mine in range(count)]
    assert torch.equal(torch.cat([each.part(table) for each in held]), table)
    codes = torch.arange(n)
    assert torch.equal(sum(each.here(codes).int() for each in held), torch.ones(n, dtype=torch.int32))
    assert all(len(each.part(table)) <= each.size for each in held)


def under_torchrun(monkeypatch: pytest.MonkeyPatch, count: int = 2) -> None:
    for name, value in {
        "TORCHELASTIC_RUN_ID": "x",
        "WORLD_SIZE": count,
        "RANK": 0,
        "LOCAL_RANK": 0,
        "LOCAL_WORLD_SIZE": count,
    }.items():
        monkeypatch.setenv(name, str(value))


@pytest.mark.parametrize(
    ("how", "loss", "free", "expected"),
    [
        ("auto", "sampled", 1 << 40, False),
        ("auto", "sampled", 1 << 10, True),
        ("auto", "full", 1 << 10, False),
        ("whole", "sampled", 1 << 10, False),
        ("apart", "sampled", 1 << 40, True),
    ],
)
def test_rows_are_held_apart_where_they_would_not_fit_or_it_is_wanted(
    how: str, loss: str, free: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "memory_left", lambda device: free)
    monkeypatch.setattr(Processes, "all_told", lambda self, value: [False, value])  # one is short of memory
    params = {"loss": loss, "width": 64}
    training = Training(device="cpu", item_rows=how)
    assert not held_apart(training, params, 1000)  # one process holds all
    under_torchrun(monkeypatch)
    assert held_apart(training, params, 1000) is expected


def test_a_loss_over_all_items_cannot_be_had_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    under_torchrun(monkeypatch)
    with pytest.raises(InputError, match=r"got loss = full.*set train.params.loss=sampled"):
        held_apart(Training(device="cpu", item_rows="apart"), {"loss": "full", "width": 8}, 10)


@pytest.mark.parametrize("projected", [False, True])
def test_some_rows_are_those_of_the_table(projected: bool) -> None:
    items = ItemVectors(torch.randn(20, 8), 6, 0.5, projected=projected).train()
    codes = torch.tensor([3, 0, 19])
    torch.manual_seed(0)
    some = items.of_some(codes)
    torch.manual_seed(0)
    assert torch.equal(some, items()[codes])
    some.sum().backward()
    assert items.ids.grad is not None
    touched = items.ids.grad.abs().sum(dim=1) > 0
    assert set(touched.nonzero()[:, 0].tolist()) <= set(codes.tolist())


def test_a_whole_table_of_rows_held_apart_is_not_made_by_chance() -> None:
    items = ItemVectors(torch.randn(20, 8), 6, 0.0)
    items.part_rows(Processes(2, 1))
    assert items.text.shape == (10, 8)
    with pytest.raises(RuntimeError, match="held apart"):
        items()


@pytest.mark.parametrize("loss", ["sampled", "gbce", "bpr"])
@pytest.mark.parametrize("more", [{}, {"item_bias": True}, {"contrast": 0.1}, {"perturbation": 0.1}])
def test_the_loss_over_what_a_batch_looks_at_moves_no_other_item(loss: str, more: dict[str, float]) -> None:
    params = SequenceModel(**SMALL, loss=loss, negatives=4, **more).params
    net = SequenceNet(ItemVectors(torch.randn(200, 32), 32, 0.0), params, np.ones(200, np.int64)).eval()
    batch = next(iter(Batches(kinds().histories(), params, 200)(0)))
    net.loss(batch).backward()
    assert net.items.ids.grad is not None
    moved = (net.items.ids.grad.abs().sum(dim=1) > 0).nonzero()[:, 0]
    looked_at = set(batch.steps.items.tolist()) | set(batch.targets.tolist())
    beside = set(moved.tolist()) - looked_at
    assert len(moved)
    assert len(beside) <= 4  # the negatives
