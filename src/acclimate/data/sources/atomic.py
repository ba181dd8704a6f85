"""Atomic files: ``.inter .item .user .kg .link``, divided by tabs, with ``name:type`` in the header.

The format is that of RecBole (Zhao et al., CIKM 2021, section 3.1).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from acclimate.data.columns import Columns
from acclimate.data.encodings import read_text
from acclimate.data.frames import Part, Raw
from acclimate.data.sources.cutting import Layout, cut_lines, first_cells
from acclimate.errors import InputError, nearest
from acclimate.words import counted

KINDS = {".inter": "events", ".item": "items", ".user": "users", ".link": "items", ".kg": "triples"}
"""Ending of a file -> what it tells of; ``.link`` names the entity of each item."""
TYPES = ("token", "token_seq", "float", "float_seq")


class Atomic:
    """One atomic file; a folder of them is read file by file.

    Members of a ``_seq`` are divided by spaces. They stay so in titles and texts, and become ``|`` elsewhere,
    as in categories. A graph (``.kg``) is counted and not read.
    """

    def detect(self, path: Path) -> bool:
        """Take files by their ending."""
        return path.suffix in KINDS and path.is_file()

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read the table that the file is.

        Raises:
            InputError: It is another table than the one that is wanted, or its header is not ``name:type``.
        """
        if path.suffix not in KINDS:
            raise InputError(f"{path} is no atomic file: {', '.join(KINDS)}", field="format")
        own = KINDS[path.suffix]
        if kind not in ("events", own):
            raise InputError(f"{path} is a table of {own}, a table of {kind} is wanted", field=kind)
        if own == "triples":
            with read_text(path, encoding).open() as stream:
                count = sum(1 for line in stream if line.strip()) - 1
            return Part(
                notes=(
                    f"{path.name}: {counted(count, 'triple of a graph is', 'triples of a graph are')} not "
                    "taken: no model reads one",
                )
            )
        return Part.of({own: _table(path, own, columns, encoding)})


def _table(path: Path, kind: str, columns: Columns, encoding: str | None) -> Raw:
    import polars as pl

    text = read_text(path, encoding)
    with text.open() as stream:
        skip, line = next((n, line) for n, line in enumerate(stream, start=1) if line.strip())
    header, types = _header(path, line.removeprefix("\ufeff").rstrip("\r\n"))
    names, notes = columns.choose(header, kind, path, lambda few: first_cells(text, "\t", skip, few))
    raw = cut_lines(Layout(text, "\t", len(header), names, skip))
    joined = [
        pl.col(name).str.replace_all(" ", "|", literal=True)
        for index, name in names.items()
        if types[index].endswith("_seq") and name not in ("title", "text")
    ]
    return replace(raw, frame=raw.frame.with_columns(joined), notes=(*raw.notes, *notes))


def _header(path: Path, line: str) -> tuple[list[str], list[str]]:
    """Return names and types of the columns."""
    fields = [field.strip().rpartition(":") for field in line.split("\t")]
    for name, _, kind in fields:
        if not name or kind not in TYPES:
            given = f"{name}:{kind}" if name else kind
            raise InputError(
                f"{path.name}: the header of an atomic file has name:type, divided by tabs, as in "
                f"user_id:token; got {given[:80]!r}: {nearest(kind[:80], TYPES)}",
                code="bad_header",
            )
    return [name for name, _, _ in fields], [kind for _, _, kind in fields]
