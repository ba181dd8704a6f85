"""What is removed from checked tables on request, with an account of each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.dataset import Dataset
from acclimate.data.frames import MAX_EXAMPLES, Clean, Dropped, Example
from acclimate.data.suspects import DETECTORS, Flag, Mask, find_suspects
from acclimate.errors import InputError, check_range, nearest
from acclimate.types import Codes

if TYPE_CHECKING:
    import polars as pl

MAX_CORE = 1_000
"""The largest k of a k-core."""


@dataclass(frozen=True)
class Wanted:
    """What to remove.

    Args:
        drop: Keys of `acclimate.data.suspects.DETECTORS`.
        k_core: Keep only users and items with so many events or more among each other; 0 keeps all.

    Raises:
        InputError: No such detector (names the nearest), or ``k_core`` is not 0..1000.
    """

    drop: tuple[str, ...] = ()
    k_core: int = 0

    def __post_init__(self) -> None:
        check_range("k_core", self.k_core, 0, MAX_CORE)
        for name in self.drop:
            if name not in DETECTORS:
                message = f"nothing called {name!r} can be dropped: {nearest(name, DETECTORS)}"
                raise InputError(message, code="unknown_drop", field="drop")

    @classmethod
    def parse(cls, drop: str | None, k_core: str | int) -> Wanted:
        """Return what ``--drop bots,bursts --k-core 5`` asks for."""
        names = [name.strip() for name in (drop or "").split(",")]
        return cls(
            tuple(dict.fromkeys(name for name in names if name)), check_range("k_core", k_core, 0, MAX_CORE)
        )

    def __bool__(self) -> bool:
        return bool(self.drop or self.k_core)


def k_core(users: Codes, items: Codes, k: int) -> Mask:
    """Return the largest set of events bool[n] in which every user and every item has ``k`` or more.

    Args:
        users: User code of each event, int32[n].
        items: Item code of each event, int32[n].
        k: 0 or more.

    Example:
        >>> k_core(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 2]), 2).tolist()
        [True, True, True, True, False]

    References:
        S. B. Seidman, "Network structure and minimum degree", Social Networks 1983.
    """
    kept = np.ones(len(users), bool)
    while True:
        enough = kept.copy()
        for codes in (users, items):
            enough &= np.bincount(codes[kept], minlength=codes.max(initial=-1) + 1)[codes] >= k
        if enough.sum() == kept.sum():
            return kept
        kept = enough


def sweep(clean: Clean, data: Dataset, wanted: Wanted) -> tuple[Clean, list[Dropped]]:
    """Return the tables without what is not wanted, and what was removed, row by row.

    Of a user who is suspected as a whole the searches go too. Users and items that are told of in tables of
    their own stay known. The k-core is that of what the detectors left.

    Args:
        clean: The checked tables.
        data: The Dataset that was made of them.
        wanted: What to remove.
    """
    kept, dropped = np.ones(len(data), bool), list[Dropped]()
    asked = np.ones(len(data.searches), bool)
    for flag in (flag for flag in find_suspects(data) if flag.name in wanted.drop):
        now = flag.events & kept
        theirs = asked & np.isin(data.searches.user, flag.users)
        kept, asked = kept & ~now, asked & ~theirs
        if count := int(now.sum() + theirs.sum()):
            dropped.append(Dropped(flag.reason, count, examples_of(data, now)))
    if wanted.k_core:
        core = kept.copy()
        core[kept] = k_core(data.user[kept], data.item[kept], wanted.k_core)
        if count := int((kept & ~core).sum()):
            dropped.append(
                Dropped(f"not in the {wanted.k_core}-core", count, examples_of(data, kept & ~core))
            )
        kept = core
    events = _filtered(clean.events, kept)
    return replace(clean, events=events, searches=_filtered(clean.searches, asked)), dropped


def _filtered(frame: pl.DataFrame, kept: NDArray[np.bool_]) -> pl.DataFrame:
    """Return the rows of ``frame`` that are kept, where ``kept`` is in order of time."""
    rows = np.empty(len(frame), bool)
    rows[np.argsort(frame["time"].to_numpy(), kind="stable")] = kept
    return frame.filter(rows)


def examples_of(data: Dataset, events: Mask) -> list[Example]:
    """Return the first few of some events as examples; they are no lines of a file any more."""
    return [
        {"file": data.name, "line": None, "text": _told(data, place)}
        for place in np.flatnonzero(events)[:MAX_EXAMPLES].tolist()
    ]


def _told(data: Dataset, place: int) -> str:
    value = float(data.value[place])
    parts: list[Any] = [data.users.ids[data.user[place]], data.items.ids[data.item[place]]]
    if data.timed:
        parts.append(moment(float(data.time[place])))
    return ", ".join([*parts, *([f"{value:g}"] if np.isfinite(value) else [])])


def moment(seconds: float) -> str:
    """Return a time in ISO 8601, UTC.

    Example:
        >>> moment(1e9)
        '2001-09-09T01:46:40Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def names_of(data: Dataset, flag: Flag) -> list[str]:
    """Return the first few users, items or events that a flag is about, for a person."""
    return list(_names(data, flag))[:MAX_EXAMPLES]


def _names(data: Dataset, flag: Flag) -> Iterator[str]:
    suspects: Sequence[str] = [data.users.ids[user] for user in flag.users[:MAX_EXAMPLES]]
    suspects = suspects or [data.items.ids[item] for item in flag.items[:MAX_EXAMPLES]]
    yield from suspects or (example["text"] for example in examples_of(data, flag.events))
