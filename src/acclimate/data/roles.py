"""What the columns of tables may mean, and the names by which they are known."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

ALIASES: dict[str, tuple[str, ...]] = {
    "user_id": ("userId", "user", "uid", "customer_id", "reviewerID", "customer"),
    "item_id": ("movieId", "item", "iid", "asin", "parent_asin", "product_id", "sku", "product"),
    "timestamp": ("ts", "datetime", "time", "date", "unixReviewTime"),
    "value": ("rating", "weight", "score", "overall"),
    "event_type": ("event", "action", "behavior"),
    "title": ("name", "movie_title"),
    "text": ("description", "overview", "plot", "summary"),
    "query": ("search_query", "search_term", "keywords"),
    "categories": ("genres", "genre", "category", "class"),
    "created_at": (),
    "expires_at": (),
    "available": (),
}
"""Our name -> names that are taken without asking; case, ``_``, ``-`` and spaces do not matter."""

FAINT = ("customer", "sku", "product")
"""Those of `ALIASES` that are often something else; they count where there is no other, not even ``id``."""

TABLES: dict[str, tuple[str, ...]] = {
    "events": ("user_id", "item_id", "timestamp", "value", "event_type", "query"),
    "items": ("item_id", "title", "text", "categories", "created_at", "expires_at", "available"),
    "users": ("user_id",),
}
"""Kind of table -> the columns with a meaning; what else an item or user table has is an attribute."""

REQUIRED = {"events": ("user_id", "item_id"), "items": ("item_id",), "users": ("user_id",)}


def plain(name: str) -> str:
    """Return a column name without case and punctuation.

    Example:
        >>> plain("User_ID ")
        'userid'
    """
    return "".join(char for char in name.casefold() if char.isalnum())


def closest(word: str, names: Sequence[str]) -> str | None:
    """Return which of ``names`` is most like ``word``, whatever their case and punctuation; None if none is.

    Example:
        >>> closest("cod", ["Code", "title"]), closest("ean", ["Code", "title"])
        ('Code', None)
    """
    close = difflib.get_close_matches(plain(word), [plain(name) for name in names], n=1, cutoff=0.5)
    return next((name for name in names if close and plain(name) == close[0]), None)


MEANING = {plain(word): name for name, words in ALIASES.items() for word in (name, *words)}
"""A name without case and punctuation -> our name."""
