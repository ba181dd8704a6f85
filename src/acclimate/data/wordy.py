"""Which attribute of items reads like a title or a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median

from acclimate.data.roles import plain
from acclimate.types import Item

NAMES = (
    *("title", "name", "label", "headline", "caption", "titel", "titre", "titulo", "nombre", "bezeichnung"),
    *("标题", "名称", "品名", "名字", "书名", "片名", "商品名", "題名", "제목", "название"),
)
"""Parts of the names of columns that hold titles."""
LOOKED_AT = 2_000
"""Items with attributes that are read."""
LONG = 80
"""Characters from which on a text is no title any more."""
OTHERS = re.compile(r"\s*(https?:|www\.|[\w.+-]+@[\w-]+\.|[/\\{\[]|\d{4}-\d\d-\d\d)")
"""How addresses, paths, objects and dates begin."""


def text_column(items: Sequence[Item]) -> tuple[str, str, str] | None:
    """Return ``title`` or ``text``, the attribute that reads most like one, and an example; None if none.

    A title has letters, and is another one for most items; a name such as ``label`` counts, and so do words.

    Example:
        >>> shoes = [Item(str(n), attributes={"sku": f"A-{n}", "what": f"Red shoe {n}"}) for n in range(9)]
        >>> text_column(shoes)
        ('title', 'what', 'Red shoe 0')
    """
    columns: dict[str, list[str]] = {}
    told = [item for item in items if item.attributes][:LOOKED_AT]
    for item in told:
        for name, value in item.attributes.items():
            if isinstance(value, str) and value.strip():
                columns.setdefault(name, []).append(value.strip())
    scores = {name: _score(name, values, len(told)) for name, values in columns.items()}
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is None or not scores[best]:
        return None
    values = columns[best]
    return "text" if median(map(len, values)) > LONG else "title", best, values[0][:40]


def _score(name: str, values: Sequence[str], n_items: int) -> float:
    """Return 0 for what is no text, and more the more it is a title: 0..4."""
    worded = sum(_is_worded(value) for value in values) / len(values)
    named = any(part in plain(name) for part in NAMES)
    different = len(set(values)) / len(values)
    if worded < 0.5 or different < 0.5 or len(values) < 0.2 * n_items:
        return 0.0
    spaced = sum(" " in value or not value.isascii() for value in values) / len(values)
    return 2.0 * named + worded + spaced if named or spaced > 0.3 else 0.0


def _is_worded(value: str) -> bool:
    """Return whether most of a cell are letters, and it is no address, object or date."""
    letters = sum(map(str.isalpha, value))
    return OTHERS.match(value) is None and 2 * letters > len(value.replace(" ", "")) and letters > 1
