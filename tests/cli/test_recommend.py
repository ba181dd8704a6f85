"""What ``acclimate recommend`` says of scores and of items that come again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_what_cannot_be_scored_is_shown_without_a_number(run: Run, shop: Path, tmp_path: Path) -> None:
    items, home = tmp_path / "more.csv", tmp_path / "home"
    items.write_text("item_id,title\nnew,Untold\n")
    assert run("data", "import", shop / "ratings.csv", "--items", items, "--home", home).code == 0
    assert run("train", "--model", "ease", "--home", home).code == 0
    asked = ("recommend", "--user", "u0", "-k", 100, "--home", home)
    last = run(*asked, "--json").document["items"][-1]
    assert (last["item_id"], last["score"]) == ("new", None)
    shown = next(line for line in run(*asked).out.splitlines() if "Untold" in line)
    assert "–" in shown
    assert "nan" not in shown


@pytest.fixture
def favourites(tmp_path: Path, run: Run) -> Path:
    """A home in which u0 has item0 seven times and item1 twice, as every user has two favourites of ten."""
    rows = ["user_id,item_id,timestamp"]
    for user in range(20):
        bought = [user % 10] * 3 + [(user + 1) % 10] + [user % 10] * 2 + [(user + 1) % 10] + [user % 10] * 2
        rows += [f"u{user},item{item},{10**9 + 86_400 * day + user}" for day, item in enumerate(bought)]
    file, home = tmp_path / "bought.csv", tmp_path / "home"
    file.write_text("\n".join(rows) + "\n")
    assert run("data", "import", file, "--home", home).code == 0
    return home


def test_lists_follow_the_repeat_setting_of_the_training(
    run: Run, favourites: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = ("--home", favourites)
    asked = ("recommend", "--user", "u0", "-k", 10, *here, "--json")
    always = ("--set", "repeat.default=always")
    ran = run("train", "--model", "frequency", *always, *here)
    assert ran.code == 0, ran.err
    plain = run(*asked)
    assert [item["item_id"] for item in plain.document["items"][:2]] == ["item0", "item1"]
    told = [item["reasons"][0]["text"] for item in run(*asked, "--explain").document["items"][:3]]
    assert told == ["You had it 7 times.", "You had it 2 times.", "Popular: viewed or chosen 18 times."]
    run(*asked, *always)
    assert not caplog.messages
    other = run(*asked, "--set", "repeat.default=never")
    assert {item["item_id"] for item in other.document["items"]} == {f"item{n}" for n in range(2, 10)}
    assert "repeat.default is never, but the snapshot was trained and measured with always" in caplog.text
    assert run("train", "--model", "popularity", *here).code == 0
    assert len(run(*asked).document["items"]) == 8, "nobody said otherwise: never"
    run(*asked, *always)
    assert "measured with never" in caplog.messages[-1]


def test_what_events_weigh_is_the_snapshots_and_who_sets_otherwise_is_told(
    run: Run, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = ("--home", home, "--json")
    assert run("train", "--model", "popularity", *here).code == 0
    asked = ("recommend", "--user", "u0", *here)
    assert run(*asked).code == 0
    assert run(*asked, "--set", "events.like=2.0").code == 0
    assert not caplog.messages, "nothing is otherwise"
    assert run(*asked, "--set", "events.like=-1").code == 0
    assert "events.like is -1.0, but what happens counts 2.0 as the snapshot was trained" in caplog.text
