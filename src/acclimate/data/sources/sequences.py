"""One line a user: the user, then the items, oldest first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from acclimate.data.columns import Columns
from acclimate.data.encodings import NEVER, read_text
from acclimate.data.frames import Dropped, Part, Raw
from acclimate.data.sources.cutting import Layout, cut_lines
from acclimate.errors import InputError


class Sequences:
    """``user item item ...`` divided by spaces or tabs, as the published sequence benchmarks are.

    There are no times in such a file; only the order inside one user's lines means something.
    """

    def detect(self, path: Path) -> bool:
        """Take nothing without being named: such a file looks like many others."""
        return False

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read events; a line without items is dropped and counted.

        Raises:
            InputError: Items or users are asked for.
        """
        if kind != "events":
            raise InputError(f"a sequences file has no table of {kind}, got {path}", field="format")
        return Part(events=read_sequences(path, encoding))


def read_sequences(file: Path, encoding: str | None = None) -> Raw:
    """Return a row for each item of a user's line; a line without items is dropped and counted."""
    import polars as pl

    raw = cut_lines(Layout(read_text(file, encoding), NEVER, 1, {0: "text"}))
    words = raw.frame.select("line", pl.col("text").str.extract_all(r"[^ \t]+").alias("words"))
    lone = words.filter(pl.col("words").list.len() == 1)["line"]
    rows = words.select(
        pl.col("words").list.first().alias("user_id"), pl.col("words").list.slice(1).alias("item_id"), "line"
    ).explode("item_id", empty_as_null=False)
    dropped = (Dropped("a user without items", lone.len(), raw.examples(lone)),) if lone.len() else ()
    note = f"{file.name}: the order of each user's line stands for the time"
    return replace(raw, frame=rows, dropped=(*raw.dropped, *dropped), notes=(*raw.notes, note), by_user=True)
