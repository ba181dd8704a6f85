"""CSV and its relatives: a header line, one row a line."""

from __future__ import annotations

from pathlib import Path

from acclimate.data.columns import Columns
from acclimate.data.frames import Part
from acclimate.data.sources.delimited import DELIMITERS, read_delimited


class CSV:
    """Any table with a header and columns divided by comma, tab, semicolon or bar."""

    delimiters = tuple(DELIMITERS)

    def detect(self, path: Path) -> bool:
        """Take every file."""
        return path.is_file()

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read one table; see `read_delimited`."""
        return Part.of({kind: read_delimited(path, kind, columns, encoding, self.delimiters)})


class TSV(CSV):
    """A table with a header and columns divided by tabs, whatever else its cells hold."""

    delimiters = ("\t",)

    def detect(self, path: Path) -> bool:
        """Take ``.tsv`` and ``.tab``."""
        return path.suffix.lower() in (".tsv", ".tab") and path.is_file()
