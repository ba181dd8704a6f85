"""How near an item reads to what a user liked last: beside the cosines of the sequence model.

The net reads a text in a few directions, and learns what goes with what among the items that it knows.
Finer likenesses are lost to it, as the same brand or the next volume; and the better it knows items apart,
the worse it judges one that nobody has chosen yet. So the nearness of texts in all their directions is added
to the cosines, with a weight that is chosen on users who were held out of the fit; for an item that was not
learned it counts more, and such a one is compared with states half by its own place and half by those of the
learned items that read most like it (after Gantner et al., "Learning attribute-to-feature mappings for
cold-start recommendations", ICDM 2010). The constants were chosen on validation parts of Beauty and ml-1m.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from acclimate.models.common import fading, unit_rows
from acclimate.models.item_vectors import TextSpace
from acclimate.models.logit import conditional_logit
from acclimate.types import Codes, Floats, Histories

POWER = 0.5
"""Share of the whitening: between texts as they are, 0, and all directions alike, 1."""
HALF_LIFE = 2.0
"""Later likes after which one counts half."""
NEWEST = 32
"""Likes that count: what lies behind them fades to nothing."""
LEAST, USUAL = 0.01, 0.15
"""A weight below that is none; and the weight where too few users are held out to choose it."""
ENOUGH = 100
"""Users that choose it."""
TRUST = 0.7
"""Share of the net's own inverse temperature that its scores keep at least."""
CELLS = 20_000_000
"""Pairs of user and item that are looked at for it, with `ENOUGH` users or more."""
TIMES, UNLEARNED = 4.0, 0.6
"""How many times the weight counts for an item that was not learned, and the most that comes of it."""
LEVEL = 0.2
"""The nearness from which on such an item gains."""
NEIGHBOURS, SHARPNESS = 20, 4.0
"""How many learned items stand for one that was not, and how sharply the nearest of them count more."""
KNOWN = 20_000
"""Learned items among which these are looked for; of more, each so many-th."""
AT_ONCE = 1024
"""Items whose neighbours are looked for together."""


