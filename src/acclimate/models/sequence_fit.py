"""How the net of the sequence model is fitted: its batches, and the figure that is watched."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from acclimate.errors import InputError
from acclimate.metrics import rank_metrics
from acclimate.models.augment import beside, view
from acclimate.models.heads import Answers, wanted
from acclimate.models.joint import Along
from acclimate.models.nearness import CELLS, ENOUGH, USUAL, Nearness
from acclimate.models.repeats import Had
from acclimate.models.rows import held_apart
from acclimate.models.sequence_net import Asked, Batch, SequenceNet, Steps, told
from acclimate.models.sequence_params import recipe
from acclimate.models.states import cosines
from acclimate.models.user_text import Readings, UserReader
from acclimate.models.windows import Ahead, Windows, before_baskets, hold_out
from acclimate.rng import generator
from acclimate.training import Fitted, Training, fit
from acclimate.types import Codes, Floats, Histories

DRAWS = 8
"""How much of what follows is foreseen at once where several may be."""
FILLED = 256
"""The states of a batch are filled up to a multiple of it: fast kernels are made for a size, and kept."""
WATCHED, HELD_OUT = (1024, 4096), 200
"""How many users are held out at least and at most; between, one for so many events."""


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

    Raises:
        InputError: Nobody did two things: there is no order.
    """
    p = net.params
    train, asked, targets = held(own, p)
    if train.lengths.max(initial=0) < 2 and p["epochs"]:
        raise InputError(
            f"{name} needs a user with at least two positive events, the data has none: what follows what "
            "cannot be learned. Take popularity until there are some",
            field="data",
        )
    if not p["epochs"]:
        net.eval().requires_grad_(False)
        return Fitted(0, float("nan"), False, [])
    if net.foretells is not None:
        net.foretells.look(train)
    text = net.items.text.numpy()
    readings = None if reader is None else Readings(train, reader, p["max_length"], p["seed"])
    users = None if reader is None else reader.place(asked)

    def ndcg() -> float:
        return _ndcg(heard_out(net, asked, users), asked, targets, len(text), again=p["repeats"])

    known: list[NDArray[Any]] = [train.items, train.offsets, targets, text]
    known += [train.times] if p["time"] or p["repeats"] or p["baskets"] else []
    known += [told(train)] if p["feedback"] else []
    known += [readings.vectors.numpy()] if readings else []
    known += [weights.detach().numpy() for weights in net.parameters()]  # it may start from another
    key = hashlib.sha256(repr(p).encode())
    for part in known:
        key.update(np.ascontiguousarray(part).data)
    batches = Batches(train, p, len(text), readings)
    net.spread = held_apart(training, p, len(text))
    figure = ndcg if len(asked) else None
    done = fit(net, batches, recipe(p), training, figure=figure, name=name, key=key.hexdigest())
    if along:
        along(net, batches, training, figure, key.hexdigest())
    return done


def heard_out(net: SequenceNet, asked: Histories, users: Floats | None) -> Callable[[slice], Floats]:
    """Return what says, of a slice of ``asked``, what ``net`` thinks of the items that it learns.

    The slice of n users gives float32[n, n_items]; ``users`` are readings of all of them, if they are read.
    """
    table = net.items()
    unit = F.normalize(table, dim=1)

    def says(part: slice) -> Floats:
        some = asked[part]
        scores = cosines(net, table, unit, some, users=None if users is None else users[part])
        if net.terms:
            net.terms.add(scores, some, float(net.scale))
        return scores

    return says


