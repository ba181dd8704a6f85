"""The encoder that needs no model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.encode.tfidf import TfidfEncoder
from acclimate.errors import InputError

CHINESE = ["太空电影 科幻", "太空历险 科幻", "家常菜谱 烹饪", "烹饪书 菜谱大全", "爱情电影 剧情"]


def test_chinese_without_spaces_finds_its_neighbours() -> None:
    encoder = TfidfEncoder()
    encoder.fit(CHINESE)
    vectors = encoder.encode([*CHINESE, "科幻太空", "学烹饪"])
    near = vectors @ vectors[:5].T
    assert set(near[5].argsort()[-2:]) == {0, 1}
    assert set(near[6].argsort()[-2:]) == {2, 3}


def test_wide_and_narrow_letters_are_the_same() -> None:
    encoder = TfidfEncoder()
    encoder.fit(["space film", "cook book"])
    a, b = encoder.encode(["SPACE  film", "ｓｐａｃｅ film"])
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "texts", [["one"], ["x"], ["same"] * 4, ["", "", ""], [], ["😀"], ["a film"] * 3 + [""], ["...", "!"]]
)
def test_few_equal_and_empty_texts_work(texts: list[str]) -> None:
    encoder = TfidfEncoder(dim=4)
    encoder.fit(texts)
    vectors = encoder.encode([*texts, "something else", ""])
    assert np.isfinite(vectors).all()
    assert 1 <= vectors.shape[1] <= 4
    norms = np.linalg.norm(vectors[: len(texts)], axis=1)
    np.testing.assert_allclose(norms, [float(bool(text)) for text in texts], atol=1e-5)


def test_equal_texts_have_equal_vectors_and_the_dimension_is_that_of_the_texts() -> None:
    encoder = TfidfEncoder(dim=64)
    encoder.fit(["one film", "one film", "two books"])
    assert encoder.encode(["one film"]).shape == (1, 2)


def test_against_dense_arithmetic() -> None:
    texts = ["a b", "b c c", "c d"]
    encoder = TfidfEncoder(dim=3)
    encoder.fit(texts)
    weights = encoder._weighted(texts).toarray()
    near = weights @ weights.T
    near /= np.sqrt(np.outer(np.diag(near), np.diag(near)))
    vectors = encoder.encode(texts)
    np.testing.assert_allclose(vectors @ vectors.T, near, atol=1e-5)  # full rank: no direction is lost


@settings(max_examples=25)
@given(st.lists(st.text(max_size=12), max_size=6), st.lists(st.text(max_size=12), max_size=4))
def test_any_text_is_read_and_any_state_restores(fitted: list[str], asked: list[str]) -> None:
    encoder, other = TfidfEncoder(dim=3), TfidfEncoder()
    encoder.fit(fitted)
    other.restore(encoder.state())
    vectors = encoder.encode(asked)
    np.testing.assert_array_equal(other.encode(asked), vectors)
    norms = np.linalg.norm(vectors, axis=1)
    assert ((abs(norms - 1) < 1e-4) | (norms == 0)).all()


def test_before_fit_it_says_what_to_do() -> None:
    with pytest.raises(InputError, match="call fit first"):
        TfidfEncoder().encode(["x"])


@pytest.mark.parametrize("dim", [0, -1, 5000, "ten"])
def test_wrong_dimensions_are_refused(dim: int) -> None:
    with pytest.raises(InputError, match=r"dim must be 1..4096"):
        TfidfEncoder(dim)
