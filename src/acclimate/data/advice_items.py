"""What the catalogue of a data set makes one careful about: texts, languages, doubles, attributes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from acclimate.data.advice_events import Advice
from acclimate.data.dataset import Dataset
from acclimate.data.doubles import find_doubles
from acclimate.data.languages import languages
from acclimate.data.leaks import constant_columns, leaking_columns
from acclimate.data.wordy import text_column
from acclimate.words import counted

FOREIGN = 0.1
"""Share of the texts in another language than English from which on an English encoder reads too little."""
OTHERWISE = (
    "use --set train.encoder=tfidf, or a multilingual encoder from a folder or the hub "
    "(--set train.encoder=OWNER/MODEL)"
)
"""What to do where an English encoder reads too little."""
MANY_DOUBLES = 0.2
"""Share of the items that repeat a text from which on the texts are at fault, not the items."""


def texts(data: Dataset) -> Iterator[Advice]:
    """Say which items have texts."""
    texts = [text for text in data.texts if text]
    share = len(texts) / max(data.n_items, 1)
    told = f"{share:.0%} of the items have a title, a text or categories"
    unread = None if any(item.title or item.text for item in data.catalogue) else text_column(data.catalogue)
    if unread is not None:
        ours, name, example = unread
        told = f"no item has a title or a text, but the column {name!r} looks like one (as {example!r})"
        yield Advice("warning", "titles", told, f"import the items again with --map {ours}={name}")
    elif share < 0.5:
        todo = "give a table of items: acclimate data import EVENTS --items ITEMS; new items need it"
        yield Advice("warning", "texts", told, todo)
    else:
        length = int(np.median([len(text) for text in texts]))
        yield Advice("fine", "texts", f"{told}, {length} characters in the middle")


def language(data: Dataset) -> Iterator[Advice]:
    """Say in which languages the texts are, and what reads them."""
    texts = [text for item in data.catalogue if (text := f"{item.title} {item.text}".strip())]
    spoken = languages(texts)
    clear = {name: share for name, share in spoken.items() if share >= 0.01}
    if not clear:
        if texts:
            told = "texts are too short, or too strange, to say their language"
            yield Advice("hint", "language", told, f"if they are not English, {OTHERWISE}")
        return
    told = "texts are in " + ", ".join(f"{name} ({share:.0%})" for name, share in clear.items())
    rest = 1 - sum(spoken.values())
    told += f"; {rest:.0%} do not say" if rest >= 0.01 else ""
    if sum(clear.values()) - clear.get("English", 0.0) >= FOREIGN:
        yield Advice("warning", "language", told, f"minilm reads English: {OTHERWISE}")
    else:
        yield Advice("fine", "language", told, "--set train.encoder=minilm reads it (auto takes it)")


def doubles(data: Dataset) -> Iterator[Advice]:
    """Say which items are told in nearly the same words."""
    pairs = find_doubles([f"{item.title} {item.text}" for item in data.catalogue])
    share = len({item for one, other, _ in pairs for item in (one, other)}) / data.n_items
    if share >= MANY_DOUBLES:
        told = f"{share:.0%} of the items have nearly the same title and text as another one"
        todo = "such texts tell of kinds, not of items: add what tells them apart, as brand or size"
        yield Advice("hint", "doubles", told, todo)
    elif pairs:
        ids, items = data.items.ids, data.catalogue
        shown = ", ".join(f"{ids[one]} and {ids[two]} ({items[one].title[:40]})" for one, two, _ in pairs[:3])
        found = counted(len(pairs), "pair of items has", "pairs of items have")
        told = f"{found} nearly the same text: {shown}"
        todo = "if they are one thing, give them one id; lists would show it twice"
        yield Advice("hint", "doubles", told, todo)


def columns(data: Dataset) -> Iterator[Advice]:
    """Say which attributes tell nothing, or too much."""
    for whose, rows in (("items", data.catalogue), ("users", data.people)):
        for name in constant_columns([row.attributes for row in rows]):
            told = f"{name!r} is the same for all {whose} that have it"
            yield Advice("hint", "constant", told, "leave the column out")
    leaking = leaking_columns(data)
    for name, alike in leaking.items():
        told = f"the item attribute {name!r} follows what users did in all (rank correlation {alike:.2f})"
        todo = "if it was counted on these events it knows the future: leave the column out"
        yield Advice("warning", "leak", told, todo)
    if not leaking and any(item.attributes for item in data.catalogue):
        yield Advice("fine", "leak", "no number of the items follows what users did: none knows the future")
