"""The sequence model: what a user did, in order, becomes a vector that points at what comes next.

Causal blocks (a transformer; on request others, see `mixers`) read the item vectors of a history
(text and learned ids in one space, see `item_vectors`); the last state and the item vectors are compared by
cosine. It holds nothing about single users, so an event counts at the next question, without a change of
weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.data.user_text import UserTexts
from acclimate.errors import InputError
from acclimate.models.augment import AUGMENTATIONS
from acclimate.models.common import grown, not_fitted, times_had
from acclimate.models.heads import Foreseen, blank, foresee, next_chances
from acclimate.models.item_table import ItemTable
from acclimate.models.item_vectors import LENGTH, ItemVectors, TextSpace
from acclimate.models.joint import Along
from acclimate.models.nearness import Nearness
from acclimate.models.sequence_fit import held, learn, weighed
from acclimate.models.sequence_net import ITS_OWN, SequenceNet
from acclimate.models.sequence_params import check, check_learns, check_placed, check_reads, told_of_memory
from acclimate.models.states import known_states, scored
from acclimate.models.transfer import Start
from acclimate.models.user_text import UserReader
from acclimate.training import Fitted, Training
from acclimate.types import Codes, Encoder, Floats, Histories, Item, Model, State

SEARCHED = "What was searched for counts; with nothing known, popularity stands in until the first event."
"""What a new user gets of a model that reads users."""
_PARTS = ("self", "encoder", "training")


class SequenceModel:
    """Foresee the next item from the order of what came before.

    Args:
        encoder: Reads the items' texts; None learns from ids alone and cannot place a new item.
        width: d, a multiple of ``heads``.
        item_vector: ``"fused"``: frozen text and a learned id; ``"alphafuse"``: an id only in directions
            in which the text is weak; ``"sum"``: a learned projection of the text plus an id; ``"text"``:
            that projection alone; ``"id"``: ids alone. Without an encoder there are ids alone.
        id_share: Share of the directions that hold an id with ``alphafuse``; above 0, at most 1.
        nearness: Weight of how near an item's text is to those of the newest likes, beside the cosine (see
            `acclimate.models.nearness`); what has no events stands by what reads like it. None: chosen on
            the users who are held out. 0: neither; nor with ``user_text="alone"``.
        user_text: Whether the encoder reads users as well, as a text of what they had and searched for:
            ``"off"``; ``"on"``: its reading is joined to the state of the sequence by a learned gate;
            ``"alone"``: it is the state. A search then moves the next list. Costs a reading for each
            window in a fit and for each question.
        block: What mixes events: ``"attention"``, ``"hstu"``, ``"gru"``, ``"convolution"``, ``"decay"``; or
            in turns, from the bottom up: ``"decay+attention"``.
        layers: Blocks.
        heads: Attention heads; ``gru`` and ``convolution`` have none.
        places: Whether attention hears how many events lie between.
        time: Whether each event tells how long after it the next question came, and attention how much time
            lies between an event and a question. Figures of such a model are not comparable with those of
            models that are not told when the question is asked.
        feedback: Whether also events that are not liked are read, each with its weight, value and type.
        item_bias: Whether a learned number of each item, at first how often it was had, is added to scores.
        repeats: Whether items that the user has had are scored by how often, how long ago and how near, in
            place of cosine and bias (see `acclimate.models.repeats`): for shops where things are bought
            again. Wants ``loss="full"``. Ages count at the user's last event, with ``time`` at the question.
        baskets: Whether all of one second is foreseen together, from what was before; wants times.
        ahead: Each event foresees one drawn among so many that follow; above 1 for lists that have to last.
        rating: A head that learns along how what is next is rated: ``"off"``, ``"mse"``, ``"mae"``. Wants
            ``feedback`` and values.
        click: Whether a head learns along, by log loss, whether what comes next is liked; negatives are the
            events of weight 0 or below. Wants ``feedback``.
        loss: Over all items, ``"full"``, or for a large catalogue over some that are drawn: ``"sampled"``,
            ``"gbce"`` or ``"bpr"``.
        negatives: How many are drawn for a batch.
        drawn_by: Power of an item's count by which it is drawn, 0 (all alike) to 1. None: .75, with gbce 0.
        label_smoothing: Share of a target that is spread over all items, with ``loss="full"``; 0..1.
        dropout: Share of inputs and of branches dropped in training.
        id_dropout: Share of items that stand by their text alone in a step; without a text, the id stays.
        max_length: Newest events that are read; three quarters at least (see `incremental.anchored`).
        epochs: Passes over the data at most; 0 only for a model that starts from another, which it then is.
        patience: Epochs without a better validation NDCG@10 before it stops, from step 300 on.
        learning_rate: 0..1.
        optimiser: ``"rowwise-adagrad"``, ``"muon"``, or a class of ``torch.optim``.
        schedule: How the learning rate goes over the epochs: ``"constant"``, ``"cosine"`` or ``"linear"``.
        weight_decay: For matrices.
        averaging: Share of the running mean of the weights that stays at each step.
        l1: Weight of the sum of weights' magnitudes.
        perturbation: How far item vectors are moved to where the loss rises fastest, in mean lengths, for a
            second loss at each step; doubles its time.
        contrast: Weight of a loss by which a window told in two ways is known as one; triples a step's time.
        augment: In which ways it is told, one or more of "crop", "mask", "reorder" and "substitute".
        batch_tokens: Events in a batch.
        validation_users: At most so many users have their last event held out to watch the fit. None: one for
            200 events, but 1,024 to 4,096.
        seed: Decides start, order, dropout and validation users.
        training: Where and how the fit runs.

    Example:
        >>> from acclimate.data.dataset import Dataset
        >>> data = Dataset.of((f"u{u}", f"i{(u + t) % 5}", float(t)) for u in range(30) for t in range(8))
        >>> model = SequenceModel(width=16, heads=1, layers=1, epochs=30, batch_tokens=64)
        >>> model.fit(data)
        >>> first, then = data.items.codes(["i0", "i1"])
        >>> bool(model.score(Histories.of([[first]]))[0].argmax() == then)
        True

    References:
        Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018; Klenitskiy and Vasilev,
        "Turning dross into gold loss", RecSys 2023 (full cross-entropy); Harte et al., "LLMs for
        sequential recommendation", RecSys 2023 (texts as the start); Hu et al., "AlphaFuse", SIGIR 2025.
    """

    name = "sequence"
    new_user = "Nothing until the first event, which counts at once; until then popularity stands in."
    new_item = "Stands by its text and by what reads like it; without a text it cannot be scored."

    def __init__(
        self,
        encoder: Encoder | None = None,
        *,
        width: int = 128,
        item_vector: str = "fused",
        id_share: float = 0.5,
        nearness: float | None = None,
        user_text: str = "off",
        block: str = "convolution+attention",
        layers: int = 2,
        heads: int = 2,
        places: bool = False,
        time: bool = False,
        feedback: bool = False,
        item_bias: bool = False,
        repeats: bool = False,
        baskets: bool = False,
        ahead: int = 1,
        rating: str = "off",
        click: bool = False,
        loss: str = "full",
        negatives: int = 1024,
        drawn_by: float | None = None,
        label_smoothing: float = 0.0,
        dropout: float = 0.2,
        id_dropout: float = 0.0,
        max_length: int = 200,
        epochs: int = 100,
        patience: int = 10,
        learning_rate: float = 4e-3,
        optimiser: str = "adamw",
        schedule: str = "constant",
        weight_decay: float = 0.01,
        averaging: float = 0.998,
        l1: float = 0.0,
        perturbation: float = 0.0,
        contrast: float = 0.0,
        augment: Sequence[str] = AUGMENTATIONS,
        batch_tokens: int = 4096,
        validation_users: int | None = None,
        seed: int = 0,
        training: Training | None = None,
    ) -> None:
        given = dict(locals())
        self.params: dict[str, Any] = {name: given[name] for name in given if name not in _PARTS}
        check(self.params)
        self.params["augment"] = list(augment)
        if user_text != "off":
            self.new_user = SEARCHED
        self.encoder, self.training = encoder, training or Training()
        self.data: Dataset | None = None
        self.fitted: Fitted | None = None
        self._net: SequenceNet | None = None
        self._space: TextSpace | None = None
        self._reader: UserReader | None = None
        self._near: Nearness | None = None
        self._start: Start | None = None
        self._items = ItemTable(*np.zeros((2, 0, width), np.float32))

    @property
    def n_items(self) -> int:
        """Size of the catalogue; 0 before ``fit``."""
        return len(self._items)

    def start_from(self, other: Model, catalogue: Sequence[Item]) -> None:
        """Let ``fit`` begin with what ``other`` learned (see `acclimate.models.transfer`), on any catalogue.

        Args:
            other: A fitted sequence model of the same shape.
            catalogue: The items of ``other``, by code.

        Raises:
            InputError: It is another model, of another shape, or with another encoder; says what to set.
        """
        self._start = Start.of(other, catalogue).checked(self.params, self.encoder)

    @told_of_memory
    def fit(self, data: Dataset) -> None:
        """Learn from the positive events of ``data``, oldest first.

        Raises:
            InputError: There is no positive event.
        """
        check_learns(self.params, self.training.device, data, started=self._start is not None)
        self.params["baskets"] &= data.timed and bool((data.time[-1:] > data.time[:1]).any())
        histories = data.histories() if self.params["feedback"] else data.histories().liked()
        warm = np.unique(histories.items[histories.weights > 0])
        histories = histories.where(np.isin(histories.items, warm))
        if not len(warm):
            raise InputError("sequence needs at least one positive event, the data has none", field="data")
        place = np.full(data.n_items, -1, np.int32)
        place[warm] = np.arange(len(warm))
        own = histories.replace(items=place[histories.items])
        text, vectors = self._place_texts(data, warm, own)
        net = self._new_net(text[warm], np.bincount(histories.items)[warm])
        if self._start:
            self._start.begin(net, [data.catalogue[item] for item in warm])
        texts = UserTexts.of(data.catalogue) if self._reads_users else None
        reader = None
        if texts and self._space:
            titles, labels = [texts.titles[code] for code in warm], [texts.categories[code] for code in warm]
            reader = UserReader(self.encoder, self._space, UserTexts(titles, labels))
        along = None
        if self._reads and not (self._start and self._start.space):
            read = [data.texts[item] for item in warm]
            along = Along.of(self.encoder, read, self._space, self._reads_users)
        self.fitted = learn(net, own, self.training, self.name, reader, along=along)
        if along and along.done and self._space:
            self.encoder.take(along.reader)  # type: ignore[union-attr]
            vectors = self.encoder.encode(data.texts)  # type: ignore[union-attr]
            text = self._space.place(vectors)
        if net.items.projection is not None and self._space:
            projection = net.items.projection.numpy()
            self._space, text = self._space.projected(projection), text @ projection.T
            net.items.projection = None
        self._reader = UserReader(self.encoder, self._space, texts) if texts and self._space else None
        self._near = None
        if vectors is not None and self.params["nearness"] != 0 and self.params["user_text"] != "alone":
            self._near = Nearness.fit(vectors, warm)
            self.fitted = weighed(self._near, net, own, warm, self.fitted, reader)
        self._net, self.data, self._items = net, data, ItemTable.learned(text, warm, net)
        self._items.aim(self._near, np.arange(data.n_items, dtype=np.int32))

    def _heard(self, histories: Histories) -> Histories:
        """Return the events that count."""
        every = self.params["feedback"]
        return histories.where(~self._items.blank[histories.items]) if every else histories.liked()

    @property
    def refit(self) -> dict[str, Any]:
        """Arguments to fit the same on more data, with nothing held out: what was best here."""
        if not self.fitted or self.fitted.figure != self.fitted.figure:  # NaN: nothing was held out
            return {}
        weight = {"nearness": self._near.weight} if self._near else {}
        return {"epochs": self.fitted.epochs, "validation_users": 0, **weight}

    @property
    def _reads(self) -> bool:
        """Whether item vectors are made of texts."""
        return self.encoder is not None and self.params["item_vector"] != "id"

    @property
    def scale(self) -> float:
        """What makes logits of scores, as the loss had them."""
        return float(self._fitted().scale)

    @property
    def _reads_users(self) -> bool:
        return bool(self.params["user_text"] != "off")

    def _place_texts(self, data: Dataset, warm: Codes, own: Histories) -> tuple[Floats, Floats | None]:
        """Learn the text space from the items with events; return the places of all texts, and their vectors.

        ``own`` are the events, by places in ``warm``; what is held out of the fit the encoder does not see.
        """
        told = None if self.encoder is None else any(data.texts[item] for item in warm)
        check_reads(self.params, told)
        self._space = None
        if self.encoder and (self._reads or self._reads_users):
            known = self._start.space if self._start else None
            if self._start and known:
                self._start.checked(self.params, self.encoder)
            else:
                seen = held(own, self.params)[0]
                self.encoder.fit([data.texts[item] for item in warm], seen.liked())
            vectors = self.encoder.encode(data.texts)
            self._space = known or TextSpace.fit(vectors[warm], self.params["width"], length=LENGTH)
            check_placed(self.params, self._space.axes)
            if self._reads:
                return self._space.place(vectors), vectors
        return np.zeros((data.n_items, self.params["width"]), np.float32), None

    def _new_net(self, text: Floats, counts: NDArray[np.int64]) -> SequenceNet:
        p = self.params
        with torch.random.fork_rng():
            torch.manual_seed(p["seed"])
            items = ItemVectors.of(text, p, reads=self._reads)
            return SequenceNet(items, p, counts)

    def score(self, histories: Histories) -> Floats:
        """Return the cosine of each user's vector with each item's, float32[n, n_items], and what
        ``nearness``, ``item_bias`` and ``repeats`` add to it.

        NaN for a user without positive events (or searches, if users are read), and for an item with neither
        text nor events.
        """
        net = self._fitted()
        users = None if self._reader is None else self._reader.place(histories)
        histories = self._heard(histories)
        scores = scored(net, self._items.vectors, self._items.aims, histories, users, self._items.states)
        if net.terms:
            net.terms.add(scores, histories, float(net.scale), self._items.own)
        if self._near:
            self._near.add(scores, histories, had=not self.params["repeats"])
        scores[:, self._items.blank] = np.nan
        return scores

    def remember(self, histories: Histories) -> None:
        """Read users before they ask, so that their lists come sooner; not if the time of asking counts."""
        net, some = self._fitted(), self._heard(histories)
        if self._reader is None and not net.timed:
            known_states(net, self._items.vectors, some[some.lengths > 0], self._items.states, keep=True)

    def predict(self, histories: Histories, items: Codes) -> Foreseen:
        """Return what may happen between n users and ``items`` int32[m]; NaN without a head.

        NaN too for a user without events, and for an item with neither text nor events.
        """
        net = self._fitted()
        if net.foretells is None:
            return blank(len(histories), len(items))
        users = None if self._reader is None else self._reader.place(histories)
        read = histories.where(~self._items.blank[histories.items])
        rating, liked = foresee(net, self._items.vectors, self._items.unit, read, items, users)
        rating[:, self._items.blank[items]] = liked[:, self._items.blank[items]] = np.nan
        return Foreseen(next_chances(self.score(histories), float(net.scale), items), liked, rating)

    def times_had(self, items: Codes, history: Histories) -> NDArray[np.int64]:
        """Return how often the user of ``history`` had each of ``items``, int64[k]; 0 without ``repeats``."""
        had = times_had(items, history)
        return had if self.params["repeats"] else np.zeros_like(had)

    def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
        """Return the cosines of the item vectors, float32[m, w]; NaN for an item that has none."""
        self._fitted()
        return self._items.similarity(items, others)

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Place new and changed texts; what was learned of an item's id stays."""
        self._fitted()
        texts, vectors, n_items = None, None, grown(self.n_items, codes)
        if self._reader:
            self._reader.put_items(codes, items)
        if self.encoder and self._space and self._reads:
            vectors = self.encoder.encode([item.reading for item in items])
            texts = self._space.place(vectors)
        if self._near:
            self._near.put(n_items, codes, vectors)
        self._items.put(n_items, codes, texts)
        self._items.aim(self._near, codes)

    def state(self) -> State:
        """Return the weights of the net, the text space, and text and id parts of all items."""
        net = self._fitted()
        own = self._items.state()
        if self._space:
            own |= {"space.mean": self._space.mean, "space.axes": self._space.axes}
        weights = {f"net.{k}": v.numpy() for k, v in net.state_dict().items() if not k.startswith(ITS_OWN)}
        document: dict[str, Any] = {"params": self.params, "epochs_seen": self.fitted and self.fitted.epochs}
        if self._near:
            own |= self._near.state()
            document["nearness"] = self._near.weight
        if self._reader:
            document["read"] = self._reader.texts.document()
        return {**own, **weights}, document

    def restore(self, state: State) -> None:
        """Become the model whose ``state`` this is; the encoder is the constructor's."""
        arrays, document = state
        self.params |= document["params"]
        self._items = ItemTable.restored(arrays)
        self._near = Nearness.restored(arrays, document.get("nearness", 0.0))
        self._items.aim(self._near)
        self._space = None
        if "space.mean" in arrays:
            self._space = TextSpace(np.array(arrays["space.mean"]), np.array(arrays["space.axes"]))
        self._reader = None
        if self._space and "read" in document:
            self._reader = UserReader(self.encoder, self._space, UserTexts(**document["read"]))
            self.new_user = SEARCHED
        self._net = SequenceNet.restored(self.params, self._items.ids.shape[1], arrays)
        self.data = self.fitted = None

    def _fitted(self) -> SequenceNet:
        if self._net is None:
            raise not_fitted(self.name)
        return self._net