def weighed(
    near: Nearness, net: SequenceNet, own: Histories, warm: Codes, fitted: Fitted, reader: UserReader | None
) -> Fitted:
    """Give ``near`` the weight that the arguments name, or else the best for the users who are held out.

    Args:
        near: Knows the whole catalogue.
        net: As it was fitted.
        own: What all users did that counts.
        warm: Codes of the items of the net, int32[m].
        fitted: How the fit went.
        reader: Reads users as texts; None if they are not read.

    Returns:
        How the fit went, with the figure of both together; where nobody is held out, as it was.
    """
    given, again = net.params["nearness"], net.params["repeats"]
    near.weight = USUAL if given is None else given
    asked, targets = held(own, net.params)[1:]
    if not len(asked):
        return fitted
    heard = heard_out(net, asked, None if reader is None else reader.place(asked))
    if given is None and len(asked) >= ENOUGH:
        few = slice(0, max(ENOUGH, CELLS // max(len(warm), 1)))
        near.choose(heard(few), asked[few], targets[few], warm, scale=float(net.scale), again=again)

    def both(part: slice) -> Floats:
        return heard(part) + near.weight * near.near(asked[part], warm, again=again)

    return replace(fitted, figure=_ndcg(both, asked, targets, len(warm), again=again))


def _ndcg(
    says: Callable[[slice], Floats], asked: Histories, targets: Codes, n_items: int, *, again: bool
) -> float:
    """Return the mean NDCG@10 of users whose ``targets`` int32[n] came next.

    Args:
        says: Gives the scores of a slice of them, float32[some, n_items]; it is asked for few at a time.
        asked: The users.
        targets: What came next.
        n_items: Items that are ranked.
        again: Whether what a user had is ranked as well.
    """
    found, few = [], max(1, CELLS // n_items)
    for first in range(0, len(asked), few):
        part = slice(first, first + few)
        some = asked[part]
        out = some.where(np.full(len(some.items), not again))
        ends = np.arange(len(some) + 1)
        found.append(rank_metrics(says(part), targets[part], ends, out.rows, out.items)["ndcg@10"])
    return float(np.concatenate(found).mean())


def held(own: Histories, params: dict[str, Any]) -> tuple[Histories, Histories, Codes]:
    """Return `hold_out` as the arguments of the model want it."""
    again, together, most = params["repeats"], params["baskets"], params["validation_users"]
    ahead = params["ahead"]
    if most is None:
        most = int(np.clip(len(own.items) // HELD_OUT, *WATCHED))
    return hold_out(own, most, params["seed"], again=again, together=together, ahead=ahead)


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
        draws = DRAWS if params["loss"] == "full" else 1  # the same states are compared with all items once
        self.ahead = Ahead(train.offsets, params["ahead"], draws, params["seed"])
        self.own = Histories(train.items, train.times, train.weights, train.offsets)
        self.items = torch.from_numpy(train.items.astype(np.int64))
        self.times = torch.from_numpy(np.array(train.times))
        self.told = torch.from_numpy(told(train))
        self.liked = train.weights > 0
        self.before = before_baskets(train.offsets, train.times) if params["baskets"] else None
        self.values = torch.full((len(train.items),), torch.nan)
        if train.values is not None:
            self.values = torch.from_numpy(np.array(train.values))
        self.beside = np.arange(n_items)
        if "substitute" in params["augment"] and params["contrast"]:
            self.beside = beside(train.items, train.offsets, n_items)

    def __call__(self, epoch: int) -> Iterator[Batch]:
        """Yield those of one epoch."""
        rng, ahead = generator(self.params["seed"], "views", epoch), self.ahead.epoch(epoch)
        for places, lengths in self.windows.epoch(epoch):
            foreseen = ahead(places)
            at, then = torch.from_numpy(places), torch.from_numpy(foreseen[:, 0].copy())
            steps = Steps(
                self.items[at], torch.from_numpy(lengths), self.times[at], self.times[at + 1], self.told[at]
            )
            views = (self._view(steps, rng), self._view(steps, rng)) if self.params["contrast"] else ()
            heard = None if self.readings is None else self.readings.at(at)
            batch = Batch(steps, then, torch.ones(0), views, heard, self._answers(then))
            yield self._batch(batch, places, lengths, foreseen)

    def _answers(self, then: torch.Tensor) -> Answers | None:
        """Return what came of the events at int64[total], if a head asks."""
        if not wanted(self.params):
            return None
        return Answers(self.items[then], self.values[then], self.told[then, 0] > 0)

    def _batch(
        self,
        batch: Batch,
        places: NDArray[np.int64],
        lengths: NDArray[np.int64],
        then: NDArray[np.int64],
    ) -> Batch:
        """Return the batch with what is asked: its steps, at ``places``, foresee ``then`` int64[total, k]."""
        begin = np.repeat(np.cumsum(lengths) - lengths, lengths)
        state = places if self.before is None else self.before[places + 1]
        weights = (self.liked[then] & (state >= places[begin])[:, None]).astype(np.float32)
        batch = batch._replace(targets=self.items[torch.from_numpy(then.ravel())])
        if self.readings is not None and self.params["user_text"] == "alone":
            weights *= self.readings.weights(torch.from_numpy(state.clip(min=0))).numpy()[:, None]
        if self.before is None and not self.params["repeats"] and then.shape[1] == 1:
            return batch._replace(weights=torch.from_numpy(weights[:, 0]))
        keep, weights = weights.ravel() > 0, weights.ravel()
        at = np.repeat(begin + state - places[begin], then.shape[1])
        used, rows = np.unique(at[keep], return_inverse=True)
        had = self._had(places[used]) if self.params["repeats"] else None
        filled = np.append(used, np.zeros(-len(used) % FILLED, np.int64))
        asked = Asked(torch.from_numpy(filled), torch.from_numpy(rows), had)
        kept = torch.from_numpy(np.flatnonzero(keep))
        return batch._replace(
            targets=batch.targets[kept], weights=torch.from_numpy(weights[keep]), asked=asked
        )

    def _had(self, places: NDArray[np.int64]) -> Had:
        """Return what was had until the events at ``places`` int64[s], which are counted."""
        users = np.searchsorted(self.own.offsets, places, side="right") - 1
        until = self.own.first(users, places + 1 - self.own.offsets[users])
        now = self.own.times[places + 1 if self.params["time"] else places]
        return Had.of(until.replace(now=now).liked())

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
