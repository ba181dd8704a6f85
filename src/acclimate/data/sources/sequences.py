"""One line a user: the user, then the items, oldest first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from acclimate.data.columns import Columns
from acclimate.data.encodings import NEVER, read_text
from acclimate.data.frames import MAX_EXAMPLES, Dropped, Part, show_lines
from acclimate.data.sources.cutting import Layout, cut_lines
from acclimate.errors import InputError


class Sequences:
    """``user item item ...`` divided by spaces or tabs, as the published sequence benchmarks are.

    There are no times in such a file. An item's place in its line, 0, 1, 2, ..., stands for its time, so
    that only the order inside one user's line means something.
    """

    def detect(self, path: Path) -> bool:
        """Take nothing without being named: such a file looks like many others."""
        return False

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read events; a line without items is dropped and counted.

        Raises:
            InputError: Items or users are asked for.
        """
        import polars as pl

        if kind != "events":
            raise InputError(f"a sequences file has no table of {kind}, got {path}", field="format")
        raw = cut_lines(Layout(read_text(path, encoding), NEVER, 1, {0: "text"}))
        words = raw.frame.select("line", pl.col("text").str.extract_all(r"[^ \t]+").alias("words"))
        lone = words.filter(pl.col("words").list.len() == 1)["line"]
        rows = words.select(
            pl.col("words").list.first().alias("user_id"),
            pl.col("words").list.slice(1).alias("item_id"),
            "line",
        ).explode("item_id", empty_as_null=False)
        place = pl.int_range(pl.len()).over("user_id").cast(pl.String).alias("timestamp")
        examples = show_lines(path, lone[:MAX_EXAMPLES].to_list(), raw.encoding)
        dropped = (Dropped("a user without items", lone.len(), examples),) if lone.len() else ()
        note = f"{path.name}: the order of each user's line stands for the time"
        frame = rows.with_columns(place)
        return Part(
            events=replace(raw, frame=frame, dropped=(*raw.dropped, *dropped), notes=(*raw.notes, note))
        )
