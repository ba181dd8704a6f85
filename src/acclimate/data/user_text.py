"""What a language model reads of a user: what they had and searched for, and a few words of taste."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from acclimate.data.profile import UserProfile
from acclimate.types import Histories, Item

LONGEST = 240
"""Room of a text: letters, of which one of a script without spaces counts `WIDE`. Some 60 tokens."""
WIDE = 4
TITLE = 60
"""Room of one title or search."""
EVENTS, SEARCHES, TASTES = 50, 5, 2
"""How many of the newest likes and searches, and of the strongest tastes, are looked at."""


class UserTexts:
    """Renders histories: tastes, then titles and searches in order of time, the newest last.

    Only what the history holds is told, so nothing later than its question. What is older goes first where
    room is short.

    Args:
        titles: What each item is called, by its code.
        categories: The labels of each item.

    Example:
        >>> texts = UserTexts.of([Item("1", title="Heat", categories=("Crime",)), Item("2", title="Alien")])
        >>> texts.render(Histories.of([[0, 1], []]))
        ['likes Crime. Heat. Alien', '']
    """

    def __init__(self, titles: Sequence[str] = (), categories: Sequence[Sequence[str]] = ()) -> None:
        self.titles, self.categories = list(titles), list(categories)

    @classmethod
    def of(cls, items: Sequence[Item]) -> UserTexts:
        """Return what renders histories of these items, by their codes."""
        texts = cls()
        texts.put(range(len(items)), items)
        return texts

    def document(self) -> dict[str, list[Any]]:
        """Return what it is built from again, as JSON has it."""
        return {"titles": self.titles, "categories": [list(each) for each in self.categories]}

    def put(self, codes: Sequence[int], items: Sequence[Item]) -> None:
        """Take in new and changed items; one without a title is called by the start of its text."""
        more = max([-1, *codes]) + 1 - len(self.titles)
        self.titles += [""] * more
        self.categories += [()] * more
        for code, item in zip(codes, items, strict=True):
            self.titles[code] = shortened(item.title or item.text, TITLE)
            self.categories[code] = tuple(item.categories)

    def render(self, histories: Histories) -> list[str]:
        """Return a text for each user; empty for one of whom nothing is known."""
        return [self._render(each) for each in histories.liked().last(EVENTS)]

    def _render(self, history: Histories) -> str:
        told = list(zip(history.times.tolist(), map(self.titles.__getitem__, history.items), strict=True))
        if (asked := history.searches) is not None:
            searches = zip(asked.times.tolist(), asked.queries.tolist(), strict=True)
            told += [
                (at, f"searched for {shortened(what, TITLE)}") for at, what in list(searches)[-SEARCHES:]
            ]
        told.sort(key=lambda pair: pair[0])  # stable: a search follows what has its time
        taste = self._taste(history)
        room = LONGEST - room_of(taste)
        parts: list[str] = []
        for _, what in reversed(told):
            room -= room_of(what) + 2
            if room < 0:
                break
            if what and what not in parts[-1:]:
                parts.append(what)
        return ". ".join([taste, *reversed(parts)] if taste else reversed(parts))

    def _taste(self, history: Histories) -> str:
        labels = [self.categories[code] for code in history.items.tolist()]
        if not any(labels):
            return ""
        user, nothing = UserProfile(), np.full(len(history.items), np.nan)
        user.learn(history.items, history.times, history.weights, nothing, labels)
        names = [name for name, _ in user.at(float(history.now[0])).tastes[:TASTES]]
        return "likes " + shortened(", ".join(names), TITLE)


def room_of(text: str) -> int:
    """Return the room that a text takes.

    Example:
        >>> room_of("Heat"), room_of("太空")
        (4, 8)
    """
    return sum(WIDE if letter >= "\u2e80" else 1 for letter in text)


def shortened(text: str, room: int) -> str:
    """Return the words, or letters, of a text that have room.

    Example:
        >>> shortened("a  long way home", 11), shortened("太空歌剧", 8)
        ('a long way', '太空')
    """
    text = " ".join(text[: 4 * room].split())
    if room_of(text) <= room:
        return text
    while room_of(text) > room:
        head = text.rpartition(" ")[0]
        text = head or text[:-1]
    return text
