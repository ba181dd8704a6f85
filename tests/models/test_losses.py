"""The chunked softmax loss against torch's own, in value and gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from acclimate.models import losses
from acclimate.models.losses import (
    SAMPLED,
    Added,
    Drawn,
    bpr_loss,
    gbce_loss,
    sampled_softmax_loss,
    softmax_loss,
)


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
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-6 * max(scale, 10))


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


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_smoothing_is_that_of_torch(smoothing: float) -> None:
    torch.manual_seed(0)
    targets, start = torch.randint(9, (20,)), (torch.randn(20, 8), torch.randn(9, 8), torch.tensor(6.0))
    found = []
    for ours in (True, False):
        users, items, scale = (part.clone().requires_grad_() for part in start)
        u, e = F.normalize(users, dim=1), F.normalize(items, dim=1)
        if ours:
            loss = softmax_loss(u, e, scale, targets, chunk=6, smoothing=smoothing)
        else:
            loss = F.cross_entropy(scale * u @ e.T, targets, label_smoothing=smoothing)
        loss.backward()
        found.append([loss.detach(), users.grad, items.grad, scale.grad])
    for mine, torchs in zip(*found, strict=True):
        torch.testing.assert_close(mine, torchs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("chunk", [2, 100])
def test_what_is_added_to_items_and_pairs_is_part_of_the_logits(chunk: int, smoothing: float) -> None:
    torch.manual_seed(0)
    rows, targets = torch.tensor([0, 0, 1, 4, 4, 6]), torch.tensor([1, 4, 0, 4, 4, 3])
    pair_rows, pair_items = torch.tensor([0, 0, 3, 4, 6]), torch.tensor([1, 3, 0, 4, 2])
    start = torch.randn(7, 8), torch.randn(5, 8), torch.tensor(5.0), 20 * torch.randn(5), 20 * torch.randn(5)
    found = []
    for ours in (True, False):
        users, items, scale, bias, values = parts = [part.clone().requires_grad_() for part in start]
        u, e = F.normalize(users, dim=1), F.normalize(items, dim=1)
        if ours:
            added = Added(pair_rows, pair_items, values)
            options = {"rows": rows, "chunk": chunk, "smoothing": smoothing, "bias": bias, "added": added}
            loss = softmax_loss(u, e, scale, targets, **options)  # type: ignore[arg-type]
        else:
            logits = (scale * u @ e.T + bias).index_put((pair_rows, pair_items), values, accumulate=True)
            loss = F.cross_entropy(logits[rows], targets, label_smoothing=smoothing)
        (2 * loss).backward()
        found.append([loss.detach(), *(part.grad for part in parts)])
    for mine, torchs in zip(*found, strict=True):
        torch.testing.assert_close(mine, torchs, rtol=1e-4, atol=1e-5)


def test_nothing_liked_costs_nothing() -> None:
    u = F.normalize(torch.randn(3, 8), dim=1).requires_grad_()
    targets, none = torch.tensor([0, 1, 2]), torch.zeros(3)
    loss = softmax_loss(u, F.normalize(torch.randn(5, 8), dim=1), torch.tensor(5.0), targets, weights=none)
    loss.backward()
    assert float(loss.detach()) == 0
    assert u.grad is not None
    assert not u.grad.any()


def scene(n: int = 40, n_items: int = 30) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Users, items, scale, targets."""
    torch.manual_seed(1)
    users, items = (F.normalize(torch.randn(m, 8), dim=1) for m in (n, n_items))
    return users, items, torch.tensor(4.0), torch.randint(n_items, (n,))


def test_with_everything_drawn_the_sampled_softmax_is_the_full_one() -> None:
    users, items, scale, targets = scene()
    every = Drawn(torch.arange(30), torch.zeros(30), 30)
    sampled, full = (
        sampled_softmax_loss(users, items, scale, targets, every),
        softmax_loss(users, items, scale, targets),
    )
    torch.testing.assert_close(sampled, full, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_the_sampled_softmax_nears_the_full_one_however_items_are_drawn(power: float) -> None:
    users, items, scale, targets = scene()
    chances = torch.arange(1.0, 31.0) ** power
    drawn = [Drawn.by(chances / chances.sum(), 3000) for _ in range(10)]
    found = torch.stack([sampled_softmax_loss(users, items, scale, targets, each) for each in drawn])
    torch.testing.assert_close(found.mean(), softmax_loss(users, items, scale, targets), rtol=0.01, atol=0.0)


def test_without_its_correction_the_sampled_softmax_is_off() -> None:
    users, items, scale, targets = scene()
    chances = torch.arange(1.0, 31.0) ** 2
    drawn = Drawn.by(chances / chances.sum(), 3000)
    bare = drawn._replace(log_expected=torch.zeros_like(drawn.log_expected))
    found = sampled_softmax_loss(users, items, scale, targets, bare)
    assert abs(float(found - softmax_loss(users, items, scale, targets))) > 1


def test_gbce_is_its_formula() -> None:
    users, items, scale, _ = scene(n=1)
    drawn = Drawn(torch.tensor([3, 5, 7]), torch.zeros(3), 30)
    scores = (scale * items @ users[0]).double()
    share = 3 / 29
    beta = share * (0.75 * (1 - 1 / share) + 1 / share)
    wrong = torch.log1p(-torch.sigmoid(scores[[3, 5, 7]])).sum()
    expected = -(beta * torch.sigmoid(scores[2]).log() + wrong)
    assert float(gbce_loss(users, items, scale, torch.tensor([2]), drawn)) == pytest.approx(float(expected))


def test_bpr_is_its_formula_and_leaves_out_what_is_right() -> None:
    users, items, scale, _ = scene(n=1)
    drawn = Drawn(torch.tensor([2, 5, 7]), torch.zeros(3), 30)
    scores = scale * items @ users[0]
    expected = -F.logsigmoid(scores[2] - scores[[5, 7]]).mean()
    assert float(bpr_loss(users, items, scale, torch.tensor([2]), drawn)) == pytest.approx(float(expected))


@pytest.mark.parametrize("name", SAMPLED)
def test_drawn_losses_have_finite_gradients_also_where_only_the_right_item_is_drawn(name: str) -> None:
    users, items, scale, _ = scene(n=2)
    users, items = users.requires_grad_(), items.requires_grad_()
    loss = SAMPLED[name](
        users, items, scale, torch.tensor([4, 4]), Drawn(torch.tensor([4]), torch.zeros(1), 30)
    )
    loss.backward()
    assert torch.isfinite(loss)
    for part in (users, items):
        assert part.grad is not None
        assert torch.isfinite(part.grad).all()


@pytest.mark.parametrize("pairs", [0, 1, 7, 40])
def test_dots_of_pairs_are_those_of_all_at_once(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "PAIRS_AT_ONCE", 6)
    draw = torch.Generator().manual_seed(pairs)
    left, right = (torch.randn(n, 4, generator=draw).requires_grad_() for n in (5, 9))
    rows, items = (torch.randint(n, (pairs,), generator=draw) for n in (5, 9))
    weights = torch.randn(pairs, generator=draw)
    found, plain = losses.pair_dots(left, right, rows, items), (left @ right.T)[rows, items]
    assert torch.allclose(found, plain, atol=1e-6)
    own = torch.autograd.grad((found * weights).sum(), (left, right))
    for mine, theirs in zip(own, torch.autograd.grad((plain * weights).sum(), (left, right)), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)
