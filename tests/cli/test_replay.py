"""``acclimate replay``: the document, the page, going on where it was, and calls that are refused at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acclimate.cli import main
from acclimate.data.synthetic import drifting_world

LEVELS = ("--level", "frozen", "--level", "live", "--level", "popularity", "--set", "train.model=item-knn")


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return a home that holds a small world."""
    data = drifting_world("sudden", n_events=300, n_users=20, n_items=60).data
    rows = zip(data.user.tolist(), data.item.tolist(), data.time.tolist(), strict=True)
    table = tmp_path / "events.csv"
    table.write_text(
        "user_id,item_id,timestamp\n" + "".join(f"u{u},i{i},{1e9 + t:.0f}\n" for u, i, t in rows), "utf-8"
    )
    assert main(["data", "import", str(table), "--home", str(tmp_path / "home"), "--json"]) == 0
    capsys.readouterr()
    return tmp_path / "home"


def call(home: Path, *words: str) -> int:
    """Return the exit status of a replay in ``home``."""
    return main(["replay", "--home", str(home), *words])


def test_it_prints_the_document_and_goes_on_where_it_was(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "replay.html"
    assert call(home, *LEVELS, "--window", "30m", "--json", "--html", str(page)) == 0
    first = json.loads(capsys.readouterr().out)
    assert [level["name"] for level in first["levels"]] == ["frozen", "live", "popularity"]
    assert first["protocol"] == "prequential"
    window = first["levels"][0]["windows"][0]
    assert window["end"] - window["start"] == 1800
    assert "<polyline" in page.read_text("utf-8")
    assert call(home, *LEVELS, "--window", "30m", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == first, "what is finished is shown as it was measured"
    assert "fitting" not in captured.err


def test_it_shows_a_table(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(home, *LEVELS, "--delay", "10m", "--set", "repeat.default=always") == 0
    said = capsys.readouterr()
    shown = " ".join(said.out.split())
    assert "frozen and live are the model item-knn (train.model)" in " ".join(said.err.split())
    for words in (
        "frozen",
        "popularity",
        "An event is known 10 minutes after",
        "Items may come again as soon as",
    ):
        assert words in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--level", "popularty"), "no level 'popularty': did you mean 'popularity'"),
        (("--level", "live", "--level", "live"), "name each level once"),
        (("--start", "soon"), "start must be a date"),
        (("--start", "2100-01-01"), "no event lies from the start of the replay (2100-01-01 00:00) on"),
        (("--window", "0d"), "window must be longer than 0"),
        (("--window", "month"), "window must be a length of time"),
        (("--delay", "-5"), "delay must be a length of time"),
        (("-k", "0"), "k must be 1..1000, got 0"),
        (("--html", "."), "--html wants a file"),
        (("--html", "none/page.html"), "--html none/page.html: there is no folder none; make it first"),
        (("--level", "foo"), "no level 'foo': allowed are adapter, all, als, "),
    ],
)
def test_a_wrong_call_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert call(home, *words, *(() if "--level" in words else ("--level", "popularity"))) == 2
    assert message in " ".join(capsys.readouterr().err.split())
