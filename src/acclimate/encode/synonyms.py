"""Words told by others that mean the same, from a file that the user gives."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from acclimate.encode.rewording import UNSPACED
from acclimate.errors import InputError, NotFoundError

_MARKS = (
    r"!-/:-@\[-`{-~\u00a1-\u00bf\u2000-\u200b\u200e-\u206f\u2190-\u2bff\u3000-\u303f\uff00-\uff0f\uff1a-\uff20"
    r"\uff3b-\uff40\uff5b-\uff65\U0001f000-\U0001faff"
)
_LETTER = rf"[^\s{UNSPACED}{_MARKS}]"
_UNIT = re.compile(rf"[{UNSPACED}]|{_LETTER}+(?:['’-]{_LETTER}+)*|\s+|.", re.DOTALL)
"""A letter of a text without spaces, a word, blanks, or a mark: what a match begins and ends with, whole."""
_FIELD = "adapter.synonyms"


class Synonyms:
    """Words, or phrases, and what may stand in their place.

    Capitals do not count where a word is looked for, and are kept where one takes its place. Words are
    matched whole; where no spaces tell them apart, as in Chinese, and of phrases, the longest match counts.

    Args:
        others: Word -> those that may take its place, at least one.

    Example:
        >>> synonyms = Synonyms({"film": ["movie"], "sci-fi": ["science fiction"], "电影": ["影片"]})
        >>> synonyms.told("Film: a SCI-FI filmstar, 老电影", 1.0, np.random.default_rng(0))
        'Movie: a SCIENCE FICTION filmstar, 老影片'
    """

    def __init__(self, others: Mapping[str, Sequence[str]]) -> None:
        found: dict[str, list[str]] = {}
        for word, rest in others.items():
            key = _key(word)
            new = [clean for other in rest if (clean := " ".join(other.split())) and _key(clean) != key]
            if key and new:
                found[key] = list(dict.fromkeys([*found.get(key, []), *new]))
        self.others = found
        self._longest = max((len(_UNIT.findall(key)) for key in found), default=0)

    def told(self, text: str, share: float, rng: np.random.Generator) -> str:
        """Return the text with each word that has a synonym replaced by chance.

        Args:
            text: Any; one without such words stays as it is.
            share: How probable a word that has one is replaced, 0..1.
            rng: Draws.

        References:
            Wei and Zou, "EDA: easy data augmentation techniques", EMNLP 2019 (synonym replacement).
        """
        units, at, told = _UNIT.findall(text), 0, []
        while at < len(units):
            size = self._match(units, at)
            taken = "".join(units[at : at + max(size, 1)])
            if size and rng.random() < share:
                others = self.others[_key(taken)]
                taken = _as_capital(others[int(rng.integers(len(others)))], taken)
            told.append(taken)
            at += max(size, 1)
        return "".join(told)

    def _match(self, units: list[str], at: int) -> int:
        """Return how many units from ``at`` on are the longest phrase that has a synonym; 0 for none."""
        if units[at].isspace():
            return 0
        for size in range(min(self._longest, len(units) - at), 0, -1):
            if not units[at + size - 1].isspace() and _key("".join(units[at : at + size])) in self.others:
                return size
        return 0


def read_synonyms(path: Path) -> Synonyms:
    """Return what a file says: a table with the columns ``word`` and ``synonym``, or in each line a group.

    A table is separated by commas or tabs, and tells what may stand for a word, not the other way round. Of a
    group, words separated by commas, each may stand for each. The file is UTF-8.

    Args:
        path: The file.

    Raises:
        NotFoundError: There is no such file.
        InputError: It cannot be read, a column is missing, or it tells no synonym; names the row.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "synonyms.txt"
        >>> _ = path.write_text("film, movie, picture")
        >>> read_synonyms(path).others["movie"]
        ['film', 'picture']
    """
    lines = _lines(path)
    separator = "\t" if lines and "\t" in lines[0] else ","
    try:
        found = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise InputError(f"cannot read {path}: {error}", field=_FIELD) from error
    rows = [[cell.strip() for cell in row] for row in found]
    names = [cell.lower() for cell in rows[0]] if rows else []
    if separator == "\t" or {"word", "synonym"} & set(names[:2]):
        pairs = _table(path, rows, names)
    else:
        pairs = _groups(path, rows)
    others: dict[str, list[str]] = {}
    for word, other in pairs:
        others.setdefault(word, []).append(other)
    synonyms = Synonyms(others)
    if not synonyms.others:
        raise InputError(
            f"{path} tells no synonym: give a table with the columns word and synonym, or in each line words "
            "separated by commas, as in film, movie",
            field=_FIELD,
        )
    return synonyms


def check_synonyms(path: Path) -> None:
    """Raise NotFoundError unless there is such a file; it is not read."""
    if not path.is_file():
        raise NotFoundError(
            f"no file {str(path)!r}: give {_FIELD} the path of a table with the columns word and synonym, "
            "or of a file with a group of words in each line",
            field=_FIELD,
        )


def _lines(path: Path) -> list[str]:
    check_synonyms(path)
    try:
        return path.read_text("utf-8-sig").replace("\0", "").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", field=_FIELD) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: save it as UTF-8", field=_FIELD) from error


def _table(path: Path, rows: list[list[str]], names: list[str]) -> Iterable[tuple[str, str]]:
    if missing := [name for name in ("word", "synonym") if name not in names]:
        raise InputError(
            f"{path} has no column {missing[0]}, only {', '.join(names)[:200]}: name them word and synonym",
            field=_FIELD,
        )
    word, other = names.index("word"), names.index("synonym")
    for number, row in enumerate(rows[1:], 2):
        if not any(row):
            continue
        if len(row) <= max(word, other) or not row[word] or not row[other]:
            raise InputError(
                f"{path}, row {number}: a word and a synonym are needed, got {row}", field=_FIELD
            )
        yield row[word], row[other]


def _groups(path: Path, rows: list[list[str]]) -> Iterable[tuple[str, str]]:
    for number, row in enumerate(rows, 1):
        group = [word for word in row if word]
        if len(group) == 1:
            raise InputError(
                f"{path}, row {number}: {group[0][:80]!r} stands alone, a group is words separated by commas",
                field=_FIELD,
            )
        yield from ((word, other) for word in group for other in group if other != word)


def _key(words: str) -> str:
    return " ".join(words.casefold().split())


def _as_capital(other: str, taken: str) -> str:
    """Return ``other`` with the capitals that ``taken`` has; its own stay.

    Example:
        >>> [_as_capital("silent movie", word) for word in ("film", "Film", "FILM", "Old Film")]
        ['silent movie', 'Silent movie', 'SILENT MOVIE', 'Silent Movie']
    """
    if len(taken) > 1 and taken.isupper():
        return other.upper()
    words = [word for word in taken.split() if word[0].isalpha()]
    if words and all(word[0].isupper() for word in words):
        heads = other.split() if len(words) > 1 else [other]
        return " ".join(word[0].upper() + word[1:] for word in heads)
    return other
