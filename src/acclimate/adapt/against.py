"""A candidate against the model whose place it would take: on what neither has learned."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.adapt.findings import Findings
from acclimate.adapt.questions import Questions, Scoring
from acclimate.evaluate.compare import Interval, paired
from acclimate.types import User

ENOUGH, FEW = 50, 30
"""Users that a comparison needs, and a segment of them; with fewer it is not looked at."""
FORGOTTEN, HARMED = 0.05, 0.10
"""Shares of the figure that may be lost on older questions, and by a segment."""
SLOWER, LARGER = 1.5, 1.5
"""How many times the seconds of a list, and the bytes of the weights, a candidate may take."""
A_MOMENT, A_LITTLE = 0.001, 10_000_000
"""Seconds a list, and bytes, that do not matter."""
NEW, RARE = 5, 0.2
"""A user is new with fewer events; an item is rare that is among those with the last so much of all likes."""
GROUPS = 10
"""An attribute of users with more values than that makes no groups."""


class Known(NamedTuple):
    """What tells segments apart.

    Args:
        liked: How often each item was chosen, int64[n_items].
        people: Users of whom attributes are known, by code.
    """

    liked: NDArray[np.int64]
    people: Mapping[int, User]


def compare(
    found: Findings, candidate: Scoring, current: Scoring, newest: Questions, older: Questions, known: Known
) -> None:
    """Ask both models the same, and add what came of it to ``found``.

    Figures are means over users, so that who acts much counts once. The candidate must not be worse beyond
    the 95 % interval of the paired difference on the newest questions (``not_worse``), must not lose more
    than 5 % of the figure on older ones (``not_forgotten``), must not lose more than 10 % for any segment
    (``no_segment_harmed``): new users, known ones, rare items, each group of users; and must not be more than
    one and a half times as slow (``not_slower``). What is lost must be beyond chance to count.

    Args:
        found: Takes the checks ``valid`` (only if it fails), and those named above.
        candidate: What would be published.
        current: What is.
        newest: What neither has learned, from after ``current`` was published.
        older: What was asked before that; ``current`` may have learned it since.
        known: What tells segments apart.
    """
    try:
        ours, theirs, slower = _asked(candidate, current, newest)
        before = (
            None if len(np.unique(older.users)) < ENOUGH else (older.ndcg(candidate), older.ndcg(current))
        )
    except (ValueError, ArithmeticError) as error:
        found.add("valid", False, f"cannot be asked: {error}")
        return
    users = newest.users
    gain = _gain(users, ours, theirs)
    mean, was = _mean(users, ours), _mean(users, theirs)
    n = len(np.unique(users))
    found.figures |= {"ndcg@10": mean, "ndcg@10 of current": was, "gain": gain.mean}
    found.figures |= {"gain_low": gain.low, "gain_high": gain.high, "users": float(n)}
    way = "no worse" if gain.sign == 0 else "better" if gain.sign > 0 else "worse"
    told = f"{len(newest):,} events of {n:,} users that neither had learned"
    found.add(
        "not_worse",
        gain.high >= 0,
        f"{way} than the current model: ndcg@10 {mean:.4f} against {was:.4f} on {told}, "
        f"difference {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]",
    )
    _check_forgotten(found, older.users, before)
    _check_segments(found, newest, ours, theirs, known)
    found.figures["times_slower"] = slower
    found.add("not_slower", slower <= SLOWER, f"takes {slower:.2f} times as long for a list")


def check_size(found: Findings, ours: int, theirs: int) -> None:
    """Add whether weights of ``ours`` bytes are not much more than ``theirs``."""
    held = ours <= LARGER * theirs + A_LITTLE
    found.figures["times_larger"] = ours / max(theirs, 1)
    found.add(
        "not_larger", held, f"its weights are {ours / 1e6:.1f} MB, those of the current {theirs / 1e6:.1f}"
    )


def against_users(asked: Questions, model: Scoring, other: Scoring | None = None) -> Interval:
    """Return NDCG@10 of ``model`` as a mean over users, or how much it has above that of another.

    Raises:
        ValueError: A score is infinite.
    """
    ours = asked.ndcg(model)
    return _gain(asked.users, ours, np.zeros(len(ours)) if other is None else asked.ndcg(other))


def _asked(
    candidate: Scoring, current: Scoring, newest: Questions
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return the figures of both, and how many times as long the candidate took, the fastest of two each."""
    seconds: tuple[list[float], list[float]] = [], []
    figures: list[NDArray[np.float64]] = []
    for _ in range(2):
        figures = []
        for model, took in zip((candidate, current), seconds, strict=True):
            start = time.perf_counter()
            figures.append(newest.ndcg(model))
            took.append(time.perf_counter() - start)
    ours, theirs = (min(took) / max(len(newest), 1) for took in seconds)
    return figures[0], figures[1], ours / theirs if ours > A_MOMENT else min(1.0, ours / max(theirs, 1e-9))


