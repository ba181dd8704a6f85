"""Texts told with words left out, so that a language model that is tuned leans on no single one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"(?:[{_UNSPACED}]|[^\s{_UNSPACED}]+)\s*")


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
