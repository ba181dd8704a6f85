"""Gowalla as split by LightGCN (He et al., SIGIR 2020): ``train.txt`` and ``test.txt``, a user a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from acclimate.data.columns import Columns
from acclimate.data.frames import Example, Part
from acclimate.data.sources.sequences import read_sequences
from acclimate.errors import InputError

FILES = ("train.txt", "test.txt")


class Gowalla:
    """A folder with ``train.txt`` and ``test.txt``: users and the places where they were, in no order.

    What is in ``test.txt`` comes after what is in ``train.txt``; its lines are counted on.
    """

    def detect(self, path: Path) -> bool:
        """Take a folder that has both files."""
        return all((path / name).is_file() for name in FILES)

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read both files.

        Raises:
            InputError: It is another folder, or items or users are asked for.
        """
        import polars as pl

        if not self.detect(path) or kind != "events":
            raise InputError(f"{path} has no table of {kind}: train.txt and test.txt", field=kind)
        train, test = (read_sequences(path / name, encoding) for name in FILES)
        with train.file.open("rb") as stream:
            before = sum(1 for _ in stream)

        def show(lines: Sequence[int]) -> list[Example]:
            return [
                each
                for line in lines
                for each in (test if line > before else train).examples(
                    pl.Series([line - before if line > before else line])
                )
            ]

        moved = test.frame.with_columns((pl.col("line") + before).cast(pl.UInt32))
        return Part(
            events=replace(
                train,
                frame=pl.concat([train.frame, moved]),
                dropped=(*train.dropped, *test.dropped),
                notes=(*train.notes, *test.notes),
                show=show,
            )
        )
