"""Read texts by the words and characters they are made of; needs no pre-trained model."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from acclimate.errors import InputError, check_range
from acclimate.types import Floats, Histories, State

_VIEWS: dict[str, dict[str, Any]] = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    "characters": {"analyzer": "char", "ngram_range": (1, 3)},
}
_FEATURES = 10_000
_CHUNK = 8_192


class TfidfEncoder:
    """Turn texts into unit vectors by latent semantic analysis of word and character n-grams.

    Words and pairs of words, and one to three characters in a row (so that Chinese, which has no spaces,
    works too), are weighted by log frequency and rarity and projected on the strongest directions
    of the texts it was fitted on. A text that has nothing in common with them is the zero vector.

    Args:
        dim: Length of the vectors, 1..4096; less where the texts do not span as many directions.

    Raises:
        InputError: ``dim`` is out of range, or ``encode`` is called before ``fit``.

    Example:
        >>> encoder = TfidfEncoder(dim=8)
        >>> encoder.fit(["a film about space", "space and stars", "cooking for two", "two cooks"])
        >>> space, stars, cook = encoder.encode(["space", "stars", "cooking"])
        >>> bool(space @ stars > space @ cook)
        True

    References:
        Deerwester et al., "Indexing by latent semantic analysis", JASIS 1990.
    """

    name = "tfidf"

    def __init__(self, dim: int = 256) -> None:
        self.dim = check_range("dim", dim, 1, 4096)
        self.note: str | None = None
        self._vocabulary: dict[str, list[str]] = {}
        self._idf: dict[str, Floats] = {}
        self._components: Floats | None = None
        self._vectorizers: list[Any] = []

    @property
    def fingerprint(self) -> str:
        """Hash of the n-grams, their weights and the projection."""
        digest = hashlib.sha256(f"tfidf {self.dim}".encode())
        for view, words in self._vocabulary.items():
            digest.update("\0".join([view, *words]).encode("utf-8", "surrogatepass"))
            digest.update(self._idf[view].tobytes())
        if self._components is not None:
            digest.update(self._components.tobytes())
        return digest.hexdigest()

    def fit(self, texts: Sequence[str], histories: Histories | None = None) -> None:
        """Learn the n-grams, their rarity and the strongest directions of ``texts``."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        clean = [text for text in map(_clean, texts) if text]
        self._vocabulary, self._idf = {}, {}
        for view, options in _VIEWS.items():
            vectorizer = TfidfVectorizer(**options, lowercase=False, max_features=_FEATURES)
            try:
                vectorizer.fit(clean)
            except ValueError:  # no text has a word: emoji alone, or no text at all
                self._vocabulary[view], self._idf[view] = [], np.zeros(0, np.float32)
                continue
            self._vocabulary[view] = vectorizer.get_feature_names_out().tolist()
            self._idf[view] = vectorizer.idf_.astype(np.float32)
        self._vectorizers = self._rebuilt()
        self._components = self._directions(clean)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return unit vectors float32[n, d]; an empty or wholly unknown text is the zero vector."""
        if self._components is None:
            raise InputError("the tfidf encoder knows no texts yet: call fit first", field="encoder")
        clean = [_clean(text) for text in texts]
        out = np.zeros((len(texts), len(self._components)), np.float32)
        for start in range(0, len(texts), _CHUNK):
            part = self._weighted(clean[start : start + _CHUNK]) @ self._components.T
            norm = np.linalg.norm(part, axis=1, keepdims=True)
            np.divide(part, norm, out=out[start : start + _CHUNK], where=norm > 1e-6)
        return out

    def state(self) -> State:
        """Return the projection and rarities as arrays, the n-grams as JSON."""
        if self._components is None:
            return {}, {"dim": self.dim, "vocabulary": {}}
        arrays = {"components": self._components, **{f"idf.{view}": idf for view, idf in self._idf.items()}}
        return arrays, {"dim": self.dim, "vocabulary": self._vocabulary}

    def restore(self, state: State) -> None:
        """Become the encoder whose ``state`` this is."""
        arrays, document = state
        self.dim, self._vocabulary = document["dim"], document["vocabulary"]
        self._idf = {view: arrays[f"idf.{view}"] for view in self._vocabulary}
        self._components = arrays.get("components")
        self._vectorizers = self._rebuilt()

    def _rebuilt(self) -> list[Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        out = []
        for view, options in _VIEWS.items():
            if words := self._vocabulary.get(view):
                vectorizer = TfidfVectorizer(
                    **options, lowercase=False, sublinear_tf=True, dtype=np.float32, vocabulary=words
                )
                vectorizer.idf_ = self._idf[view]
                out.append(vectorizer)
        return out

    def _weighted(self, clean: list[str]) -> Any:
        """Return a sparse float32[n, features]; each view of a text has length 1."""
        from scipy.sparse import csr_array, hstack

        if not self._vectorizers:
            return csr_array((len(clean), 0), dtype=np.float32)
        return hstack([vectorizer.transform(clean) for vectorizer in self._vectorizers], format="csr")

    def _directions(self, clean: list[str]) -> Floats:
        """Return the strongest directions float32[d, features], d <= dim."""
        from sklearn.utils.extmath import randomized_svd

        texts = self._weighted(clean)
        most = min(self.dim, *texts.shape)
        if most == 0:
            return np.zeros((1, texts.shape[1]), np.float32)
        _, strength, directions = randomized_svd(texts, most, random_state=0)
        return np.ascontiguousarray(directions[strength > 1e-5 * strength[0]], np.float32)


def _clean(text: str) -> str:
    """Return ``text`` in one width and case, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())
