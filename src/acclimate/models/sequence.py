"""The sequence model: what a user did, in order, becomes a vector that points at what comes next.

Causal blocks (a transformer; on request others, see `mixers`) read the item vectors of a history
(text and learned ids in one space, see `item_vectors`); the last state and the item vectors are compared by
cosine. It holds nothing about single users, so an event counts at the next question, without a change of
weights.

The time between events, and what was only seen or disliked, it reads where ``time`` and ``feedback`` say so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from acclimate.data.dataset import Dataset
from acclimate.errors import InputError, check_range, nearest
from acclimate.metrics import rank_metrics
from acclimate.models.common import grown, not_fitted
from acclimate.models.item_vectors import ItemVectors, TextSpace
from acclimate.models.losses import LOSSES
from acclimate.models.mixers import BIASED, MIXERS
from acclimate.models.sequence_net import Batch, SequenceNet, Steps, cosines, told
from acclimate.models.windows import Windows, hold_out
from acclimate.training import Fitted, Recipe, Training, fit
from acclimate.types import Codes, Encoder, Floats, Histories, Item, State


class SequenceModel:
    """Foresee the next item from the order of what came before.

    Args:
        encoder: Reads the items' texts; None learns from ids alone and cannot place a new item.
        width: d, a multiple of ``heads``.
        id_share: Share of the directions of the item vector, the weakest of the text, that also hold a
            learned id; above 0, at most 1. Without an encoder all do.
        block: A key of `acclimate.models.mixers.MIXERS`: how a block mixes what came before.
        layers: Blocks.
        heads: Attention heads; ``gru`` and ``convolution`` have none.
        places: Whether attention hears how many events lie between two.
        time: Whether each event tells how long after it the next question came, and attention how much time
            lies between an event and a question. Figures of such a model are not comparable with those of
            models that are not told when the question is asked.
        feedback: Whether also events that are not liked are read, each with its weight and value.
        loss: A name of `acclimate.models.losses.LOSSES`: over all items, or for very large catalogues over
            some that are drawn.
        negatives: How many are drawn for a batch.
        drawn_by: Power of an item's count by which it is drawn, 0 (all alike) to 1.
        label_smoothing: Share of a target that is spread over all items, with ``loss="full"``; 0..1.
        dropout: Share of inputs and of branches dropped in training.
        id_dropout: Share of items that stand by their text alone in a training step.
        max_length: Newest events that are read.
        epochs: Passes over the data at most.
        patience: Epochs without a better validation NDCG@10 before it stops.
        learning_rate: AdamW's.
        batch_tokens: Events in a batch.
        validation_users: At most so many users have their last event held out to watch the fit.
        seed: Decides start, order, dropout and validation users.
        training: Where and how the fit runs.

    Example:
        >>> from acclimate.data.dataset import Dataset
        >>> rows = [(f"u{u}", f"i{(u + t) % 5}", float(t)) for u in range(30) for t in range(8)]
        >>> model = SequenceModel(width=16, heads=1, layers=1, epochs=30, batch_tokens=64)
        >>> data = Dataset.of(rows)
        >>> model.fit(data)
        >>> first, then = data.items.codes(["i0", "i1"])
        >>> bool(model.score(Histories.of([[first]]))[0].argmax() == then)
        True

    References:
        Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018; Klenitskiy and Vasilev,
        "Turning dross into gold loss", RecSys 2023 (full cross-entropy); Hu et al., "AlphaFuse", SIGIR 2025.
    """

    name = "sequence"
    new_user = "Nothing until the first event, which counts at once; until then popularity stands in."
    new_item = "Stands where its text puts it; without a text it cannot be scored."

    def __init__(
        self,
        encoder: Encoder | None = None,
        *,
        width: int = 128,
        id_share: float = 0.5,
        block: str = "attention",
        layers: int = 2,
        heads: int = 2,
        places: bool = False,
        time: bool = False,
        feedback: bool = False,
        loss: str = "full",
        negatives: int = 1024,
        drawn_by: float = 0.75,
        label_smoothing: float = 0.0,
        dropout: float = 0.2,
        id_dropout: float = 0.25,
        max_length: int = 200,
        epochs: int = 60,
        patience: int = 5,
        learning_rate: float = 2e-3,
        batch_tokens: int = 4096,
        validation_users: int = 1024,
        seed: int = 0,
        training: Training | None = None,
    ) -> None:
        self.params: dict[str, Any] = {
            "width": width,
            "id_share": id_share,
            "block": block,
            "layers": layers,
            "heads": heads,
            "places": places,
            "time": time,
            "feedback": feedback,
            "loss": loss,
            "negatives": negatives,
            "drawn_by": drawn_by,
            "label_smoothing": label_smoothing,
            "dropout": dropout,
            "id_dropout": id_dropout,
            "max_length": max_length,
            "epochs": epochs,
            "patience": patience,
            "learning_rate": learning_rate,
            "batch_tokens": batch_tokens,
            "validation_users": validation_users,
            "seed": seed,
        }
        _check(self.params)
        self.encoder = encoder
        self.training = training or Training()
        self.data: Dataset | None = None
        self.fitted: Fitted | None = None
        self._net: SequenceNet | None = None
        self._space: TextSpace | None = None
        self._text = self._ids = np.zeros((0, width), np.float32)

    @property
    def n_items(self) -> int:
        """Size of the catalogue; 0 before ``fit``."""
        return len(self._text)

    def fit(self, data: Dataset) -> None:
        """Learn from the positive events of ``data``, oldest first.

        Raises:
            InputError: There is no positive event.
        """
        histories = self._read(data.histories())
        warm = np.unique(histories.items[histories.weights > 0])
        histories = histories.where(np.isin(histories.items, warm))
        if not len(warm):
            raise InputError("sequence needs at least one positive event, the data has none", field="data")
        self._place_texts(data, warm)
        net = self._new_net(self._text[warm], np.bincount(histories.items)[warm])
        self.fitted = self._learn(net, histories, warm)
        self._ids = np.zeros((data.n_items, self._id_width), np.float32)
        self._ids[warm] = net.items.ids.numpy()
        self._net, self.data = net, data
        self._index()

    def _read(self, histories: Histories) -> Histories:
        """Return the events that count."""
        return histories if self.params["feedback"] else histories.liked()

    @property
    def refit(self) -> dict[str, Any]:
        """Arguments to fit the same on more data, with nothing held out: the epochs that were best here."""
        watched = self.fitted and self.fitted.figure == self.fitted.figure  # NaN: nothing was held out
        return {"epochs": self.fitted.epochs, "validation_users": 0} if self.fitted and watched else {}

    @property
    def _id_width(self) -> int:
        width: int = self.params["width"]
        return max(1, round(width * self.params["id_share"])) if self.encoder else width

    def _place_texts(self, data: Dataset, warm: Codes) -> None:
        """Learn the text space from the items with events, and place the texts of all items in it."""
        width = self.params["width"]
        self._space, self._text = None, np.zeros((data.n_items, width), np.float32)
        if self.encoder:
            self.encoder.fit([data.texts[item] for item in warm])
            vectors = self.encoder.encode(data.texts)
            self._space = TextSpace.fit(vectors[warm], width)
            self._text = self._space.place(vectors)

    def _new_net(self, text: Floats, counts: NDArray[np.int64]) -> SequenceNet:
        p = self.params
        chances = counts.astype(np.float32) ** p["drawn_by"]
        with torch.random.fork_rng():
            torch.manual_seed(p["seed"])
            items = ItemVectors(
                torch.from_numpy(text), self._id_width, p["id_dropout"] if self.encoder else 0.0
            )
            return SequenceNet(items, p, torch.from_numpy(chances / chances.sum()))

    def _learn(self, net: SequenceNet, histories: Histories, warm: Codes) -> Fitted:
        """Fit ``net``, which knows the items ``warm`` int32[w] by their place there."""
        p = self.params
        place = np.full(self.n_items, -1, np.int32)
        place[warm] = np.arange(len(warm))
        own = histories.replace(items=place[histories.items])
        train, asked, targets = hold_out(own, p["validation_users"], p["seed"])
        if train.lengths.max(initial=0) < 2:  # nobody did two things: there is no order to learn
            net.eval().requires_grad_(False)
            return Fitted(0, float("nan"), False, [])
        windows = Windows(train.offsets, p["max_length"], p["batch_tokens"], p["seed"])
        items, times, kinds = map(
            torch.from_numpy, (train.items.astype(np.int64), np.array(train.times), told(train))
        )
        liked = kinds[:, 0] > 0

        def batches(epoch: int) -> Iterator[Batch]:
            for places, lengths in windows.epoch(epoch):
                at = torch.from_numpy(places)
                steps = Steps(items[at], torch.from_numpy(lengths), times[at], times[at + 1], kinds[at])
                yield Batch(steps, items[at + 1], liked[at + 1].float())

        def ndcg() -> float:
            table = net.items()
            scores = cosines(net, table, F.normalize(table, dim=1), asked)
            ends = np.arange(len(asked) + 1)
            return float(rank_metrics(scores, targets, ends, asked.rows, asked.items)["ndcg@10"].mean())

        recipe = Recipe(p["epochs"], p["learning_rate"], patience=p["patience"], seed=p["seed"])
        known: list[NDArray[Any]] = [train.items, train.offsets, targets, self._text]
        known += [train.times] if p["time"] else []
        known += [told(train)] if p["feedback"] else []
        key = hashlib.sha256(repr(p).encode() + b"".join(part.tobytes() for part in known)).hexdigest()
        figure = ndcg if len(asked) else None
        return fit(net, batches, recipe, self.training, figure=figure, name=self.name, key=key)

    def _index(self) -> None:
        """Add text and id to one table; an item that has neither has the zero vector."""
        table = self._text.copy()
        table[:, table.shape[1] - self._ids.shape[1] :] += self._ids
        self._table = torch.from_numpy(table)
        self._unit = F.normalize(self._table, dim=1)
        self._blank: NDArray[np.bool_] = np.abs(table).sum(axis=1) == 0

    def score(self, histories: Histories) -> Floats:
        """Return the cosine of each user's vector with each item's, float32[n, n_items].

        NaN for a user without positive events, and for an item with neither text nor events.
        """
        net = self._fitted()
        histories = self._read(histories)
        histories = histories.where(~self._blank[histories.items]) if self.params["feedback"] else histories
        known = histories.lengths > 0
        if known.all():
            scores = cosines(net, self._table, self._unit, histories)
        else:
            scores = np.full((len(histories), self.n_items), np.nan, np.float32)
            scores[known] = cosines(net, self._table, self._unit, histories[known])
        scores[:, self._blank] = np.nan
        return scores

    def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
        """Return the cosines of the item vectors, float32[m, w]; NaN for an item that has none."""
        self._fitted()
        unit, columns = self._unit.numpy(), slice(None) if others is None else others
        near: Floats = unit[items] @ unit[columns].T
        near[self._blank[items]] = np.nan
        near[:, self._blank[columns]] = np.nan
        return near

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Place new and changed texts; what was learned of an item's id stays."""
        self._fitted()
        more = grown(self.n_items, codes) - self.n_items
        self._text = np.pad(self._text, ((0, more), (0, 0)))
        self._ids = np.pad(self._ids, ((0, more), (0, 0)))
        if self.encoder and self._space:
            self._text[codes] = self._space.place(self.encoder.encode([item.reading for item in items]))
        self._index()

    def state(self) -> State:
        """Return the weights of the net, the text space, and text and id parts of all items."""
        net = self._fitted()
        own = {"text": self._text, "ids": self._ids}
        if self._space:
            own |= {"space.mean": self._space.mean, "space.axes": self._space.axes}
        weights = {f"net.{k}": v.numpy() for k, v in net.state_dict().items() if not k.startswith("items.")}
        return {**own, **weights}, {"params": self.params, "epochs_seen": self.fitted and self.fitted.epochs}

    def restore(self, state: State) -> None:
        """Become the model whose ``state`` this is; the encoder is the constructor's."""
        arrays, document = state
        self.params |= document["params"]
        self._text, self._ids = (np.array(arrays[name], np.float32) for name in ("text", "ids"))
        self._space = None
        if "space.mean" in arrays:
            self._space = TextSpace(np.array(arrays["space.mean"]), np.array(arrays["space.axes"]))
        width = self.params["width"]
        items = ItemVectors(torch.zeros(0, width), self._ids.shape[1], 0.0)
        self._net = SequenceNet(items, self.params)
        weights = {k[4:]: torch.from_numpy(np.array(v)) for k, v in arrays.items() if k.startswith("net.")}
        missing = self._net.load_state_dict(weights, strict=False).missing_keys
        if any(not name.startswith("items.") for name in missing):
            raise InputError(
                f"these weights are of another version of {self.name}: train anew", field="model"
            )
        self._net.eval().requires_grad_(False)
        self.data = self.fitted = None
        self._index()

    def _fitted(self) -> SequenceNet:
        if self._net is None:
            raise not_fitted(self.name)
        return self._net


