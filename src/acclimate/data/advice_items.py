"""What the catalogue of a data set makes one careful about: texts, languages, doubles, attributes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from acclimate.data.advice_events import Advice
from acclimate.data.dataset import Dataset
from acclimate.data.doubles import find_doubles
from acclimate.data.languages import languages
from acclimate.data.leaks import constant_columns, leaking_columns


def texts(data: Dataset) -> Iterator[Advice]:
    """Say which items have texts, in which languages, and what reads them."""
    texts = [text for text in data.texts if text]
    share = len(texts) / max(data.n_items, 1)
    told = f"{share:.0%} of the items have a title, a text or categories"
    if share < 0.5:
        todo = "give a table of items: acclimate data import EVENTS --items ITEMS; new items need it"
        yield Advice("warning", "texts", told, todo)
    else:
        length = int(np.median([len(text) for text in texts]))
        yield Advice("fine", "texts", f"{told}, {length} characters in the middle")
    spoken = languages([text for item in data.catalogue if (text := f"{item.title} {item.text}".strip())])
    if not spoken:
        return
    told = "texts are in " + ", ".join(
        f"{name} ({share:.0%})" for name, share in spoken.items() if share >= 0.01
    )
    if spoken.get("English", 0.0) < 0.8:
        todo = (
            "minilm reads English: use --set train.encoder=tfidf, or a multilingual encoder from a folder "
            "or the hub (--set train.encoder=OWNER/MODEL)"
        )
        yield Advice("warning", "language", told, todo)
    else:
        yield Advice("fine", "language", told, "--set train.encoder=minilm reads it (auto takes it)")


def doubles(data: Dataset) -> Iterator[Advice]:
    """Say which items are told in nearly the same words."""
    pairs = find_doubles([f"{item.title} {item.text}" for item in data.catalogue])
    if pairs:
        ids = data.items.ids
        shown = ", ".join(
            f"{ids[one]} and {ids[other]} ({data.catalogue[one].title[:40]})" for one, other, _ in pairs[:3]
        )
        todo = "if they are one thing, give them one id; lists would show it twice"
        yield Advice(
            "hint", "doubles", f"{len(pairs):,} pairs of items have nearly the same text: {shown}", todo
        )


def columns(data: Dataset) -> Iterator[Advice]:
    """Say which attributes tell nothing, or too much."""
    for whose, rows in (("items", data.catalogue), ("users", data.people)):
        for name in constant_columns([row.attributes for row in rows]):
            told = f"{name!r} is the same for all {whose} that have it"
            yield Advice("hint", "constant", told, "leave the column out")
    for name, alike in leaking_columns(data).items():
        told = f"the item attribute {name!r} follows what users did in all (rank correlation {alike:.2f})"
        todo = "if it was counted on these events it knows the future: leave the column out"
        yield Advice("warning", "leak", told, todo)
