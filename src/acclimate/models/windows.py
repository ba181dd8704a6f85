"""Histories cut into training sequences of near length, and the held-out events that watch a fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from acclimate.rng import generator
from acclimate.types import Codes, Histories

TAKEN = 10
"""One of so many events of a user at most is held out, where several are foreseen."""
Pieces = tuple[NDArray[np.int64], NDArray[np.int64]]


class Windows:
    """Cuts each history into windows of at most ``longest`` steps; a step foresees the next event.

    Where a long history is cut depends on the epoch, so that over the epochs each event is foreseen from
    near and from far. Every event but a user's first is foreseen once in each epoch. All batches but one have
    exactly ``batch_tokens`` steps: fast kernels are made for a size, and kept.

    Args:
        offsets: int64[n + 1]; user i owns the events ``offsets[i]:offsets[i + 1]``, oldest first.
        longest: Steps in a window at most.
        batch_tokens: Steps in a batch.
        seed: Decides cuts and order.

    Example:
        >>> windows = Windows(np.array([0, 3]), longest=5, batch_tokens=10, seed=0)
        >>> [tuple(part.tolist() for part in batch) for batch in windows.epoch(0)]
        [([0, 1], [2])]
    """

    def __init__(self, offsets: NDArray[np.int64], longest: int, batch_tokens: int, seed: int) -> None:
        self.offsets = offsets
        self.longest, self.batch_tokens, self.seed = longest, batch_tokens, seed

    def epoch(self, number: int) -> Iterator[Pieces]:
        """Yield (places int64[total], lengths int64[n]) in the epoch's own order.

        A step reads the event at its place, and foresees the one behind.
        """
        rng = generator(self.seed, "windows", number)
        starts, steps = self._cut(rng)
        near = np.argsort(steps + rng.uniform(0, 1 + 0.05 * steps), kind="stable")
        batches = self._pack(starts[near], steps[near])
        for at in rng.permutation(len(batches)):
            begin, lengths = batches[at]
            before = np.cumsum(lengths) - lengths
            yield np.repeat(begin - before, lengths) + np.arange(lengths.sum()), lengths

    def _cut(self, rng: np.random.Generator) -> Pieces:
        """Return the place of each window's first input, and its steps, int64[w] both."""
        starts, steps = [], []
        for first, end in zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True):
            last, size = end - 1, self.longest
            if last - first > self.longest:
                size = int(rng.integers(1, self.longest + 1))
            while last > first:
                size = min(size, last - first)
                last -= size
                starts.append(last)
                steps.append(size)
                size = self.longest
        return np.array(starts, np.int64), np.array(steps, np.int64)

    def _pack(self, starts: NDArray[np.int64], steps: NDArray[np.int64]) -> list[Pieces]:
        """Fill one batch after the other; a window that does not fit goes on in the next batch."""
        batches: list[Pieces] = []
        begin: list[int] = []
        lengths: list[int] = []
        room = self.batch_tokens
        for start, left in zip(starts.tolist(), steps.tolist(), strict=True):
            while left:
                size = min(left, room)
                begin.append(start)
                lengths.append(size)
                start, left, room = start + size, left - size, room - size
                if not room:
                    batches.append((np.array(begin), np.array(lengths)))
                    begin, lengths, room = [], [], self.batch_tokens
        return [*batches, (np.array(begin), np.array(lengths))] if begin else batches


class Ahead:
    """Draws what each event foresees of what follows it ("dense all action" loss).

    What comes right next hangs on the moment: on a page where two things stand side by side. A model that
    foresees only that forgets, the longer it learns, what a user will want in a week. One that foresees a
    later event as often as the next learns the latter.

    Args:
        offsets: int64[n + 1]; user i owns the events ``offsets[i]:offsets[i + 1]``, oldest first.
        most: Among how many it is drawn; 1 is always the next.
        draws: How many are drawn, one of each stretch of that length; 1 if there is but one.
        seed: Decides which.

    Example:
        >>> Ahead(np.array([0, 3, 5]), most=9, draws=2, seed=0).epoch(0)(np.array([0, 1, 3])).tolist()
        [[1, 2], [2, 2], [4, 4]]

    References:
        Pancha, Zhai, Leskovec and Rosenberg, "PinnerFormer", KDD 2022.
    """

    def __init__(self, offsets: NDArray[np.int64], most: int, draws: int, seed: int) -> None:
        self.most, self.draws, self.seed = most, min(draws, most), seed
        self.ends = np.repeat(offsets[1:], np.diff(offsets))

    def epoch(self, number: int) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
        """Return what says, of events at places int64[total], where that is what they foresee in an epoch.

        Of each but the last of its user it says places int64[total, draws]; the same one may stand twice.
        """
        rng = generator(self.seed, "ahead", number)

        def foreseen(places: NDArray[np.int64]) -> NDArray[np.int64]:
            after = places[:, None] + 1
            if self.most == 1:
                return after
            room = np.minimum(self.ends[places][:, None] - after, self.most)
            share = (np.arange(self.draws) + rng.random((len(places), self.draws))) / self.draws
            drawn: NDArray[np.int64] = after + np.minimum((share * room).astype(np.int64), room - 1)
            return drawn

        return foreseen


