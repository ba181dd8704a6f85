"""What the events of a data set make one careful about: their times, their number, their values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from acclimate.data.cleaning import moment
from acclimate.data.dataset import Dataset
from acclimate.data.held_out import since_last
from acclimate.data.item_statistics import shift
from acclimate.data.split import split_time
from acclimate.data.suspects import DAY, YEAR_1990
from acclimate.words import counted

SEVERITIES = ("warning", "hint", "fine")
FEW_EVENTS = 5
"""Users and items with fewer events are cold."""
MANY_REPEATS = 0.2
"""From this share of the choices on it matters whether an item may come again."""
FEW_USERS = 200
"""Below so many users a comparison of models says little."""


@dataclass(frozen=True)
class Advice:
    """One thing to know.

    Args:
        severity: One of `SEVERITIES`: results would be wrong or weak; better known; looked at, and well.
        topic: A word for programs, as in ``"ties"``.
        finding: What is so, with its figures.
        todo: What to do; empty where there is nothing.
    """

    severity: str
    topic: str
    finding: str
    todo: str = ""


def times(data: Dataset) -> Iterator[Advice]:
    """Say whether there are times, and which span."""
    if not data.timed:
        todo = "give a timestamp if there is one; without, use the protocol 'last', and no replay"
        yield Advice("warning", "time", "there are no times: the order of the rows stands for them", todo)
        return
    first, last = float(data.time[0]), float(data.time[-1])
    if last < YEAR_1990:
        todo = "if they are seconds from another start, that does no harm; dates and hours mean nothing then"
        yield Advice("hint", "time", f"all times are before 1990, the last one {moment(last)}", todo)
        return
    span = (last - first) / DAY
    told = f"events from {moment(first)[:10]} to {moment(last)[:10]}, {counted(round(span), 'day')}"
    if span < 1:
        yield Advice("hint", "time", f"{told}: less than a day", "rhythms and trends cannot be seen in it")
    else:
        yield Advice("fine", "time", told)


def ties(data: Dataset) -> Iterator[Advice]:
    """Say how many events share their time."""
    if not data.timed:
        return
    histories = data.histories()
    same = (np.diff(histories.times) == 0) & (np.diff(histories.rows) == 0)
    tied = np.zeros(len(data), bool)
    tied[1:] |= same
    tied[:-1] |= same
    share = float(tied.mean())
    told = f"{share:.0%} of the events share their time with another one of the same user"
    if share > 0.1:
        todo = "the order of the file decides among them: keep it, and read little into who came last"
        yield Advice("warning" if share > 0.4 else "hint", "ties", told, todo)
    elif share:
        yield Advice("fine", "ties", told)


def size(data: Dataset) -> Iterator[Advice]:
    """Say how many pairs are known."""
    users, items = len(np.unique(data.user)), len(np.unique(data.item))
    pairs = len(np.unique(data.user.astype(np.int64) * data.n_items + data.item))
    density = pairs / (users * items)
    told = f"{counted(users, 'user')} had {counted(items, 'item')}; {density:.2%} of all pairs are known"
    mean = len(data) / users
    if mean < FEW_EVENTS:
        todo = "item texts matter most here: give titles and categories, and compare with popularity"
        yield Advice("hint", "sparsity", f"{told}, {mean:.1f} events a user", todo)
    else:
        yield Advice("fine", "sparsity", f"{told}, {mean:.0f} events a user")
    if users < FEW_USERS:
        todo = "differences between models will be chance: look at the intervals, not at the order"
        yield Advice("warning", "users", f"only {counted(users, 'user has', 'users have')} events", todo)


def cold(data: Dataset) -> Iterator[Advice]:
    """Say who and what has few events."""
    for what, codes, n in (("users", data.user, data.n_users), ("items", data.item, data.n_items)):
        counts = np.bincount(codes, minlength=n)
        cold, none = float((counts < FEW_EVENTS).mean()), int((counts == 0).sum())
        told = f"{cold:.0%} of the {what} have fewer than {FEW_EVENTS} events"
        told += f", {none:,} of them none" if none else ""
        if cold > 0.3:
            todo = (
                "for items, a model that reads texts (sequence, content, hybrid)"
                if what == "items"
                else "ask new users for a few likes, or give what is known of them"
            )
            yield Advice(
                "hint",
                f"cold {what}",
                told,
                f"{todo}; --k-core {FEW_EVENTS} trims the set as published ones are",
            )
        else:
            yield Advice("fine", f"cold {what}", told)


def drift(data: Dataset) -> Iterator[Advice]:
    """Say how much of what was chosen most in the first half of the events still is in the second."""
    if not data.timed or data.time[0] == data.time[-1]:
        return
    share, chance = shift(data)
    told = f"{share:.0%} of the items chosen most in the first half of the events are so in the second"
    told += f" ({chance:.0%} between two halves at random)"
    if share < 0.5 * chance and chance >= 0.5:
        todo = "what is popular changes: compare with recent-popularity, and measure with acclimate replay"
        yield Advice("hint", "drift", told, todo)
    else:
        yield Advice("fine", "drift", told)


def protocol(data: Dataset) -> Iterator[Advice]:
    """Say which protocol has enough users."""
    if not data.timed:
        return
    split = split_time(data)
    told = f"a cut at 90 % of the time leaves {counted(len(split.users), 'user')} with a past and a future"
    if len(split.users) < FEW_USERS:
        todo = "too few to compare models with the protocol 'time': use 'last', and acclimate replay for time"
        yield Advice("hint", "protocol", told, todo)
    else:
        yield Advice("fine", "protocol", told, "measure with --protocol time: nothing leaks from the future")


def repeats(data: Dataset) -> Iterator[Advice]:
    """Say how often users choose what they had before."""
    liked = data.weight > 0
    if not liked.any():
        return
    share = float(np.isfinite(since_last(data)[liked]).mean())
    told = f"{share:.0%} of the choices are of items that the user had before"
    if share > MANY_REPEATS:
        todo = (
            "by default they are in no list and are no targets; where they should be, --set "
            "repeat.default=always, or a time such as 7d, and compare with the model frequency"
        )
        yield Advice("hint", "repeats", told, todo)
    else:
        yield Advice("fine", "repeats", told)


def ratings(data: Dataset) -> Iterator[Advice]:
    """Say what the values are like, and which are good."""
    values = data.value[np.isfinite(data.value)]
    levels = np.unique(values)
    if not len(values) or (data.kind[np.isfinite(data.value)] >= 0).any():
        return
    if len(levels) == 1:
        yield Advice(
            "hint", "values", f"all values are {levels[0]:g}: they say nothing", "leave the column out"
        )
    elif len(levels) <= 21 and (levels * 2 % 1 == 0).all():  # amounts of money are no ratings
        middle = float(np.quantile(values, 0.5, method="higher"))
        liked = float((values >= middle).mean())
        told = f"ratings from {levels[0]:g} to {levels[-1]:g}; every one counts as positive by default"
        todo = f'--set train.positive=">={middle:g}" counts the {liked:.0%} that are good'
        yield Advice("hint", "positive", told, todo)
