"""What the neural models share that read what a user liked as a set, not as a sequence."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn

from acclimate.data.dataset import Dataset
from acclimate.errors import SEEDS, InputError, is_number, shown
from acclimate.metrics import rank_metrics
from acclimate.models.common import check_positive, check_whole
from acclimate.models.warm import WarmItems
from acclimate.models.windows import hold_out
from acclimate.rng import generator
from acclimate.training import Fitted, Recipe, Training, fit
from acclimate.types import Codes

AT_ONCE = 8_000_000
"""Scores of held-out users that are held together: 32 MB."""


class Rows(NamedTuple):
    """What n users liked, one behind the other.

    Args:
        items: Places among the known items, int64[total], those of one user side by side.
        weights: How much each was liked, float32[total], positive.
        counts: Likes of each user, int64[n].
    """

    items: Tensor
    weights: Tensor
    counts: Tensor

    @classmethod
    def of(cls, x: csr_array, device: torch.device | None = None) -> Rows:
        """Build from float32[n, w].

        Example:
            >>> Rows.of(csr_array(np.array([[0, 2.0], [1, 1]], np.float32))).items.tolist()
            [1, 0, 1]
        """
        parts = x.indices.astype(np.int64), x.data.astype(np.float32), np.diff(x.indptr).astype(np.int64)
        return cls(*(torch.from_numpy(part).to(device) for part in parts))

    @property
    def user(self) -> Tensor:
        """The user (0..n-1) of each like, int64[total]."""
        return torch.repeat_interleave(torch.arange(len(self.counts), device=self.counts.device), self.counts)


class NeuralLikes(WarmItems):
    """Fits a net on rows of likes, and watches the NDCG@10 of held-out events meanwhile.

    A subclass gives `_new_net`, whose ``loss`` takes `Rows`, and `_keep`, which takes over what the net has
    learned so far, so that `_answer` and `_near` can be asked.

    Args:
        params: Arguments of the subclass; ``epochs patience learning_rate batch_users validation_users seed``
            and what its net is made of.
        training: Where and how the fit runs.
    """

    name = "neural-likes"

    def __init__(self, params: dict[str, Any], training: Training | None) -> None:
        super().__init__()
        for name in ("epochs", "patience", "batch_users"):
            check_whole(name, params[name], 1, 10**9)
        check_whole("validation_users", params["validation_users"], 0, 10**9)
        check_whole("seed", params["seed"], 0, SEEDS)
        check_share("learning_rate", params["learning_rate"], zero=False)
        check_positive("weight_decay", params["weight_decay"], zero=True)
        self.params, self.training = params, training or Training()
        self.fitted: Fitted | None = None

    def fit(self, data: Dataset) -> None:
        """Learn from the positive events of all users.

        Raises:
            InputError: There is no positive event.
        """
        if not (data.weight > 0).any():
            raise InputError(
                f"{self.name} needs at least one positive event, the data has none", field="data"
            )
        p = self.params
        self._take(data)
        left, asked, targets = hold_out(data.histories().liked(), p["validation_users"], p["seed"])
        x = self._matrix(left)
        x = x[np.diff(x.indptr) > 0]
        with torch.random.fork_rng():
            torch.manual_seed(p["seed"])
            net = self._new_net(x)
        self.fitted = self._learn(net, x, self._matrix(asked), self._places(targets).astype(np.int32))
        self._keep(net)

    @property
    def refit(self) -> dict[str, Any]:
        """Arguments to fit the same on more data, with nothing held out: the epochs that were best here."""
        watched = self.fitted and self.fitted.figure == self.fitted.figure  # NaN: nothing was held out
        return {"epochs": self.fitted.epochs, "validation_users": 0} if self.fitted and watched else {}

    def _learn(self, net: nn.Module, x: csr_array, asked: csr_array, goal: Codes) -> Fitted:
        """Fit ``net`` on the rows ``x``, watching that ``asked`` foresees ``goal`` int32[m]."""
        p = self.params

        def batches(epoch: int) -> Iterator[Rows]:
            order = generator(p["seed"], "users", epoch).permutation(x.shape[0])
            for start in range(0, len(order), p["batch_users"]):
                yield Rows.of(x[order[start : start + p["batch_users"]]])

        def ndcg() -> float:
            self._keep(net)
            return self._ndcg(asked, goal)

        recipe = Recipe(
            p["epochs"],
            p["learning_rate"],
            weight_decay=p["weight_decay"],
            patience=p["patience"],
            seed=p["seed"],
        )
        told = repr(p).encode() + b"".join(part.tobytes() for part in (x.indices, x.indptr, x.data, goal))
        key = hashlib.sha256(told).hexdigest()
        figure = ndcg if len(goal) else None
        return fit(net, batches, recipe, self.training, figure=figure, name=self.name, key=key)

    def _ndcg(self, x: csr_array, goal: Codes) -> float:
        """Return the mean NDCG@10 of one right item for each row of ``x``; what a row holds is left out."""
        found = []
        at_once = max(1, AT_ONCE // x.shape[1])
        for start in range(0, len(goal), at_once):
            part, right = x[start : start + at_once], goal[start : start + at_once]
            had = np.repeat(np.arange(len(right)), np.diff(part.indptr))
            ends = np.arange(len(right) + 1)
            found.append(rank_metrics(self._answer(part), right, ends, had, part.indices)["ndcg@10"])
        return float(np.concatenate(found).mean())

    @abstractmethod
    def _new_net(self, x: csr_array) -> nn.Module:
        """Return the net that will be fitted on the rows ``x`` float32[n, w]."""

    @abstractmethod
    def _keep(self, net: nn.Module) -> None:
        """Take over what ``net`` has learned so far."""


def check_share(name: str, given: float, *, zero: bool = True) -> float:
    """Return ``given`` if it is at least 0 (above 0 without ``zero``) and below 1.

    Raises:
        InputError: It is not; says what is allowed.

    Example:
        >>> check_share("dropout", 0.5)
        0.5
    """
    if not is_number(given) or not (0 <= given < 1 if zero else 0 < given < 1):
        least = "at least 0" if zero else "above 0"
        raise InputError(f"{name} must be {least} and below 1, got {shown(given)}", field=name)
    return given
