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
    "English": "the and of to in is with for his her that from an on who by it as my you",
    "German": "der die das und ist ein eine nicht mit von den dem zu auf für im sich wird als auch",
    "French": "le la les et des du une est dans pour qui sur avec son sa au aux pas ce il",
    "Spanish": "el los las del una es en por con su para que se al lo como más un la",
    "Portuguese": "os as do da um uma em por com seu sua para que não dos das ao",
    "Italian": "il gli lo di della del una che con per un si nel sono alla dei le non",
    "Dutch": "het een en van de is op te dat met voor zijn haar niet naar aan door om ze hij",
    "Swedish": "och att det en ett är som på av för med den till inte om han hon sin när de",
    "Polish": "na się do jest nie że jego jej po za przez od dla jak który to",
    "Turkish": "ve bir bu için ile da de olan çok daha gibi kadar sonra olarak ama en ne her mi",
    "Indonesian": "dan yang di ke dari untuk dengan ini itu adalah seorang pada dalam tidak akan oleh juga",
    "Finnish": "ja on ei että hän se joka mutta kun niin ovat sen hänen oli myös tai jossa mukaan",
}
"""Language -> small words that a text of it can hardly do without."""
_SMALL = {language: frozenset(words.split()) for language, words in WORDS.items()}
_COUNTS = {language: re.compile(f"[{letters}]") for language, letters in SCRIPTS.items()}
_WORD = re.compile(r"[^\W\d_]+")
_SHARE = 0.25  # of the letters: signs say more than letters do


def language_of(text: str) -> str | None:
    """Return the language of a text by its letters, else by two of its small words; None if it does not say.

    Example:
        >>> language_of("Ein Mann und der Hund"), language_of("霸王别姬"), language_of("Heat")
        ('German', 'Chinese', None)
    """
    text = text[:LENGTH].casefold()
    letters = sum(map(len, _WORD.findall(text)))
    for language, pattern in _COUNTS.items():
        if letters and len(pattern.findall(text)) >= _SHARE * letters:
            return language
    words = set(_WORD.findall(text))
    scores = sorted(((len(small & words), language) for language, small in _SMALL.items()), reverse=True)
    (most, best), (second, _) = scores[:2]
    return best if most > max(second, 1) else None


def languages(texts: Sequence[str]) -> dict[str, float]:
    """Return the share of the texts that are in each language, most first; short ones often do not say.

    Args:
        texts: Some `SAMPLE` of them are looked at.

    Example:
        >>> languages(["The man and the sea", "Heat", "La mer et les gens", "of the sea"])
        {'English': 0.5, 'French': 0.25}
    """
    sample = texts[:: max(1, len(texts) // SAMPLE)]
    told = Counter(language for text in sample if (language := language_of(text)))
    return {language: count / len(sample) for language, count in told.most_common()}
