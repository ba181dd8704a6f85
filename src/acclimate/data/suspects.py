"""Rows that no person would have made, or that are not what they seem.

They are found always, and removed on request alone. A detector is silent rather than wrong: what is usual in
the whole set (news that live for a day, a clock that counts days) is no reason to suspect anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.types import Codes, Times

YEAR_1990 = 631_152_000.0
"""Seconds since 1970; nobody logged what users do before, or the clock was not set."""
HOUR, DAY = 3_600.0, 86_400.0
PACE = 200
"""So many events of one user within as many seconds are more than a hand can do."""
MOMENTS = 60
"""...if they have at least so many different times; a batch that was stored at once has one."""
GAPS = 50
"""Gaps of a user from which on their regularity says something."""
REGULAR = 0.1
"""Spread of the middle half of the gaps, as a share of the middle one, below which a clock made them."""
RESTLESS_EVENTS, RESTLESS_HOURS = 1_000, 20
"""So many events in one day, in so many of its hours, leave no time for sleep."""
BURST_EVENTS, BURST_USERS = 5, 20
"""A burst has at least so many events, by at most so many users."""
BURST_SHARE = 1e-3
"""A burst is shorter than this share of the time of the whole set, and than a day."""
USUAL = 0.05
"""Where more than this share of the items come in bursts, that is how the shop works."""
FAR = 3.0
"""A value is far out beyond so many times the distance of the 5 % from the 95 % quantile."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Flag:
    """What a detector found.

    Args:
        name: Key in `DETECTORS`; ``--drop NAME`` removes it.
        reason: What it is, in a few words.
        events: Which events, bool[n].
        users: Codes of the users who are suspected as a whole, int32[m]; empty if single events are.
        items: Codes of the items that are, int32[m].
    """

    name: str
    reason: str
    events: Mask
    users: Codes
    items: Codes

    @property
    def count(self) -> int:
        """Number of events."""
        return int(self.events.sum())


def find_suspects(data: Dataset) -> list[Flag]:
    """Return what the detectors found; nothing for those that found nothing.

    Example:
        >>> rows = [("ann", f"i{n}", 1e9 + 10.0 * n) for n in range(100)]
        >>> [(flag.name, flag.count) for flag in find_suspects(Dataset.of(rows))]
        [('bots', 100)]
    """
    flags = (find(data) for find in DETECTORS.values()) if len(data) else ()
    return [flag for flag in flags if flag.count]


def _of_events(data: Dataset, name: str, reason: str, events: Mask) -> Flag:
    nobody = np.empty(0, np.int32)
    return Flag(name, reason, events, nobody, nobody)


def _of_users(data: Dataset, name: str, reason: str, users: Mask) -> Flag:
    return Flag(name, reason, users[data.user], np.flatnonzero(users).astype(np.int32), np.empty(0, np.int32))


def copies(data: Dataset) -> Flag:
    """Find events that repeat user, item, time and type of an earlier one, with another value."""
    repeats = np.zeros(len(data), bool)
    if data.timed:
        keys = (data.user.astype(np.int64) * data.n_items + data.item) * 128 + data.kind
        order = np.argsort(keys, kind="stable")  # events of one key stay in order of time
        same = (np.diff(keys[order]) == 0) & (np.diff(data.time[order]) == 0)
        repeats[order[1:][same]] = True
    return _of_events(data, "copies", "same user, item, time and type as an earlier row", repeats)


def early(data: Dataset) -> Flag:
    """Find times before 1990 beside later ones; where all are, they count from somewhere else."""
    before = (data.time < YEAR_1990) & data.timed
    return _of_events(data, "early", "a time before 1990", before & (not before.all()))


def outliers(data: Dataset) -> Flag:
    """Find values far out, on their own scale and on that of their logarithms."""
    known = np.isfinite(data.value)
    far = np.zeros(len(data), bool)
    if known.any():
        values = data.value[known].astype(np.float64)
        far[known] = _far_out(values) & _far_out(np.sign(values) * np.log1p(np.abs(values)))
    return _of_events(data, "outliers", "a value far out of the usual ones", far)


def _far_out(values: NDArray[np.float64]) -> Mask:
    low, high = np.quantile(values, [0.05, 0.95])
    reach = FAR * (high - low)
    return (values < low - reach) | (values > high + reach) if reach else np.zeros(len(values), bool)


