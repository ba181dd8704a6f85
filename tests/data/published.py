"""Small folders in the published MovieLens layouts, with made content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

FLAGS = {"Action": 1, "Comedy": 5, "unknown": 0}


def flags(*genres: str) -> str:
    return "|".join("1" if n in {FLAGS[g] for g in genres} else "0" for n in range(19))


def latest(folder: Path) -> None:
    (folder / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n1,10,2.5,300\n1,20,3.0,100\n2,10,4.0,200\n"
    )
    (folder / "movies.csv").write_text(
        'movieId,title,genres\n10,"Léon, The (1994)",Action|Comedy\n20,Nothing (1999),(no genres listed)\n'
        "30,Unseen (2000),Comedy\n",
        "utf-8",
    )


def million(folder: Path) -> None:
    (folder / "ratings.dat").write_text("1::10::5::300\n1::20::3::100\n2::10::4::200\n")
    _million_tables(folder)


def million_shared(folder: Path) -> None:
    (folder / "interactions_all.csv").write_text(
        "user_id,movie_id,rating,timestamp,ts_exact\n1,10,5,300,1\n1,20,,100,0\n2,10,4,200,1\n"
    )
    _million_tables(folder)
    (folder / "omdb.jsonl").write_text(
        '{"movie_id": 10, "title": "Leon", "omdb": {"Title": "Leon", "Plot": "A plant."}}\n'
        '{"movie_id": 20, "title": "Nothing", "omdb": {"Title": "Nothing", "Plot": "N/A"}}\n'
    )


def _million_tables(folder: Path) -> None:
    (folder / "movies.dat").write_text(
        "10::Léon, The (1994)::Action|Comedy\n20::Nothing (1999)::unknown\n30::Unseen (2000)::Comedy\n",
        "latin-1",
    )
    (folder / "users.dat").write_text("1::F::25::10::00123\n2::M::35::7::10001\n")


def hundred(folder: Path) -> None:
    (folder / "u.data").write_text("1\t10\t5\t300\n1\t20\t3\t100\n2\t10\t4\t200\n")
    (folder / "u.item").write_text(
        f"10|Léon, The (1994)|01-Jan-1994||http://x|{flags('Action', 'Comedy')}\n"
        f"20|Nothing (1999)|||http://y|{flags('unknown')}\n"
        f"30|Unseen (2000)|||http://z|{flags('Comedy')}\n",
        "latin-1",
    )
    (folder / "u.user").write_text("1|24|F|writer|00123\n2|53|M|other|10001\n")


def hundred_shared(folder: Path) -> None:
    (folder / "raw").mkdir()
    hundred(folder / "raw")
    (folder / "text").mkdir()
    (folder / "text" / "tmdb_items.csv").write_text(
        "movie_id,title,year,overview\n"
        '10,Leon,1994,"A plant, and a ""gun"""\n10,Leon,1994,Again\n20,Nothing,1999,\n'
    )


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "latest": latest,
    "million": million,
    "million_shared": million_shared,
    "hundred": hundred,
    "hundred_shared": hundred_shared,
}
