"""Numbers in good grammar."""

from __future__ import annotations


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return ``number`` with the words that fit it.

    Args:
        number: How many there are.
        one: What follows a 1; a noun, or a noun with its verb.
        many: What follows any other number; by default ``one`` with an s.

    Example:
        >>> counted(1, "user"), counted(2_500, "user")
        ('1 user', '2,500 users')
        >>> counted(1, "entry is", "entries are"), counted(0, "entry is", "entries are")
        ('1 entry is', '0 entries are')
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
