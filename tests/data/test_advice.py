"""A careful colleague says what is wrong with a set, and nothing of a good one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from acclimate.data.advice import advise
from acclimate.data.dataset import Dataset
from acclimate.data.languages import WORDS, language_of, languages
from acclimate.data.leaks import constant_columns, leaking_columns
from acclimate.data.tables import read_tables
from acclimate.types import Item
from tests.data.noise import DAY, START, clock, made, people

WRONG = re.compile(r"(?<![\d.,])1 (?!has\b|is\b)\w+s\b")
"""A 1 with a plural."""
ENGLISH = "The story of a man and the sea, by night number {}"


def good(seed: int = 0, **attributes: Callable[[int], object]) -> Dataset:
    """Many people, English texts, no ties, nothing had twice."""
    rows = people(np.random.default_rng(seed), 500, 60)
    rows = list({row[:2]: row for row in reversed(rows)}.values())[::-1]
    rows = [(user, item, time + n * 1e-4) for n, (user, item, time) in enumerate(rows)]
    ids = made(rows).items.ids
    items = [
        Item(name, title=ENGLISH.format(name), attributes={k: v(n) for k, v in attributes.items()})
        for n, name in enumerate(ids)
    ]
    return made(rows, catalogue=items)


def said(data: Dataset) -> dict[str, str]:
    return {one.topic: one.severity for one in advise(data) if one.severity != "fine"}


def test_nothing_is_wrong_with_a_good_set() -> None:
    assert said(good()) == {}
    assert {one.topic for one in advise(good())} >= {"time", "sparsity", "texts", "language", "suspects"}


def test_choices_of_what_was_had_before_are_told() -> None:
    rows = [(f"u{n}", item, START + 60.0 * k) for n in range(30) for k, item in enumerate("abacab")]
    (told,) = (one for one in advise(made(rows)) if one.topic == "repeats")
    assert (told.severity, told.finding) == (
        "hint",
        "50% of the choices are of items that the user had before",
    )
    assert "repeat.default=always" in told.todo
    (none,) = (one for one in advise(good()) if one.topic == "repeats")
    assert (none.severity, none.finding[:2]) == ("fine", "0%")


def test_events_that_look_wrong_stand_apart() -> None:
    rows = people(np.random.default_rng(0))
    twice = made([*rows, rows[5], rows[50]], value=np.arange(len(rows) + 2.0))
    (told,) = (one for one in advise(twice) if one.topic == "copies")
    first, second = (f"{user}, {item}, " for user, item, _ in sorted((rows[5], rows[50]), key=lambda r: r[2]))
    assert told.finding.index(first) < told.finding.index("; ") < told.finding.index(second)


def test_what_was_looked_at_and_found_well_is_told() -> None:
    fine = {one.topic: one.finding for one in advise(good(price=lambda n: n % 7 + n / 100))}
    assert fine["leak"] == "no number of the items follows what users did: none knows the future"
    blank = made(people(np.random.default_rng(0)), catalogue=None)
    assert not {"leak", "language"} & {one.topic for one in advise(blank)}
    short = made([("a", "x", START), ("b", "y", START + 1)], catalogue=[Item("x", "Heat"), Item("y", "Ran")])
    assert {one.topic: one.severity for one in advise(short)}["language"] == "hint"


def test_the_most_severe_comes_first_and_says_what_to_do() -> None:
    advice = advise(made(people(np.random.default_rng(0)) + clock("bot", np.random.default_rng(1))))
    order = ["warning", "hint", "fine"]
    assert [one.severity for one in advice] == sorted((one.severity for one in advice), key=order.index)
    assert all(one.todo for one in advice if one.severity != "fine")
    (bots,) = [one for one in advice if one.topic == "bots"]
    assert bots.finding.startswith("120 events of 1 user look wrong")
    assert bots.todo == "look at them; to leave them out: --drop bots"


def test_each_fault_is_named() -> None:
    data = good()
    rows = [
        (data.users.ids[u], data.items.ids[i], t)
        for u, i, t in zip(data.user, data.item, data.time, strict=True)
    ]
    rng = np.random.default_rng(0)
    assert said(made(rows, timed=False, catalogue=data.catalogue)) == {"time": "warning"}
    assert said(made(rows))["texts"] == "warning"
    tied = [(user, item, time // (100 * DAY) * 100 * DAY) for user, item, time in rows]
    assert said(made(tied, catalogue=None))["ties"] == "warning"
    assert said(made(rows[:2000], catalogue=None))["protocol"] == "hint"
    stars = rng.choice([1.0, 3.0, 4.0, 5.0], len(rows), p=[0.1, 0.3, 0.4, 0.2])
    (positive,) = [one for one in advise(made(rows, value=stars)) if one.topic == "positive"]
    assert positive.todo.startswith('--set train.positive=">=4" counts the ')
    assert said(made(rows, value=np.ones(len(rows))))["values"] == "hint"
    assert [one.topic for one in advise(made([]))] == ["events"]


def test_one_is_told_in_good_grammar() -> None:
    rows = [("ann", "heat", START), ("bob", "heat", START + DAY), ("bob", "heat", START + DAY)]
    items = [Item("heat", title=ENGLISH.format(1))]
    some = [made(rows[:1], catalogue=items), made(rows, value=[1.0, 1.0, 2.0], catalogue=items)]
    findings = [one.finding for data in some for one in advise(data)]
    assert [told for told in findings if WRONG.search(told)] == []
    assert "only 1 user has events" in findings
    assert any(told.startswith("1 event looks wrong") for told in findings)
    assert WRONG.search("only 1 users have"), "the check can fail"


def test_items_that_come_and_go_are_drift() -> None:
    rows = [(f"u{n % 300}", f"i{n // 200}", START + 3600.0 * n) for n in range(6_000)]
    assert said(made(rows))["drift"] == "hint"


def test_a_column_that_knows_the_future_is_found_and_named() -> None:
    data = good()
    counts = np.bincount(data.item, minlength=data.n_items)
    rng = np.random.default_rng(0)
    columns = {
        "reviews": lambda n: int(counts[n]) + int(rng.integers(2)),
        "rank": lambda n: str(-float(counts[n])),
        "size": lambda n: float(rng.normal()),
        "shop": lambda n: "north",
        "colour": lambda n: f"c{n % 3}",
    }
    leaky = good(**columns)
    assert leaking_columns(leaky).keys() == {"reviews", "rank"}
    assert constant_columns([item.attributes for item in leaky.catalogue]) == ["shop"]
    assert said(leaky) == {"leak": "warning", "constant": "hint"}
    assert leaking_columns(good(size=columns["size"])) == {}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The man who came to the city and never left it", "English"),
        ("Eine Frau und ein Mann auf der Flucht", "German"),
        ("Une femme et un homme dans la ville", "French"),
        ("Una mujer y un hombre que se encuentran en la ciudad", "Spanish"),
        ("Uma mulher e um homem que não se encontram em casa", "Portuguese"),
        ("Una donna e un uomo che si trovano nella città con il cane", "Italian"),
        ("Een vrouw en een man die niet naar het feest gaan", "Dutch"),
        ("En kvinna och en man som inte är från staden", "Swedish"),
        ("Kobieta i mężczyzna nie są z miasta, ale to jest jego dom", "Polish"),
        ("ROLLS: BAGELS, NON DAIRY", None),
        ("Bir adam ve bir kadın için çok uzun bir gece", "Turkish"),
        ("Seorang pria dan wanita yang tidak saling kenal di kota ini", "Indonesian"),
        ("Mies ja nainen, jotka eivät ole kotona, mutta se on hyvä", "Finnish"),
        ("霸王别姬 (1993)", "Chinese"),
        ("千と千尋の神隠し", "Japanese"),
        ("기생충", "Korean"),
        ("Москва слезам не верит", "Russian"),
        ("الرسالة", "Arabic"),
        ("Heat (1995)", None),
        ("", None),
        ("12:08", None),
    ],
)
def test_languages_are_known_by_letters_or_small_words(text: str, language: str | None) -> None:
    assert language_of(text) == language


def test_languages_have_words_of_their_own() -> None:
    assert len(WORDS) == 12
    assert all(len(word) > 1 for words in WORDS.values() for word in words.split())
    assert all(len(set(words.split())) == len(words.split()) for words in WORDS.values())
    assert languages([]) == {}


def test_an_english_encoder_is_not_for_chinese_titles() -> None:
    items = [Item(f"i{n}", title=f"霸王别姬第{n}集") for n in range(30)]
    rows = [(f"u{n}", f"i{n % 30}", START + n) for n in range(60)]
    data = made(rows)
    (told,) = [
        one
        for one in advise(made(rows, catalogue=[items[int(name[1:])] for name in data.items.ids]))
        if one.topic == "language"
    ]
    assert told.severity == "warning"
    assert told.finding == "texts are in Chinese (100%)"
    assert "minilm reads English" in told.todo


def test_texts_that_name_kinds_are_no_doubles() -> None:
    rows = people(np.random.default_rng(0))
    kinds = [
        Item(name, title=f"{'Rolls' if n % 2 else 'Bread'}") for n, name in enumerate(made(rows).items.ids)
    ]
    (told,) = [one for one in advise(made(rows, catalogue=kinds)) if one.topic == "doubles"]
    assert told.finding == "100% of the items have nearly the same title and text as another one"


def test_real_sets_are_judged_as_their_readers_know_them(known_set: Callable[[str], Path]) -> None:
    told = said(read_tables(known_set("ml-latest-small-2016")).dataset)
    assert told == dict.fromkeys(["ties", "cold items", "protocol", "positive", "doubles"], "hint")
