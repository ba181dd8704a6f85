"""The best arguments come into the settings file, and nothing else in it changes."""

import tomllib
from pathlib import Path

import pytest

from acclimate.adapt.found import Found, Trial, apply
from acclimate.adapt.search_page import write_found
from acclimate.adapt.spaces import Choice, Real
from acclimate.config import load_settings
from acclimate.errors import InputError

MINE = """# mine
[serve]
port = 9000  # here

[train.tuned.ease]  # of last year
l2 = 1.0
# gone with it

[train] # how
model = "als"
encoder = "tfidf"
"""


def test_a_new_file_holds_the_arguments(tmp_path: Path) -> None:
    file = tmp_path / "home" / "acclimate.toml"
    apply(file, "ease", {"l2": 73.5})
    assert file.read_text() == "[train.tuned.ease]\nl2 = 73.5\n", "train compares ease anyway"
    apply(file, "als", {"l2": 1e-05, "factors": 64})
    train = load_settings(file).train
    assert train.model == "als", "train would not come to it otherwise"
    assert train.tuned == {"ease": {"l2": 73.5}, "als": {"l2": 1e-05, "factors": 64}}


def test_what_else_stands_in_the_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "acclimate.toml"
    file.write_text(MINE)
    apply(file, "ease", {"l2": 2.0})
    text = file.read_text()
    assert text.startswith('# mine\n[serve]\nport = 9000  # here\n\n[train] # how\nmodel = "ease"\n')
    before, after = tomllib.loads(MINE), tomllib.loads(text)
    before["train"]["tuned"]["ease"]["l2"] = 2.0
    before["train"]["model"] = "ease"
    assert after == before
    apply(file, "ease", {"l2": 2.0})
    assert file.read_text() == text, "twice is once"


@pytest.mark.parametrize(
    "text",
    [
        "train = {model = 'als'}\n",
        "train.model = 'als'\n",
        "[train]\ntuned = {ease = {l2 = 1.0}}\n",
        "[train.params]\nx = [\n[1],\n]\n[train.tuned]\nease.l2 = 1.0\n",
    ],
)
def test_a_file_of_another_layout_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    file = tmp_path / "acclimate.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=r"cannot write into .*put .*these lines into it yourself"):
        apply(file, "ease", {"l2": 2.0})
    assert file.read_text() == text


def found(trials: list[Trial]) -> Found:
    space = {"l2": Real(1.0, 1e4, log=True), "block": Choice(("a<b", "gru"))}
    return Found("shop & co", "ease", "last", "ndcg@10", space, {"x": 1}, "aa", 9, "bb", trials)


def trial(number: int, figure: float | None, l2: float, **more: object) -> Trial:
    state = "done" if figure is not None else "failed"
    ends = {} if figure is None else {"low": figure - 0.01, "high": figure + 0.01}
    return Trial(number, state, {"l2": l2, "block": "a<b"}, figure, **ends, **more)  # type: ignore[arg-type]


def test_the_best_of_equals_is_the_first_and_a_failed_trial_is_none() -> None:
    some = found(
        [trial(1, 0.1, 200.0), trial(2, 0.3, 2.0), trial(3, 0.3, 3.0), trial(4, None, 1.0, why="nan")]
    )
    assert some.best is some.trials[1]
    assert some.settings == {"x": 1, "l2": 2.0, "block": "a<b"}
    assert some.document()["best"]["settings"] == some.settings
    assert tomllib.loads(some.toml) == {"train": {"tuned": {"ease": some.settings}}}
    assert any("Trial 4 failed: nan." in line for line in some.remarks())
    assert found([]).best is None


def test_the_page_stands_alone_and_escapes_what_it_shows(tmp_path: Path) -> None:
    page = tmp_path / "tune.html"
    trials = [trial(n, 0.1 * n, 10.0**n, epochs=[0.1, 0.2]) for n in (1, 2, 3)]
    write_found(found(trials), page)
    text = page.read_text()
    for part in ("History", "Each argument", "By epoch", "All trials", "To know", "shop &amp; co", "a&lt;b"):
        assert part in text
    assert "a<b" not in text
    assert "<script" not in text
    assert text.count("<circle") == 3 * 3, "a dot for each trial in the history and under each argument"
    write_found(found([]), page)
    assert "No trial of 0 came to a figure" in page.read_text()
    write_found(found(trials[:1]), page)
    assert "nan" not in page.read_text()
