"""What is published is what was measured, fitted again on everything."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acclimate.adapt.train import Trainer
from acclimate.config import Home, Repeat, Settings, Train, load_settings
from acclimate.data.store import Store
from acclimate.data.tables import read_tables
from acclimate.errors import InputError

TINY = {"width": 16, "heads": 1, "layers": 1, "batch_tokens": 64, "epochs": 6, "patience": 2}


def shop(path: Path) -> Home:
    """Return a home whose users go round nine items."""
    path.mkdir()
    file = path / "ratings.csv"
    rows = [f"u{u},i{(u + t) % 9},5,{100 * t + u}" for u in range(30) for t in range(6)]
    file.write_text("\n".join(["user_id,item_id,rating,timestamp", *rows]))
    home = Home(path)
    Store(home.data).add(read_tables([file]))
    return home


def test_the_best_model_is_fitted_on_everything_for_the_epochs_that_were_best(tmp_path: Path) -> None:
    home = shop(tmp_path / "home")
    trainer = Trainer(home, Settings(train=Train(model="sequence", encoder="tfidf", params=TINY)))
    said: list[str] = []
    trainer.say = said.append
    trained = trainer.train(["sequence"])
    fitted = trained.model.fitted  # type: ignore[attr-defined]
    assert trained.model.state()[1]["params"]["validation_users"] == 0
    assert math.isnan(fitted.figure), "nothing is held out of what is published"
    assert 1 <= fitted.epochs <= TINY["epochs"]
    assert fitted.epochs == trained.model.state()[1]["params"]["epochs"]
    assert trained.report is not None


def test_after_a_stop_what_was_compared_is_not_fitted_again(tmp_path: Path) -> None:
    home = shop(tmp_path / "home")
    settings = Settings(train=Train(model="sequence", encoder="tfidf", params=TINY))
    trainer = Trainer(home, settings, keep=True)

    def stop(epoch: int, figure: float) -> None:
        if math.isnan(figure):  # the fit on everything: nobody is held out
            raise KeyboardInterrupt

    trainer.training = replace(trainer.training, watch=stop)
    with pytest.raises(KeyboardInterrupt), trainer.alone():
        trainer.train(["sequence"])
    logs = set(home.cache.rglob("events.out.tfevents*"))
    assert len(logs) > 1, "the comparison and the fit on everything"
    trainer = Trainer(home, settings, keep=True)
    with trainer.alone():
        again = trainer.train(["sequence"])
    assert len(set(home.cache.rglob("events.out.tfevents*")) - logs) == 1, "the fit on everything alone"
    assert not list(home.cache.rglob("*.ckpt"))
    whole = Trainer(shop(tmp_path / "other"), settings).train(["sequence"])
    assert whole.metrics == again.metrics
    weights, same = whole.model.state()[0], again.model.state()[0]
    assert all(np.array_equal(weights[name], same[name]) for name in weights)


def test_what_replaces_a_better_snapshot_says_so(tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    rows = [f"u{u},i{u % 3 * 5 + (u + t) % 5},{100 * t + u}" for u in range(30) for t in range(4)]
    file.write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    home = Home(tmp_path / "home")
    Store(home.data).add(read_tables([file]))
    trainer = Trainer(home, Settings())
    first = trainer.train(["item-knn"])
    assert trainer.notes == []
    trainer.train(["popularity"])
    (note,) = trainer.notes
    assert note.startswith("item-knn, which this replaces, had ndcg@10 ")
    assert note.endswith(f"acclimate snapshots rollback {first.snapshot.id}")
    trainer.train(["item-knn"])
    assert trainer.notes == []


def test_tuned_arguments_go_to_their_model_alone_and_below_what_is_set(tmp_path: Path) -> None:
    tuned = {"ease": {"l2": 7.0}, "item-knn": {"neighbours": 9, "shrink": 2.0}}
    train = Train(tuned=tuned, params={"shrink": 3.0})
    trainer = Trainer(Home(tmp_path), Settings(train=train))
    assert (trainer.build("ease").l2, trainer.build("als").l2) == (7.0, 10.0)  # type: ignore[attr-defined]
    built = trainer.build("item-knn")
    assert (built.neighbours, built.shrink) == (9, 3.0)  # type: ignore[attr-defined]


def test_where_items_come_again_the_sequence_model_is_told_so(tmp_path: Path) -> None:
    def told(train: Train, default: str = "always") -> tuple[bool, bool]:
        built = Trainer(Home(tmp_path), Settings(train=train, repeat=Repeat(default))).build("sequence")
        return built.params["repeats"], built.params["baskets"]  # type: ignore[attr-defined]

    plain = {"encoder": "tfidf"}
    assert told(Train(**plain)) == (True, True)
    assert told(Train(**plain), "never") == (False, False)
    assert told(Train(**plain, params={"repeats": False})) == (False, True)
    assert told(Train(**plain, params={"loss": "sampled"})) == (False, True)


@pytest.mark.parametrize(
    ("train", "names", "message"),
    [
        (Train(tuned={"eaze": {}}), ["ease"], r"train.tuned: no model 'eaze': did you mean 'ease'"),
        (Train(tuned={"ease": {"l3": 1}}), ["ease"], r"train.tuned.ease: no argument 'l3': allowed is l2"),
        (Train(tuned={"ease": {"seed": 1}}), ["ease"], r"train.tuned.ease: no argument 'seed'"),
    ],
)
def test_tuned_arguments_that_do_not_fit_are_named(
    tmp_path: Path, train: Train, names: list[str], message: str
) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text("user_id,item_id,timestamp\nann,heat,1\nann,alien,2\n")
    home = Home(tmp_path / "home")
    Store(home.data).add(read_tables([file]))
    with pytest.raises(InputError, match=message):
        Trainer(home, Settings(train=train)).check(names)


def test_a_wrong_tracking_is_told_before_any_work() -> None:
    with pytest.raises(InputError, match=r"no tracking 'wandbb': did you mean 'wandb'"):
        load_settings(overrides=("train.tracking=wandbb",))
