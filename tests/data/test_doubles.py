"""Nearly equal texts are found as by comparing all with all, and quickly."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.data import doubles
from acclimate.data.doubles import ALIKE, SHORT, find_doubles

WORDS = ["silver", "river", "night", "garden", "stranger", "winter", "paper", "harbour", "letter", "mirror"]
WORDS += ["thousand", "orange", "forest"]


def catalogue(n: int, rng: np.random.Generator, length: int = 12) -> list[str]:
    return [" ".join(rng.choice(WORDS, length)) + f" {n}" for n in range(n)]


def slow(texts: list[str]) -> set[tuple[int, int]]:
    """Jaccard of the sets of four letters, all pairs; numbers have to agree."""
    plain = [" ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split()) for text in texts]
    sets = [{text[at : at + 4] for at in range(len(text) - 3)} for text in plain]
    found = set()
    for one in range(len(texts)):
        for other in range(one + 1, len(texts)):
            numbers = [sorted(word for word in plain[n].split() if word.isdigit()) for n in (one, other)]
            both, either = len(sets[one] & sets[other]), len(sets[one] | sets[other])
            alike = len(plain[one]) >= SHORT and numbers[0] == numbers[1] and both / either >= ALIKE
            if (plain[one] and plain[one] == plain[other]) or alike:
                found.add((one, other))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_planted_doubles_are_found_as_by_comparing_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = catalogue(150, rng)
    for n in range(10):
        copy = texts[n].upper().replace(" ", ", ", 2)
        texts.append(copy if n % 2 else copy.replace("R", "", 1))
    found = {(one, other) for one, other, _ in find_doubles(texts)}
    assert found == slow(texts)
    assert found == {(n, 150 + n) for n in range(10)}


def test_a_search_that_meets_nobody_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubles, "BANDS", 0)
    with pytest.raises(AssertionError):
        test_planted_doubles_are_found_as_by_comparing_all(0)


def test_parts_and_sizes_are_not_doubles() -> None:
    texts = ["A Long Way Home II (1990)", "A Long Way Home III (1990)", "A Long Way Home (1990)"]
    texts += ["Green tea from the mountains, 250 g", "Green tea from the mountains, 500 g"]
    assert find_doubles(texts) == []


def test_little_or_nothing_is_no_reason() -> None:
    assert find_doubles(["", "", "!!", "Heat", "Heal", "heat!"]) == [(3, 5, 1.0)]
    assert find_doubles([]) == []
    assert find_doubles(["\ud800 odd", "三体"]) == []


def test_ten_thousand_equal_beginnings_stay_bounded() -> None:
    texts = [f"The same long beginning of every single title, number {n}" for n in range(10_000)]
    assert find_doubles(texts) == []  # meets in the same bands, compared with few
