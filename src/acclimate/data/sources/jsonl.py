"""JSON lines: one object a line."""

from __future__ import annotations

from pathlib import Path

import msgspec

from acclimate.data.columns import Columns
from acclimate.data.encodings import MARK, read_text
from acclimate.data.frames import Part, Raw
from acclimate.data.sources.cells import Rows
from acclimate.data.sources.cutting import Layout, Lost
from acclimate.data.sources.places import begins
from acclimate.errors import InputError

BROKEN = "not a JSON object"


class JSONLines:
    """One JSON object a line, as ``{"user": "ann", "item": 7, "ts": 1700000000}``.

    Ids may be numbers; lists are categories. A line that is no object costs itself and is counted, and so
    does one whose id is true, a list or an object.
    """

    def detect(self, path: Path) -> bool:
        """Take ``.jsonl``, ``.ndjson`` and ``.json``, and files that begin as JSON does."""
        named = path.suffix.lower() in (".jsonl", ".ndjson", ".json") and path.is_file()
        return named or any(begins(path, mark) for mark in (b"{", b"[{", b"[\n", b"\xef\xbb\xbf{"))

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read one table.

        Raises:
            InputError: It is one JSON document and not lines of them, or lacks a column.
        """
        text, lost, decoder = read_text(path, encoding), Lost(), msgspec.json.Decoder(dict[str, object])
        rows = Rows(lambda name: kind != "events" or bool(columns.recognised([name])))
        good, first = 0, ""
        with text.open() as stream:
            for number, line in enumerate(stream, start=1):
                if number == 1:
                    line = line.removeprefix("\ufeff")
                if MARK in line:
                    lost.add(text.unreadable, [number])
                elif line.strip():
                    first = first or line.strip()
                    try:
                        rows.add(number, decoder.decode(line))
                        good += 1
                    except (msgspec.DecodeError, UnicodeError):
                        lost.add(BROKEN, [number])
                        _refuse_document(path, line, good)
        if first and not good:
            raise InputError(
                f"{path} has no line that is a JSON object; its first one is {first[:60]!r}; if it is "
                "another format, give it the name of that, as in .csv, or say --format csv",
                code="no_json",
                field="path",
            )
        return Part.of({kind: _table(rows, kind, columns, lost, Layout(text, "", 0, {}))})


def _table(rows: Rows, kind: str, columns: Columns, lost: Lost, layout: Layout) -> Raw:
    """Return the rows under our names."""
    import polars as pl

    frame, file = rows.frame(), layout.text.file
    header = [*(name for name in frame.columns if name != "line"), *rows.left]
    names, notes = columns.choose(
        header, kind, file, lambda few: {index: rows.left.get(header[index], []) for index in few}
    )
    lost.notes += notes
    chosen = {header[index]: name for index, name in names.items()}
    frame = frame.select("line", *chosen).rename(chosen)
    odd = rows.odd(chosen, kind)
    for reason, lines in odd.items():
        lost.add(reason, sorted(lines))
        frame = frame.filter(~pl.col("line").is_in(lines))
    return lost.raw(layout, frame)


def _refuse_document(path: Path, line: str, good: int) -> None:
    """Raise InputError if a file begins as one document that runs over its lines."""
    if not good and (line.strip() == "{" or line.strip().startswith("[")):
        raise InputError(
            f"{path} is one JSON document; what is read has one object a line: "
            "jq -c '.[]' FILE.json > FILE.jsonl makes that of a list",
            code="json_document",
            field="path",
        )