def rates(data: Dataset) -> Flag:
    """Find users who did `PACE` things in as many seconds, one after the other."""
    order, times, users = _by_user(data)
    too_fast = np.zeros(data.n_users, bool)
    if data.timed and len(order) >= PACE:
        changed = np.cumsum(np.diff(times, prepend=times[0]) != 0)
        ends = slice(PACE - 1, None)
        last = slice(None, 1 - PACE)
        one = users[ends] == users[last]
        quick = times[ends] - times[last] <= PACE
        many = changed[ends] - changed[last] >= MOMENTS
        too_fast[users[last][one & quick & many]] = True
    return _of_users(data, "rates", "a user faster than a person can be", too_fast)


def bots(data: Dataset) -> Flag:
    """Find users whose gaps are those of a clock, and users who never rest."""
    machine = np.zeros(data.n_users, bool)
    if data.timed:
        tick = _tick(data.time)
        for user, times in _each_user(data, GAPS + 1):
            machine[user] = _regular(times, tick) or _restless(times)
    return _of_users(data, "bots", "a user as regular or as restless as a machine", machine)


def _regular(times: Times, tick: float) -> bool:
    """Say whether the gaps between moments are alike; habits of a day or a week are human, as is a tick."""
    gaps = np.diff(times)
    gaps = gaps[gaps > 0]
    if len(gaps) < GAPS:
        return False
    low, middle, high = np.quantile(gaps, [0.25, 0.5, 0.75])
    return bool(2 * tick < middle <= DAY / 4 and high - low <= REGULAR * middle)


def _restless(times: Times) -> bool:
    if len(times) < RESTLESS_EVENTS:
        return False
    days, counts = np.unique(times // DAY, return_counts=True)
    busy = days[counts >= RESTLESS_EVENTS]
    hours = np.unique(times[np.isin(times // DAY, busy)] // HOUR)
    active = np.unique(hours * HOUR // DAY, return_counts=True)[1]
    return bool((active >= RESTLESS_HOURS).any())


def _tick(times: Times) -> float:
    """Return the step of the clock in seconds: the largest of usual ones that divides all times, or 0."""
    return next((step for step in (DAY, HOUR, 60.0, 1.0) if not (times % step).any()), 0.0)


def bursts(data: Dataset) -> Flag:
    """Find items of which a few users had much in one short time, and nobody before or long after."""
    nothing = _of_items(data, np.zeros(data.n_items, bool))
    span = float(data.time[-1] - data.time[0])
    if not data.timed or not span:
        return nothing
    window = min(DAY, BURST_SHARE * span)
    counts = np.bincount(data.item, minlength=data.n_items)
    first, last = np.full(data.n_items, np.inf), np.full(data.n_items, -np.inf)
    np.minimum.at(first, data.item, data.time)
    np.maximum.at(last, data.item, data.time)
    enough = counts >= BURST_EVENTS
    short = enough & (last - first <= window)
    theirs = short[data.item]
    pairs = np.unique(data.item[theirs].astype(np.int64) * data.n_users + data.user[theirs])
    users = np.bincount(pairs // data.n_users, minlength=data.n_items)
    if short.sum() > max(USUAL * enough.sum(), 1.0):
        usual = np.median((last - first)[enough])
        if usual <= 10 * window:
            return nothing
    over = last + 30 * window <= data.time[-1]  # else it may just be new
    return _of_items(data, short & over & (users <= BURST_USERS) & (users > 1))


def _of_items(data: Dataset, items: Mask) -> Flag:
    codes = np.flatnonzero(items).astype(np.int32)
    reason = "an item that few users had in one burst, and nobody before or after"
    return Flag("bursts", reason, items[data.item], np.empty(0, np.int32), codes)


DETECTORS: dict[str, Callable[[Dataset], Flag]] = {
    "copies": copies,
    "early": early,
    "outliers": outliers,
    "rates": rates,
    "bots": bots,
    "bursts": bursts,
}
"""What ``--drop`` may name."""


def _by_user(data: Dataset) -> tuple[NDArray[np.int64], Times, Codes]:
    order = np.argsort(data.user, kind="stable")
    return order, data.time[order], data.user[order]


def _each_user(data: Dataset, least: int) -> Iterator[tuple[int, Times]]:
    """Yield code and times of each user with ``least`` events or more."""
    histories = data.histories()
    for user in np.flatnonzero(histories.lengths >= least).tolist():
        yield user, histories.times[histories.offsets[user] : histories.offsets[user + 1]]