class Nearness:
    """The texts of a catalogue in all their directions, and the weight of their nearness.

    Args:
        space: Where texts are placed.
        table: Places of the items' texts, of length 1, float32[n_items, text_d]; 0 for no text.
        warm: Which items were learned from events, bool[n_items].
        weight: Of the cosine of an item with the recent likes, where 1 is that of the net's cosine.

    Attributes:
        means: For each item that was not learned and has a text, the mean of the vectors of what reads like
            it, float32[n_items, d]; else 0.
    """

    def __init__(
        self, space: TextSpace, table: Floats, warm: NDArray[np.bool_], weight: float = USUAL
    ) -> None:
        self.space, self.table, self.warm, self.weight = space, table, warm, weight
        self.means: Floats = np.zeros((len(table), 0), np.float32)

    @classmethod
    def fit(cls, texts: Floats, warm: Codes) -> Nearness:
        """Learn the space from the texts float32[n_items, text_d] of the ``warm`` items."""
        space = TextSpace.fit(texts[warm], texts.shape[1], POWER)
        known = np.zeros(len(texts), np.bool_)
        known[warm] = True
        return cls(space, _placed(space, texts), known)

    def cosines(self, histories: Histories, items: Codes | None = None) -> Floats:
        """Return how near the ``items`` int32[m], or all, read to what n users liked last, float32[n, m].

        0 for a user who liked nothing with a text, and for an item without one.
        """
        liked = histories.liked().last(NEWEST)
        weights = fading(liked, HALF_LIFE)
        table = self.table if items is None else self.table[items]
        if len(liked) == 1:  # a request: without the detour over a sparse matrix
            users = (weights @ self.table[liked.items])[None]
        else:
            shape = (len(liked), len(self.table))
            users = csr_array((weights, liked.items, liked.offsets), shape=shape) @ self.table
        near: Floats = unit_rows(users) @ table.T
        return near

    @property
    def unlearned(self) -> float:
        """The weight for items that were not learned: more, but none where texts were of no use."""
        return min(UNLEARNED, TIMES * self.weight)

    def add(self, scores: Floats, histories: Histories, *, had: bool = True) -> None:
        """Add the nearness to scores float32[n, n_items] in place; not to what a user had unless ``had``."""
        if not len(histories) or not self.weight:
            return
        more = self.cosines(histories)
        more[:, ~self.warm] -= LEVEL
        more *= np.where(self.warm, np.float32(self.weight), np.float32(self.unlearned))
        if not had:
            more[histories.rows, histories.items] = 0
        scores += more

    def choose(
        self, scores: Floats, asked: Histories, targets: Codes, items: Codes, *, scale: float, again: bool
    ) -> None:
        """Take the weight under which what users did next was likeliest, 0..1.

        Scores and nearness are what the logits of a softmax are made of, and their two weights are fitted by
        maximum likelihood; the ratio of them is taken. That is steadier than the best NDCG of a few users.
        A net that is too sure of what it says may be trusted less, but not by more than `TRUST`: what is
        likely on the whole list is not what is best at its head.

        Args:
            scores: What the net says, float32[n, m].
            asked: Of n users, told by places in ``items``.
            targets: What they chose next, by place, int32[n].
            items: The m items that may be chosen, int32[m].
            scale: Inverse temperature of the scores, from which the search starts.
            again: Whether what a user had may come again.
        """
        parts = np.stack([scores, self.near(asked, items, again=again)])
        out = asked.where(np.full(len(asked.items), not again))
        trusted, read = conditional_logit(
            parts, targets, (out.rows, out.items), [scale, 0.0], lowest=[TRUST * scale, 0.0]
        )
        weight = round(float(min(read / trusted, 1)), 3)
        self.weight = weight if weight >= LEAST else 0.0

    def near(self, asked: Histories, items: Codes, *, again: bool) -> Floats:
        """Return `cosines` with ``items``, of users told by places there; 0 for what was had if ``again``."""
        near = self.cosines(asked.replace(items=items[asked.items]), items)
        if again:
            near[asked.rows, asked.items] = 0
        return near

    def look(self, unit: Floats, codes: Codes) -> None:
        """Find what reads like each of ``codes`` int32[m] that was not learned; what stands for others stays.

        ``unit`` are the vectors of all items, of length 1, float32[n_items, d].
        """
        if self.means.shape != unit.shape:
            wider = [(0, len(unit) - len(self.means)), (0, unit.shape[1] - self.means.shape[1])]
            self.means = np.pad(self.means, wider)
        codes = codes[~self.warm[codes]]
        warm = np.flatnonzero(self.warm & self.table.any(axis=1))
        warm = warm[:: -(-len(warm) // KNOWN) or 1]
        k = min(NEIGHBOURS, len(warm))
        known = self.table[warm]
        for start in range(0, len(codes) if k else 0, AT_ONCE):
            part = codes[start : start + AT_ONCE]
            near = self.table[part] @ known.T
            top = np.argpartition(-near, k - 1, axis=1)[:, :k]
            share = np.exp(SHARPNESS * (np.take_along_axis(near, top, 1) - near.max(axis=1, keepdims=True)))
            share /= share.sum(axis=1, keepdims=True)
            self.means[part] = np.einsum("mk,mkd->md", share, unit[warm[top]])
        self.means[codes[~self.table[codes].any(axis=1)]] = 0

    def aims(self, unit: Floats) -> Floats:
        """Return what states are compared with instead of ``unit``, float32[n_items, d] both.

        Half of an item that was not learned is its own vector, half what reads like it.
        """
        found = self.means.any(axis=1, keepdims=True)
        out: Floats = np.where(found, (unit + self.means) / 2, unit)
        return out

    def put(self, n_items: int, codes: Codes, texts: Floats | None) -> None:
        """Grow to ``n_items``, and place the texts float32[m, text_d] of ``codes`` int32[m] anew if given."""
        more = n_items - len(self.table)
        self.table = np.pad(self.table, ((0, more), (0, 0)))
        self.warm = np.pad(self.warm, (0, more))
        if texts is not None:
            self.table[codes] = _placed(self.space, texts)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return its arrays by name; the table in half precision."""
        return {
            "near.mean": self.space.mean,
            "near.axes": self.space.axes,
            "near.table": self.table.astype(np.float16),
            "near.warm": self.warm,
            "near.means": self.means[~self.warm],
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]], weight: float) -> Nearness | None:
        """Build from what `state` gave; None if there is nothing of it."""
        if "near.table" not in arrays:
            return None
        space = TextSpace(np.array(arrays["near.mean"]), np.array(arrays["near.axes"]))
        near = cls(space, np.array(arrays["near.table"], np.float32), np.array(arrays["near.warm"]), weight)
        near.means = np.zeros((len(near.table), arrays["near.means"].shape[1]), np.float32)
        near.means[~near.warm] = arrays["near.means"]
        return near


def _placed(space: TextSpace, texts: Floats) -> Floats:
    """Return the places of texts at length 1, rounded as they are kept."""
    placed: Floats = unit_rows(space.place(texts)).astype(np.float16).astype(np.float32)
    return placed
