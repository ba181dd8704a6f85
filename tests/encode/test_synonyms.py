"""Words told by others that mean the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.encode.synonyms import Synonyms, read_synonyms
from acclimate.encode.text import TextEncoder
from acclimate.encode.tuning import Tuning
from acclimate.errors import InputError, NotFoundError
from acclimate.rng import generator
from tests.encode.test_tuning import TEXTS, world
from tests.encode.tiny_bert import save_tiny_bert

KNOWN = Synonyms(
    {
        "film": ["movie"],
        "science fiction": ["sci-fi"],
        "usa": ["United States"],
        "电影": ["影片"],
        "电影院": ["戏院"],
        "हिन्दी": ["Hindi"],
    }
)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("text", ["a film " * 50, "老电影" * 50])
def test_the_share_asked_for_is_replaced(text: str, share: float) -> None:
    rng = generator(0, "share")
    told = "".join(KNOWN.told(text, share, rng) for _ in range(400))
    assert (told.count("movie") + told.count("影片")) / (400 * 50) == pytest.approx(share, abs=0.01)
    assert (told.count("film") + told.count("电影")) / (400 * 50) == pytest.approx(1 - share, abs=0.01)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("film", "movie"),
        ("Film, FILM; (film)!", "Movie, MOVIE; (movie)!"),
        ("filmstar and bifilm and film-noir", "filmstar and bifilm and film-noir"),
        ("Science  Fiction", "Sci-fi"),
        ("science", "science"),
        ("the usa", "the United States"),
        ("电影院和电影", "戏院和影片"),
        ("film电影film", "movie影片movie"),
        ("हिन्दी हिन्दीX", "Hindi हिन्दीX"),
        ("tab\tfilm\nend ", "tab\tmovie\nend "),
        ("", ""),
        ("  ", "  "),
        ("😀film_\ud83d\0", "😀movie_\ud83d\0"),
    ],
)
def test_words_are_matched_whole_the_longest_first_and_keep_their_capitals(before: str, after: str) -> None:
    assert KNOWN.told(before, 1.0, generator(0)) == after
    assert KNOWN.told(before, 0.0, generator(0)) == before


def test_each_synonym_is_drawn_as_often_and_draws_are_seeded() -> None:
    synonyms = Synonyms({"a": ["b", "c", "d"]})
    one, same, other = (synonyms.told("a " * 3000, 1.0, generator(seed)) for seed in (1, 1, 2))
    assert one == same != other
    assert [one.count(word) / 3000 for word in "bcd"] == pytest.approx([1 / 3] * 3, abs=0.03)


@pytest.mark.parametrize(
    ("name", "content", "others"),
    [
        ("a.csv", "word,synonym\nFilm,movie\nfilm,picture\n", {"film": ["movie", "picture"]}),
        ("a.tsv", "synonym\tword\tnote\nmovie\tfilm\tx\n\n", {"film": ["movie"]}),
        ("a.csv", 'word,synonym\n"red, blue",colours\n', {"red, blue": ["colours"]}),
        ("a.txt", "\ufefffilm, movie\n\n电影,影片\n", {"film": ["movie"], "movie": ["film"]}),
    ],
)
def test_tables_and_groups_are_read(
    tmp_path: Path, name: str, content: str, others: dict[str, list[str]]
) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    found = read_synonyms(tmp_path / name).others
    assert others.items() <= found.items()
    assert ("电影" in found) == ("电影" in content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"word,meaning\nfilm,movie\n", "has no column synonym, only word, meaning: name them"),
        (b"film\tmovie\n", "has no column word, only film, movie: name them word and synonym"),
        (b"word,synonym\nfilm\n", r"row 2: a word and a synonym are needed, got \['film'\]"),
        (b"film, movie\nalone\n", "row 2: 'alone' stands alone, a group is words separated by commas"),
        (b"", "tells no synonym: give a table"),
        (b"word,synonym\nfilm,Film\n", "tells no synonym: give a table"),
        (b"film, \xff\n", "is not UTF-8: save it as UTF-8"),
        (b"film, " + b"m" * 200_000, "cannot read .*: field larger than"),
    ],
    ids=range(8),
)
def test_what_is_wrong_in_a_file_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "synonyms").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_synonyms(tmp_path / "synonyms")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"synonym_share": 0.5}, r"there are no synonyms: give adapter\.synonyms, a file"),
        ({"synonym_share": 1.5}, r"adapter\.synonym_share must be 0..1, got 1.5"),
        ({"synonyms": "none.csv"}, r"no file 'none.csv': give adapter\.synonyms the path"),
        ({"synonyms": __file__, "synonym_share": 0.5, "signal": "text"}, "goes with adapter.signal = pairs"),
    ],
)
def test_settings_that_do_not_fit(given: dict[str, object], message: str) -> None:
    with pytest.raises((InputError, NotFoundError), match=message):
        Tuning(**given)  # type: ignore[arg-type]


def test_synonyms_are_learned_from_and_off_is_as_without(tmp_path: Path) -> None:
    folder, file = save_tiny_bert(tmp_path / "bert"), tmp_path / "synonyms.txt"

    def fitted(content: str, **given: object) -> str:
        file.write_text(content)
        tuning = Tuning(epochs=1, steps=3, batch=8, **given)  # type: ignore[arg-type]
        encoder = TextEncoder(folder, precision="fp32", tuning=tuning)
        encoder.fit(TEXTS, world(len(TEXTS), 4))
        return encoder.fingerprint

    plain = fitted("")
    assert fitted("film, star", synonyms=str(file)) == plain
    assert fitted("nowhere, never", synonyms=str(file), synonym_share=1.0) == plain
    on = fitted("film, star", synonyms=str(file), synonym_share=1.0)
    assert on != plain
    assert fitted("film, cook", synonyms=str(file), synonym_share=1.0) != on
