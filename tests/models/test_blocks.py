"""What every block of the sequence model promises, and that each promise can be broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from acclimate.models.blocks import MIXERS, CausalAttention, GatedBlock, Layout, make_block

LENGTHS = [3, 1, 40, 2, 7]
WIDTH = 8
Make = Callable[[], GatedBlock]


def made(name: str, depth: int) -> Make:
    def make() -> GatedBlock:
        torch.manual_seed(0)
        return make_block(name, WIDTH, 2, 0.0, depth).eval()

    return make


def rows(n: int) -> Tensor:
    return torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(n))


def near(a: Tensor, b: Tensor) -> None:
    assert torch.allclose(a, b, atol=1e-5, rtol=1e-5)


def check_a_batch_equals_its_members(make: Make) -> None:
    block, x = make(), rows(sum(LENGTHS))
    together = block(x, Layout.of(torch.tensor(LENGTHS)))
    for row, part in zip(x.split(LENGTHS), together.split(LENGTHS), strict=True):
        near(part, block(row, Layout.of(torch.tensor([len(row)]))))


def check_last_is_that_of_all(make: Make) -> None:
    block, layout, x = make(), Layout.of(torch.tensor(LENGTHS)), rows(sum(LENGTHS))
    near(block.last(x, layout), block(x, layout)[layout.last])


def check_the_future_is_not_seen(make: Make) -> None:
    block, x, layout = make(), rows(40), Layout.of(torch.tensor([40]))
    for at in (1, 4, 39):
        changed = x.clone()
        changed[at:] += 1
        near(block(changed, layout)[:at], block(x, layout)[:at])


def check_the_past_is_seen(make: Make) -> None:
    block, x, layout = make(), rows(40), Layout.of(torch.tensor([40]))
    changed = x.clone()
    changed[39 - REACH[type(block.mixer)]] += 1
    assert not torch.allclose(block(changed, layout)[39], block(x, layout)[39], atol=1e-6)


def check_every_weight_learns(make: Make) -> None:
    block = make().train()
    block(rows(sum(LENGTHS)), Layout.of(torch.tensor(LENGTHS))).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters())


CHECKS = [
    check_a_batch_equals_its_members,
    check_last_is_that_of_all,
    check_the_future_is_not_seen,
    check_the_past_is_seen,
    check_every_weight_learns,
]
REACH = {type(MIXERS[name](WIDTH, 2, 0)): steps for name, steps in [("attention", 39), ("gru", 5)]}
REACH[type(MIXERS["convolution"](WIDTH, 2, 0))] = 6


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", MIXERS)
def test_block_keeps_the_contract(name: str, check: Callable[[Make], None]) -> None:
    check(made(name, depth=0))


def test_all_blocks_are_tested_with_all_checks() -> None:
    assert set(MIXERS) == {"attention", "gru", "convolution"}
    assert len(CHECKS) == 5


def test_a_second_convolution_reaches_back_to_where_the_first_ends() -> None:
    first, second = (made("convolution", depth)() for depth in (0, 1))
    assert (first.mixer.steps, second.mixer.steps) == ((1, 2), (4, 8))
    x, layout = rows(40).requires_grad_(), Layout.of(torch.tensor([40]))
    second(first(x, layout), layout)[39].sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=1) > 0).nonzero().flatten().tolist() == list(range(39 - 30, 40))


class Mixing(CausalAttention):
    """Sees everything: later events, and those of other sequences."""

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        return x + x.mean(dim=0)


class Hasty(CausalAttention):
    def last(self, x: Tensor, layout: Layout) -> Tensor:
        return x[layout.last]


class Blind(CausalAttention):
    """Sees only the event itself."""

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        return x


class Frozen(CausalAttention):
    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        return super().forward(x, layout).detach()


BROKEN: dict[Callable[[Make], None], type[nn.Module]] = {
    check_a_batch_equals_its_members: Mixing,
    check_last_is_that_of_all: Hasty,
    check_the_future_is_not_seen: Mixing,
    check_the_past_is_seen: Blind,
    check_every_weight_learns: Frozen,
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_can_fail(check: Callable[[Make], None]) -> None:
    REACH[BROKEN[check]] = 5
    with pytest.raises(AssertionError):
        check(lambda: GatedBlock(BROKEN[check](WIDTH, 2), WIDTH, 0.0).eval())  # type: ignore[call-arg]
