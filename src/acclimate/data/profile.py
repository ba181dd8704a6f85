"""What is known of a user at a time: how much, how lately, when, and what they like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acclimate.data.features import hours_and_days
from acclimate.data.suspects import DAY, YEAR_1990
from acclimate.words import counted

HALF_LIFE = 90 * DAY
"""Seconds after which an older like counts half in a taste.

A time in which nothing was liked counts as no longer than that: who stayed away did not change their mind.
"""
MOST_TASTES = 10
"""Tastes that a profile names."""
DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
PARTS_OF_DAY = ("at night", "in the morning", "in the afternoon", "in the evening")
CLEAR = 20
"""Events from which on a rhythm is named."""


@dataclass(frozen=True)
class Profile:
    """A user as of one time; nothing later is in it.

    Args:
        now: Seconds since 1970.
        events: Events with an item that mean something.
        likes: Those of positive weight.
        dislikes: Those of negative weight.
        items: Different items among them.
        since_first: Seconds since the first event; None without events.
        since_last: Seconds since the last one.
        active_days: Days in UTC with an event.
        hours: Share of the events in each hour of the day in UTC, 24 numbers; empty if times are no dates.
        weekdays: Share of the events on each day of the week, Monday first; empty likewise.
        tastes: Categories of what was liked and their share, the largest first; newer likes count more. From
            one like to the next, what was before fades at most by half, however long the user was away.
        variety: How many categories the tastes are worth, 1 for a single one; 0 without any. It is
            exp(entropy).
        mean_value: Mean rating; None if nothing was rated.
    """

    now: float
    events: int
    likes: int
    dislikes: int
    items: int
    since_first: float | None
    since_last: float | None
    active_days: int
    hours: tuple[float, ...]
    weekdays: tuple[float, ...]
    tastes: tuple[tuple[str, float], ...]
    variety: float
    mean_value: float | None


MOST_STARS = 10
"""A mean value above it is told as an amount, not as a rating."""


class UserProfile:
    """Builds the profile of one user, event by event; any chunking of the same events gives the same.

    Example:
        >>> user = UserProfile()
        >>> user.learn(np.array([7]), np.array([1e9]), np.array([1.0]), np.array([5.0]), [("Drama",)])
        >>> user.learn(np.array([8]), np.array([2e9]), np.array([1.0]), np.array([4.0]), [("Crime",)])
        >>> profile = user.at(2e9)
        >>> profile.likes, profile.mean_value, profile.tastes[0][0]
        (2, 4.5, 'Crime')
    """

    def __init__(self) -> None:
        self._likes = self._dislikes = self._rated = 0
        self._sum = 0.0
        self._first, self._last = np.inf, -np.inf
        self._items: set[int] = set()
        self._days: set[int] = set()
        self._hours, self._weekdays = np.zeros(24, np.int64), np.zeros(7, np.int64)
        self._liked: list[tuple[float, Sequence[str]]] = []

    def learn(
        self,
        items: NDArray[np.integer],
        times: NDArray[np.floating],
        weights: NDArray[np.floating],
        values: NDArray[np.floating],
        categories: Sequence[Sequence[str]],
    ) -> None:
        """Take in events, in any order.

        Args:
            items: Item codes int[n].
            times: Seconds float[n].
            weights: What each event means, float[n]; nothing if 0.
            values: Ratings or amounts float[n], NaN where there is none.
            categories: Those of each event's item, n lists.
        """
        acted = np.flatnonzero(weights != 0)
        if not len(acted):
            return
        seconds = times[acted].astype(np.float64)
        self._likes += int((weights > 0).sum())
        self._dislikes += int((weights < 0).sum())
        rated = np.isfinite(values) & (weights != 0)
        self._rated += int(rated.sum())
        self._sum += float(values[rated].sum(dtype=np.float64))
        self._first, self._last = min(self._first, seconds.min()), max(self._last, seconds.max())
        self._items.update(items[acted].tolist())
        self._days.update((seconds // DAY).astype(np.int64).tolist())
        for counts, codes in zip((self._hours, self._weekdays), hours_and_days(seconds), strict=True):
            np.add.at(counts, codes, 1)
        self._liked += [
            (float(times[place]), categories[place]) for place in np.flatnonzero(weights > 0).tolist()
        ]

    def _tastes(self) -> dict[str, float]:
        """Return what each category is worth: a like is shared by its categories, and fades with time."""
        liked = sorted(self._liked, key=lambda like: like[0])
        gaps = np.diff([time for time, _ in liked], append=liked[-1][0] if liked else [])
        ages = np.cumsum(np.minimum(gaps, HALF_LIFE)[::-1])[::-1]
        amounts: dict[str, float] = {}
        for (_, categories), weight in zip(liked, (0.5 ** (ages / HALF_LIFE)).tolist(), strict=True):
            for name in categories:
                amounts[name] = amounts.get(name, 0.0) + weight / len(categories)
        return amounts

    def at(self, now: float) -> Profile:
        """Return the profile at ``now`` seconds; it is not asked of the past.

        A log may hold events of a clock that runs ahead of ours; they count as happening now.
        """
        events = self._likes + self._dislikes
        dated = events > 0 and self._first >= YEAR_1990
        shares = sorted(_shares(self._tastes()).items(), key=lambda pair: (-pair[1], pair[0]))
        return Profile(
            now=now,
            events=events,
            likes=self._likes,
            dislikes=self._dislikes,
            items=len(self._items),
            since_first=max(now - self._first, 0.0) if dated else None,
            since_last=max(now - self._last, 0.0) if dated else None,
            active_days=len(self._days) if dated else 0,
            hours=tuple((self._hours / events).tolist()) if dated else (),
            weekdays=tuple((self._weekdays / events).tolist()) if dated else (),
            tastes=tuple(shares[:MOST_TASTES]),
            variety=_variety([share for _, share in shares]),
            mean_value=self._sum / self._rated if self._rated else None,
        )


def _shares(amounts: dict[str, float]) -> dict[str, float]:
    whole = sum(amounts.values())
    return {name: amount / whole for name, amount in amounts.items()} if whole else {}


def _variety(shares: Sequence[float]) -> float:
    known = np.array([share for share in shares if share > 0])
    return float(np.exp(-(known * np.log(known)).sum())) if len(known) else 0.0


def in_words(profile: Profile) -> list[str]:
    """Return a profile as a few short lines for a person.

    Example:
        >>> user = UserProfile()
        >>> user.learn(np.array([7]), np.array([1e9]), np.array([1.0]), np.array([5.0]), [("Drama",)])
        >>> in_words(user.at(1e9 + 3 * 86_400))
        ['1 event with 1 item, on 1 day; the last 3 days ago', 'likes Drama (100 %)', 'rates 5.0 on average']
    """
    if not profile.events:
        return []
    told = f"{counted(profile.events, 'event')} with {counted(profile.items, 'item')}"
    if profile.since_last is not None:
        told += f", on {counted(profile.active_days, 'day')}; the last {_ago(profile.since_last)}"
    lines = [told]
    shown = [(name, f"{100 * share:.0f}") for name, share in profile.tastes[:4]]
    if tastes := [f"{name} ({percent} %)" for name, percent in shown if percent != "0"]:
        lines.append(f"likes {', '.join(tastes)}")
    if profile.dislikes:
        lines.append(f"said no {counted(profile.dislikes, 'time')}")
    if profile.mean_value is not None:
        amount = profile.mean_value > MOST_STARS
        lines.append(f"{'values of' if amount else 'rates'} {profile.mean_value:.1f} on average")
    return [*lines, *_rhythm(profile)]


def _rhythm(profile: Profile) -> list[str]:
    """Name the part of the day and the day of the week that stand out: half again as much as by chance."""
    if not profile.hours or profile.events < CLEAR:
        return []
    quarters = np.array(profile.hours).reshape(4, 6).sum(axis=1)
    found = []
    if quarters.max() > 1.5 / 4:
        found.append(f"{PARTS_OF_DAY[int(quarters.argmax())]} (UTC)")
    if max(profile.weekdays) > 2 / 7 and profile.active_days >= len(DAYS):
        found.append(f"on {DAYS[int(np.argmax(profile.weekdays))]}")
    return [f"comes mostly {' and '.join(found)}"] if found else []


def _ago(seconds: float) -> str:
    for name, length in (("year", 365.25 * DAY), ("month", 30.4 * DAY), ("day", DAY), ("hour", 3600.0)):
        if seconds >= length:
            return f"{counted(int(seconds // length), name)} ago"
    return "within the hour"
