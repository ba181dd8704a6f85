"""Items that learn from the graph of who liked what; a user is where the own likes point."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from torch import Tensor, nn
from torch.nn import functional as F

from acclimate.devices import bf16_helps
from acclimate.errors import InputError, is_number, shown
from acclimate.models.common import check_whole, not_fitted, unit_rows
from acclimate.models.losses import softmax_loss
from acclimate.models.neural import NeuralLikes, Rows, check_share
from acclimate.training import Training
from acclimate.types import Floats, State


class _Spread(torch.autograd.Function):
    """``B' B x``, whose matrix is symmetric: backward is forward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, up: Tensor, down: Tensor) -> Tensor:
        ctx.graph = up, down
        return down @ (up @ x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        up, down = ctx.graph
        return down @ (up @ grads[0]), None, None


class LightGCNNet(nn.Module):
    """Item vectors, spread over the graph; see `LightGCN`.

    Args:
        x: Likes of the training users, float32[n, w].
        width: d.
        layers: Rounds of spreading.
        dropout: Share of a user's likes that is hidden when the user's vector is made in training.
        temperature: Cosines are divided by it.
    """

    up: Tensor
    down: Tensor
    rare: Tensor

    def __init__(self, x: csr_array, width: int, layers: int, dropout: float, temperature: float) -> None:
        super().__init__()
        self.layers, self.dropout, self.temperature = layers, dropout, temperature
        rare = rarity(x)
        active = np.asarray(x.sum(axis=1), np.float32) ** -0.5
        graph = csr_array(diags_array(active) @ x @ diags_array(rare))
        self.register_buffer("up", _tensor(graph), persistent=False)
        self.register_buffer("down", _tensor(csr_array(graph.T)), persistent=False)
        self.register_buffer("rare", torch.from_numpy(rare), persistent=False)
        self.ids = nn.Parameter(torch.randn(x.shape[1], width) * 0.3 * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(x.shape[1]))

    def items(self) -> Tensor:
        """Return the sum of the items' layers, float32[w, d]."""
        total = layer = self.ids
        for _ in range(self.layers):
            layer = _Spread.apply(layer, self.up, self.down)  # type: ignore[no-untyped-call]
            total = total + layer
        return total

    def loss(self, rows: Rows) -> Tensor:
        """Return the mean cross-entropy of each like among all items."""
        table, user = self.items(), rows.user
        kept = torch.rand(len(rows.items), device=table.device) >= self.dropout
        heard = rows.items[kept]
        pulls = table[heard] * (rows.weights[kept] * self.rare[heard])[:, None]
        vectors = table.new_zeros(len(rows.counts), table.shape[1]).index_add(0, user[kept], pulls)
        ones = table.new_full((len(vectors), 1), self.temperature)
        users = torch.cat([F.normalize(vectors, dim=1), ones], dim=1)
        items = torch.cat([F.normalize(table, dim=1), self.bias[:, None]], dim=1)
        half = torch.bfloat16 if bf16_helps(table.device) else torch.float32
        scale = table.new_tensor(1 / self.temperature)
        return softmax_loss(users, items, scale, rows.items, rows=user, weights=rows.weights, dtype=half)


class LightGCN(NeuralLikes):
    """Score items by cosine to where a user's likes point, in a space learned on the graph of likes.

    With ``X`` the likes, ``B = D_users^-1/2 X D_items^-1/2`` and ``E`` a learned row for each item, an item's
    vector is the sum of its layers ``E + B'B E + (B'B)^2 E + ...``, and a user's is the sum of the vectors of
    the liked items, each times like and ``D_items^-1/2``. That is LightGCN of ``2 layers + 1`` layers whose
    users have no row of their own (their layer 0 is zero): a user of the training part has the very vector
    that the graph gives, up to its length, and so has a new user with the same likes; an event counts at once
    (Wu et al., SIGIR 2022, use template rows for the same end). Instead of a pairwise loss each like is told
    from all other items by a softmax of cosines and a bias, in chunks; part of the likes is hidden from the
    user's vector, so that it learns to foresee them.

    Args:
        width: d.
        layers: Rounds of spreading from items over users to items.
        dropout: Share of the likes that is hidden; at least 0, below 1.
        temperature: Cosines are divided by it; above 0.0125, at most 10.
        epochs: Passes over the users at most.
        patience: Epochs without a better validation NDCG@10 before it stops.
        learning_rate: AdamW's.
        weight_decay: AdamW's.
        batch_users: Users in a batch.
        validation_users: At most so many users have their last event held out to watch the fit.
        seed: Decides start, order, dropout and validation users.
        training: Where and how the fit runs.

    Example:
        >>> from acclimate.data.dataset import Dataset
        >>> from acclimate.types import Histories
        >>> pairs = [(u, u % 2 + 2 * n) for u in range(40) for n in range(4) if n != u // 2 % 4]
        >>> model = LightGCN(width=4, epochs=20, validation_users=0)
        >>> data = Dataset.of([(f"u{u}", f"i{i}", 0.0) for u, i in pairs])
        >>> model.fit(data)
        >>> liked, same, other = data.items.codes(["i0", "i2", "i3"])
        >>> scores = model.score(Histories.of([[liked]]))[0]
        >>> bool(scores[same] > scores[other])
        True

    References:
        He et al., "LightGCN", SIGIR 2020; Wu et al., "On the effectiveness of sampled softmax loss for item
        recommendation", TOIS 2024 (softmax of cosines instead of BPR).
    """

    name = "lightgcn"

    def __init__(
        self,
        width: int = 192,
        layers: int = 2,
        *,
        dropout: float = 0.3,
        temperature: float = 0.1,
        epochs: int = 100,
        patience: int = 10,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.0,
        batch_users: int = 128,
        validation_users: int = 1024,
        seed: int = 0,
        training: Training | None = None,
    ) -> None:
        if not is_number(temperature) or not 0.0125 < temperature <= 10:
            raise InputError(
                f"temperature must be above 0.0125 and at most 10, got {shown(temperature)}",
                field="temperature",
            )
        params: dict[str, Any] = {
            "width": check_whole("width", width, 1, 100_000),
            "layers": check_whole("layers", layers, 0, 100),
            "dropout": check_share("dropout", dropout),
            "temperature": temperature,
            "epochs": epochs,
            "patience": patience,
            "learning_rate": learning_rate,
            "weight_decay": weight_decay,
            "batch_users": batch_users,
            "validation_users": validation_users,
            "seed": seed,
        }
        super().__init__(params, training)
        self._vectors: Floats | None = None
        self._unit = self._rare = self._bias = np.zeros(0, np.float32)

    def state(self) -> State:
        """Return vector, rarity and bias of each item."""
        arrays = {"vectors": self._fitted(), "rare": self._rare, "bias": self._bias, "known": self.items}
        return arrays, {"params": self.params, "n_items": self.n_items}

    def restore(self, state: State) -> None:
        """Take the vectors over."""
        arrays, document = state
        self.params, self.n_items = dict(document["params"]), int(document["n_items"])
        self.items = np.array(arrays["known"], np.int32)
        self._place(*(np.array(arrays[name], np.float32) for name in ("vectors", "rare", "bias")))
        self.data = self.fitted = None

    def users(self, x: csr_array) -> Floats:
        """Return a unit vector for each row of likes float32[n, w]: float32[n, d]."""
        return unit_rows(np.asarray(csr_array(x @ diags_array(self._rare)) @ self._fitted()))

    def _new_net(self, x: csr_array) -> LightGCNNet:
        p = self.params
        return LightGCNNet(x, p["width"], p["layers"], p["dropout"], p["temperature"])

    @torch.inference_mode()
    def _keep(self, net: LightGCNNet) -> None:  # type: ignore[override]
        self._place(*(part.cpu().numpy().copy() for part in (net.items(), net.rare, net.bias)))

    def _place(self, vectors: Floats, rare: Floats, bias: Floats) -> None:
        self._vectors, self._rare, self._bias, self._unit = vectors, rare, bias, unit_rows(vectors)

    def _answer(self, x: csr_array) -> Floats:
        scores: Floats = self.users(x) @ self._unit.T
        scores += self.params["temperature"] * self._bias
        return scores

    def _near(self, places: NDArray[np.int64]) -> Floats:
        return self._unit[places] @ self._unit.T

    def _fitted(self) -> Floats:
        if self._vectors is None:
            raise not_fitted(self.name)
        return self._vectors


def rarity(x: csr_array) -> Floats:
    """Return ``D_items^-1/2`` float32[w] of likes float32[n, w]; 1 for an item without any."""
    likes = np.asarray(x.sum(axis=0), np.float32)
    out: Floats = np.where(likes > 0, likes, 1).astype(np.float32) ** np.float32(-0.5)
    return out


def _tensor(matrix: csr_array) -> Tensor:
    ends, columns = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
    with warnings.catch_warnings():  # torch calls its compressed rows a beta, once
        warnings.simplefilter("ignore")
        data = torch.from_numpy(matrix.data.astype(np.float32))
        return torch.sparse_csr_tensor(ends, columns, data, size=matrix.shape)
