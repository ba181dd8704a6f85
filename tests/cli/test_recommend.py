"""What ``acclimate recommend`` says of scores and of items that come again."""

from __future__ import annotations

from pathlib import Path

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
