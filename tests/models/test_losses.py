"""The chunked softmax loss against torch's own, in value and gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from acclimate.models.losses import softmax_loss


def both(n: int, n_items: int, scale: float, **options: object) -> tuple[list[Tensor], list[Tensor]]:
    """Loss and gradients of (users, items, scale): ours and torch's."""
    torch.manual_seed(n + n_items)
    targets = torch.randint(n_items, (n,))
    start = torch.randn(n, 8), torch.randn(n_items, 8), torch.tensor(scale)
    found = []
    for ours in (True, False):
        users, items, s = (part.clone().requires_grad_() for part in start)
        u, e = F.normalize(users, dim=1), F.normalize(items, dim=1)
        logits = s * u @ e.T
        loss = softmax_loss(u, e, s, targets, **options) if ours else F.cross_entropy(logits, targets)  # type: ignore[arg-type]
        (3 * loss).backward()
        assert users.grad is not None
        assert items.grad is not None
        assert s.grad is not None
        found.append([loss.detach(), users.grad, items.grad, s.grad])
    return found[0], found[1]


@pytest.mark.parametrize("n", [1, 5, 64])
@pytest.mark.parametrize("scale", [0.5, 10.0, 60.0])
def test_value_and_gradients_are_those_of_cross_entropy(n: int, scale: float) -> None:
    for ours, torchs in zip(*both(n, 17, scale, chunk=7), strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-5)


def test_bfloat16_is_near() -> None:
    for ours, torchs in zip(*both(64, 300, 10.0, dtype=torch.bfloat16), strict=True):
        assert (ours - torchs).norm() <= 0.02 * torchs.norm()


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_users_may_have_many_targets_of_different_weight(chunk: int) -> None:
    torch.manual_seed(0)
    rows, targets = (
        torch.tensor([0, 0, 2, 2, 2, 6]),
        torch.tensor([1, 4, 0, 4, 4, 3]),
    )  # users 1 and 3 to 5 have none
    weights, scale = torch.tensor([1.0, 2.0, 0.5, 1.0, 1.0, 4.0]), torch.tensor(7.0)
    start, found = (torch.randn(7, 8), torch.randn(5, 8)), []
    for ours in (True, False):
        users, items = (part.clone().requires_grad_() for part in start)
        u, e = F.normalize(users, dim=1), F.normalize(items, dim=1)
        if ours:
            loss = softmax_loss(u, e, scale, targets, rows=rows, weights=weights, chunk=chunk)
        else:
            each = F.cross_entropy(scale * u[rows] @ e.T, targets, reduction="none")
            loss = (each * weights).sum() / weights.sum()
        loss.backward()
        assert users.grad is not None
        assert items.grad is not None
        found.append([loss.detach(), users.grad, items.grad])
    for mine, torchs in zip(*found, strict=True):
        torch.testing.assert_close(mine, torchs, rtol=1e-4, atol=1e-6)
