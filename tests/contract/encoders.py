"""The promises of the `Encoder` protocol; each check is given a function that makes an unfitted encoder."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
from safetensors.numpy import load, save

from acclimate.types import Encoder, State

Make = Callable[[], Encoder]
CATALOGUE = [
    "Space film (1979). Science fiction",
    "A star is born. Drama, Music",
    "The cook book of small kitchens",
    "电影 太空 历险记",
    "Cooks and books: a long story about a film in a kitchen among the stars",
    "",
    "Space",
    "a",
]
OTHER = ["Gardens in winter", "How to prune a rose", "Soil", "The year of the gardener"]
STRANGE = [
    "😀🚀",
    "我喜欢太空电影",
    "word " * 10_000,
    "\u202eright to left \u05e9\u05dc\u05d5\u05dd",
    "nul \0 and tab \t and line\nend",
    "half a pair \ud83d",
    "é" * 300,
    " ".join(map(str, range(300))),
]


def fitted(make: Make) -> Encoder:
    """Return an encoder that knows the catalogue."""
    encoder = make()
    encoder.fit(CATALOGUE)
    return encoder


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of ``a`` with that of ``b``; 1 where both are zero."""
    zero = ~a.any(1) & ~b.any(1)
    return np.where(zero, 1.0, (a * b).sum(1))


def travelled(state: State) -> State:
    """Return what comes back from safetensors and JSON."""
    arrays, document = state
    return load(save(arrays)), json.loads(json.dumps(document))


def check_a_name_and_a_note(make: Make) -> None:
    encoder = make()
    assert isinstance(encoder.name, str)
    assert encoder.name
    assert encoder.note is None or encoder.note.strip()


def check_float32_matrix(make: Make) -> None:
    encoder = fitted(make)
    vectors = encoder.encode(CATALOGUE)
    assert vectors.dtype == np.float32
    assert vectors.ndim == 2
    assert encoder.encode([]).shape == (0, vectors.shape[1])
    assert encoder.encode(CATALOGUE[:1]).shape == (1, vectors.shape[1])


def check_length_is_one_or_zero(make: Make) -> None:
    norms = np.linalg.norm(fitted(make).encode([*CATALOGUE, *OTHER]), axis=1)
    assert ((abs(norms - 1) < 1e-5) | (norms == 0)).all(), norms
    assert (norms[[0, 1, 2, 3, 4, 6]] > 0).all(), norms


def check_empty_text_is_zero(make: Make) -> None:
    encoder = fitted(make)
    assert not encoder.encode(["", "  \n\t", "\u3000"]).any()
    assert encoder.encode(["", "Space"])[1].any()


def check_batch_equals_members(make: Make) -> None:
    encoder = fitted(make)
    together = encoder.encode(CATALOGUE)
    alone = np.concatenate([encoder.encode([text]) for text in CATALOGUE])
    assert cosines(together, alone).min() >= 0.999


def check_order_is_kept(make: Make) -> None:
    encoder = fitted(make)
    order = np.random.default_rng(0).permutation(len(CATALOGUE))
    shuffled = encoder.encode([CATALOGUE[i] for i in order])
    assert cosines(shuffled, encoder.encode(CATALOGUE)[order]).min() >= 0.999


def check_same_question_same_answer(make: Make) -> None:
    encoder = fitted(make)
    first = encoder.encode(CATALOGUE)
    encoder.encode(OTHER)
    np.testing.assert_array_equal(first, encoder.encode(CATALOGUE))
    np.testing.assert_allclose(first, fitted(make).encode(CATALOGUE), atol=1e-6)


def check_any_text_is_read(make: Make) -> None:
    vectors = fitted(make).encode(STRANGE)
    assert len(vectors) == len(STRANGE)
    assert np.isfinite(vectors).all()


def check_input_is_not_touched(make: Make) -> None:
    encoder, texts = make(), list(CATALOGUE)
    encoder.fit(texts)
    encoder.encode(texts)
    assert texts == CATALOGUE
    np.testing.assert_array_equal(encoder.encode(tuple(texts)), encoder.encode(texts))


def check_state_is_plain_and_restores(make: Make) -> None:
    encoder, other = fitted(make), make()
    arrays, _ = encoder.state()
    assert all(array.dtype.kind in "fiub" for array in arrays.values())
    other.restore(travelled(encoder.state()))
    assert other.fingerprint == encoder.fingerprint
    texts = [*CATALOGUE, *OTHER, *STRANGE]
    np.testing.assert_allclose(other.encode(texts), encoder.encode(texts), atol=1e-6)


def check_fingerprint_names_the_vectors(make: Make) -> None:
    one, same, other = fitted(make), fitted(make), make()
    other.fit(OTHER)
    assert one.fingerprint == same.fingerprint
    a, b = one.encode(CATALOGUE), other.encode(CATALOGUE)
    equal = a.shape == b.shape and np.allclose(a, b, atol=1e-6)
    assert equal == (one.fingerprint == other.fingerprint)


CHECKS: list[Callable[[Make], None]] = [
    check_a_name_and_a_note,
    check_float32_matrix,
    check_length_is_one_or_zero,
    check_empty_text_is_zero,
    check_batch_equals_members,
    check_order_is_kept,
    check_same_question_same_answer,
    check_any_text_is_read,
    check_input_is_not_touched,
    check_state_is_plain_and_restores,
    check_fingerprint_names_the_vectors,
]
