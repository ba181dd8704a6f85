"""Jester: jokes rated from -10 to 10, without times, as the tables ``ratings.csv`` and ``jokes.csv``."""

from __future__ import annotations

from pathlib import Path

from acclimate.data.columns import Columns
from acclimate.data.frames import Part
from acclimate.data.sources.delimited import read_delimited
from acclimate.errors import InputError

FILES = {"events": "ratings.csv", "items": "jokes.csv"}


class Jester:
    """A folder with ``ratings.csv`` (``user,joke,rating``) and ``jokes.csv`` (``joke,text``)."""

    def detect(self, path: Path) -> bool:
        """Take a folder that has both files."""
        return all((path / name).is_file() for name in FILES.values())

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read the whole folder if ``kind`` is ``events``, or its jokes.

        Raises:
            InputError: It is another folder, or has no such table.
        """
        if not self.detect(path) or kind == "users":
            raise InputError(f"{path} has no Jester table of {kind}: ratings.csv and jokes.csv", field=kind)
        wanted = FILES if kind == "events" else {kind: FILES[kind]}
        joke = Columns({"item": "joke"})
        return Part.of(
            {own: read_delimited(path / name, own, joke, encoding) for own, name in wanted.items()}
        )
