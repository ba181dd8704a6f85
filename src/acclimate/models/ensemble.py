"""Several fits as one: seeds of a model, and models whose scores or ranks are added up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from acclimate.data.dataset import Dataset
from acclimate.errors import SEEDS, InputError
from acclimate.models import arguments
from acclimate.models.common import check_choice, check_whole
from acclimate.models.hybrid import Candidates, Hybrid, check_sources
from acclimate.training import Training
from acclimate.types import Encoder, Floats, Model, State

FUSIONS = ("score", "rank")
"""What of a source is added up: how far an item stands out, or its place."""
FIRST = 60.0
"""How little the first places differ: the first counts ``61 / 61``, the second ``61 / 62``."""


class Ensemble(Hybrid):
    """Score items by the weighted sum of several fits, each of several seeds.

    A model that takes a seed is fitted with ``seeds`` of them, which weigh alike: what one seed happened to
    learn, the others do not confirm. Where there are several models, weights are learned as in
    `acclimate.models.hybrid.Hybrid`, one for each model; a single model needs none, and no extra fit.

    With ``fusion="rank"`` an item counts ``61 / (60 + place)`` by each source, whatever the scores are like:
    an outlier has no weight. A place is that among the known items; equal scores share theirs.

    Args:
        encoder: For the sources that read texts.
        sources: Names of registered models, of which each is fitted with all seeds, or built models.
        seeds: How many, for each source that is named and takes one.
        fusion: One of `FUSIONS`.
        held_back: Likes of each user that teach the weights, at most; a user keeps two thirds.
        examples: Likes that teach the weights, at most.
        candidates: Items that a like is compared with.
        seed: The first seed of the sources; also decides which likes.
        training: Where and how sources given by name are fitted, if they are neural.

    Example:
        >>> pairs = [(u, u % 2 + 2 * n) for u in range(40) for n in range(4) if n != u // 2 % 4]
        >>> model = Ensemble(sources=["als", "ease"], seeds=2, fusion="rank")
        >>> model.fit(Dataset.of([(f"u{u}", f"i{i}", float(i)) for u, i in pairs]))
        >>> [source.name for source in model.sources]
        ['als', 'als', 'ease']
        >>> bool(model.weights[0] == model.weights[1])
        True

    References:
        Cormack, Clarke and Büttcher, "Reciprocal rank fusion", SIGIR 2009; Lakshminarayanan et al., "Deep
        ensembles", NeurIPS 2017.
    """

    name = "ensemble"

    def __init__(
        self,
        encoder: Encoder | None = None,
        *,
        sources: Sequence[Model | str] = ("sequence",),
        seeds: int = 3,
        fusion: str = "score",
        held_back: int = 5,
        examples: int = 10_000,
        candidates: int = 100,
        seed: int = 0,
        training: Training | None = None,
    ) -> None:
        check_whole("seeds", seeds, 1, 100)
        check_whole("seed", seed, 0, SEEDS)
        check_choice("fusion", fusion, FUSIONS)
        check_sources(sources)
        if self.name in sources:
            raise InputError(
                f"sources of {self.name} cannot name {self.name}, as seeds would count twice: name models",
                field="sources",
            )
        members: list[Model] = []
        groups: list[int] = []
        for group, source in enumerate(sources):
            seeded = isinstance(source, str) and "seed" in arguments(source)
            for number in range(seeds if seeded else 1):
                single = Hybrid(encoder, sources=[source], seed=seed + number, training=training)
                members += single.sources
                groups.append(group)
        super().__init__(
            encoder,
            sources=members,
            held_back=held_back,
            examples=examples,
            candidates=candidates,
            seed=seed,
            training=training,
        )
        self.groups = np.array(groups)
        self.params |= {"seeds": seeds, "fusion": fusion}

    def fit(self, data: Dataset) -> None:
        """Fit every source; where they are several models, first on a part, to learn whom to trust.

        Raises:
            InputError: There is no positive event, or a source cannot be fitted.
        """
        if self.groups.max() > 0 or not (data.weight > 0).any():
            super().fit(data)
            return
        self.weights = np.full(len(self.sources), 1 / len(self.sources), np.float32)
        self._fit_sources(data)
        self.data = data

    def state(self) -> State:
        """Return the weights, and the state of every source."""
        arrays, document = super().state()
        return arrays, {**document, "groups": self.groups.tolist()}

    def restore(self, state: State) -> None:
        """Become the model whose ``state`` this is, with its sources; the encoder is the constructor's."""
        super().restore(state)
        self.groups = np.array(state[1]["groups"])

    def _stand(self, scores: Floats) -> None:
        if self.params["fusion"] == "score":
            super()._stand(scores)
            return
        for row in scores:
            known = row[self.known]
            if np.isnan(known).all():
                row[:] = 0.0
                continue
            places = np.sort(np.nan_to_num(known, nan=-np.inf))
            told = np.nan_to_num(row, nan=-np.inf)
            left, right = (np.searchsorted(places, told, side) for side in ("left", "right"))
            above = len(places) - right
            row[:] = (FIRST + 1) / (FIRST + above + (right - left + 1) / 2)

    def _weigh(self, found: Candidates) -> Floats:
        """Return weights float32[s]: those of the means over seeds, shared out evenly."""
        each = [found.scores[..., self.groups == group].mean(-1) for group in range(self.groups.max() + 1)]
        weights = super()._weigh(Candidates(found.items, np.stack(each, axis=-1)))
        counts = np.bincount(self.groups)
        shared: Floats = (weights / counts)[self.groups].astype(np.float32)
        return shared