def before_baskets(offsets: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the place of the last event before the second of each event, int64[total].

    Args:
        offsets: int64[n + 1]; user i owns the events ``offsets[i]:offsets[i + 1]``, oldest first.
        times: Seconds float64[total].

    Returns:
        -1 where the user did nothing before that second.

    Example:
        >>> before_baskets(np.array([0, 4]), np.array([1.0, 5.0, 5.5, 9.0])).tolist()
        [-1, 0, 0, 2]
    """
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    new = (np.diff(np.floor(times), prepend=np.nan) != 0) | (np.diff(rows, prepend=-1) != 0)
    begin = np.maximum.accumulate(np.where(new, np.arange(len(times)), 0))
    return np.where(begin > offsets[rows], begin - 1, -1)


def hold_out(
    histories: Histories,
    most: int,
    seed: int,
    *,
    again: bool = False,
    together: bool = False,
    ahead: int = 1,
) -> tuple[Histories, Histories, Codes]:
    """Take the last event from some users, so that a fit can be watched.

    Args:
        histories: n users.
        most: Users at most; those with fewer than three events, or whose last item is not liked or not new
            to them, are left whole.
        seed: Decides which.
        again: Whether the item may be one that the user had before.
        together: Whether all that the user did in the same second is taken away with it.
        ahead: Where more than 1, so many events are taken away from the end, but a tenth of them at most,
            and one that is drawn among them is asked for.

    Returns:
        What is left to train on (n users), the m users with what they did before the event that was taken,
        asked when it happened, and its item, int32[m].

    Example:
        >>> left, asked, targets = hold_out(Histories.of([[1, 2, 3], [4]]), most=10, seed=0)
        >>> left.items.tolist(), asked.items.tolist(), targets.tolist()
        ([1, 2, 4], [1, 2], [3])
    """
    last_items = histories.items[np.maximum(histories.offsets[1:] - 1, 0)]
    same = histories.items == last_items[histories.rows]
    times_had = np.bincount(histories.rows[same], minlength=len(histories))
    ends = np.maximum(histories.offsets[1:] - 1, 0)
    able = (histories.lengths >= 3) & ((times_had == 1) | again) & (histories.weights[ends] > 0)
    first = ends
    if together:
        before = before_baskets(histories.offsets, histories.times)
        able &= before[ends] >= 0
        first = before[ends] + 1
    chosen = np.sort(generator(seed, "held out").permutation(np.flatnonzero(able))[:most])
    first, target = first[chosen], ends[chosen]
    now = histories.times[target]
    if ahead > 1 and len(chosen):
        first = target + 1 - np.clip(histories.lengths[chosen] // TAKEN, 1, ahead)
        now = histories.times[first]
        target = _one_of(histories, first, again, generator(seed, "held out", "ahead"))
    until = histories.offsets[1:].copy()
    until[chosen] = first
    left = histories.where(np.arange(len(histories.items)) < until[histories.rows])
    return left, left[chosen].replace(now=now), histories.items[target]


def _one_of(
    histories: Histories, first: NDArray[np.int64], again: bool, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return for each user the place of an event from ``first`` on, drawn among those that may be asked for.

    It is liked, and its item new to the user, as that of the last event is.
    """
    ends = histories.offsets[1:][histories.rows[first]]
    away = ends - first
    places = np.repeat(ends - np.cumsum(away), away) + np.arange(away.sum())
    pairs = histories.rows.astype(np.int64) * (int(histories.items.max()) + 1) + histories.items
    before = np.ones(len(pairs), bool)
    before[places] = False
    fit = (histories.weights[places] > 0) & (again | ~np.isin(pairs[places], pairs[before]))
    drawn = np.where(fit, rng.random(len(places)), -1.0)
    begin = np.cumsum(away) - away
    best = np.repeat(np.maximum.reduceat(drawn, begin), away)
    found: NDArray[np.int64] = places[(drawn == best) & (drawn >= 0)]
    return found
