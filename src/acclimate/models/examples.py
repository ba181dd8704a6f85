"""What a model of models learns from: events that were held back from its sources."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.rng import generator
from acclimate.types import Codes, Floats, Histories


class Examples(NamedTuple):
    """Choices that the sources have not seen.

    Args:
        users: Whose choice, int32[m].
        histories: What they had done before each choice; ``now`` is its time.
        items: What they chose, int32[m].
        weights: How much they liked it, float32[m], positive.
        values: Rating or amount, float32[m], NaN where there is none.
    """

    users: Codes
    histories: Histories
    items: Codes
    weights: Floats
    values: Floats

    def part(self, which: NDArray[np.integer]) -> Examples:
        """Return the chosen examples, int[n]."""
        return Examples(
            self.users[which],
            self.histories[which],
            self.items[which],
            self.weights[which],
            self.values[which],
        )


def hold_back(data: Dataset, each: int, most: int, seed: int) -> tuple[Dataset, Examples]:
    """Take up to ``each`` of the newest likes of each user, and everything since the first of them.

    A user keeps at least two thirds of the likes. An example is a like of an item that is new to the user;
    what was only shown before (weight 0) is as new as ever, and in no history.
    What other users did later stays: a cut in time would leave many sets without users on both sides.

    Args:
        data: The whole.
        each: Likes of a user at most.
        most: Examples at most; drawn at random.
        seed: Decides which.

    Returns:
        What the sources may learn from, and the examples.

    Example:
        >>> data = Dataset.of([("ann", f"i{n}", float(n)) for n in range(4)])
        >>> left, examples = hold_back(data, each=2, most=10, seed=0)
        >>> len(left), examples.items.tolist(), examples.histories.items.tolist()
        (3, [3], [0, 1, 2])
    """
    by_user = np.argsort(data.user, kind="stable")
    user, item, liked = data.user[by_user], data.item[by_user], data.weight[by_user] > 0
    likes = np.bincount(user[liked], minlength=data.n_users)
    so_far = np.cumsum(liked) - np.concatenate([[0], np.cumsum(likes)])[user]  # likes of the user up to here
    held = so_far > (likes - np.minimum(each, likes // 3))[user]
    acted = np.flatnonzero(data.weight[by_user])
    first = np.zeros(len(user), bool)
    pairs = user[acted].astype(np.int64) * data.n_items + item[acted]
    first[acted[np.unique(pairs, return_index=True)[1]]] = True
    chosen = np.flatnonzero(held & liked & first)
    chosen = np.sort(generator(seed, "held back").permutation(chosen)[:most])
    keep = np.ones(len(data), bool)
    keep[by_user[held]] = False
    histories = data.histories()
    before = chosen - histories.offsets[user[chosen]]
    asked = histories.first(user[chosen], before).replace(now=data.time[by_user[chosen]])
    asked = asked.where(asked.weights != 0)
    at = by_user[chosen]
    examples = Examples(user[chosen], asked, item[chosen], data.weight[at], data.value[at])
    return data.where(keep, until=data.until), examples
