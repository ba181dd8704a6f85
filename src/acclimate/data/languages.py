"""In which languages texts are written: enough to choose an encoder, not more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

SAMPLE, LENGTH = 2_000, 400
"""Texts that are looked at, spread over all, and characters of each."""
SCRIPTS = {
    "Japanese": "\u3040-\u30ff",
    "Korean": "\uac00-\ud7af\u1100-\u11ff",
    "Chinese": "\u4e00-\u9fff\u3400-\u4dbf",
    "Russian": "\u0400-\u04ff",
    "Arabic": "\u0600-\u06ff",
    "Hebrew": "\u0590-\u05ff",
    "Greek": "\u0370-\u03ff",
    "Hindi": "\u0900-\u097f",
    "Thai": "\u0e00-\u0e7f",
}
"""Language (or the best known of its script) -> its letters. Kana comes before the signs it is mixed with."""
WORDS = {
    "English": "the and of to in is with for his her that from a an on who by it as my you",
    "German": "der die das und ist ein eine nicht mit von den dem zu auf für im sich wird als auch",
    "French": "le la les et des du une est dans pour qui sur avec son sa au aux pas ce il",
    "Spanish": "el los las y del una es en por con su para que se al lo como más un la",
    "Portuguese": "o os as e do da um uma é em por com seu sua para que não dos das ao",
    "Italian": "il gli lo di e della del una è che con per un si nel sono alla dei le non",
    "Dutch": "het een en van de is op te dat met voor zijn haar niet naar aan door om ze hij",
    "Swedish": "och att det en ett är som på av för med den till inte om han hon sin när de",
    "Polish": "i w na z się do jest nie że o jego jej po za przez od dla jak który to",
    "Turkish": "ve bir bu için ile da de olan çok daha gibi kadar sonra olarak ama en ne her mi o",
    "Indonesian": "dan yang di ke dari untuk dengan ini itu adalah seorang pada dalam tidak akan oleh juga",
    "Finnish": "ja on ei että hän se joka mutta kun niin ovat sen hänen oli myös tai jossa mukaan",
}
"""Language -> small words that a text of it can hardly do without."""
_SMALL = {language: frozenset(words.split()) for language, words in WORDS.items()}
_COUNTS = {language: re.compile(f"[{letters}]") for language, letters in SCRIPTS.items()}
_WORD = re.compile(r"[^\W\d_]+")
_SHARE = 0.25  # of the letters: signs say more than letters do


def language_of(text: str) -> str | None:
    """Return the language of a text by its letters, else by its small words; None if it does not say.

    Example:
        >>> language_of("Ein Mann und der Hund"), language_of("霸王别姬"), language_of("Heat")
        ('German', 'Chinese', None)
    """
    text = text[:LENGTH].casefold()
    letters = sum(map(len, _WORD.findall(text)))
    for language, pattern in _COUNTS.items():
        if letters and len(pattern.findall(text)) >= _SHARE * letters:
            return language
    words = _WORD.findall(text)
    scores = {
        language: (sum(word in small for word in words), len(small.intersection(words)))
        for language, small in _SMALL.items()
    }
    (best, most), (_, second) = sorted(scores.items(), key=lambda pair: pair[1], reverse=True)[:2]
    return best if most[0] and most > second else None


def languages(texts: Sequence[str]) -> dict[str, float]:
    """Return the share of each language among the texts that say theirs, most first; empty if none does.

    Args:
        texts: Some `SAMPLE` of them are looked at.

    Example:
        >>> languages(["The man and the sea", "Der Mann und das Meer", "La mer et les gens", "of the sea"])
        {'English': 0.5, 'German': 0.25, 'French': 0.25}
    """
    step = max(1, len(texts) // SAMPLE)
    told = Counter(language for text in texts[::step] if (language := language_of(text)))
    return {language: count / told.total() for language, count in told.most_common()}
