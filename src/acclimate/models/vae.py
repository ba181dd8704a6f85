"""A variational autoencoder over what a user liked."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn import functional as F

from acclimate.models.common import check_whole, not_fitted
from acclimate.models.neural import NeuralLikes, Rows, check_share
from acclimate.training import Training
from acclimate.types import Floats, State


class VAENet(nn.Module):
    """A row of likes to a normal distribution over tastes, and a taste back to a score for each item.

    Args:
        n_items: w, the known items.
        hidden: Width of the layer on either side.
        latent: Width of the taste.
        dropout: Share of the likes that is dropped from the input in training.
        kl: Weight of the divergence from the prior for each like of a user.
    """

    def __init__(self, n_items: int, hidden: int, latent: int, dropout: float, kl: float) -> None:
        super().__init__()
        self.dropout, self.kl = dropout, kl
        self.read = nn.Parameter(torch.empty(n_items, hidden))
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.taste = nn.Linear(hidden, 2 * latent)
        self.widen = nn.Linear(latent, hidden)
        self.write = nn.Linear(hidden, n_items)
        for matrix in (self.read, self.taste.weight, self.widen.weight, self.write.weight):
            nn.init.xavier_normal_(matrix)

    def encode(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of each user's taste, float32[n, latent] both."""
        size = torch.zeros(len(rows.counts), device=rows.weights.device)
        size.index_add_(0, rows.user, rows.weights.square())
        weights = F.dropout(rows.weights / size.sqrt()[rows.user], self.dropout, self.training)
        starts = torch.cumsum(rows.counts, 0) - rows.counts
        x = F.embedding_bag(rows.items, self.read, starts, mode="sum", per_sample_weights=weights)
        mean, spread = self.taste(torch.tanh(x + self.bias)).chunk(2, dim=1)
        return mean, spread

    def decode(self, taste: Tensor) -> Tensor:
        """Return a score for each known item, float32[n, w]."""
        out: Tensor = self.write(torch.tanh(self.widen(taste)))
        return out

    def loss(self, rows: Rows) -> Tensor:
        """Return the mean over likes of ``-log p + kl KL(q || prior)``, each as heavy as it was liked."""
        mean, spread = self.encode(rows)
        taste = mean + torch.randn_like(mean) * (0.5 * spread).exp()
        told = F.log_softmax(self.decode(taste), dim=1)[rows.user, rows.items] @ rows.weights
        apart = 0.5 * (mean.square() + spread.exp() - spread - 1).sum(dim=1)
        return (self.kl * (apart @ rows.counts.float()) - told) / rows.weights.sum()


class VAE(NeuralLikes):
    """Score items by how probable a compressed taste makes them.

    What a user liked is compressed to a normal distribution over tastes, and widened again to a probability
    of each item; in training part of the likes is hidden from it (Mult-VAE). The divergence from the prior
    counts with the number of the user's likes, so that a long history is compressed no more than a short one
    (RecVAE). Nothing is drawn when it is asked: the mean taste answers.

    Args:
        latent: Width of the taste.
        hidden: Width of the layer on either side.
        dropout: Share of the likes hidden in training; at least 0, below 1.
        kl: Weight of the divergence from the prior for each like; at least 0, below 1.
        epochs: Passes over the data at most.
        patience: Epochs without a better validation NDCG@10 before it stops.
        learning_rate: AdamW's.
        weight_decay: AdamW's.
        batch_users: Users in a batch.
        validation_users: At most so many users have their last event held out to watch the fit.
        seed: Decides start, order, dropout, draws and validation users.
        training: Where and how the fit runs.

    Example:
        >>> from acclimate.data.dataset import Dataset
        >>> from acclimate.types import Histories
        >>> pairs = [(u, u % 2 + 2 * n) for u in range(40) for n in range(4) if n != u // 2 % 4]
        >>> model = VAE(latent=4, hidden=8, epochs=40, validation_users=0)
        >>> data = Dataset.of([(f"u{u}", f"i{i}", 0.0) for u, i in pairs])
        >>> model.fit(data)
        >>> liked, same, other = data.items.codes(["i0", "i2", "i3"])
        >>> scores = model.score(Histories.of([[liked]]))[0]
        >>> bool(scores[same] > scores[other])
        True

    References:
        Liang et al., "Variational autoencoders for collaborative filtering", WWW 2018; Shenbin et al.,
        "RecVAE", WSDM 2020, section 3.3.
    """

    name = "vae"

    def __init__(
        self,
        latent: int = 64,
        hidden: int = 256,
        *,
        dropout: float = 0.5,
        kl: float = 0.005,
        epochs: int = 100,
        patience: int = 10,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.0,
        batch_users: int = 64,
        validation_users: int = 1024,
        seed: int = 0,
        training: Training | None = None,
    ) -> None:
        params: dict[str, Any] = {
            "latent": check_whole("latent", latent, 1, 100_000),
            "hidden": check_whole("hidden", hidden, 1, 100_000),
            "dropout": check_share("dropout", dropout),
            "kl": check_share("kl", kl),
            "epochs": epochs,
            "patience": patience,
            "learning_rate": learning_rate,
            "weight_decay": weight_decay,
            "batch_users": batch_users,
            "validation_users": validation_users,
            "seed": seed,
        }
        super().__init__(params, training)
        self._net: VAENet | None = None

    def state(self) -> State:
        """Return the weights of the net."""
        weights = {f"net.{name}": value.cpu().numpy() for name, value in self._fitted().state_dict().items()}
        return {"known": self.items, **weights}, {"params": self.params, "n_items": self.n_items}

    def restore(self, state: State) -> None:
        """Take the weights over."""
        arrays, document = state
        self.params, self.n_items = dict(document["params"]), int(document["n_items"])
        self.items = np.array(arrays["known"], np.int32)
        net = self._make(len(self.items))
        net.load_state_dict({k[4:]: torch.from_numpy(np.array(v)) for k, v in arrays.items() if k != "known"})
        self._net, self.data, self.fitted = net.eval().requires_grad_(False), None, None

    def _new_net(self, x: csr_array) -> VAENet:
        return self._make(x.shape[1])

    def _make(self, n_items: int) -> VAENet:
        p = self.params
        return VAENet(n_items, p["hidden"], p["latent"], p["dropout"], p["kl"])

    def _keep(self, net: VAENet) -> None:  # type: ignore[override]
        self._net = net

    @torch.inference_mode()
    def _answer(self, x: csr_array) -> Floats:
        net = self._fitted()
        scores: Floats = net.decode(net.encode(Rows.of(x, net.bias.device))[0]).cpu().numpy()
        return scores

    def _near(self, places: NDArray[np.int64]) -> Floats:
        unit = F.normalize(self._fitted().write.weight, dim=1).numpy()
        near: Floats = unit[places] @ unit.T
        return near

    def _fitted(self) -> VAENet:
        if self._net is None:
            raise not_fitted(self.name)
        return self._net
