"""Reasons from the user's own history: what an item of the list is near to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from acclimate.types import Codes, Floats, Histories, Model, Reason

RECENT = 50
"""How many of the user's newest liked items a reason may refer to."""


def because(
    model: Model,
    items: Codes,
    history: Histories,
    *,
    item_id: Callable[[int], str],
    title: Callable[[int], str],
) -> list[Reason | None]:
    """Return for each of ``items`` the liked item of ``history`` that it is nearest to, in words.

    Nearness is the model's own. Of equally near items the newest is named; None where nothing liked is
    near (similarity above 0). One call of ``model.similarity``, with the smaller side as its rows.

    Args:
        model: Says what is near.
        items: Codes of the list, int32[k].
        history: The events of one user.
        item_id: Outside id of a code.
        title: What a person calls the item with this code.
    """
    newest = history.liked().last(RECENT).items[::-1]
    liked = np.array(list(dict.fromkeys(newest.tolist())), np.int32)
    if not len(liked) or not len(items):
        return [None] * len(items)
    near = _nearness(model, items, liked)
    best = near.argmax(axis=1)
    reasons: list[Reason | None] = []
    for place, at in enumerate(best):
        value, code = float(near[place, at]), int(liked[at])
        text = f"Because of {title(code)}, which is near."
        reasons.append(Reason("because", text, item_id(code), round(value, 4)) if value > 0 else None)
    return reasons


def standing(
    items: Codes, found: Sequence[Reason | None], liked: NDArray[np.int64], explored: Sequence[bool]
) -> list[tuple[Reason, ...]]:
    """Return the reasons of each place: that it is a try, and what it is near to or how popular it is.

    Args:
        items: Codes of the list, int32[k].
        found: What `because` found for each.
        liked: How often each item of the catalogue was liked, int64[n].
        explored: Whether each place was drawn to learn something.
    """
    reasons: list[tuple[Reason, ...]] = []
    for code, near, tried in zip(items, found, explored, strict=True):
        why = near or _by_count(int(liked[code]))
        trial = Reason("explored", "Shown to learn whether you like it.")
        reasons.append((trial, why) if tried else (why,))
    return reasons


def _nearness(model: Model, items: Codes, liked: Codes) -> Floats:
    if len(items) <= len(liked):
        near = model.similarity(items)[:, liked]
    else:
        near = model.similarity(liked)[:, items].T
    return np.where(np.isfinite(near), near, -np.inf).astype(np.float32)


def _by_count(count: int) -> Reason:
    if not count:
        return Reason("new", "New: nobody has liked it yet.")
    return Reason("popular", f"Popular: liked {count:,} times." if count > 1 else "Liked once so far.")
