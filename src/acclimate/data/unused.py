"""Columns of interactions that are not used, and the one among them that may say what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acclimate.data.kinds import how_to_tell, is_spoken, meaning_of, option, types_listed
from acclimate.data.roles import plain

Sample = Callable[[Sequence[int]], Mapping[int, Sequence[str | None]]]
"""Gives the cells of some columns in the first rows, by index."""

SAMPLE = 10_000
"""Rows of a table that are looked at."""
MOST_KINDS, LONGEST_KIND = 20, 30
"""An event type is one of at most so many, and at most so many characters long."""
MOST_COLUMNS = 30
"""Columns that are looked at; those with a name that fits go before others."""
SHOWN, NAMED = 5, 12
"""Values of a column, and columns, that a note names."""
NAMES = (
    *("event", "action", "behav", "activity", "interaction", "feedback"),
    *("行为", "行動", "动作", "事件", "操作"),
)
"""Parts of the names of columns that say what happened."""
ENDINGS = ("id", "time", "date", "at", "ts", "number", "count", "value")
"""Ends of names such as ``event_time``, which say something else."""


@dataclass(frozen=True)
class _Column:
    name: str
    values: tuple[str, ...]  # the most frequent first; empty if they are no kinds of anything
    known: int

    @property
    def likely(self) -> bool:
        """Whether it says what happened, by its name or its values."""
        known = sum(map(is_spoken, self.values))
        if known:
            return known >= min(2, len(self.values))
        return _is_named(self.name) and bool(self.values) and (self.known > len(self.values) or self._worded)

    @property
    def possible(self) -> bool:
        """Whether it has a few short words as values, again and again."""
        return self.known >= 2 * len(self.values) > 2 and self._worded

    @property
    def _worded(self) -> bool:
        return all(any(map(str.isalpha, value)) for value in self.values)

    @property
    def call(self) -> str:
        """What reads it as event types, with what each value means that is not known."""
        column = f"--map {option('event_type', self.name)}"
        unknown = [value for value in self.values if meaning_of(value) is None]
        if not unknown:
            return column
        told = how_to_tell(unknown[:SHOWN]) + (" ..." if len(unknown) > SHOWN else "")
        return f"{column} {told}" + (f", where TYPE is one of {types_listed()}" if "=TYPE" in told else "")

    @property
    def shown(self) -> str:
        more = ", ..." if len(self.values) > SHOWN else ""
        return f"(values {', '.join(self.values[:SHOWN])}{more})"


def unused_notes(
    header: Sequence[str],
    names: Mapping[int, str],
    file: Path,
    sample: Sample,
) -> list[str]:
    """Return notes on the columns of a table of interactions that mean nothing to us.

    Args:
        header: All columns.
        names: Index of a column that is used -> our name.
        file: Whose they are.
        sample: Returns the cells of some columns in the first `SAMPLE` rows; asked once, or never.

    Example:
        >>> cells = {2: ["view", "view", "buy"], 3: ["3", "4", "5"]}
        >>> header, names = ["user", "item", "kind", "price"], {0: "user_id", 1: "item_id"}
        >>> for note in unused_notes(header, names, Path("r.csv"), lambda indices: cells):
        ...     print(note)
        r.csv: column 'kind' is not used (values view, buy); if it says what happened: --map event_type=kind
        r.csv: not used: column 'price'
    """
    left = [index for index, name in enumerate(header) if name and index not in names]
    if not left:
        return []
    looked_at = sorted(left, key=lambda index: not _is_named(header[index]))[:MOST_COLUMNS]
    cells = sample(looked_at) if "event_type" not in names.values() else {}
    columns = [_column(header[index], cells.get(index, ())) for index in left]
    notes = []
    if likely := next(iter(sorted(filter(lambda one: one.likely, columns), key=_order)), None):
        columns.remove(likely)
        notes.append(
            f"{file.name}: column {likely.name!r} is not used {likely.shown}; if it says what happened: "
            f"{likely.call}"
        )
    if columns:
        notes.append(f"{file.name}: {_listed(columns, hint=likely is None)}")
    return notes


def _order(column: _Column) -> tuple[bool, bool]:
    """Those whose values are known come first, and of those the ones whose names are."""
    known = any(map(is_spoken, column.values))
    return not known, not _is_named(column.name)


def _is_named(column: str) -> bool:
    word = plain(column)
    return any(part in word for part in NAMES) and not word.endswith(ENDINGS)


def _column(name: str, cells: Sequence[str | None]) -> _Column:
    counts = Counter(cell.strip() for cell in cells if cell is not None and cell.strip())
    few = len(counts) <= MOST_KINDS and all(len(value) <= LONGEST_KIND for value in counts)
    values = tuple(value for value, _ in counts.most_common()) if few else ()
    return _Column(name, values, counts.total())


def _listed(columns: Sequence[_Column], *, hint: bool) -> str:
    """Return which columns are not used; with a hint, which of them might be event types."""
    asked = [column for column in columns if hint and column.possible]
    shown = [
        f"{column.name!r} {column.shown}" if column in asked else repr(column.name)
        for column in columns[:NAMED]
    ]
    more = f" and {len(columns) - NAMED} more" if len(columns) > NAMED else ""
    said = f"not used: {'column' if len(columns) == 1 else 'columns'} {', '.join(shown)}{more}"
    which = "it" if len(columns) == 1 else "one of them"
    return f"{said}; if {which} says what happened: {asked[0].call}" if asked else said
