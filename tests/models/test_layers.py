"""The layers give what torch's own give."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from acclimate.models.layers import Dropout, RMSNorm

SHAPES = [(1, 4), (300, 8), (3, 5, 8)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
def test_rms_norm_and_its_gradients_are_those_of_torch(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    ours, theirs = RMSNorm(shape[-1]), nn.RMSNorm(shape[-1])
    for each in (ours, theirs):
        each.weight.data.copy_(torch.linspace(0.5, 2, shape[-1]))
    x = (3 * torch.randn(shape)).to(dtype).requires_grad_()
    made, grad = ours(x), torch.randn(shape)
    right = theirs(x.float())
    torch.testing.assert_close(made, right)
    with torch.no_grad():
        torch.testing.assert_close(ours(x.float()), right, msg="an answer is what was learned")
    found = torch.autograd.grad(made, [x, ours.weight], grad)
    wanted = torch.autograd.grad(right, [x, theirs.weight], grad)
    assert found[0].dtype == dtype
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other.to(one.dtype), rtol=1e-4, atol=1e-4)


def test_what_is_all_zero_stays_so() -> None:
    x = torch.zeros(2, 8, requires_grad=True)
    made = RMSNorm(8)(x)
    made.sum().backward()
    assert not made.any()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(share: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(500, 401, requires_grad=True)
    made = Dropout(share)(x)
    dropped = made == 0
    assert abs(float(dropped.float().mean()) - share) < 0.005
    assert abs(float(made.detach().mean()) - 1) < 0.03
    torch.testing.assert_close(
        made[~dropped], torch.full(((~dropped).sum(),), 1 / (1 - share)), rtol=1e-4, atol=0
    )
    (grad,) = torch.autograd.grad(made.sum(), x)
    assert torch.equal(grad == 0, dropped), "what was dropped learns nothing"


def test_rows_and_columns_are_dropped_apart() -> None:
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(400, 64)) > 0).float()
    near = torch.corrcoef(kept.T).fill_diagonal_(0).abs().max()
    assert near < 0.25
    assert torch.corrcoef(kept).fill_diagonal_(0).abs().max() < 0.7


def drawn(seed: int) -> Tensor:
    torch.manual_seed(seed)
    return Dropout(0.5)(torch.ones(20, 7))


def test_the_seed_of_torch_decides() -> None:
    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


@pytest.mark.parametrize("share", [0.0, 1.0, 1e-9])
def test_none_and_all_are_torchs(share: float) -> None:
    torch.manual_seed(0)
    assert torch.equal(Dropout(share)(torch.ones(9)), torch.full((9,), 0.0 if share == 1 else 1.0))


def test_outside_training_nothing_is_dropped() -> None:
    assert torch.equal(Dropout(0.5).eval()(torch.ones(9)), torch.ones(9))


def test_few_values_and_half_precision() -> None:
    for n in range(1, 9):
        made = Dropout(0.5)(torch.ones(n, dtype=torch.bfloat16))
        assert made.dtype == torch.bfloat16
        assert set(made.tolist()) <= {0.0, 2.0}
