"""Texts told in other words, so that a language model that is tuned leans on no single one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acclimate.rng import generator

if TYPE_CHECKING:
    from acclimate.encode.synonyms import Synonyms

UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Letters of Chinese and Japanese, for a class of a regular expression: no blanks stand between words."""
_WORD = re.compile(rf"(?:[{UNSPACED}]|[^\s{UNSPACED}]+)\s*")


def words(text: str) -> list[str]:
    """Return the words of a text, each with the blanks behind it; a Chinese or Japanese letter is a word.

    Example:
        >>> words("Heat 电影 (1995)")
        ['Heat ', '电', '影 ', '(1995)']
    """
    return _WORD.findall(text)


def with_words_dropped(texts: Sequence[str], share: float, rng: np.random.Generator) -> list[str]:
    """Return the texts with each word left out by chance; of each at least one word stays.

    Args:
        texts: n of them; one without words stays as it is.
        share: How probable a word is left out, at least 0 and below 1.
        rng: Draws.

    Example:
        >>> with_words_dropped(["one two three four"], 0.5, np.random.default_rng(0))
        ['one ']

    References:
        Iyyer et al., "Deep unordered composition rivals syntactic methods", ACL 2015 (word dropout).
    """
    told = []
    for text in texts:
        found = words(text)
        if not found:
            told.append(text)
            continue
        draw = rng.random(len(found))
        keep = draw >= share
        keep[draw.argmax()] = True
        told.append("".join(word for word, stays in zip(found, keep.tolist(), strict=True) if stays))
    return told


@dataclass(frozen=True, slots=True)
class Rewording:
    """How texts are told otherwise at each step: by another telling, with synonyms, with words left out.

    Args:
        seed: With the step and the texts of a batch it decides every draw.
        word_dropout: As ``share`` in `with_words_dropped`.
        synonyms: What may stand for words; None for no synonyms.
        synonym_share: How probable a word that has a synonym is replaced, 0..1.
        tellings: Another telling of each text of the catalogue, in its order; None for none.
        paraphrase_share: How probable the other telling is taken, 0..1.

    Example:
        >>> Rewording(tellings=["two cats", "a dog"], paraphrase_share=1.0)(["a pair of cats"], [0], turn=0)
        ['two cats']
    """

    seed: int = 0
    word_dropout: float = 0.0
    synonyms: Synonyms | None = None
    synonym_share: float = 0.0
    tellings: Sequence[str] | None = None
    paraphrase_share: float = 0.0

    @property
    def on(self) -> bool:
        """Whether it changes any text."""
        retold = self.tellings is not None and self.paraphrase_share > 0
        replaced = self.synonyms is not None and self.synonym_share > 0
        return retold or replaced or self.word_dropout > 0

    def __call__(self, texts: Sequence[str], places: Sequence[int], turn: int) -> list[str]:
        """Return the texts told otherwise; none becomes empty.

        Args:
            texts: m texts.
            places: Where they are in the catalogue.
            turn: Number of the step since the fit began: another one draws anew, the same one the same.
        """
        told = list(texts)
        if self.tellings is not None and self.paraphrase_share:
            draw = generator(self.seed, "retold", turn, *places).random(len(told))
            for at in np.flatnonzero(draw < self.paraphrase_share).tolist():
                other = self.tellings[places[at]]
                told[at] = other if other.strip() else told[at]
        if self.synonyms is not None and self.synonym_share:
            rng = generator(self.seed, "synonyms", turn, *places)
            told = [self.synonyms.told(text, self.synonym_share, rng) for text in told]
        if self.word_dropout:
            rng = generator(self.seed, "words dropped", turn, *places)
            told = with_words_dropped(told, self.word_dropout, rng)
        return told
