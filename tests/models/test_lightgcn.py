"""LightGCN against the graph written out, in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch import Tensor

from acclimate.errors import InputError
from acclimate.models.lightgcn import LightGCN, LightGCNNet, _Spread
from acclimate.types import Histories
from tests.models.two_tastes import N_ITEMS, N_USERS, knows_the_taste, two_tastes

SMALL = {"width": 8, "batch_users": 16}


def test_two_tastes_are_told_apart() -> None:
    model = LightGCN(**SMALL, epochs=40, validation_users=0)
    model.fit(two_tastes())
    assert knows_the_taste(model)


def dense() -> np.ndarray:
    data = two_tastes()
    x = np.zeros((N_USERS, N_ITEMS))
    x[data.user, data.item] = data.weight
    return x


def of_the_paper(x: np.ndarray, items: np.ndarray, layers: int) -> tuple[np.ndarray, np.ndarray]:
    """LightGCN (eq. 7 and 8) on the whole graph of users and items, where users begin with zero."""
    n, w = x.shape
    graph = np.zeros((n + w, n + w))
    graph[:n, n:], graph[n:, :n] = x, x.T
    degree = np.maximum(graph.sum(axis=1), 1e-12)
    graph /= np.sqrt(np.outer(degree, degree))
    layer = np.concatenate([np.zeros((n, items.shape[1])), items])
    total = layer.copy()
    for _ in range(layers):
        layer = graph @ layer
        total += layer
    return total[:n], total[n:]


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_users_of_the_training_part_stand_where_the_graph_puts_them(layers: int) -> None:
    model, x = LightGCN(**SMALL, layers=layers, epochs=1, validation_users=0), dense()
    nets: list[LightGCNNet] = []
    keep = model._keep
    model._keep = lambda net: (nets.append(net), keep(net))[1]  # type: ignore[method-assign]
    model.fit(two_tastes())
    users, items = of_the_paper(x, nets[-1].ids.detach().numpy(), 2 * layers + 1)
    vectors = model.state()[0]["vectors"]
    np.testing.assert_allclose(vectors, items, atol=1e-5)
    unit = users / np.linalg.norm(users, axis=1, keepdims=True)
    np.testing.assert_allclose(model.users(csr_array(x.astype(np.float32))), unit, atol=1e-5)
    cosines = unit @ (items / np.linalg.norm(items, axis=1, keepdims=True)).T
    wanted = cosines + model.params["temperature"] * model.state()[0]["bias"]
    np.testing.assert_allclose(model.score(two_tastes().histories()), wanted, atol=1e-5)


def test_a_stranger_with_the_same_likes_gets_the_same() -> None:
    model, data = LightGCN(**SMALL, epochs=1, validation_users=0), two_tastes()
    model.fit(data)
    known = data.histories()[3]
    stranger = Histories.of([known.items.tolist()[::-1]])
    np.testing.assert_allclose(model.score(stranger), model.score(known), atol=1e-6)


def test_spreading_has_the_gradient_of_the_product() -> None:
    x = csr_array((dense()[:9, :6] + np.eye(9, 6)).astype(np.float32))
    net = LightGCNNet(x, width=4, layers=2, dropout=0.0, temperature=0.1)
    matrix = (net.down.to_dense() @ net.up.to_dense()).double()
    found: list[Tensor] = []
    for ours in (True, False):
        start = net.ids.detach().clone().requires_grad_()
        out = _Spread.apply(start, net.up, net.down) if ours else (matrix @ start.double()).float()  # type: ignore[no-untyped-call]
        (out * torch.arange(out.numel()).view_as(out)).sum().backward()
        assert start.grad is not None
        found += [out.detach(), start.grad]
    torch.testing.assert_close(found[0], found[2], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[1], found[3], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"layers": -1}, "layers must be 0..100, got -1"),
        ({"temperature": 0.0}, "temperature must be above 0.0125 and at most 10, got 0.0"),
        ({"batch_users": 0}, "batch_users must be 1..1000000000, got 0"),
    ],
)
def test_arguments_out_of_range_are_refused(params: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LightGCN(**params)  # type: ignore[arg-type]