def _check(params: dict[str, Any]) -> None:
    """Raise InputError for an argument out of range."""
    for name in ("width", "layers", "heads", "max_length", "epochs", "patience", "batch_tokens"):
        check_range(name, params[name], 1, 10**9)
    check_range("validation_users", params["validation_users"], 0, 10**9)
    if params["block"] not in MIXERS:
        raise InputError(f"no block {params['block']!r}: {nearest(params['block'], MIXERS)}", field="block")
    if params["loss"] not in LOSSES:
        raise InputError(f"no loss {params['loss']!r}: {nearest(params['loss'], LOSSES)}", field="loss")
    if params["places"] and params["block"] not in BIASED:
        raise InputError(
            f"places wants a block of {' or '.join(BIASED)}, got {params['block']}", field="places"
        )
    if params["width"] % params["heads"]:
        raise InputError(
            f"width must be a multiple of heads, got {params['width']} and {params['heads']}", field="width"
        )
    if not 0 < params["id_share"] <= 1:
        raise InputError(
            f"id_share must be above 0 and at most 1, got {params['id_share']}", field="id_share"
        )
    check_range("negatives", params["negatives"], 1, 10**6)
    if not 0 <= params["drawn_by"] <= 1:
        raise InputError(f"drawn_by must be 0..1, got {params['drawn_by']}", field="drawn_by")
    for name in ("dropout", "id_dropout", "label_smoothing"):
        if not 0 <= params[name] < 1:
            raise InputError(f"{name} must be at least 0 and below 1, got {params[name]}", field=name)
    if not 0 < params["learning_rate"] < 1:
        raise InputError(
            f"learning_rate must be above 0 and below 1, got {params['learning_rate']}", field="learning_rate"
        )
