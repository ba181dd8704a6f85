"""What a home cannot be, what is wrong in its settings, and what was imported after a snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "--port", "0"),
        ("train",),
        ("evaluate",),
        ("recommend", "--user", "u1"),
        ("replay",),
        ("snapshots",),
        ("data", "list"),
        ("demo", "--no-serve"),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("inside", ["", "deeper"])
def test_a_file_is_no_home(run: Run, tmp_path: Path, words: tuple[str, ...], inside: str) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    ran = run(*words, "--home", file / inside, "--json")
    assert (ran.code, ran.document["error"]["code"]) == (2, "home_is_a_file")
    assert f"{file} is a file, not a folder; choose another with --home" in ran.document["error"]["message"]
    assert file.read_text() == "mine"


@pytest.mark.parametrize("name", ["policy.name", "train.model"])
def test_doctor_knows_what_there_is(run: Run, home: Path, name: str) -> None:
    ran = run("doctor", "--home", home, "--set", f"{name}=foo", "--json")
    settings = next(check for check in ran.document["checks"] if check["name"] == "settings")
    assert (ran.code, settings["ok"]) == (1, False)
    assert "'foo'" in settings["detail"]


def test_doctor_says_what_was_given_and_where(run: Run, home: Path) -> None:
    def settings(*words: str) -> str:
        checks = run("doctor", "--home", home, "--json", *words).document["checks"]
        return str(next(check["detail"] for check in checks if check["name"] == "settings"))

    assert settings() == "defaults"
    assert settings("--set", "policy.seed=3") == "1 setting given with --set"
    (home / "acclimate.toml").write_text("[policy]\nseed = 2\n")
    assert settings("--set", "policy.seed=3").endswith("acclimate.toml and 1 setting given with --set")


def test_doctor_on_an_encoder_that_is_not_there(run: Run, home: Path) -> None:
    ran = run("doctor", "--home", home, "--set", "train.encoder=/nope", "--json")
    encoder = next(check for check in ran.document["checks"] if check["name"] == "encoder")
    assert not encoder["ok"]
    assert "'/nope'" in encoder["detail"]
    assert encoder["fix"] == "correct train.encoder, or leave it at auto"


@pytest.mark.parametrize("given", ["policy.name=foo", "train.encoder=/nope"])
def test_a_wrong_name_is_told_before_a_fit(run: Run, home: Path, given: str) -> None:
    ran = run("train", "--model", "popularity", "--home", home, "--set", given, "--json")
    assert ran.code == 2
    assert given.partition("=")[2] in ran.document["error"]["message"]
    assert run("snapshots", "--home", home, "--json").document["snapshots"] == []


def test_what_is_imported_after_a_snapshot_says_what_takes_it_up(
    run: Run, home: Path, tmp_path: Path
) -> None:
    hint = "what is served was trained without these: acclimate train takes them up"
    more = tmp_path / "more.csv"
    more.write_text("userId,movieId,rating,timestamp\nnew,i1,5,1600000000\n")
    assert hint not in run("data", "import", more, "--home", home).err
    assert run("train", "--model", "popularity", "--home", home).code == 0
    assert hint not in run("data", "import", more, "--home", home).err
    more.write_text("userId,movieId,rating,timestamp\nnewer,i1,5,1600000000\n")
    assert hint not in run("data", "check", more, "--home", home).err
    assert hint in " ".join(run("data", "import", more, "--home", home).err.split())
