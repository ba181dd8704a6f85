"""Amazon as published: the sequence benchmarks of 2014, and ratings without a header line.

The benchmarks (S3-Rec: Zhou et al., CIKM 2020; TIGER, ActionPiece) are a folder with ``NAME.txt`` (user,
then items, oldest first), ``s3rec_id_to_asin.json`` and, if there, ``NAME_item2attributes.json``,
``titles.tsv`` and ``item_short_text.txt``. Ratings are ``user,item,rating,seconds`` (2014) or
``item,user,rating,seconds`` (2018). Reviews are JSON lines, as any table may be.
"""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from acclimate.data.columns import Columns
from acclimate.data.encodings import NEVER
from acclimate.data.frames import Part, Raw
from acclimate.data.sources.cutting import cut_named
from acclimate.data.sources.sequences import read_sequences
from acclimate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

_T = TypeVar("_T")
IDS, TITLES, TEXTS, ATTRIBUTES = (
    *("s3rec_id_to_asin.json", "titles.tsv", "item_short_text.txt"),
    "_item2attributes.json",
)


RATINGS = {
    ("user_id", "item_id", "value", "timestamp"): re.compile(
        rb"A[0-9A-Z]{9,20},[0-9A-Z]{10},[1-5]\.0,\d{9,10}\s*"
    ),
    ("item_id", "user_id", "value", "timestamp"): re.compile(
        rb"[0-9A-Z]{10},A[0-9A-Z]{9,20},[1-5]\.0,\d{9,10}\s*"
    ),
}
"""Columns of a file of ratings, and what its first line looks like."""


class Amazon:
    """A folder of the benchmark, with ids of the shop (ASIN), titles, texts, attributes; or ratings alone."""

    def detect(self, path: Path) -> bool:
        """Take a folder with the ids of the shop and a file of sequences, or ratings by their first line."""
        if path.is_file():
            return _ratings(path) is not None
        return (path / IDS).is_file() and _sequences(path) is not None

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read the ratings, or the whole folder if ``kind`` is ``events``, or its items.

        Raises:
            InputError: It is another folder, has no such table, or a file in it is damaged.
        """
        import polars as pl

        if kind == "events" and path.is_file() and (names := _ratings(path)):
            return Part(events=cut_named(path, ",", names, encoding))
        if not self.detect(path) or kind == "users" or (file := _sequences(path)) is None:
            raise InputError(f"{path} has no Amazon table of {kind}: {IDS} and NAME.txt", field=kind)
        ids = _document(path / IDS, dict[str, str])
        items = _items(path, ids, encoding)
        if kind == "items":
            return Part(items=items)
        events = read_sequences(file, encoding)
        renamed = pl.col("item_id").replace(ids) if ids else pl.col("item_id")
        return Part(events=replace(events, frame=events.frame.with_columns(renamed)), items=items)


def _ratings(file: Path) -> tuple[str, ...] | None:
    """Return the columns of a file of ratings, or None if it is none."""
    try:
        with file.open("rb") as stream:
            first = stream.readline(200)
    except OSError:
        return None
    return next((names for names, line in RATINGS.items() if line.fullmatch(first)), None)


def _sequences(folder: Path) -> Path | None:
    """Return ``NAME.txt``: the one that has attributes, or else the only one that is not of texts."""
    named = [folder / file.name.replace(ATTRIBUTES, ".txt") for file in folder.glob(f"*{ATTRIBUTES}")]
    others = [file for file in folder.glob("*.txt") if file.name != TEXTS]
    found = [file for file in named if file.is_file()] or others
    return found[0] if len(found) == 1 else None


def _items(folder: Path, ids: dict[str, str], encoding: str | None) -> Raw | None:
    """Return titles with texts and attributes, if there are titles."""
    if not (folder / TITLES).is_file():
        return None
    raw = cut_named(folder / TITLES, "\t", ("item_id", "title"), encoding)
    plain = raw.frame["title"].map_elements(html.unescape, return_dtype=raw.frame["title"].dtype)
    frame = raw.frame.with_columns(plain)
    for more in (_texts(folder, encoding), _attributes(folder, ids)):
        frame = frame if more is None else frame.join(more, on="item_id", how="left", maintain_order="left")
    return replace(raw, frame=frame)


def _texts(folder: Path, encoding: str | None) -> pl.DataFrame | None:
    import polars as pl

    if not (folder / TEXTS).is_file():
        return None
    lines = cut_named(folder / TEXTS, NEVER, ("line of text",), encoding).frame
    parts = pl.col("line of text").str.splitn(" ", 2).struct.rename_fields(["item_id", "text"])
    return lines.select(parts).unnest("line of text").unique("item_id", keep="first", maintain_order=True)


def _attributes(folder: Path, ids: dict[str, str]) -> pl.DataFrame | None:
    """Return the numbers of each item's attributes, divided by ``|``."""
    import polars as pl

    files = list(folder.glob(f"*{ATTRIBUTES}"))
    if len(files) != 1:
        return None
    found = _document(files[0], dict[str, list[int]])
    names = [ids.get(name, name) for name in found]
    numbers = ["|".join(map(str, each)) for each in found.values()]
    return pl.DataFrame({"item_id": names, "@attributes": numbers}).unique("item_id", maintain_order=True)


def _document(file: Path, form: type[_T]) -> _T:
    try:
        return msgspec.json.decode(file.read_bytes(), type=form)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InputError(f"{file} is damaged: {error}; copy it again", code="damaged_file") from error
