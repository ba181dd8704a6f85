"""Reasons from the user's own history: what an item of the list is near to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.types import Codes, Floats, Habitual, Histories, Item, Model, Reason

RECENT = 50
"""How many of the user's newest liked items a reason may refer to."""

NEAR = 0.5
"""Similarity from which a reason says that an item is near, and not only nearer than the others."""


def because(model: Model, items: Codes, history: Histories, catalogue: Sequence[Item]) -> list[Reason | None]:
    """Return for each of ``items`` the liked item of ``history`` that it is nearest to, in words.

    Nearness is the model's own. Of equally near items the newest is named, never the item itself; None
    where nothing liked is near (similarity above 0). One call of ``model.similarity``, with the
    smaller side as its rows.

    Args:
        model: Says what is near.
        items: Codes of the list, int32[k].
        history: The events of one user.
        catalogue: One Item for each code.
    """
    newest = history.liked().last(RECENT).items[::-1]
    liked = np.array(list(dict.fromkeys(newest.tolist())), np.int32)
    if not len(liked) or not len(items):
        return [None] * len(items)
    near = np.where(items[:, None] == liked, np.float32(-np.inf), _nearness(model, items, liked))
    return [
        _near_to(catalogue[liked[at]], float(row[at])) for row, at in zip(near, near.argmax(1), strict=True)
    ]


def reasons(
    model: Model | None,
    items: Codes,
    explored: Sequence[bool],
    history: Histories,
    catalogue: Sequence[Item],
    liked: NDArray[np.int64],
) -> list[tuple[Reason, ...]]:
    """Return the reasons of each place: that it is a try, and why the model or popularity chose it.

    It was had before, if the model goes by that; else it is near to something, or popular.

    Args:
        model: Says what is near; None if popularity made the list.
        items: Codes of the list, int32[k].
        explored: Whether each place was drawn to learn something.
        history: The events of the user.
        catalogue: One Item for each code.
        liked: How often each item of the catalogue was chosen, whatever it was rated, int64[n].
    """
    near = [None] * len(items) if model is None else because(model, items, history, catalogue)
    had = model.times_had(items, history) if isinstance(model, Habitual) else np.zeros(len(items), np.int64)
    found: list[tuple[Reason, ...]] = []
    for code, times, reason, tried in zip(items, had.tolist(), near, explored, strict=True):
        own = _had(catalogue[code], times) if times else None
        why = own or reason or _by_count(int(liked[code]))
        trial = Reason("explored", "Shown to learn whether you like it.")
        found.append((trial, why) if tried else (why,))
    return found


def _nearness(model: Model, items: Codes, liked: Codes) -> Floats:
    few = len(items) <= len(liked)
    near = model.similarity(items, liked) if few else model.similarity(liked, items).T
    return np.where(np.isfinite(near), near, np.float32(-np.inf))


def _near_to(item: Item, similarity: float) -> Reason | None:
    if similarity <= 0:
        return None
    name = item.title or item.item_id
    near = similarity >= NEAR
    text = f"Because of {name}, which is near." if near else f"Of what you liked, {name} comes nearest."
    return Reason("because", text, item.item_id, round(similarity, 4))


def _had(item: Item, times: int) -> Reason:
    return Reason("had", f"You had it {times:,} times." if times > 1 else "You had it once.", item.item_id)


def _by_count(count: int) -> Reason:
    if not count:
        return Reason("new", "New: nobody has chosen it yet.")
    return Reason(
        "popular",
        f"Popular: viewed or chosen {count:,} times." if count > 1 else "Viewed or chosen once so far.",
    )
