"""Texts with words left out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from acclimate.encode.adapters import wrap
from acclimate.encode.rewording import with_words_dropped, words
from acclimate.encode.signals import TextNet
from acclimate.encode.transformer import read_model
from acclimate.encode.tuning import Tuning
from acclimate.errors import InputError
from acclimate.rng import generator
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
    return TextNet(wrapped, reader, "mean", ["space film one two", "cook book one three", "电影"], tuning)


def test_words_are_dropped_while_it_learns_and_only_then(tmp_path: Path) -> None:
    folder, places = save_tiny_bert(tmp_path), torch.tensor([0, 1, 2])
    off, on = net(folder, 0.0).eval(), net(folder, 0.6).eval()
    with torch.no_grad():
        assert torch.equal(off(places), on(places))
        assert off.train()._read([0, 1, 2]) == off.tokens
        learning = on.train()._read([0, 1, 2])
    assert learning != on.tokens
    assert learning == on._read([0, 1, 2])
    assert sum(map(len, learning)) < sum(map(len, on.tokens))


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
