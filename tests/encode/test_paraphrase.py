"""Texts told otherwise by a model that the user gives."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from acclimate.encode.paraphrase import LocalParaphraser, retold
from acclimate.encode.rewording import Rewording
from acclimate.encode.text import TextEncoder
from acclimate.encode.tuning import Tuning
from acclimate.errors import AcclimateError, InputError, NotFoundError
from acclimate.training import Training
from tests.encode.test_tuning import TEXTS, world
from tests.encode.tiny_bert import save_tiny_bert
from tests.encode.tiny_t5 import save_tiny_writer

STRANGE = ["space film one", "", "电影", "  ", "word " * 500, "half a pair \ud83d", "nul \0", "😀"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("writers")
    families = ("t5", "marian")
    return {family: str(save_tiny_writer(folder / family, seed=1, family=family)) for family in families}


def fitted(bert: Path, paraphrase: Any = None, training: Training | None = None, **given: Any) -> TextEncoder:
    tuning = Tuning(epochs=1, steps=3, batch=8, **given)
    encoder = TextEncoder(bert, precision="fp32", tuning=tuning, training=training, paraphrase=paraphrase)
    encoder.fit(TEXTS, world(len(TEXTS), 4))
    return encoder


class Counted:
    """Tells texts backwards, and counts them."""

    def __init__(self, fingerprint: str = "") -> None:
        self.fingerprint, self.asked = fingerprint, 0

    def __call__(self, texts: Sequence[str]) -> list[str]:
        self.asked += len(texts)
        return [" ".join(reversed(text.split())) for text in texts]


@pytest.mark.parametrize("family", ["t5", "marian"])
def test_a_local_model_tells_each_text_as_alone(writers: dict[str, str], family: str) -> None:
    model = LocalParaphraser([writers[family]], max_length=12, device="cpu")
    texts = [*TEXTS[:9], *STRANGE]
    told = model(texts)
    assert told == [model([text])[0] for text in texts]
    assert any(told)
    assert all(len(text.split()) <= 12 for text in told)


def test_two_folders_are_there_and_back(writers: dict[str, str]) -> None:
    there, back = writers["marian"], writers["t5"]
    both = LocalParaphraser([there, back], device="cpu")
    one, two = LocalParaphraser([there], device="cpu"), LocalParaphraser([back], device="cpu")
    assert both(TEXTS) == two(one(TEXTS))
    assert len({model.fingerprint for model in (both, one, two)}) == 3


def test_tellings_are_those_of_their_texts_and_blank_ones_leave_the_text() -> None:
    def backwards(texts: Sequence[str]) -> list[str]:
        return ["" if "none" in text else text[::-1] for text in texts]

    told = retold(["a b", "", "c d", "a b", "none"], backwards)
    assert told.tellings == ["b a", "", "d c", "b a", "none"]
    assert told.untold == 1


def test_how_many_have_no_telling_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    retold(["a", "b", "c"], lambda texts: ["" if text == "b" else "x" for text in texts], progress=True)
    assert "1 of 3 texts were given no other telling, and stay as they are" in capsys.readouterr().err


def broken(texts: Sequence[str]) -> list[str]:
    raise ValueError("no licence")


@pytest.mark.parametrize("texts", [[], ["", " "]])
def test_no_texts_are_not_told(texts: list[str]) -> None:
    assert retold(texts, broken).tellings == texts


@pytest.mark.parametrize(
    ("paraphrase", "message"),
    [
        (broken, "the paraphraser failed: ValueError: no licence"),
        (lambda texts: list(texts)[1:], "must return one text for each, got 1 for 2"),
        (lambda texts: "two", "must return a list of texts, got str"),
        (lambda texts: None, "must return a list of texts, got NoneType"),
        (lambda texts: [1, 2], "must return texts, got int for 'a film'"),
        (lambda texts: ["", " "], "gave a blank text for each of 2 texts"),
    ],
)
def test_a_paraphraser_of_no_use_is_told(paraphrase: Any, message: str) -> None:
    with pytest.raises(AcclimateError, match=message):
        retold(["a film", "b"], paraphrase)


def test_memory_that_runs_out_is_told() -> None:
    def full(texts: Sequence[str]) -> list[str]:
        raise MemoryError

    with pytest.raises(AcclimateError, match="out of memory: take a smaller paraphraser"):
        retold(["a"], full)


def test_what_was_told_is_kept_by_model_and_text(tmp_path: Path) -> None:
    model = Counted("one")
    first = retold(["a b", "c d", "nul \0", "\ud83d x"], model, folder=tmp_path)
    assert model.asked == 4
    assert retold(["c d", "\ud83d x", "e f"], model, folder=tmp_path).tellings == ["d c", "x \ud83d", "f e"]
    assert model.asked == 5
    assert retold(["a b"], Counted("two"), folder=tmp_path).tellings == first.tellings[:1]
    other, nameless = Counted("two"), Counted()
    retold(["a b"], other, folder=tmp_path)
    retold(["a b"], nameless, folder=tmp_path)
    assert (other.asked, nameless.asked) == (0, 1)


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    file, model = tmp_path / "tellings-1.sqlite", Counted("one")
    file.write_bytes(b"no database " * 99)
    assert retold(["a b"], model, folder=tmp_path).tellings == ["b a"]
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM tellings").fetchone() == (1,)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.0])
def test_the_share_asked_for_is_told_otherwise(share: float) -> None:
    how = Rewording(tellings=["other"] * 100, paraphrase_share=share)
    told = [text for turn in range(200) for text in how(["text"] * 100, range(100), turn)]
    assert told.count("other") / len(told) == pytest.approx(share, abs=0.01)


def test_a_callable_is_learned_from_and_off_is_as_without(bert: Path) -> None:
    plain = fitted(bert).fingerprint
    assert fitted(bert, list, paraphrase_share=1.0).fingerprint == plain  # the same texts told again
    assert fitted(bert, broken, paraphrase_share=0.0).fingerprint == plain
    told = fitted(bert, Counted())
    assert told.fingerprint != plain
    assert told.fingerprint == fitted(bert, Counted()).fingerprint
    assert told.adapter is not None
    assert told.adapter.made["untold"] == 0


def test_local_models_are_learned_from_once(bert: Path, writers: dict[str, str], tmp_path: Path) -> None:
    folders = [writers["marian"], writers["t5"]]
    training = Training(tmp_path, "cpu")
    found = {
        fitted(bert, None, where, paraphraser=folders, paraphrase_share=1.0).fingerprint
        for where in (training, training, Training(None, "cpu"))
    }
    assert len(found) == 1
    assert found != {fitted(bert).fingerprint}
    assert (tmp_path / "tellings-1.sqlite").exists()
    assert len(list((tmp_path / "adapters").iterdir())) == 1
    fitted(bert, None, training, paraphraser=writers["t5"])
    assert len(list((tmp_path / "adapters").iterdir())) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"paraphrase_share": 1.5}, r"adapter\.paraphrase_share must be 0..1, got 1.5"),
        ({"paraphraser": "nowhere"}, r"no folder 'nowhere': adapter\.paraphraser takes folders"),
        ({"paraphraser": [1]}, r"no folder 1: adapter\.paraphraser takes folders"),
        ({"paraphraser": ["a", "b", "c"]}, "must be one folder, or two, there and back, got 3"),
    ],
)
def test_settings_that_do_not_fit(given: dict[str, Any], message: str) -> None:
    with pytest.raises((InputError, NotFoundError), match=message):
        Tuning(**given)


def test_folders_that_hold_no_writer_are_told(bert: Path, writers: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no usable model: it must hold config\.json"):
        Tuning(paraphraser=str(tmp_path))
    with pytest.raises(InputError, match=r"goes with adapter\.signal = pairs, got text"):
        Tuning(signal="text", paraphraser=writers["t5"])
    with pytest.raises(
        InputError, match=r"cannot read the paraphraser in .*: give an encoder with a decoder"
    ):
        fitted(bert, paraphraser=str(bert))
    with pytest.raises(InputError, match="paraphrase goes with tuning"):
        TextEncoder(bert, paraphrase=list)
    with pytest.raises(InputError, match="give paraphrase, or a paraphraser in tuning"):
        TextEncoder(bert, tuning=Tuning(paraphraser=writers["t5"]), paraphrase=list)
