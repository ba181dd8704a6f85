"""The second stage: looks at the best of a first stage again, with everything that is known of the moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import expit, logsumexp

from acclimate.data.dataset import Dataset
from acclimate.data.features import Scaling, check_scaling
from acclimate.metrics import top_lists
from acclimate.models.common import check_positive, check_whole
from acclimate.models.examples import Examples
from acclimate.models.hybrid import Hybrid, picked
from acclimate.models.item_vectors import TextSpace
from acclimate.models.neural import check_share
from acclimate.models.ranker_features import CONTENT_WIDTH, N_FEATURES, Content, ItemTimes, features
from acclimate.models.ranker_learn import Lessons, Meaning, learn, understand
from acclimate.models.ranker_net import CLICK, PURCHASE, RATING, RankerNet, Table
from acclimate.rng import generator
from acclimate.training import Fitted, Training
from acclimate.types import Codes, Encoder, Floats, Histories, Item, Model, State

SOURCES = ("ease", "item-knn", "recent-popularity")
"""What is re-ranked if nothing else is asked for: quick to fit, twice."""
FAR = 4.0
"""Where a scaled feature ends: what was never met is no surprise."""


class Chances(NamedTuple):
    """What may happen next between n users and m items, float32[n, m] each; NaN where nothing was learned.

    Args:
        click: Chance that it is the next item the user chooses.
        purchase: Chance that it is the next one, and bought.
        rating: How the user would rate it, in the units of the data.
    """

    click: Floats
    purchase: Floats
    rating: Floats


class Found(NamedTuple):
    """What the first stage says of n users: their likes, each source float32[s, n, items], and the sum."""

    liked: Histories
    stands: Floats
    total: Floats


class Ranker(Hybrid):
    """Re-rank the best of a `Hybrid` by user profile, item, moment, and what each source says.

    Each user's newest likes are held back from the sources; those that the first stage has among its best
    ``candidates`` teach a deep and cross network which of them was chosen. Features of items are those at
    the time of the question. Beyond the best ones, and for what the user liked before, the order is that of
    the first stage, below; so it is meant for lists of new things. What nobody held back could teach (no user
    with three likes) leaves the first stage alone.

    `predict` gives calibrated chances: a softmax over the candidates with a temperature, times how often the
    first stage has the right item; and Platt's sigmoid for a purchase. ``report`` says how good they are on a
    fifth of the users, who taught neither net nor weights of the calibration.

    Args:
        encoder: For texts of items, and for the sources that read them.
        sources: Built models, or names of registered ones; by default `SOURCES`.
        candidates: How many are looked at again.
        width: Of the deep layers.
        cross: Cross layers.
        dropout: In the deep layers; at least 0, below 1.
        scaling: Of the features, a name in `acclimate.data.features.SCALINGS`.
        purchase: An event of at least this weight is a purchase.
        held_back: Likes of each user that teach, at most; a user keeps two thirds.
        examples: Likes that teach, at most.
        epochs: Passes over them at most.
        patience: Epochs without a better validation NDCG@10 before it stops.
        learning_rate: AdamW's.
        batch_size: Choices in a batch.
        seed: Decides start, order, dropout and who teaches.
        training: Where and how the fit runs, also of sources given by name.

    Example:
        >>> from acclimate.models.popularity import Popularity
        >>> rows = [(f"u{u}", f"i{(u + n) % 7}", float(10 * n + u)) for u in range(20) for n in range(6)]
        >>> model = Ranker(sources=[Popularity()], epochs=2)
        >>> model.fit(Dataset.of(rows))
        >>> asked = Histories.of([[0, 1]], now=[90.0])
        >>> chances = model.predict(asked, np.arange(7, dtype=np.int32))
        >>> bool(0.9 < chances.click.sum() < 1.1)
        True

    References:
        Wang et al., "DCN V2", WWW 2021 (parallel structure, section 3.3); Guo et al., ICML 2017; Platt, 1999.
    """

    name = "ranker"

    def __init__(
        self,
        encoder: Encoder | None = None,
        *,
        sources: Sequence[Model | str] = SOURCES,
        candidates: int = 100,
        width: int = 64,
        cross: int = 2,
        dropout: float = 0.1,
        scaling: str = "log",
        purchase: float = 4.0,
        held_back: int = 5,
        examples: int = 10_000,
        epochs: int = 60,
        patience: int = 10,
        learning_rate: float = 1e-3,
        batch_size: int = 128,
        seed: int = 0,
        training: Training | None = None,
    ) -> None:
        options: dict[str, int] = {"held_back": held_back, "examples": examples, "candidates": candidates}
        super().__init__(encoder, sources=sources, **options, seed=seed, training=training)
        self.params |= {
            "width": check_whole("width", width, 1, 100_000),
            "cross": check_whole("cross", cross, 1, 100),
            "dropout": check_share("dropout", dropout),
            "scaling": check_scaling(scaling),
            "purchase": check_positive("purchase", purchase),
            "epochs": check_whole("epochs", epochs, 1, 10**9),
            "patience": check_whole("patience", patience, 1, 10**9),
            "learning_rate": check_share("learning_rate", learning_rate, zero=False),
            "batch_size": check_whole("batch_size", batch_size, 1, 10**9),
        }
        self.encoder = encoder or self.encoder
        self.fitted: Fitted | None = None
        self.report: dict[str, float] = {}
        self._net: RankerNet | None = None
        self._content, self._seen = Content(self.encoder), ItemTimes(np.zeros(0), np.zeros(0, np.int32))
        self._scaling = Scaling(scaling, np.zeros((2, 0)))
        self._meaning: Meaning | None = None

    def fit(self, data: Dataset) -> None:
        """Fit the sources, the first stage, and the net on what the first stage found; see `Hybrid.fit`.

        Raises:
            InputError: There is no positive event, or a source cannot be fitted.
        """
        liked = data.weight > 0
        self._seen = ItemTimes(data.time[liked], data.item[liked])
        if liked.any():
            self._content.fit(data, np.unique(data.item[liked]))
        self._net, self.fitted, self.report, self._meaning = None, None, {}, None
        super().fit(data)

    def score(self, histories: Histories) -> Floats:
        """Return the logits of the candidates float32[n, n_items], the others below; NaN as in `Hybrid`."""
        found = self._first_stage(histories)
        if self._net is None:
            return found.total
        best = self._best(found)
        logits = self._ask(self._net, found, best)[..., CLICK]
        row, place = np.nonzero(best >= 0)
        lasting = np.isin(best, self.known)  # what is put later moves no other item
        low = np.where(lasting, logits, np.inf).min(axis=1, initial=np.inf)
        low[np.isinf(low)] = 0.0
        top = np.where(np.isnan(found.total), -np.inf, found.total).max(axis=1, initial=-np.inf)
        top[np.isinf(top)] = 0.0
        out: Floats = found.total - top[:, None] + low[:, None] - 1
        out[row, best[row, place]] = logits[row, place]
        return out

    def predict(self, histories: Histories, items: Codes) -> Chances:
        """Return calibrated chances of ``items`` int32[m] for each of n users.

        Items that the first stage does not find share evenly what it misses.
        """
        asked = np.repeat(items[None], len(histories), axis=0)
        found = self._first_stage(histories)
        blank = np.full(asked.shape, np.nan, np.float32)
        if self._net is None or self._meaning is None:
            return Chances(blank, blank.copy(), blank.copy())
        best, told = self._best(found), self._meaning
        among = self._ask(self._net, found, best)[..., CLICK] / told.temperature
        out = self._ask(self._net, found, asked)
        norm = logsumexp(among, axis=1, keepdims=True)
        rest = (~np.isnan(found.total)).sum(axis=1) - (best >= 0).sum(axis=1)
        missed = (1 - told.reach) / np.maximum(rest, 1)[:, None]
        inside = (best[:, None] == asked[..., None]).any(axis=2)
        with np.errstate(over="ignore"):
            click = told.reach * np.exp(np.where(inside, out[..., CLICK], 0.0) / told.temperature - norm)
        click = np.where(inside, click, missed).astype(np.float32)
        click[np.isnan(found.total[:, items])] = np.nan
        purchase, rating = blank, blank.copy()
        if told.purchase:
            a, b = told.purchase
            purchase = (click * expit(a * out[..., PURCHASE] + b)).astype(np.float32)
        if told.rating:
            mean, spread = told.rating
            rating = (mean + spread * out[..., RATING]).astype(np.float32)
        return Chances(click, purchase, rating)

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Hand new and changed items to every source, and read them."""
        super().put_items(codes, items)
        self._content.put(codes, items, self.n_items)

    def state(self) -> State:
        """Return the sources, the first stage, the net, and what its features are made of."""
        arrays, document = super().state()
        arrays |= {"content": self._content.rows, "scale": self._scaling.table}
        arrays |= {"seen.times": self._seen.times, "seen.items": self._seen.items}
        if self._content.space:
            arrays |= {"space.mean": self._content.space.mean, "space.axes": self._content.space.axes}
        if self._net:
            arrays |= {f"net.{name}": value.numpy() for name, value in self._net.state_dict().items()}
        return arrays, document | {"meaning": self._meaning, "report": self.report}

    def restore(self, state: State) -> None:
        """Become the model whose ``state`` this is, with its sources; the encoder is the constructor's."""
        super().restore(state)
        arrays, document = state
        told = document["meaning"]
        self._meaning, self.report = Meaning(*told) if told else None, dict(document["report"])
        self._seen = ItemTimes(np.asarray(arrays["seen.times"]), np.asarray(arrays["seen.items"]))
        self._content = Content(self.encoder)
        self._content.rows = np.array(arrays["content"])
        self._scaling = Scaling(self.params["scaling"], np.array(arrays["scale"]))
        if "space.mean" in arrays:
            self._content.space = TextSpace(np.array(arrays["space.mean"]), np.array(arrays["space.axes"]))
        weights = {k[4:]: torch.from_numpy(np.array(v)) for k, v in arrays.items() if k.startswith("net.")}
        self._net = self._new_net() if weights else None
        if self._net:
            self._net.load_state_dict(weights)
            self._net.eval().requires_grad_(False)
        self.fitted = None

    def _new_net(self) -> RankerNet:
        p = self.params
        return RankerNet(N_FEATURES + len(self.sources), CONTENT_WIDTH, p["width"], p["cross"], p["dropout"])

    def _first_stage(self, histories: Histories) -> Found:
        stands = self.stands_out(histories)
        return Found(histories.liked(), stands, self.add_up(stands))

    def _best(self, found: Found) -> Codes:
        most = min(self.params["candidates"], found.total.shape[1])
        return top_lists(found.total, found.liked.rows, found.liked.items, most)

    def _table(self, found: Found, items: Codes) -> Table:
        """Return what is known of ``items`` int32[n, c], features not scaled; -1 is no candidate."""
        tastes = self._content.tastes(found.liked)
        known = features(found.liked, items, self._seen, self._content, tastes)
        columns = np.concatenate([known, picked(found.stands, items)], axis=2)
        base = np.take_along_axis(found.total, np.maximum(items, 0), axis=1)
        base = np.where((items >= 0) & ~np.isnan(base), base, -np.inf)
        return Table(columns, self._content.rows[items], tastes, base)

    def _ask(self, net: RankerNet, found: Found, items: Codes) -> Floats:
        """Return what the net answers about ``items`` int32[n, c]: float32[n, c, 3]."""
        return net.answer(_scaled(self._table(found, items), self._scaling))

    def _learn(self, data: Dataset, examples: Examples) -> None:
        """Learn the first stage's weights, then the net from what the first stage finds, and calibrate it."""
        super()._learn(data, examples)
        lessons, user = self._lessons(examples)
        users = np.unique(user)
        if len(users) < 2:
            return
        watching = generator(self.params["seed"], "watching").permutation(users)[: -(-len(users) // 5)]
        watched = np.isin(user, watching)
        taught, held = lessons.part(~watched), lessons.part(watched)
        rated = taught.ratings[~np.isnan(taught.ratings)]
        rating = (float(rated.mean()), max(float(rated.std()), 1e-3)) if len(rated) else None
        there = np.isfinite(taught.table.base)
        self._scaling = Scaling.fit(self.params["scaling"], taught.table.features[there])
        taught, held = (each._replace(table=_scaled(each.table, self._scaling)) for each in (taught, held))
        with torch.random.fork_rng():
            torch.manual_seed(self.params["seed"])
            net = self._new_net()
        self.fitted = learn(net, taught, held, rating or (0.0, 1.0), self.params, self.training)
        self._meaning, self.report = understand(net, held, rating, len(user) / len(examples.items))
        self._net = net

    def _lessons(self, examples: Examples) -> tuple[Lessons, Codes]:
        """Return the examples that the first stage finds, the chosen item first, and whose they are."""
        lessons, users = [], [np.zeros(0, np.int32)]
        for part, stands in self._asked(examples):
            found = Found(part.histories.liked(), stands, self.add_up(stands))
            best = self._best(found)
            right = best == part.items[:, None]
            at = np.flatnonzero(right.any(axis=1))
            place = right[at].argmax(axis=1)
            best[at, place], best[at, 0] = best[at, 0], part.items[at]
            table = self._table(found, best)
            bought = part.weights >= self.params["purchase"]
            lessons.append(Lessons(table, bought, part.values).part(at))
            users.append(part.users[at])
        return Lessons.join(lessons), np.concatenate(users)


def _scaled(table: Table, scaling: Scaling) -> Table:
    return table._replace(features=np.clip(scaling(table.features), -FAR, FAR))
