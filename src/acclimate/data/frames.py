"""The tables inside this room: what a source has read, and what has passed the checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

MAX_EXAMPLES = 5
Example = dict[str, Any]
"""``{"file": ..., "line": ..., "text": ...}``; lines count from 1."""


@dataclass(frozen=True)
class Dropped:
    """Rows that were not taken, for one reason.

    Args:
        reason: Why, in a few words.
        count: How many.
        examples: The first few.
    """

    reason: str
    count: int
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True)
class Raw:
    """One table as a source has read it: nothing checked.

    Args:
        file: Where it comes from.
        frame: Columns under our names (`user_id`, ...), others under their own, and ``line`` uint32. Cells
            are text or null; ``timestamp`` (seconds) and ``value`` may be numbers, where the format has them.
        dropped: Rows that could not be cut into fields.
        notes: What was assumed about the file, in sentences.
        encoding: In which it is written.
        show: Returns examples for some lines, where these are no lines of a text file.
        by_user: Whether the order of a user's own rows is all that is known of time.
    """

    file: Path
    frame: pl.DataFrame
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    encoding: str = "utf-8-sig"
    show: Callable[[Sequence[int]], list[Example]] | None = None
    by_user: bool = False

    @property
    def timed(self) -> bool:
        """Whether the rows have times."""
        return "timestamp" in self.frame.columns

    def examples(self, lines: pl.Series) -> list[Example]:
        """Return the first few of some lines as examples."""
        first = lines[:MAX_EXAMPLES].to_list()
        return self.show(first) if self.show else show_lines(self.file, first, self.encoding)


@dataclass(frozen=True)
class Part:
    """What one path holds: any of the three tables, and what else there is to say."""

    events: Raw | None = None
    items: Raw | None = None
    users: Raw | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, tables: Mapping[str, Raw | None]) -> Part:
        """Return ``events``, ``items`` and ``users`` by name."""
        return cls(tables.get("events"), tables.get("items"), tables.get("users"))


@dataclass(frozen=True)
class Clean:
    """Checked tables, ready to become a Dataset or to be kept.

    Args:
        events: ``user_id str, item_id str, time f64, value f32, event_type str``, in the order of the files.
        items: ``item_id, title, text, categories list[str], available, created_at, expires_at, attributes``;
            attributes are a JSON object as text; null where nothing is known.
        users: ``user_id, attributes``.
        searches: ``user_id str, time f64, query str``, in the order of the files.
        timed: Whether times are times; if not, they only stand for the order.
    """

    events: pl.DataFrame
    items: pl.DataFrame
    users: pl.DataFrame
    searches: pl.DataFrame
    timed: bool = True


def merge_dropped(parts: list[Dropped]) -> list[Dropped]:
    """Return one `Dropped` for each reason, in order of first appearance.

    Example:
        >>> merge_dropped([Dropped("missing user", 2), Dropped("missing user", 1)])
        [Dropped(reason='missing user', count=3, examples=[])]
    """
    merged: dict[str, Dropped] = {}
    for part in parts:
        before = merged.get(part.reason, Dropped(part.reason, 0))
        examples = (before.examples + part.examples)[:MAX_EXAMPLES]
        merged[part.reason] = Dropped(part.reason, before.count + part.count, examples)
    return list(merged.values())


def show_lines(file: Path, lines: Sequence[int], encoding: str = "utf-8-sig") -> list[Example]:
    """Return examples for `Dropped`: the text of some lines of a file, cut at 200 characters.

    Bytes that cannot be read are shown as ``\\xff``.
    """
    found: dict[int, str] = {}
    if lines:
        with file.open(encoding=encoding, errors="backslashreplace", newline="") as stream:
            for number, text in enumerate(stream, start=1):
                if number in lines:
                    found[number] = text.lstrip("\ufeff").rstrip("\r\n")[:200]
                if number >= max(lines):
                    break
    return [{"file": str(file), "line": number, "text": found.get(number, "")} for number in lines]
