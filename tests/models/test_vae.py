"""The autoencoder in a world of two tastes, and its loss against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from acclimate.errors import InputError
from acclimate.models.neural import Rows
from acclimate.models.vae import VAE, VAENet
from acclimate.types import Histories
from tests.models.two_tastes import knows_the_taste, two_tastes

SMALL = {"latent": 4, "hidden": 16, "batch_users": 16}


def test_two_tastes_are_told_apart_and_the_fit_is_watched() -> None:
    model = VAE(**SMALL, epochs=60, learning_rate=0.01, validation_users=20)
    model.fit(two_tastes())
    assert knows_the_taste(model)
    assert model.fitted is not None
    assert model.refit == {"epochs": model.fitted.epochs, "validation_users": 0}
    assert model.fitted.figure == max(row["figure"] for row in model.fitted.curve)
    assert model.fitted.figure > 0.4, "of five or so unseen items of the taste, one is right"


def test_nothing_is_drawn_when_it_is_asked_and_strength_is_relative() -> None:
    model = VAE(**SMALL, epochs=2, validation_users=0)
    model.fit(two_tastes())
    assert model.refit == {}
    asked = Histories.of([[0, 2], [0, 2]], weights=[[1.0, 2.0], [2.0, 4.0]])
    one, twice = model.score(asked)
    np.testing.assert_allclose(one, twice, atol=1e-6)
    np.testing.assert_array_equal(one, model.score(asked)[0])


def test_the_loss_is_that_of_the_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    net = VAENet(n_items=5, hidden=4, latent=3, dropout=0.0, kl=0.1)
    noise = torch.randn(2, 3)
    monkeypatch.setattr(torch, "randn_like", lambda like: noise)
    x = np.array([[1, 0, 2, 0, 0], [0, 0, 0, 0, 3]], np.float32)
    read, bias = net.read.detach().numpy(), net.bias.detach().numpy()
    hidden = np.tanh(x / np.linalg.norm(x, axis=1, keepdims=True) @ read + bias)
    mean, spread = np.split(net.taste(torch.from_numpy(hidden)).detach().numpy(), 2, axis=1)
    taste = mean + noise.numpy() * np.exp(spread / 2)
    logits = net.decode(torch.from_numpy(taste)).detach().numpy().astype(np.float64)
    told = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    apart = 0.5 * (mean**2 + np.exp(spread) - spread - 1).sum(axis=1)
    wanted = (-(x * told).sum() + 0.1 * (apart * [2, 1]).sum()) / 6  # the users have two likes and one
    assert net.loss(Rows.of(csr_array(x))).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"latent": 0}, "latent must be 1..100000, got 0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"kl": -0.1}, "kl must be at least 0 and below 1, got -0.1"),
        ({"learning_rate": 0}, "learning_rate must be above 0 and below 1, got 0"),
        ({"validation_users": -1}, "validation_users must be 0..1000000000, got -1"),
    ],
)
def test_arguments_out_of_range_are_refused(params: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        VAE(**params)  # type: ignore[arg-type]


def test_data_without_positives_is_refused() -> None:
    data = two_tastes()
    with pytest.raises(InputError, match="vae needs at least one positive event"):
        VAE().fit(data.where(np.zeros(len(data), bool)))
