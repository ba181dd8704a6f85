"""A few lists in words, so that a person can judge them: what a user had, and what is listed for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acclimate.rng import generator

if TYPE_CHECKING:
    from acclimate.recommend import Recommender

ENOUGH = 5
"""A sample user has at least so many events, if any has."""


def sample_lists(recommender: Recommender, *, n: int = 3, k: int = 5, seed: int = 0) -> list[dict[str, Any]]:
    """Return ``user_id``, ``history`` (titles, newest first) and ``list`` (titles, best first) of some users.

    Args:
        recommender: What answers.
        n: How many users, drawn by ``seed`` from those with some history.
        k: Length of both.
        seed: Decides the users and the request ids.
    """
    from acclimate.types import Query

    state = recommender.state
    users = [user for user in state.users.ids if user]
    lengths = state.histories(users, 0.0).lengths
    enough = [user for user, length in zip(users, lengths, strict=True) if length >= ENOUGH] or users
    chosen = generator(seed, "sample users").choice(len(enough), min(n, len(enough)), replace=False)
    names = [enough[at] for at in chosen]
    slates = recommender.recommend_many([Query(user, k, request_id=f"sample-{user}") for user in names])

    def title(item_id: str) -> str:
        item = state.find_item(item_id)
        return (item.title if item else "") or item_id

    def history(user: str) -> list[str]:
        items = state.histories([user], 0.0).last(k).items[::-1]
        return [title(state.items.ids[item]) for item in items]

    return [
        {"user_id": user, "history": history(user), "list": [title(listed.item_id) for listed in slate.items]}
        for user, slate in zip(names, slates, strict=True)
    ]
