"""The promises of the `Source` protocol; each check is given a source and a sample that it can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from acclimate.data.columns import Columns
from acclimate.data.frames import Raw
from acclimate.data.sources import Source

USERS = ["007", "é☃", "a/b", "7"]
"""Ids that are easily spoilt; the sample has events of each, in this order."""


@dataclass(frozen=True)
class Sample:
    """Something a source can read.

    Args:
        path: A file or folder.
        lines: The lines of its events, those of `users` first, then, where the format can have one, a line
            that cannot be cut into fields.
        users: Ids of the users, as they come out.
        broken: Whether there is a line that cannot be cut.
    """

    path: Path
    lines: list[str]
    users: list[str] = field(default_factory=lambda: USERS)
    broken: bool = True


def events(source: Source, sample: Sample) -> Raw:
    raw = source.read(sample.path, "events", Columns()).events
    assert raw is not None
    return raw


def check_ids_are_as_they_are_written(source: Source, sample: Sample) -> None:
    assert events(source, sample).frame["user_id"].unique(maintain_order=True).to_list() == sample.users


def check_the_order_of_the_file_is_kept(source: Source, sample: Sample) -> None:
    lines = events(source, sample).frame["line"].to_list()
    assert lines == sorted(lines)


def check_every_line_is_kept_or_counted(source: Source, sample: Sample) -> None:
    raw = events(source, sample)
    assert raw.frame["line"].n_unique() + sum(dropped.count for dropped in raw.dropped) == len(sample.lines)


def check_lines_point_at_the_rows(source: Source, sample: Sample) -> None:
    raw = events(source, sample)
    for user, line in raw.frame.select("user_id", "line").iter_rows():
        (example,) = raw.examples(pl.Series([line]))
        assert example["text"] == sample.lines[sample.users.index(user)]


def check_what_is_dropped_has_an_example(source: Source, sample: Sample) -> None:
    examples = [example for dropped in events(source, sample).dropped for example in dropped.examples]
    assert [example["text"] for example in examples] == (sample.lines[-1:] if sample.broken else [])
    assert all(Path(example["file"]).is_file() for example in examples)


def check_cells_are_text_or_times_and_values_in_numbers(source: Source, sample: Sample) -> None:
    types = dict(events(source, sample).frame.schema)
    assert types.pop("line") == pl.UInt32
    for name in ("timestamp", "value"):
        if types.get(name) == pl.Float64:
            types.pop(name)
    assert set(types.values()) == {pl.String()}
    assert {"user_id", "item_id"} <= types.keys()


def check_reading_changes_nothing(source: Source, sample: Sample) -> None:
    def state() -> list[tuple[Path, bytes]]:
        base = sample.path if sample.path.is_dir() else sample.path.parent
        return sorted((path, path.read_bytes()) for path in base.rglob("*") if path.is_file())

    before = state()
    first = events(source, sample)
    assert events(source, sample).frame.equals(first.frame)
    assert state() == before


def check_detecting_takes_any_path(source: Source, sample: Sample) -> None:
    assert source.detect(sample.path) in (True, False)
    assert source.detect(sample.path / "nothing" / "there") is False


CHECKS: list[Callable[[Source, Sample], None]] = [
    check_ids_are_as_they_are_written,
    check_the_order_of_the_file_is_kept,
    check_every_line_is_kept_or_counted,
    check_lines_point_at_the_rows,
    check_what_is_dropped_has_an_example,
    check_cells_are_text_or_times_and_values_in_numbers,
    check_reading_changes_nothing,
    check_detecting_takes_any_path,
]
