"""MovieLens as published: ml-100k, ml-1m and the ``ratings.csv movies.csv`` sets since 2015.

The layouts are those of the README files at https://grouplens.org/datasets/movielens/. Plots, where a copy
carries them (``omdb.jsonl`` from OMDb, ``tmdb_items.csv`` from TMDB), become the text of the items.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.data.columns import Columns
from acclimate.data.frames import Part, Raw
from acclimate.data.sources.cutting import cut_named
from acclimate.data.sources.delimited import read_delimited
from acclimate.errors import InputError

if TYPE_CHECKING:
    import polars as pl

GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War"),
    "Western",
)
"""The last 19 columns of ``u.item``, 0 or 1."""

_RATING = ("user_id", "item_id", "value", "timestamp")
HEADLESS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "u.data": ("events", "\t", _RATING),
    "u.item": ("items", "|", ("item_id", "title", "@released", "", "@url", *GENRES)),
    "u.user": ("users", "|", ("user_id", "@age", "@gender", "@occupation", "@zip")),
    "ratings.dat": ("events", "::", _RATING),
    "movies.dat": ("items", "::", ("item_id", "title", "categories")),
    "users.dat": ("users", "::", ("user_id", "@gender", "@age", "@occupation", "@zip")),
}
"""File without a header line -> which table, delimiter, columns; an empty name is left out."""

FILES = {
    "events": ("ratings.csv", "ratings.dat", "interactions_all.csv", "u.data", "raw/u.data"),
    "items": ("movies.csv", "movies.dat", "u.item", "raw/u.item"),
    "users": ("users.dat", "u.user", "raw/u.user"),
}
"""Table -> where a folder may have it."""


class MovieLens:
    """A folder of one of the published sets, or one of its files that have no header line."""

    def detect(self, path: Path) -> bool:
        """Take a folder that has ratings and movies, and files such as ``u.data`` and ``movies.dat``."""
        if path.is_dir():
            return _find(path, "events") is not None and _find(path, "items") is not None
        return path.name in HEADLESS

    def read(self, path: Path, kind: str, columns: Columns, encoding: str | None = None) -> Part:
        """Read the whole folder if ``kind`` is ``events``, else that table alone.

        Raises:
            InputError: It is none of the published layouts, or another table than the one that is wanted.
        """
        if not self.detect(path):
            files = ", ".join(HEADLESS)
            raise InputError(f"{path} is no MovieLens folder and none of {files}", field="format")
        if path.is_file():
            if (own := HEADLESS[path.name][0]) != kind:
                raise InputError(f"{path} is a table of {own}, a table of {kind} is wanted", field=kind)
            return Part.of({kind: _table(path, kind, columns, encoding)})
        found = {k: file for k in (FILES if kind == "events" else [kind]) if (file := _find(path, k))}
        tables = {k: _table(file, k, columns, encoding) for k, file in found.items()}
        if "items" in tables and (plots := _plots(path)) is not None:
            items = tables["items"]
            tables["items"] = replace(items, frame=items.frame.join(plots, on="item_id", how="left"))
        return Part.of(tables)


def _find(folder: Path, kind: str) -> Path | None:
    return next((folder / name for name in FILES[kind] if (folder / name).is_file()), None)


def _table(file: Path, kind: str, columns: Columns, encoding: str | None) -> Raw:
    if file.name not in HEADLESS:
        return read_delimited(file, kind, columns, encoding, published=True)
    _, delimiter, names = HEADLESS[file.name]
    raw = cut_named(file, delimiter, names, encoding, usual="latin-1")
    frame = _genres(raw.frame) if file.name == "u.item" else raw.frame
    return replace(raw, frame=frame, notes=())  # Latin-1 is what these files are


def _genres(frame: pl.DataFrame) -> pl.DataFrame:
    """Replace the 19 flags of ``u.item`` by their names, divided by ``|``."""
    import polars as pl

    labels = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in GENRES[1:]]
    joined = pl.concat_str(labels, separator="|", ignore_nulls=True).alias("categories")
    return frame.with_columns(joined).drop(GENRES)


def _plots(folder: Path) -> pl.DataFrame | None:
    """Return ``item_id, text``, each item once, if the folder has plots."""
    import polars as pl

    if (file := folder / "text" / "tmdb_items.csv").is_file():
        rows = read_delimited(file, "items", Columns()).frame.select("item_id", "text")
    elif (file := folder / "omdb.jsonl").is_file():
        plot = pl.col("omdb").struct.field("Plot").alias("text")
        rows = pl.read_ndjson(file, schema={"movie_id": pl.Int64(), "omdb": pl.Struct({"Plot": pl.String()})})
        rows = rows.select(pl.col("movie_id").cast(pl.String).alias("item_id"), plot)
    else:
        return None
    return rows.filter(pl.col("text") != "N/A").unique("item_id", keep="first", maintain_order=True)
