"""A figure that should stay high: when it fell, from what to what, and when it is back."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from acclimate.adapt.adwin import Adwin
from acclimate.adapt.detectors import Change, PageHinkley
from acclimate.types import State

Values = NDArray[np.float64]

BLOCK, GROUP = 256, 64
"""Observations that are looked at together; and those of which one mean is taken."""
FALL = 0.1
"""A fall by less than this share of what was does not matter."""
SURE = 2.0
"""Standard errors within which a figure is back."""
ALLOWANCE, THRESHOLD = 0.25, 16.0
"""Of Page-Hinkley on means, in their standard deviations."""


@dataclass(frozen=True, slots=True)
class Fall:
    """A figure is lower than it was.

    Args:
        before: What it was.
        now: What it is.
        since: Observation with which it began, about.
    """

    before: float
    now: float
    since: int


class Watch:
    """Tells when the mean of a figure in 0..1 has fallen, by ADWIN on it or Page-Hinkley on means of 64.

    ADWIN finds what is sudden, and small changes once there is enough; Page-Hinkley what is slow, and by its
    own measure of how much such means differ. What was found lasts until the newest observations are as high
    as before, by what can be told apart, or until that has become normal; never on fewer than ``newest``.

    Args:
        newest: Observations that are now, 512 or more; what is older has faded.
        memory: Observations in which what is held to be normal goes two thirds of the way to what is now.

    Example:
        >>> watch = Watch(newest=512, memory=20_000.0)
        >>> watch.learn((np.arange(4000) % 2).astype(float))
        >>> watch.learn((np.arange(4000) % 8 == 0).astype(float))
        >>> watch.fall.since, round(watch.fall.now, 2)
        (3968, 0.12)
        >>> watch.learn((np.arange(4000) % 2).astype(float))
        >>> watch.fall
    """

    def __init__(self, newest: int, memory: float) -> None:
        self.newest, self.memory = newest, memory
        self.taken = 0
        """Observations, without those that are NaN."""
        self._adwin = Adwin(block=GROUP)
        self._test = PageHinkley(allowance=ALLOWANCE, threshold=THRESHOLD)
        self._now, self._heard = np.zeros(4), 0
        """Of the newest, fading: count, sum, squares, squared weights; and how many came since that began."""
        self._found: Change | None = None
        self._normal = 0.0
        """What it has to be again: what it was, and then ever more what it is."""
        self._waiting: Values = np.zeros(0)

    @property
    def fall(self) -> Fall | None:
        """What it fell from and to, as long as that lasts."""
        if self._found is None:
            return None
        now = self._found.after if not self._now[0] else float(self._now[1] / self._now[0])
        return Fall(self._found.before, now, self._found.since)

    def learn(self, values: Values) -> None:
        """Take in observations in 0..1, oldest first, float64[n]; NaN is passed over."""
        known = values[~np.isnan(values)]
        self.taken += len(known)
        known = np.append(self._waiting, known)
        whole = len(known) // BLOCK * BLOCK
        self._waiting = known[whole:].copy()
        for block in known[:whole].reshape(-1, BLOCK):
            self._take(block)

    def restart(self) -> None:
        """Another model answers: what is now is measured anew; what it was before a fall is not forgotten."""
        self._test.restart()
        self._now, self._heard = np.zeros(4), 0

    def state(self) -> State:
        """Return all that the next observation depends on."""
        arrays = {"now": self._now.copy(), "waiting": self._waiting.copy()}
        numbers = {"newest": self.newest, "memory": self.memory, "taken": self.taken, "heard": self._heard}
        document = {**numbers, "normal": self._normal, "found": self._found and asdict(self._found)}
        for name, (more, about) in (("adwin", self._adwin.state()), ("test", self._test.state())):
            arrays |= {f"{name}.{key}": each for key, each in more.items()}
            document[name] = about
        return arrays, document

    @classmethod
    def restored(cls, state: State) -> Watch:
        """Return the one whose `state` this is."""
        arrays, document = state
        made = cls(document["newest"], document["memory"])
        made.taken, made._heard, made._normal = document["taken"], document["heard"], document["normal"]
        made._now, made._waiting = np.array(arrays["now"]), np.array(arrays["waiting"])
        made._found = document["found"] and Change(**document["found"])
        names = ("buckets", "waiting")
        made._adwin = Adwin.restored(({name: arrays[f"adwin.{name}"] for name in names}, document["adwin"]))
        made._test = PageHinkley.restored(({"sides": arrays["test.sides"]}, document["test"]))
        return made

    def _take(self, block: Values) -> None:
        kept = max(0.0, 1 - 2 * BLOCK / self.newest)
        more = np.array([BLOCK, block.sum(), (block**2).sum(), BLOCK])
        self._now = self._now * [kept, kept, kept, kept**2] + more
        self._heard += BLOCK
        found = self._look(block)
        if self._found is None and found is not None:
            self._begin(found)
        elif self._found is not None:
            self._follow(self._found)

    def _look(self, block: Values) -> Change | None:
        """Return a fall that matters and was found with this block; places count observations."""
        cuts, alarms = self._adwin.changes, self._test.changes
        self._adwin.learn(block)
        self._test.learn(block.reshape(-1, GROUP).mean(axis=1))
        found = []
        if self._adwin.changes > cuts and self._adwin.change:
            found.append(self._adwin.change)
        if self._test.changes > alarms and (told := self._test.change):
            since, at, many = (GROUP * n for n in (told.since, told.at, told.many))
            found.append(Change(told.before, told.after, since, at, many))
        return next((each for each in found if each.before - each.after > FALL * each.before), None)

    def _begin(self, found: Change) -> None:
        """Measure what is now from where it fell."""
        n = float(min(found.at - found.since, self.newest))
        spread = found.after * (1 - found.after)  # the most that a figure in 0..1 can have
        self._now = np.array([n, n * found.after, n * (spread + found.after**2), n])
        self._found, self._normal, self._heard = found, found.before, 0

    def _follow(self, found: Change) -> None:
        """End what has been made good; else what is new becomes normal by a little."""
        n, total, square, weights = self._now.tolist()
        now = total / n
        variance = max(square / n - now**2, 0.0)
        error = np.sqrt(variance * (weights / n**2 + 1 / found.many))
        close = max(SURE * error, FALL * self._normal)
        if self._heard >= self.newest and self._normal - now <= close:
            self._found = None
        self._normal += (now - self._normal) * BLOCK / self.memory
