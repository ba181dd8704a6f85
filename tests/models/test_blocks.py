"""What every block of the sequence model promises, and that each promise can be broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from acclimate.models.blocks import GatedBlock, Layout, place_buckets
from acclimate.models.mixers import BIASED, MIXERS, Bias, CausalAttention, kinds_of, make_block

LENGTHS = [3, 1, 40, 2, 7]
WIDTH = 8
Make = Callable[[], GatedBlock]


def made(name: str, depth: int, *, biased: bool = False) -> Make:
    def make() -> GatedBlock:
        torch.manual_seed(0)
        block = make_block(name, WIDTH, 2, 0.0, depth, places=biased, time=biased).eval()
        for bias in (part for part in block.modules() if isinstance(part, Bias)):
            for table in bias.parameters():
                nn.init.normal_(table)
        return block

    return make


def layout_of(lengths: list[int]) -> Layout:
    """Return the layout of sequences whose events are ever further apart."""
    steps = torch.cat([torch.arange(n) for n in lengths]).double()
    return Layout.of(torch.tensor(lengths), 100 * steps**2, 100 * (steps + 1) ** 2)


def rows(n: int) -> Tensor:
    return torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(n))


def near(a: Tensor, b: Tensor) -> None:
    assert torch.allclose(a, b, atol=1e-5, rtol=1e-5)


def check_a_batch_equals_its_members(make: Make) -> None:
    block, x = make(), rows(sum(LENGTHS))
    together = block(x, layout_of(LENGTHS))
    for row, part in zip(x.split(LENGTHS), together.split(LENGTHS), strict=True):
        near(part, block(row, layout_of([len(row)])))


def check_last_is_that_of_all(make: Make) -> None:
    block, layout, x = make(), layout_of(LENGTHS), rows(sum(LENGTHS))
    near(block.last(x, layout), block(x, layout)[layout.last])


def check_the_future_is_not_seen(make: Make) -> None:
    block, x, layout = make(), rows(40), layout_of([40])
    for at in (1, 4, 39):
        changed = x.clone()
        changed[at:] += 1
        near(block(changed, layout)[:at], block(x, layout)[:at])


def check_the_past_is_seen(make: Make) -> None:
    block, x, layout = make(), rows(40), layout_of([40])
    changed = x.clone()
    changed[39 - REACH[type(block.mixer)]] += 1
    assert not torch.allclose(block(changed, layout)[39], block(x, layout)[39], atol=1e-6)


def check_every_weight_learns(make: Make) -> None:
    block = make().train()
    block(rows(sum(LENGTHS)), layout_of(LENGTHS)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters())


CHECKS = [
    check_a_batch_equals_its_members,
    check_last_is_that_of_all,
    check_the_future_is_not_seen,
    check_the_past_is_seen,
    check_every_weight_learns,
]
STEPS = {"attention": 39, "hstu": 39, "decay": 39, "gru": 5, "convolution": 6}
REACH = {type(MIXERS[name](WIDTH, 2, 0)): steps for name, steps in STEPS.items()}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", MIXERS)
def test_block_keeps_the_contract(name: str, check: Callable[[Make], None]) -> None:
    check(made(name, depth=0))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", BIASED)
def test_block_that_hears_of_places_and_time_keeps_it_too(name: str, check: Callable[[Make], None]) -> None:
    check(made(name, depth=0, biased=True))


def test_all_blocks_are_tested_with_all_checks() -> None:
    assert set(MIXERS) == set(STEPS) == {"attention", "hstu", "decay", "gru", "convolution"}
    assert len(CHECKS) == 5


def test_kinds_take_turns_from_the_bottom_up() -> None:
    assert kinds_of("gru", 2) == ["gru", "gru"]
    assert kinds_of("decay+attention", 3) == ["decay", "attention", "decay"]


@pytest.mark.parametrize("name", BIASED)
def test_the_time_of_the_question_counts(name: str) -> None:
    block, x = made(name, depth=0, biased=True)(), rows(3)
    times = torch.tensor([0.0, 10.0, 20.0], dtype=torch.float64)
    soon, late = (torch.tensor([10.0, 20.0, then], dtype=torch.float64) for then in (30.0, 1e7))
    first, second = (block(x, Layout.of(torch.tensor([3]), times, asked)) for asked in (soon, late))
    near(first[:2], second[:2])
    assert not torch.allclose(first[2], second[2], atol=1e-4)


@pytest.mark.parametrize("name", BIASED)
def test_who_wants_times_says_so_where_there_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="wants the times"):
        made(name, depth=0, biased=True)()(rows(3), Layout.of(torch.tensor([3])))


def test_the_state_of_decay_takes_in_one_event_as_all_at_once() -> None:
    mixer = made("decay", depth=0)().mixer
    nn.init.normal_(mixer.stays.weight)
    x = rows(40)
    state, told = None, []
    for row in x:
        out, state = mixer.step(row[None], state)
        told.append(out)
    near(torch.cat(told), mixer(x, layout_of([40])))


def test_heads_of_decay_begin_with_short_and_long_memories() -> None:
    stays = torch.sigmoid(MIXERS["decay"](WIDTH, 2, 0).stays.bias)
    assert torch.allclose(1 / (1 - stays), torch.tensor([8.0, 256.0]), rtol=1e-3)


def test_places_share_a_bucket_the_further_they_are_away() -> None:
    buckets = place_buckets(300)
    assert buckets[299].flip(0)[:33].tolist() == [*range(32), 32]
    assert buckets[299].flip(0)[[63, 64, 127, 128, 256, 299]].tolist() == [39, 40, 47, 48, 56, 57]
    assert not buckets.triu().any()


def test_a_second_convolution_reaches_back_to_where_the_first_ends() -> None:
    first, second = (made("convolution", depth)() for depth in (0, 1))
    assert (first.mixer.steps, second.mixer.steps) == ((1, 2), (4, 8))
    x, layout = rows(40).requires_grad_(), layout_of([40])
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
