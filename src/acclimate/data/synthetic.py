"""Small made worlds whose right answer is known, for measuring adaptation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.data.vocab import Vocabulary
from acclimate.errors import InputError, nearest
from acclimate.rng import generator
from acclimate.types import Codes, Item, Times

CHANGES = ("none", "sudden", "gradual", "recurring")
MINUTE = 60.0
LIST = 10
"""The oracle's figures are for lists of this length."""


@dataclass(frozen=True)
class World:
    """Events that were drawn from known chances, and what somebody who knows the chances would reach.

    Each user has a taste, each taste a part of the catalogue that it likes, some items more than others. When
    the world changes, each taste that turns does so to the part that the next one of them liked.

    Args:
        data: The events, a minute apart; an item's ``created_at`` says from when on it is there.
        taste: The taste of each user, int32[n_users].
        likes: Chance of each item for each taste before the change float64[tastes, n_items]; rows sum to 1.
        change: One of `CHANGES`.
        repeats: Whether a user may choose an item again.
        hit: Expected hit rate in a list of ten of one who knows the chances, for each event, float64[n].
        ndcg: The same of NDCG@10.
        turning: How many tastes turn, the first ones.
    """

    data: Dataset
    taste: Codes
    likes: NDArray[np.float64]
    change: str
    repeats: bool
    hit: NDArray[np.float64]
    ndcg: NDArray[np.float64]
    turning: int

    @property
    def turns(self) -> NDArray[np.bool_]:
        """Of each user whether its taste turns, bool[n_users]."""
        return self.taste < self.turning

    def chances(self, users: Codes, at: Times) -> NDArray[np.float64]:
        """Return how much the users ``users`` int32[m] like each item at ``at`` float64[m]: float64[m, n]."""
        share = _turned(self.change, np.asarray(at) / (MINUTE * len(self.data)))[:, None]
        mine = self.taste[users]
        return (1 - share) * self.likes[mine] + share * _moved(self.likes, self.turning)[mine]


def drifting_world(
    change: str = "sudden",
    *,
    n_users: int = 200,
    n_items: int = 200,
    n_events: int = 6_000,
    tastes: int = 5,
    focus: float = 0.9,
    new_users: float = 0.0,
    new_items: float = 0.0,
    repeats: bool = False,
    turning: float = 1.0,
    seed: int = 0,
) -> World:
    """Make a world that changes in a known way.

    Args:
        change: ``"none"``; ``"sudden"``, at half of the time; ``"gradual"``, from two fifths to three fifths;
            ``"recurring"``, there and back by quarters of the time.
        n_users: Users, each with one taste for good.
        n_items: Items, as many in each taste's part as in any other.
        n_events: Events, a minute apart.
        tastes: Number of tastes, 2 or more.
        focus: Share of the choices that fall on the taste's own part; the others fall anywhere.
        new_users: Share of the users who come one by one in the course of time.
        new_items: Share of the items that do.
        repeats: Whether a user may choose an item again.
        turning: Share of the tastes that turn, 0..1.
        seed: Decides everything.

    Raises:
        InputError: No such change, or the users run out of items.

    Example:
        >>> world = drifting_world("sudden", n_events=100)
        >>> world.data
        Dataset('a world with a sudden change': 100 events, 200 users, 200 items)
        >>> bool((world.ndcg <= world.hit).all())
        True

    References:
        Gama et al., "A survey on concept drift adaptation", ACM Computing Surveys 2014, section 2.2.
    """
    if change not in CHANGES:
        raise InputError(f"no change {change!r}: {nearest(change, CHANGES)}", field="change")
    rng = generator(seed, "world", change)
    user_from, item_from = _arrivals(n_users, new_users, rng), _arrivals(n_items, new_items, rng)
    likes = _likes(n_items, tastes, focus, rng)
    taste = np.arange(n_users, dtype=np.int32) % tastes
    turned = round(turning * tastes)
    moved, open_ = _moved(likes, turned), np.ones((n_users, n_items), bool)
    user, item = np.empty(n_events, np.int32), np.empty(n_events, np.int32)
    hit, ndcg = np.empty(n_events), np.empty(n_events)
    gain = 1 / np.log2(np.arange(2, LIST + 2))
    for n in range(n_events):
        at = n / n_events
        who = user[n] = rng.choice(np.flatnonzero(user_from <= at))
        share = _turned(change, np.array([at]))[0]
        chance = (1 - share) * likes[taste[who]] + share * moved[taste[who]]
        chance = np.where(open_[who] & (item_from <= at), chance, 0.0)
        if not chance.sum():
            raise InputError("a user has had every item: make fewer events, or more items", field="n_items")
        chance /= chance.sum()
        best = np.sort(chance)[::-1][:LIST]
        hit[n], ndcg[n] = best.sum(), best @ gain[: len(best)]
        item[n] = rng.choice(n_items, p=chance)
        open_[who, item[n]] = repeats
    born = np.ceil(item_from * n_events) * MINUTE
    data = Dataset(
        Vocabulary([f"u{n}" for n in range(n_users)]),
        Vocabulary([f"i{n}" for n in range(n_items)]),
        user,
        item,
        np.arange(n_events) * MINUTE,
        catalogue=[
            Item(
                f"i{n}",
                title=f"thing {n}",
                text=f"part{n % tastes} kind{n % tastes}",
                created_at=float(born[n]),
            )
            for n in range(n_items)
        ],
        name=f"a world with {'no' if change == 'none' else f'a {change}'} change",
    )
    return World(data, taste, likes, change, repeats, hit, ndcg, turned)


def _arrivals(n: int, late: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return when each comes, as a share of the time: most at 0, ``late`` of them spread over it."""
    arrivals = np.zeros(n)
    later = rng.permutation(n)[: round(late * n)]
    arrivals[later] = rng.uniform(0, 1, len(later))
    return arrivals


def _likes(n_items: int, tastes: int, focus: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return float64[tastes, n_items]: item ``i`` lies in the part of taste ``i % tastes``."""
    worth = 1 / np.arange(1, n_items // tastes + 2)
    likes = np.zeros((tastes, n_items))
    for taste in range(tastes):
        part = np.arange(taste, n_items, tastes)
        mine = rng.permutation(worth[: len(part)])
        likes[taste, part] = focus * mine / mine.sum()
    likes += (1 - focus) / n_items
    return likes


def _moved(likes: NDArray[np.float64], turning: int) -> NDArray[np.float64]:
    """Return what each taste likes after the change, of which the first ``turning`` turn."""
    return np.concatenate([np.roll(likes[:turning], -1, axis=0), likes[turning:]])


def _turned(change: str, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return which share of the choices follows the new likes at ``at`` (0..1 of the time)."""
    if change == "sudden":
        return (at >= 0.5).astype(np.float64)
    if change == "gradual":
        return np.array(np.clip((at - 0.4) / 0.2, 0.0, 1.0))
    if change == "recurring":
        return np.floor(4 * at) % 2
    return np.zeros(len(at))
