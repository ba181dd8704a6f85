"""Texts told in other words, and with words left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from acclimate.encode.adapters import wrap
from acclimate.encode.rewording import Rewording, with_words_dropped, words
from acclimate.encode.signals import Pairs, TextNet
from acclimate.encode.synonyms import Synonyms
from acclimate.encode.text import TextEncoder
from acclimate.encode.transformer import read_model
from acclimate.encode.tuning import Tuning
from acclimate.errors import InputError
from acclimate.rng import generator
from acclimate.training import Training
from acclimate.types import Histories
from tests.encode.test_tuning import TEXTS, world
from tests.encode.tiny_bert import save_tiny_bert

LONG = ["w " * 50, "电影" * 25, "星 film " * 25]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("text", LONG)
def test_the_share_asked_for_is_dropped(text: str, share: float) -> None:
    told = with_words_dropped([text] * 400, share, generator(0, "share"))
    kept = sum(len(words(each)) for each in told) / (400 * len(words(text)))
    assert kept == pytest.approx(1 - share, abs=0.01)


def test_no_text_becomes_empty_and_what_stays_is_in_order() -> None:
    texts = ["one", "影", "two words", "电影", "", "  ", "😀"]
    for seed in range(50):
        for before, after in zip(texts, with_words_dropped(texts, 0.95, generator(seed)), strict=True):
            assert bool(after.strip()) == bool(before.strip())
            rest = iter(words(before))
            assert all(word in rest for word in words(after))


def test_draws_are_seeded_and_a_share_of_0_drops_nothing() -> None:
    one, same, other = (with_words_dropped(LONG, 0.5, generator(seed)) for seed in (1, 1, 2))
    assert one == same != other
    assert with_words_dropped(LONG, 0.0, generator(0)) == LONG


def net(folder: Path, share: float) -> TextNet:
    network, reader = read_model(folder, 32)
    tuning = Tuning("lora", word_dropout=share)
    wrapped = wrap(network, "lora", 0, seed=0)
    texts = ["space film one two", "cook book one three", "电影"]
    return TextNet(wrapped, reader, "mean", texts, tuning, tuning.rewording())


def test_words_are_dropped_while_it_learns_and_only_then(tmp_path: Path) -> None:
    folder, places = save_tiny_bert(tmp_path), torch.tensor([0, 1, 2])
    off, on = net(folder, 0.0).eval(), net(folder, 0.6).eval()
    with torch.no_grad():
        assert torch.equal(off(places), on(places))
        assert off.train()._read([0, 1, 2], 0) == off.tokens
        learning = on.train()._read([0, 1, 2], 0)
    assert learning != on.tokens
    assert learning == on._read([0, 1, 2], 0)
    assert sum(map(len, learning)) < sum(map(len, on.tokens))


def test_the_same_batch_is_told_otherwise_in_each_step_and_alike_in_the_same() -> None:
    texts, places = ["one two three four five six film"] * 3, [4, 7, 9]
    others = Synonyms({"film": ["movie"]})
    for how in (
        Rewording(word_dropout=0.5),
        Rewording(synonyms=others, synonym_share=0.5),
        Rewording(tellings=["other"] * 10, paraphrase_share=0.5),
    ):
        told = [tuple(how(texts, places, turn)) for turn in range(20)]
        assert told == [tuple(how(texts, places, turn)) for turn in range(20)]
        assert len(set(told)) > 3
        assert told != [tuple(replace(how, seed=1)(texts, places, turn)) for turn in range(20)]


def test_each_batch_of_a_fit_has_a_turn_of_its_own() -> None:
    histories = Histories.of([[0, 1, 2], [3, 4, 5], [0, 2, 4]] * 4)
    pairs = Pairs(histories, list("abcdef"), batch=8, steps=3, seed=0)
    turns = [int(batch.turn) for epoch in range(3) for batch in pairs(epoch)]
    assert turns == list(range(9))
    assert [int(batch.turn) for batch in pairs(1)] == [3, 4, 5]  # as of a fit that goes on there


def test_what_is_off_changes_nothing() -> None:
    how = Rewording(synonyms=Synonyms({"one": ["two"]}), tellings=["other"])
    assert not how.on
    assert how(["one"], [0], 0) == ["one"]


def test_a_blank_telling_leaves_the_text() -> None:
    how = Rewording(tellings=["", " ", "other"], paraphrase_share=1.0)
    assert how(["a", "b", "c"], [0, 1, 2], 0) == ["a", "b", "other"]


def test_a_fit_that_was_killed_drops_the_words_it_would_have(tmp_path: Path) -> None:
    folder = save_tiny_bert(tmp_path / "bert")
    tuning = Tuning(epochs=3, steps=4, batch=8, word_dropout=0.5, learning_rate=0.01)

    def dies(epoch: int, figure: float) -> None:
        if epoch == 1:
            raise RuntimeError("killed")

    def fitted(training: Training) -> str:
        encoder = TextEncoder(folder, precision="fp32", tuning=tuning, training=training)
        encoder.fit(TEXTS, world(len(TEXTS), 4))
        return encoder.fingerprint

    with pytest.raises(RuntimeError, match="killed"):
        fitted(Training(tmp_path / "kept", "cpu", watch=dies))
    assert list((tmp_path / "kept").glob("adapter-*/last.ckpt"))
    assert fitted(Training(tmp_path / "kept", "cpu")) == fitted(Training(None, "cpu"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"word_dropout": 1.0}, "adapter.word_dropout must be at least 0 and below 1, got 1.0"),
        ({"word_dropout": 0.1, "signal": "text"}, "goes with adapter.signal = pairs, got text"),
    ],
)
def test_word_dropout_out_of_range(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Tuning(**given)  # type: ignore[arg-type]
