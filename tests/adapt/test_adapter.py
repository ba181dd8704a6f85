"""``train`` with the table ``adapter``: tuned on the training part, published with the model."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from acclimate.adapt.train import Trainer
from acclimate.config import Adapter, Home, Settings, Train, load_settings
from acclimate.data.store import Store
from acclimate.data.tables import read_tables
from acclimate.encode.text import TextEncoder
from acclimate.errors import InputError
from acclimate.snapshot import Registry
from tests.encode.tiny_bert import save_tiny_bert
from tests.encode.tiny_t5 import save_tiny_writer

TINY = {"width": 16, "heads": 1, "layers": 1, "batch_tokens": 64, "epochs": 15}
TUNED = Adapter(name="ia3", steps=3, batch=8)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    ratings, items = tmp_path / "ratings.csv", tmp_path / "items.csv"
    rows = [f"u{u},i{(u + t) % 9},{100 * t + u}" for u in range(30) for t in range(5)]
    ratings.write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    items.write_text("\n".join(["item_id,title", *(f"i{i},space film number {i}" for i in range(9))]))
    home = Home(tmp_path / "home")
    Store(home.data).add(read_tables([ratings], items=items))
    return home


def settings(tmp_path: Path, adapter: Adapter = TUNED, **train: object) -> Settings:
    folder = str(save_tiny_bert(tmp_path / "bert"))
    told = Train(model="sequence", encoder=folder, params=TINY, device="cpu")
    return Settings(train=replace(told, **train), adapter=adapter)


@pytest.mark.parametrize("signal", ["pairs", "sequence"])
def test_what_is_published_carries_its_adapter(home: Home, tmp_path: Path, signal: str) -> None:
    trainer = Trainer(home, settings(tmp_path, replace(TUNED, signal=signal)))
    trained = trainer.train(["sequence"])
    current = Registry(home.snapshots).current()
    assert current is not None
    assert current.manifest["settings"]["adapter"]["name"] == "ia3"
    encoder = current.load().model.encoder
    assert isinstance(encoder, TextEncoder)
    assert encoder.adapter is not None
    assert encoder.adapter.made["signal"] == signal
    assert trained.model.encoder is not None
    assert encoder.fingerprint == trained.model.encoder.fingerprint


def test_content_and_sequence_tune_alike_and_frozen_does_not(home: Home, tmp_path: Path) -> None:
    for name in ("content", "ranker"):
        trainer = Trainer(home, settings(tmp_path, model=name, params={}))
        trainer.train([name])
        assert "adapter" in trainer.encoder.state()[1]
    frozen = Trainer(home, settings(tmp_path, Adapter()))
    frozen.train(["sequence"])
    assert "adapter" not in frozen.encoder.state()[1]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("adapter.name=loar", "table adapter: no adapter 'loar': did you mean 'lora'"),
        ("adapter.signal=pears", "table adapter: no signal 'pears': did you mean 'pairs'"),
        ("adapter.size=-1", "table adapter: size must be 1..1024, got -1"),
        ("adapter.synonyms=none.csv", "table adapter: no file 'none.csv': give adapter.synonyms the path"),
        ("adapter.paraphraser=nowhere", "table adapter: no folder 'nowhere'"),
        ('adapter.paraphraser=["a", "b"]', "table adapter: no folder 'a'"),
    ],
)
def test_a_wrong_table_is_told_before_any_work(home: Home, override: str, message: str) -> None:
    settings = load_settings(None, ("adapter.name=lora", override))
    with pytest.raises(InputError, match=message):
        Trainer(home, settings).check(["sequence"])


def test_tfidf_cannot_be_tuned(home: Home) -> None:
    trainer = Trainer(home, Settings(train=Train(encoder="tfidf"), adapter=TUNED))
    with pytest.raises(
        InputError, match="ia3 tunes a language model, and tfidf is none: take the encoder minilm"
    ):
        trainer.train(["sequence"])


def test_a_wrong_file_of_synonyms_is_told_before_any_work(home: Home, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("word,meaning\nfilm,movie\n")
    settings = Settings(adapter=replace(TUNED, synonyms=str(tmp_path / "words.csv")))
    with pytest.raises(InputError, match=r"table adapter: .*words\.csv has no column synonym"):
        Trainer(home, settings).check(["sequence"])


def test_texts_are_told_otherwise_by_settings_alone(home: Home, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("film, movie\n")
    how = {"word_dropout": 0.2, "synonyms": str(tmp_path / "words.txt"), "synonym_share": 0.5}
    writer = str(save_tiny_writer(tmp_path / "writer", seed=1))
    adapter = replace(TUNED, **how, paraphraser=[writer, writer])  # type: ignore[arg-type]
    trainer = Trainer(home, settings(tmp_path, adapter, model="content", params={}))
    trainer.train(["content"])
    assert trainer.encoder.state()[1]["adapter"]["made"]["paraphraser"] == [writer, writer]
    assert list((home.cache / "training").glob("**/tellings-1.sqlite"))
