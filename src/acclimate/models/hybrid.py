"""Several models as one: each says how far an item stands out, and weights are learned of who is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.errors import SEEDS, InputError, shown
from acclimate.metrics import top_lists
from acclimate.models import arguments, make_model
from acclimate.models.common import check_whole, not_fitted
from acclimate.models.examples import Examples, hold_back
from acclimate.models.logit import conditional_logit
from acclimate.rng import generator
from acclimate.training import Training
from acclimate.types import Codes, Encoder, Floats, Habitual, Histories, Item, Model, State

SOURCES = ("sequence", "ease", "recent-popularity")
"""What is blended if nothing else is asked for."""
AT_ONCE = 4_000_000
"""Scores that are held together: 16 MB for each source."""


class Candidates(NamedTuple):
    """What m users may choose among, and what the sources say of it.

    Args:
        items: Item codes int32[m, c]; -1 behind the last.
        scores: How far each stands out by each source, float32[m, c, s].
    """

    items: Codes
    scores: Floats

    @classmethod
    def join(cls, parts: Sequence[Candidates]) -> Candidates:
        """Return the users of all ``parts``, one behind the other."""
        return cls(
            np.concatenate([part.items for part in parts]), np.concatenate([part.scores for part in parts])
        )


class Hybrid:
    """Score items by the weighted sum of what other models say of them.

    A source's scores are counted in standard deviations from its mean over the known items, for each user
    alone; where it is silent on an item it says its lowest score. The weights are learned from each user's
    newest likes, which the sources had not seen: they are then fitted again on everything.

    Args:
        encoder: For the sources that read texts.
        sources: Built models, or names of registered ones; by default `SOURCES`.
        held_back: Likes of each user that teach the weights, at most; a user keeps two thirds.
        examples: Likes that teach the weights, at most.
        candidates: Items that a like is compared with.
        seed: Decides which likes; also of the sources given by name.
        training: Where and how sources given by name are fitted, if they are neural.

    Example:
        >>> from acclimate.models.item_knn import ItemKNN
        >>> from acclimate.models.popularity import Popularity
        >>> pairs = [(u, u % 2 + 2 * n) for u in range(40) for n in range(4) if n != u // 2 % 4]
        >>> model = Hybrid(sources=[ItemKNN(), Popularity()])
        >>> model.fit(Dataset.of([(f"u{u}", f"i{i}", float(i)) for u, i in pairs]))
        >>> bool(model.weights[0] > model.weights[1])
        True

    References:
        Burke, "Hybrid recommender systems", UMUAI 2002 (weighted); McFadden's conditional logit, 1974.
    """

    name = "hybrid"
    new_user = "What those of its sources say that know what to do without a history."
    new_item = "What those of its sources say that can score it."

    def __init__(
        self,
        encoder: Encoder | None = None,
        *,
        sources: Sequence[Model | str] = SOURCES,
        held_back: int = 5,
        examples: int = 10_000,
        candidates: int = 100,
        seed: int = 0,
        training: Training | None = None,
    ) -> None:
        check_sources(sources)
        self.training = training or Training()
        check_whole("seed", seed, 0, SEEDS)
        ours = {"seed": seed, "training": self.training}
        self.sources = [_built(each, encoder, ours) if isinstance(each, str) else each for each in sources]
        self.encoder = next((each.encoder for each in self.sources if each.encoder), None)
        self.params: dict[str, Any] = {
            "held_back": check_whole("held_back", held_back, 1, 1000),
            "examples": check_whole("examples", examples, 1, 10**9),
            "candidates": check_whole("candidates", candidates, 2, 100_000),
            "seed": seed,
        }
        self.data: Dataset | None = None
        self.weights: Floats | None = None
        self.known: Codes = np.zeros(0, np.int32)

    @property
    def n_items(self) -> int:
        """Size of the catalogue; 0 before ``fit``."""
        return 0 if self.weights is None else self.sources[0].n_items

    def fit(self, data: Dataset) -> None:
        """Fit the sources on a part, learn from the rest whom to trust, and fit them on the whole.

        Raises:
            InputError: There is no positive event, or a source cannot be fitted.
        """
        if not (data.weight > 0).any():
            raise InputError(
                f"{self.name} needs at least one positive event, the data has none", field="data"
            )
        p = self.params
        left, examples = hold_back(data, p["held_back"], p["examples"], p["seed"])
        self.weights = np.full(len(self.sources), 1 / len(self.sources), np.float32)
        if len(examples.items):
            self._fit_sources(left)
            self._learn(data, examples)
        self._fit_sources(data)
        self.data = data

    def score(self, histories: Histories) -> Floats:
        """Return the weighted sum float32[n, n_items]; NaN for what no source can score."""
        return self.add_up(self.stands_out(histories))

    def add_up(self, stands: Floats) -> Floats:
        """Return the weighted sum float32[n, n_items] of what each source says, float32[s, n, n_items]."""
        return np.tensordot(self._fitted(), stands, axes=1).astype(np.float32, copy=False)

    def stands_out(self, histories: Histories) -> Floats:
        """Return how far each item stands out by each source, float32[s, n, n_items].

        In standard deviations of the source over the known items for that user; NaN where no source can
        score the item, and the source's lowest where others can. A source that is silent on a user says 0.
        """
        self._fitted()
        out = np.stack([source.score(histories) for source in self.sources])
        silent = np.isnan(out).all(axis=0)
        for scores in out:
            self._stand(scores)
        out[:, silent] = np.nan
        return out

    def _stand(self, scores: Floats) -> None:
        """Turn the scores of one source, float32[n, n_items], into how far items stand out, in place."""
        known = scores[:, self.known].astype(np.float64)
        heard = ~np.isnan(known).all(axis=1)
        scores[~heard] = 0.0
        known = known[heard]
        mean, spread = np.nanmean(known, axis=1), np.nanstd(known, axis=1)
        low = np.nanmin(known, axis=1)
        told = np.where(np.isnan(scores[heard]), low[:, None], scores[heard])
        scores[heard] = (told - mean[:, None]) / np.maximum(spread, 1e-9)[:, None] * (spread > 1e-9)[:, None]

    def similarity(self, items: Codes, others: Codes | None = None) -> Floats:
        """Return how near items are by the first source, float32[m, w]."""
        self._fitted()
        return self.sources[0].similarity(items, others)

    def times_had(self, items: Codes, history: Histories) -> NDArray[np.int64]:
        """Return how often the user of ``history`` had each of ``items``: int64[k]; 0 if no source says."""
        told = [source.times_had(items, history) for source in self.sources if isinstance(source, Habitual)]
        most: NDArray[np.int64] = np.max([np.zeros(len(items), np.int64), *told], axis=0)
        return most

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Hand new and changed items to every source."""
        self._fitted()
        for source in self.sources:
            source.put_items(codes, items)

    def state(self) -> State:
        """Return the weights, and the state of every source."""
        arrays: dict[str, NDArray[Any]] = {"weights": self._fitted(), "known": self.known}
        inner = []
        for at, source in enumerate(self.sources):
            own, document = source.state()
            arrays |= {f"source{at}.{name}": array for name, array in own.items()}
            inner.append({"name": source.name, "document": document})
        return arrays, {"params": self.params, "sources": inner}

    def restore(self, state: State) -> None:
        """Become the model whose ``state`` this is, with its sources; the encoder is the constructor's."""
        arrays, document = state
        self.sources = []
        for at, told in enumerate(document["sources"]):
            source = make_model(told["name"], self.encoder, **told["document"].get("params", {}))
            begin = f"source{at}."
            own = {name[len(begin) :]: array for name, array in arrays.items() if name.startswith(begin)}
            source.restore((own, told["document"]))
            self.sources.append(source)
        self.params |= document["params"]
        self.weights, self.known = (
            np.array(arrays["weights"], np.float32),
            np.asarray(arrays["known"], np.int32),
        )
        self.data = None

    def _fit_sources(self, data: Dataset) -> None:
        for source in self.sources:
            source.fit(data)
        self.known = np.unique(data.item[data.weight > 0])

    def _learn(self, data: Dataset, examples: Examples) -> None:
        """Learn the weights: what was chosen, against items drawn at random that the user had not had.

        Drawn evenly, so that the weights are those of a choice among all items (McFadden, 1978).
        """
        rng = generator(self.params["seed"], "candidates")
        found = []
        for part, stands in self._asked(examples):
            chance = rng.random(stands.shape[1:], np.float32)
            chance[np.isnan(stands[0])] = np.nan
            rows = np.arange(len(part.items))
            chance[rows, part.items] = 2.0  # the item that was chosen comes first
            had, most = part.histories, min(self.params["candidates"], self.n_items)
            best = top_lists(chance, had.rows, had.items, most)
            found.append(Candidates(best, picked(stands, best)))
        self.weights = self._weigh(Candidates.join(found))

    def _weigh(self, found: Candidates) -> Floats:
        """Return the weight of each source, float32[s]."""
        return _fusion(found)

    def _asked(self, examples: Examples) -> Iterator[tuple[Examples, Floats]]:
        """Yield the examples whose item a source can score, with what the sources say, some at a time."""
        at_once = max(1, AT_ONCE // max(self.sources[0].n_items, 1))
        for start in range(0, len(examples.items), at_once):
            part = examples.part(np.arange(start, min(start + at_once, len(examples.items))))
            stands = self.stands_out(part.histories)
            able = np.flatnonzero(~np.isnan(stands[0, np.arange(len(part.items)), part.items]))
            yield part.part(able), stands[:, able]

    def _fitted(self) -> Floats:
        if self.weights is None:
            raise not_fitted(self.name)
        return self.weights


def check_sources(given: Any) -> None:
    """Raise InputError if ``given`` is no list of models and names of models, or an empty one."""
    many = isinstance(given, Sequence) and not isinstance(given, str) and len(given) > 0
    if not many or not all(isinstance(each, str) or hasattr(each, "score") for each in given):
        raise InputError(
            f"sources must be a list of one model or more, or of names of models, got {shown(given)}",
            field="sources",
        )


def _built(name: str, encoder: Encoder | None, ours: dict[str, Any]) -> Model:
    """Return the registered model of that name, with those of ``ours`` that it takes."""
    return make_model(name, encoder, **{key: ours[key] for key in ours.keys() & set(arguments(name))})


def picked(stands: Floats, items: Codes) -> Floats:
    """Return what the sources say of ``items`` int32[n, c]: float32[n, c, s], 0 behind the last."""
    rows = np.arange(len(items))[:, None]
    out: Floats = np.nan_to_num(stands[:, rows, items].transpose(1, 2, 0)) * (items >= 0)[..., None]
    return out


def _fusion(found: Candidates) -> Floats:
    """Return weights float32[s], none negative, under which the first of all candidates are most probable.

    All are alike where there is nothing to learn from.
    """
    if not len(found.items):
        return np.full(found.scores.shape[2], 1 / found.scores.shape[2], np.float32)
    parts = np.moveaxis(found.scores.astype(np.float64), 2, 0)
    first, start = np.zeros(len(found.items), np.int64), np.full(len(parts), 0.5)
    best = conditional_logit(
        parts, first, np.nonzero(found.items < 0), start.tolist(), lowest=[0.0] * len(parts), ridge=1e-3
    )
    return (best if best.any() else start).astype(np.float32)
