"""Every optimiser by name learns, goes on after a kill, and the one of rows is what it says."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from acclimate.errors import InputError
from acclimate.optimisers import ROWWISE, SCHEDULES, RowwiseAdagrad, Together, make_optimiser, names
from acclimate.training import Recipe


class Items(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ids = nn.Parameter(torch.ones(6, 4))


class Net(nn.Module):
    """Rows of ids, of which few are touched in a step, and one layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.items, self.layer = Items(), nn.Linear(4, 1)

    def error(self, rows: Tensor) -> Tensor:
        return (self.layer(self.items.ids[rows]).squeeze(1) - rows).square().mean()


def steps(net: Net, optimiser: torch.optim.Optimizer, n: int) -> None:
    for number in range(n):
        optimiser.zero_grad()
        net.error(torch.tensor([number % 3])).backward()
        optimiser.step()


EVERY = torch.tensor([0, 1, 2])


@pytest.mark.parametrize("name", ["Rowwise-Adagrad", "SGD", "AdamW"])
def test_a_name_may_be_in_any_case(name: str) -> None:
    made, same = (make_optimiser(Net(), Recipe(1, 0.01, optimiser=each)) for each in (name, name.lower()))
    assert type(made) is type(same)


@pytest.mark.parametrize("name", names())
def test_every_optimiser_learns(name: str) -> None:
    net = Net()
    before = net.error(EVERY).item()
    steps(net, make_optimiser(net, Recipe(1, 1e-3 if name == "sgd" else 0.01, optimiser=name)), 60)
    assert net.error(EVERY).item() < before


@pytest.mark.parametrize("name", names())
def test_it_goes_on_from_its_state(name: str) -> None:
    whole, again = Net(), Net()
    recipe = Recipe(1, 0.01, optimiser=name)
    first = make_optimiser(whole, recipe)
    steps(whole, first, 6)
    again.load_state_dict(whole.state_dict())
    second = make_optimiser(again, recipe)
    second.load_state_dict(deepcopy(first.state_dict()))
    steps(whole, first, 6)
    steps(again, second, 6)
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_rowwise_adagrad_is_its_formula_and_leaves_other_rows() -> None:
    rows = nn.Parameter(torch.zeros(3, 2))
    optimiser = RowwiseAdagrad([rows], lr=0.5)
    squares = torch.zeros(3)
    expected = torch.zeros(3, 2)
    for gradient in (torch.tensor([[3.0, 4.0], [0, 0], [1, 1]]), torch.tensor([[1.0, 0], [0, 0], [2, 2]])):
        rows.grad = gradient
        optimiser.step()
        squares += gradient.square().mean(dim=1)
        expected -= 0.5 * gradient / (squares.sqrt() + 1e-8)[:, None]
    torch.testing.assert_close(rows.detach(), expected)
    assert not rows[1].any()


def test_muon_turns_the_matrices_of_layers_and_no_others() -> None:
    net, plain = Net(), Net()
    net.layer, plain.layer = nn.Linear(4, 4), nn.Linear(4, 4)
    plain.load_state_dict(net.state_dict())
    before = net.layer.weight.detach().clone()
    scale = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    for each, name in ((net, "muon"), (plain, "adamw")):
        optimiser = make_optimiser(each, Recipe(1, 0.01, weight_decay=0.0, optimiser=name))
        each.layer(each.items.ids * scale).square().sum().backward()
        optimiser.step()
    slope, step = (
        torch.linalg.svdvals(each) for each in (net.layer.weight.grad, net.layer.weight.detach() - before)
    )
    assert step[0] / step[-1] < 4 < slope[0] / slope[-1], "a step goes about as far in every direction"
    assert not torch.allclose(net.layer.weight, plain.layer.weight)
    torch.testing.assert_close(net.items.ids, plain.items.ids)
    torch.testing.assert_close(net.layer.bias, plain.layer.bias)


def test_a_schedule_moves_the_rates_of_all_parts() -> None:
    optimiser = make_optimiser(Net(), Recipe(1, 0.01, optimiser=ROWWISE))
    assert isinstance(optimiser, Together)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda n: 0.5**n)
    optimiser.step()
    schedule.step()
    assert [group["lr"] for part in optimiser.parts for group in part.param_groups] == [0.005, 0.005, 0.05]


def test_vectors_do_not_decay() -> None:
    optimiser = make_optimiser(Net(), Recipe(1, 0.01, weight_decay=0.3))
    assert [group["weight_decay"] for group in optimiser.param_groups] == [0.3, 0.0]


@pytest.mark.parametrize(("name", "end"), [("constant", 1.0), ("linear", 0.01), ("cosine", 0.01)])
def test_schedules_begin_with_all_and_never_rise(name: str, end: float) -> None:
    values = [SCHEDULES[name](n / 10) for n in range(11)]
    assert values[0] == 1.0
    assert values[-1] == pytest.approx(end)
    assert values == sorted(values, reverse=True)


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(InputError, match="no optimiser 'adamm': did you mean 'adam'"):
        make_optimiser(Net(), Recipe(1, 0.01, optimiser="adamm"))
