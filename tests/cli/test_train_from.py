"""``acclimate train --from``: the next shop starts with what the last one has taught."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from acclimate.config import Home
from acclimate.snapshot import Registry
from tests.cli.conftest import SMALL, Run
from tests.encode.tiny_bert import save_tiny_bert

ONE = (*SMALL, "--set", "train.params.validation_users=0", "--set", "train.params.heads=1")
FIT = ("train", "--model", "sequence", *ONE, "--json")


def test_another_shop_starts_from_a_snapshot(run: Run, home: Path, tmp_path: Path) -> None:
    first = run(*FIT, "--home", home)
    assert first.code == 0, first.err
    source = Home(home).snapshots / first.document["snapshot"]
    other = tmp_path / "other"
    titles = [f"sku-{n},{'Space opera' if n % 2 else 'Kitchen story'} again {n}" for n in range(10)]
    (tmp_path / "items.csv").write_text("\n".join(["item_id,title", *titles]) + "\n")
    rows = [f"v{u},sku-{(2 * t + u) % 10},{100 * t + u}" for u in range(8) for t in range(4)]
    (tmp_path / "events.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    words = tmp_path / "events.csv", "--items", tmp_path / "items.csv", "--home", other
    assert run("data", "import", *words).code == 0

    none = run(*FIT, "--set", "train.params.epochs=0", "--home", other, "--from", source)
    assert none.code in (0, 1), none.err  # the gate may refuse it: the snapshot is kept
    ran = run(*FIT, "--home", other, "--from", source)
    assert ran.code == 0, ran.err
    assert ran.document["from"] == source.name
    kept = Registry(Home(other).snapshots)
    made, before = (registry.load() for registry in (kept.get(ran.document["snapshot"]), _open(source)))
    axes = [loaded.model.state()[0]["space.axes"] for loaded in (made, before)]
    np.testing.assert_array_equal(*axes)
    assert made.model.encoder is not None
    assert before.model.encoder is not None
    assert made.model.encoder.fingerprint == before.model.encoder.fingerprint


def _open(folder: Path):  # type: ignore[no-untyped-def]
    return Registry(folder.parent).get(folder.name)


def test_a_home_trains_on_from_its_own_snapshot(run: Run, home: Path) -> None:
    first = run(*FIT, "--home", home).document["snapshot"]
    ran = run(*FIT, "--home", home, "--from", first, "--seed", 1)
    assert ran.code == 0, ran.err
    assert ran.document["from"] == first
    assert run(*FIT, "--home", home).document["from"] is None
    whole = (f"snapshot {first} has learned from ", "sequence is compared as it is fitted from scratch")
    assert all(part in " ".join(ran.document["notes"]) for part in whole)


def test_what_knows_the_targets_is_not_measured_by_them(run: Run, tmp_path: Path) -> None:
    """A snapshot that has learned what is held out foresees it; so what is measured is a fit from scratch."""
    rng, home = np.random.default_rng(0), tmp_path / "noise"
    rows = [f"u{u},i{item},{t}" for u in range(60) for t, item in enumerate(rng.permutation(40)[:6])]
    (tmp_path / "noise.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    assert run("data", "import", tmp_path / "noise.csv", "--home", home).code == 0
    run(*FIT, "--home", home)  # published or not: it is kept
    (first,) = (each.id for each in Registry(Home(home).snapshots).list())
    run(*FIT, "--home", home, "--from", first)
    one, other = (
        each.manifest["metrics"]["ndcg@10"]["mean"] for each in Registry(Home(home).snapshots).list()
    )
    assert one == other
    stale = run(*FIT, "--set", "train.params.epochs=0", "--home", home, "--from", first)
    assert stale.code == 2
    assert f"acclimate snapshots rollback {first}" in stale.document["error"]["message"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("epochs=0", "train.params.epochs is 0: nothing is learned, which is for a model that starts from"),
        ("seed=5", "sequence: no argument 'seed': set train.seed instead"),
        ("encoder=minilm", "sequence: no argument 'encoder': set train.encoder instead"),
        ("layers=2.5", "layers must be a whole number, 1..1000, got 2.5"),
        (
            "block=gru+",
            "block takes attention, hstu, decay, gru, convolution, or some joined by +",
        ),
        ("block=gru,attention", "or some joined by +, got 'gru,attention'"),
    ],
)
def test_what_does_not_fit_is_told_before_any_work(run: Run, home: Path, given: str, said: str) -> None:
    ran = run("train", "--model", "sequence", "--set", f"train.params.{given}", "--home", home, "--json")
    assert ran.code == 2
    assert said in ran.document["error"]["message"]
    assert "ranking" not in ran.err


@pytest.fixture
def trained(run: Run, home: Path) -> str:
    return str(run(*FIT, "--home", home).document["snapshot"])


def test_what_cannot_be_started_from_is_named(run: Run, home: Path, trained: str, tmp_path: Path) -> None:
    def told(*words: object, code: int = 2) -> str:
        ran = run(*words, "--home", home, "--json")
        assert ran.code == code, ran.err
        assert "Traceback" not in ran.err
        return str(ran.document["error"]["message"])

    wrong = "0" * 15 + "1"
    assert f"no snapshot '{wrong}'" in told(*FIT, "--from", wrong)
    assert trained in told(*FIT, "--from", trained[:-1] + "x"), "names the nearest"
    assert "there is no such folder" in told(*FIT, "--from", tmp_path / "nothing")
    for place in (home, home / "snapshots"):
        assert f"the current one is {Home(home).snapshots / trained}" in told(*FIT, "--from", place)
    assert "no snapshot is named" in told(*FIT, "--from", "")
    assert "set train.params.time=false" in told(*FIT, "--from", trained, "--set", "train.params.time=true")
    assert "has width 16, this model 8" in told(*FIT, "--from", trained, "--set", "train.params.width=8")
    assert "ease cannot start from a snapshot" in told("train", "--model", "ease", "--from", trained)
    ease = run("train", "--model", "ease", "--home", home, "--json").document["snapshot"]
    assert f"snapshot {ease} holds the model ease" in told(*FIT, "--from", ease)
    assert f"snapshot {ease} holds the model ease" in told("train", *ONE, "--from", ease)

    broken = tmp_path / "copy" / trained
    shutil.copytree(Home(home).snapshots / trained, broken)
    data = bytearray((broken / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (broken / "model.safetensors").write_bytes(data)
    assert "is altered (its bytes are not those that were written)" in told(*FIT, "--from", broken, code=1)
    (broken / "snapshot.json").write_text(json.dumps({"files": {}}))
    assert "is damaged" in told(*FIT, "--from", broken, code=1)


def test_another_encoder_or_adapter_is_refused(run: Run, home: Path, trained: str) -> None:
    for word, message in [
        (
            "train.encoder=minilm",
            "this model with 'minilm': set train.encoder=tfidf",
        ),
        ("adapter.name=lora", "carries over the adapter frozen, adapter.name is lora"),
    ]:
        ran = run(*FIT, "--set", word, "--home", home, "--from", trained)
        assert (ran.code, message in ran.document["error"]["message"]) == (2, True), ran.out


def test_a_base_with_other_weights_is_named(run: Run, home: Path, tmp_path: Path) -> None:
    base = save_tiny_bert(tmp_path / "bert")
    mine = ["--set", f"train.encoder={base}", "--home", home]
    first = run(*FIT, *mine)
    assert first.code == 0, first.err
    save_tiny_bert(base, seed=1)
    ran = run(*FIT, *mine, "--from", first.document["snapshot"])
    assert ran.code == 2
    message = ran.document["error"]["message"]
    assert f"no fit can start from snapshot {first.document['snapshot']} here" in message
    assert "are not those that the vectors were made with" in message
