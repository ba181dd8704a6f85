"""Factors beside matrices: slopes by the chain rule, a budget that moves, and adapters that come and go."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.func import functional_call

from acclimate.adapt import growing, low_rank
from acclimate.adapt.growing import WEIGHTS, Growing
from acclimate.adapt.low_rank import LowRank
from acclimate.adapt.slow import STRETCHES, Slow
from acclimate.data.synthetic import drifting_world
from acclimate.errors import InputError
from acclimate.evaluate.prequential import Level, replay
from acclimate.models.going_on import foreseeing
from acclimate.models.sequence import SequenceModel
from acclimate.models.sequence_net import Batch, SequenceNet
from acclimate.types import Histories
from tests.adapt.test_safeguards import CHECKS, FEW, Make, begin, learned, net_of
from tests.adapt.test_slow import Quick
from tests.contract.learners import STREAM, learns, same
from tests.contract.models import travelled


@pytest.fixture(autouse=True)
def _little_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acclimate.adapt.slow.STRETCHES", 8)
    monkeypatch.setattr("acclimate.state.contest.LEAST", 5)
    monkeypatch.setattr(low_rank, "AGAIN", 2)


def lasting(adapter: str) -> Make:
    """Return what makes a slow clock that is told of lasting drift from the beginning."""

    def make() -> Slow:
        model = Slow(Quick(), every=16, learning_rate=0.01, safeguard="none", adapter=adapter, rank=2)
        begins = model.weights.begin

        def begin() -> None:
            begins()
            model.weights.lasting = True

        model.weights.begin = begin  # type: ignore[method-assign]
        return model

    return make


def low(model: Slow) -> LowRank:
    found = model.weights.low if isinstance(model.weights, Growing) else model.weights
    assert isinstance(found, LowRank)
    return found


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("adapter", [name for name in WEIGHTS if name != "off"])
def test_each_keeps_the_promises(adapter: str, check: Callable[[Make], None]) -> None:
    check(lasting(adapter))


def a_batch() -> Batch:
    steps, then = foreseeing(Histories.of([[4, 5, 6, 7], [7, 8, 9]]))
    return Batch(steps, then, torch.ones(len(then)))


def opened_with(adapter: LowRank) -> SequenceNet:
    net = net_of(begin(lasting("off")))
    adapter.open(net)
    return net.eval()


def test_slopes_are_those_of_the_chain_rule() -> None:
    """As autograd finds them where each matrix is written as its base and the factors beside it."""
    adapter = LowRank(0.0, rank=2, moves=False)
    net = opened_with(adapter)
    rng = torch.Generator().manual_seed(0)
    for part in adapter.factors.values():
        part.data = 0.3 * torch.randn(part.shape, generator=rng)
    adapter._write()
    net.loss(a_batch()).backward()  # type: ignore[no-untyped-call]
    adapter.step(0.0)
    own = {name: part.detach().clone().requires_grad_() for name, part in adapter.factors.items()}
    weights = {
        name: adapter.base[name] + own[f"P.{name}"] * own[f"s.{name}"] @ own[f"Q.{name}"]
        for name in adapter.base
    }

    class Loss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, batch: Batch) -> torch.Tensor:
            return self.net.loss(batch)

    named = {f"net.{name}": part for name, part in weights.items()}
    functional_call(Loss(), named, (a_batch(),)).backward()
    for name, part in own.items():
        found = adapter.factors[name].grad
        assert found is not None
        wanted = torch.zeros_like(part) if part.grad is None else part.grad
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("adapter", ["lora", "adalora"])
def test_matrices_alone_learn_and_by_few_ranks(adapter: str) -> None:
    model = learned(lasting(adapter))
    before, now = net_of(begin(lasting("off"))), net_of(model)
    ranks, weights = low(model).ranks, dict(before.named_parameters())
    assert model.steps > 3
    assert ranks.keys() == {name for name, weight in weights.items() if weight.dim() == 2}
    for name, weight in now.named_parameters():
        moved = (weight - weights[name]).detach()
        if name in ranks:
            found = int(torch.linalg.matrix_rank(moved, rtol=1e-4))
            assert 0 <= found <= ranks[name], name
        else:
            assert not moved.any(), name
    assert any(ranks.values())


def test_the_budget_is_kept_and_moves_to_where_slopes_are() -> None:
    adapter = LowRank(0.01, rank=2)
    net = opened_with(adapter)
    names = [name for name in adapter.base if min(adapter.base[name].shape) >= 4]
    for here in (names[:2], names[-2:]):
        for _ in range(60):
            for name, weight in adapter._net.items():
                rng = torch.Generator().manual_seed(adapter.steps + len(name))
                weight.grad = torch.randn(weight.shape, generator=rng) * (1.0 if name in here else 1e-4)
            adapter.step(0.01)
        ranks = adapter.ranks
        assert sum(ranks.values()) <= sum(min(2, *part.shape) for part in adapter.base.values())
        assert all(ranks[name] == 4 for name in here), "as many as there are at most"
    assert net is not None


def test_ranks_that_do_not_move_stay_as_many_each() -> None:
    model = learned(lasting("lora"))
    assert set(low(model).ranks.values()) == {2}


def test_held_for_good_nothing_moves_and_published_again_it_begins_there() -> None:
    held, free = begin(lasting("lora")), begin(lasting("lora"))
    low(held).hold = np.inf
    before = travelled(held.base.state())[0]
    learns(held, FEW)
    for name, array in travelled(held.base.state())[0].items():
        np.testing.assert_allclose(array, before[name], rtol=0, atol=1e-6, err_msg=name)
    learns(free, FEW)
    free.hold_on()
    low(free).hold = np.inf
    there = travelled(free.base.state())[0]
    learns(free, STREAM.part(slice(150, 250)))
    for name, array in travelled(free.base.state())[0].items():
        if np.shape(array) == np.shape(there[name]):
            np.testing.assert_allclose(array, there[name], rtol=0, atol=1e-6, err_msg=name)


def test_dropped_it_is_the_base_bit_for_bit_and_merged_what_it_was() -> None:
    for share in (0.0, 1.0):
        model = learned(lasting("adalora"))
        net = model._open
        assert net is not None
        base = {name: part.clone() for name, part in low(model).base.items()}
        now = {name: dict(net.named_parameters())[name].detach().clone() for name in base}
        low(model).merged(net, share)
        for name, weight in net.named_parameters():
            if name in base:
                wanted = now[name] if share else base[name]
                torch.testing.assert_close(weight.data, wanted, rtol=0, atol=1e-5 * share, msg=name)
        assert not low(model).base


def test_where_drift_lasts_an_adapter_is_added_and_merged_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(growing, "DECIDED", 20)
    model = begin(lasting("drift"))
    assert isinstance(model.weights, Growing)
    learns(model, FEW.part(slice(0, 40)))
    assert model.weights.grown
    rest = dict(net_of(model).named_parameters())["blocks.0.norm_mixer.weight"].detach().clone()
    best = model.weights.contest
    best._sum[:] = [0, 100, 50]
    best._count, best.asked = 1000.0, 19
    assert model.weights.share == 0.5
    model.weights.lasting = False
    learns(model, FEW.part(slice(40, 100)))
    assert not model.weights.grown
    assert [line.split(":")[0] for line in model.weights.told][:1] == ["drift lasts"]
    assert "merged with a share of 0.5" in model.weights.told[1]
    learns(model, FEW.part(slice(100, 150)))
    moved = dict(net_of(model).named_parameters())["blocks.0.norm_mixer.weight"]
    assert (moved != rest).any(), "all weights learn again"
    assert not model.weights.grown, "drift does not last"
    model.weights.lasting = True
    learns(model, STREAM.part(slice(150, 200)))
    assert model.weights.grown, "a new one for new drift"


def test_an_adapter_that_does_not_pay_is_dropped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "DECIDED", 20)
    monkeypatch.setattr(growing, "SURE", 1e9)
    model = begin(lasting("drift"))
    before = travelled(model.base.state())[0]
    assert isinstance(model.weights, Growing)
    learns(model, FEW.part(slice(0, 20)))
    assert model.weights.grown
    for name, array in travelled(model.base.state())[0].items():
        if np.shape(array) == np.shape(before[name]):
            np.testing.assert_array_equal(array, before[name], err_msg=f"{name}: none of it is served")
    learns(model, FEW.part(slice(20, 150)))
    assert not model.weights.grown
    assert [line.split(":")[0] for line in model.weights.told] == [
        "drift lasts",
        "the adapter was dropped",
    ], "while the same drift lasts it is not tried again"


def test_what_another_way_of_learning_kept_is_not_taken_over() -> None:
    model, other = learned(lasting("lora")), begin(lasting("adalora"))
    other.restore(travelled(model.state()))
    assert not low(other).base
    same(other, model)
    learns(other, STREAM.part(slice(150, 250)))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"adapter": "loar"}, "no adapter 'loar': did you mean .lora"),
        ({"adapter": "lora", "rank": 0}, "rank must be a whole number of 1 or more, got 0"),
        ({"adapter": "adalora", "rank": 2.5}, "rank must be a whole number of 1 or more, got 2.5"),
        ({"adapter": "lora", "safeguard": "ewc"}, "with adapter lora safeguard must be kl or none"),
    ],
)
def test_what_does_not_go_is_refused(given: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Slow(Quick(), **given)  # type: ignore[arg-type]


def test_a_world_that_turned_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acclimate.adapt.slow.STRETCHES", STRETCHES)
    world = drifting_world("sudden", n_events=4000, n_users=100, n_items=80)
    main = SequenceModel(width=32, heads=1, epochs=10, validation_users=0, batch_tokens=512)
    slow = [Slow(main, every=128, adapter=name) for name in ("lora", "adalora")]
    levels = [Level("items", main, learns=False), *(Level(each.adapter, each, every=128) for each in slow)]
    report = replay(levels, world.data, start=float(world.data.time[1600]))
    still, *learning = (level.per_question["ndcg@10"][-800:].mean() for level in report.levels)
    assert min(learning) > 1.05 * still