def _check_forgotten(
    found: Findings,
    users: NDArray[np.int32],
    figures: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
) -> None:
    """Look at the figures of both on older questions; None where there are too few users."""
    if figures is None:
        n = len(np.unique(users))
        found.reasons.append(f"not looked at what was asked before: {n:,} users, {ENOUGH} are needed")
        return
    ours, theirs = figures
    gain, was = _gain(users, ours, theirs), _mean(users, theirs)
    found.figures |= {"backward": gain.mean}
    held = gain.high >= 0 or gain.mean >= -FORGOTTEN * was
    verb = "keeps" if held else "forgets"
    found.add(
        "not_forgotten",
        held,
        f"{verb} what was asked before: difference {gain.mean:+.4f} "
        f"[{gain.low:+.4f}, {gain.high:+.4f}] of {was:.4f}",
    )


def _check_segments(
    found: Findings, asked: Questions, ours: NDArray[np.float64], theirs: NDArray[np.float64], known: Known
) -> None:
    harmed, looked = [], []
    for name, part in _segments(asked, known):
        users = asked.users[part]
        if len(np.unique(users)) < FEW:
            continue
        looked.append(name)
        gain, was = _gain(users, ours[part], theirs[part]), _mean(users, theirs[part])
        found.figures[f"gain of {name}"] = gain.mean
        if gain.high < 0 and gain.mean < -HARMED * was:
            harmed.append(f"{name} {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] of {was:.4f}")
    if harmed:
        found.add("no_segment_harmed", False, f"harmed: {'; '.join(harmed)}")
    elif looked:
        found.add("no_segment_harmed", True, f"nobody of these is harmed: {', '.join(looked)}")


def _segments(asked: Questions, known: Known) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield names and which questions are theirs, bool[n]."""
    fresh = asked.lengths < NEW
    yield "new users", fresh
    yield "known users", ~fresh
    order = np.argsort(-known.liked, kind="stable")
    rest = 1 - np.cumsum(known.liked[order]) / max(int(known.liked.sum()), 1)
    rare = np.zeros(len(known.liked), bool)
    rare[order[rest < RARE]] = True
    yield "rare items", rare[asked.targets]
    words = [known.people[user].attributes if user in known.people else {} for user in asked.users.tolist()]
    for attribute in sorted({name for each in words for name in each}):
        values = np.array([str(each.get(attribute, "")) for each in words])
        groups = [value for value in np.unique(values).tolist() if value]
        for value in groups if len(groups) <= GROUPS else []:
            yield f"{attribute} {value[:40]}", values == value


def _gain(users: NDArray[np.int32], ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Interval:
    """Return the paired difference of the means of each user."""
    return paired(_per_user(users, ours), _per_user(users, theirs))


def _mean(users: NDArray[np.int32], values: NDArray[np.float64]) -> float:
    return float(_per_user(users, values).mean())


def _per_user(users: NDArray[np.int32], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each user's ``values`` float64[n], float64[m]; 0 if there is nobody."""
    if not len(users):
        return np.zeros(1)
    _, row, counts = np.unique(users, return_inverse=True, return_counts=True)
    means: NDArray[np.float64] = np.bincount(row, values) / counts
    return means
