"""What is set and changes nothing is told before the work begins, and kept as a note."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acclimate.adapt.train import Trainer
from acclimate.adapt.unused import unused, unused_by
from acclimate.config import Adapter, Home, Settings, Train
from acclimate.data.dataset import Dataset
from acclimate.data.store import Store
from acclimate.data.tables import read_tables
from acclimate.errors import InputError
from acclimate.models.sequence import SequenceModel
from acclimate.types import Item
from tests.encode.tiny_bert import save_tiny_bert

EVENTS = [(f"u{u}", f"i{(u + t) % 5}", float(100 * t + u)) for u in range(9) for t in range(4)]


@pytest.mark.parametrize(
    ("settings", "names", "told"),
    [
        (Settings(), ["ease", "sequence"], []),
        (Settings(adapter=Adapter(name="lora", size=4)), ["ease", "sequence"], []),
        (
            Settings(adapter=Adapter(name="lora")),
            ["ease", "popularity"],
            ["ease and popularity read no texts"],
        ),
        (
            Settings(adapter=Adapter(signal="text", epochs=2)),
            ["sequence"],
            ["adapter.signal, adapter.epochs are"],
        ),
        (Settings(train=Train(pooling="cls")), ["ease"], ["train.pooling set nothing: no language model"]),
        (
            Settings(train=Train(encoder="tfidf", max_tokens=9)),
            ["sequence"],
            ["train.max_tokens set nothing"],
        ),
        (Settings(train=Train(item_rows="apart")), ["sequence"], ["train.item_rows='apart' changes nothing"]),
    ],
)
def test_settings_that_change_nothing_are_named(
    settings: Settings, names: list[str], told: list[str]
) -> None:
    found = unused(settings, names)
    assert len(found) == len(told)
    assert all(part in line for part, line in zip(told, found, strict=True))


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"loss": "sampled", "label_smoothing": 0.1}, "label_smoothing"),
        ({"negatives": 50}, "negatives"),
        ({"drawn_by": 0.5}, "drawn_by"),
        ({"id_share": 0.2}, "id_share"),
        ({"item_vector": "text", "id_dropout": 0.2}, "id_dropout"),
        ({"augment": ["crop"]}, "augment"),
        ({"user_text": "alone", "nearness": 0.2}, "nearness"),
        ({"item_vector": "id", "nearness": 0.2}, "nearness"),
        ({"block": "gru", "heads": 4}, "heads"),
        ({"block": "gru+convolution", "heads": 4}, "heads"),
        ({"validation_users": 0, "patience": 3}, "patience"),
    ],
)
def test_arguments_that_change_nothing_beside_the_others_are_named(params: dict[str, Any], name: str) -> None:
    (line,) = unused(Settings(train=Train(params=params)), ["sequence", "ease"])
    assert line.startswith(f"train.params.{name} changes nothing: ")
    assert not unused(Settings(train=Train(params=params)), ["ease"])


def test_an_adapter_beside_ids_alone_is_named() -> None:
    settings = Settings(adapter=Adapter(name="lora"), train=Train(params={"item_vector": "id"}))
    assert unused(settings, ["sequence"]) == [
        "adapter.name='lora' changes nothing in sequence: item_vector='id' reads no texts"
    ]


@pytest.mark.parametrize(
    ("params", "timed", "told"),
    [
        ({"baskets": True, "user_text": "off"}, True, []),
        ({"baskets": True}, False, ["train.params.baskets changes nothing: the data have no times"]),
        ({"user_text": "on"}, True, ["train.params.user_text='on' has nothing to read"]),
    ],
)
def test_params_that_the_data_cannot_serve_are_named(
    params: dict[str, Any], timed: bool, told: list[str]
) -> None:
    data = Dataset.of(EVENTS)
    data.timed = timed
    settings = Settings(train=Train(params=params))
    found = unused_by(settings, ["sequence"], data)
    assert len(found) == len(told)
    assert all(line.startswith(part) for part, line in zip(told, found, strict=True))
    assert not unused_by(settings, ["popularity"], data), "popularity takes none of them"


def test_texts_that_are_not_read_to_their_end_are_told_of() -> None:
    long = [Item(f"i{n}", title="word " * (80 if n else 3)) for n in range(5)]
    data = Dataset.of(EVENTS, catalogue=long)
    (line,) = unused_by(Settings(), ["sequence"], data)
    assert line.startswith("4 items of 5 have a text of more than 64 words, and no more than 64 tokens")
    assert not unused_by(Settings(train=Train(max_tokens=128)), ["sequence"], data)
    assert not unused_by(Settings(), ["ease"], data)


def test_how_texts_are_read_is_set(tmp_path: Path) -> None:
    train = Train(encoder=str(save_tiny_bert(tmp_path)), pooling="cls", max_tokens=9, precision="fp32")
    encoder = Trainer(Home(tmp_path / "home"), Settings(train=train)).encoder
    told = encoder.state()[1]
    assert (told["pooling"], told["max_length"], told["precision"]) == ("cls", 9, "fp32")
    for wrong, message in (
        ({"pooling": "max"}, "no pooling 'max'"),
        ({"max_tokens": 1}, "max_tokens must be"),
    ):
        with pytest.raises(InputError, match=message):
            Train(**wrong)  # type: ignore[arg-type]


def test_they_are_said_before_anything_is_fitted_and_once(tmp_path: Path) -> None:
    file = tmp_path / "clicks.csv"
    file.write_text("\n".join(["user_id,item_id,timestamp", *(f"{u},{i},{t:.0f}" for u, i, t in EVENTS)]))
    home = Home(tmp_path / "home")
    Store(home.data).add(read_tables([file]))
    said: list[str] = []
    trainer = Trainer(home, Settings(adapter=Adapter(name="lora")), say=said.append)
    trainer.train(["item-knn"])
    (note,) = trainer.notes
    assert note.startswith("adapter.name='lora' changes nothing: item-knn reads no texts. These do: ")
    assert said[0] == f"note: {note}"
    assert said.count(f"note: {note}") == 1


def test_a_model_that_hears_of_times_wants_them() -> None:
    data = Dataset.of(EVENTS)
    data.timed = False
    with pytest.raises(InputError, match=r"no times.*sequence model with time=true needs") as caught:
        SequenceModel(time=True, width=8, heads=1).fit(data)
    assert caught.value.code == "no_times"
