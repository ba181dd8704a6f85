"""How the net of the sequence model is fitted: its batches, and the figure that is watched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from acclimate.metrics import rank_metrics
from acclimate.models.augment import beside, view
from acclimate.models.heads import Answers, wanted
from acclimate.models.joint import Along
from acclimate.models.sequence_net import Batch, SequenceNet, Steps, cosines, told
from acclimate.models.sequence_params import recipe
from acclimate.models.user_text import Readings, UserReader
from acclimate.models.windows import Windows, hold_out
from acclimate.rng import generator
from acclimate.training import Fitted, Training, fit
from acclimate.types import Histories


def learn(
    net: SequenceNet,
    own: Histories,
    training: Training,
    name: str,
    reader: UserReader | None = None,
    *,
    along: Along | None = None,
) -> Fitted:
    """Fit ``net`` in place on ``own``, whose codes are places in the net's table.

    Args:
        net: With the arguments of the model.
        own: What all users did that counts.
        training: Where and how.
        name: What the progress bar says.
        reader: Reads users of such codes as texts; None if they are not read.
        along: Fits the net on together with the language model of its texts; None if that stays as it is.
    """
    p = net.params
    train, asked, targets = hold_out(own, p["validation_users"], p["seed"])
    if train.lengths.max(initial=0) < 2:  # nobody did two things: there is no order to learn
        net.eval().requires_grad_(False)
        return Fitted(0, float("nan"), False, [])
    if net.foretells is not None:
        net.foretells.look(train)
    text = net.items.text.numpy().copy()
    readings = None if reader is None else Readings(train, reader, p["max_length"], p["seed"])
    users = None if reader is None else reader.place(asked)

    def ndcg() -> float:
        table = net.items()
        scores = cosines(net, table, F.normalize(table, dim=1), asked, users=users)
        ends = np.arange(len(asked) + 1)
        return float(rank_metrics(scores, targets, ends, asked.rows, asked.items)["ndcg@10"].mean())

    known: list[NDArray[Any]] = [train.items, train.offsets, targets, text]
    known += [train.times] if p["time"] else []
    known += [told(train)] if p["feedback"] else []
    known += [readings.vectors.numpy()] if readings else []
    key = hashlib.sha256(repr(p).encode() + b"".join(part.tobytes() for part in known)).hexdigest()
    batches = Batches(train, p, len(text), readings)
    figure = ndcg if len(asked) else None
    done = fit(net, batches, recipe(p), training, figure=figure, name=name, key=key)
    if along:
        along(net, batches, training, figure, key)
    return done


class Batches:
    """The batches of each epoch: windows of histories, and two other tellings of each if they are wanted.

    Args:
        train: What is learned from; its codes are places in the net's table.
        params: Arguments of the model.
        n_items: Size of that table.
        readings: What is read of users at each step; None if they are not read.
    """

    def __init__(
        self, train: Histories, params: dict[str, Any], n_items: int, readings: Readings | None = None
    ) -> None:
        self.params, self.readings = params, readings
        self.windows = Windows(train.offsets, params["max_length"], params["batch_tokens"], params["seed"])
        self.items = torch.from_numpy(train.items.astype(np.int64))
        self.times = torch.from_numpy(np.array(train.times))
        self.told = torch.from_numpy(told(train))
        self.liked = self.told[:, 0] > 0
        self.values = torch.full(self.liked.shape, torch.nan)
        if train.values is not None:
            self.values = torch.from_numpy(np.array(train.values))
        self.beside = np.arange(n_items)
        if "substitute" in params["augment"] and params["contrast"]:
            self.beside = beside(train.items, train.offsets, n_items)

    def __call__(self, epoch: int) -> Iterator[Batch]:
        """Yield those of one epoch."""
        rng = generator(self.params["seed"], "views", epoch)
        for places, lengths in self.windows.epoch(epoch):
            at = torch.from_numpy(places)
            steps = Steps(
                self.items[at], torch.from_numpy(lengths), self.times[at], self.times[at + 1], self.told[at]
            )
            views = (self._view(steps, rng), self._view(steps, rng)) if self.params["contrast"] else ()
            weights, heard = self.liked[at + 1].float(), None
            if self.readings is not None:
                heard = self.readings.at(at)
                weights = (
                    weights * self.readings.weights(at) if self.params["user_text"] == "alone" else weights
                )
            answers = Answers(self.values[at + 1], self.liked[at + 1]) if wanted(self.params) else None
            yield Batch(steps, self.items[at + 1], weights, views, heard, answers)

    def _view(self, steps: Steps, rng: np.random.Generator) -> Steps:
        """Return the same windows told otherwise."""
        items, lengths = steps.items.numpy(), steps.lengths.numpy()
        seen = view(items, lengths, self.params["augment"], self.beside, rng)
        take = torch.from_numpy(seen.take)
        return Steps(
            torch.from_numpy(seen.items),
            torch.from_numpy(seen.lengths),
            steps.times[take],
            steps.asked[take],
            steps.told[take],
        )
