"""What a careful colleague would say of a data set before anything is trained on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from acclimate.data import advice_events, advice_items
from acclimate.data.advice_events import SEVERITIES, Advice
from acclimate.data.cleaning import names_of
from acclimate.data.dataset import Dataset
from acclimate.data.suspects import DETECTORS, find_suspects
from acclimate.words import counted


def advise(data: Dataset) -> list[Advice]:
    """Return everything worth saying, the most severe first.

    Args:
        data: All of it.

    Example:
        >>> data = Dataset.of([("ann", "heat", 1e9), ("ann", "alien", 1e9), ("bob", "heat", 2e9)])
        >>> [advice.topic for advice in advise(data) if advice.severity == "warning"]
        ['ties', 'users', 'texts']
    """
    if not len(data):
        return [Advice("warning", "events", "there are no events", "import a table of interactions")]
    found = [advice for part in PARTS for advice in part(data)]
    return sorted(found, key=lambda advice: SEVERITIES.index(advice.severity))


def wrong(data: Dataset) -> Iterator[Advice]:
    """Say only what looks wrong: suspicious events, and texts that are not read."""
    yield from suspects(data)
    yield from (one for one in advice_items.texts(data) if one.topic == "titles")


def suspects(data: Dataset) -> Iterator[Advice]:
    """Say what the detectors found; see `acclimate.data.suspects`."""
    flags = find_suspects(data)
    for flag in flags:
        whose = f" of {counted(len(flag.users), 'user')}" if len(flag.users) else ""
        whose = f" with {counted(len(flag.items), 'item')}" if len(flag.items) else whose
        shown = (", " if whose else "; ").join(names_of(data, flag)[:3])
        looks = "looks" if flag.count == 1 else "look"
        told = f"{counted(flag.count, 'event')}{whose} {looks} wrong: {flag.reason} ({shown})"
        yield Advice("warning", flag.name, told, f"look at them; to leave them out: --drop {flag.name}")
    if not flags:
        yield Advice("fine", "suspects", f"nothing suspicious: {', '.join(DETECTORS)} found none")


PARTS: tuple[Callable[[Dataset], Iterator[Advice]], ...] = (
    advice_events.times,
    advice_events.ties,
    advice_events.size,
    advice_events.cold,
    advice_events.drift,
    advice_events.protocol,
    advice_events.repeats,
    advice_events.ratings,
    advice_items.texts,
    advice_items.language,
    advice_items.doubles,
    advice_items.columns,
    suspects,
)
"""What is looked at."""
