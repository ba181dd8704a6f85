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
