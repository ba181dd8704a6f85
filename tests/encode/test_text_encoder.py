"""Pre-trained encoders: a tiny one from a folder, and the real one where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from transformers import AutoModel, AutoTokenizer, T5Config, T5Model
from transformers.utils import logging as hf_logging

from acclimate.devices import choose_device
from acclimate.encode import text as module
from acclimate.encode.text import TextEncoder, batches
from acclimate.encode.weights import PACKAGED, find_folder, quiet
from acclimate.errors import InputError
from tests.encode.tiny_bert import save_tiny_bert
from tests.encode.tiny_gpt import save_tiny_gpt

TEXTS = [f"film {'space ' * (i % 13)}number {i}" for i in range(90)] + ["", "a", "电影 book"]
needs_minilm = pytest.mark.skipif(
    not PACKAGED["minilm"].installed, reason="needs pip install 'acclimate[demo]'"
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("tiny"))


def plainly(folder: Path, texts: list[str], *, pooling: str = "mean", max_length: int = 48) -> np.ndarray:
    """One text at a time in fp32, without padding: the oracle."""
    with quiet():
        network = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        rows = []
        for text in texts:
            if not text.strip():
                rows.append(np.zeros(network.config.hidden_size, np.float32))
                continue
            tokens = tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")
            with torch.inference_mode():
                hidden = network(**tokens).last_hidden_state[0]
            vector = {"cls": hidden[0], "last": hidden[-1], "mean": hidden.mean(0)}[pooling].numpy()
            rows.append(vector / np.linalg.norm(vector))
    return np.stack(rows)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_folder_gives_what_a_plain_pass_gives(tiny: Path, pooling: str) -> None:
    encoder = TextEncoder(tiny, pooling=pooling, precision="fp32", device="cpu")  # type: ignore[arg-type]
    np.testing.assert_allclose(encoder.encode(TEXTS), plainly(tiny, TEXTS, pooling=pooling), atol=1e-5)


def test_many_windows_and_small_batches_change_nothing(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TextEncoder(tiny, precision="fp32", device="cpu").encode(TEXTS)
    monkeypatch.setattr(module, "_WINDOW", 7)
    np.testing.assert_allclose(
        TextEncoder(tiny, precision="fp32", device="cpu").encode(TEXTS), whole, atol=1e-5
    )


def test_bf16_is_near_to_fp32(tiny: Path) -> None:
    full = TextEncoder(tiny, precision="fp32", device="cpu").encode(TEXTS)
    half = TextEncoder(tiny, precision="bf16", device="cpu").encode(TEXTS)
    filled = full.any(1)
    assert (full * half).sum(1)[filled].min() > 0.99  # random weights are rougher than trained ones
    assert not np.array_equal(full, half)


def test_threads_change_neither_the_vectors_nor_torch(tiny: Path) -> None:
    before, texts = torch.get_num_threads(), TEXTS * 30
    found = {}
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found[threads] = TextEncoder(tiny, precision="fp32", device="cpu").encode(texts)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(found[3], found[1], atol=1e-6)


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 200))
def test_batches_hold_each_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    found = batches(lengths, budget)
    assert sorted(i for batch in found for i in batch) == list(range(len(lengths)))
    assert all(len(b) == 1 or len(b) * max(lengths[i] for i in b) <= budget for b in found)


def test_sorting_leaves_little_padding() -> None:
    lengths = np.random.default_rng(0).integers(3, 64, 5_000).tolist()
    padded = sum(len(b) * max(lengths[i] for i in b) for b in batches(lengths, 2_048))
    assert padded < 1.02 * sum(lengths)


def test_only_what_decides_the_vectors_changes_the_fingerprint(tiny: Path, tmp_path: Path) -> None:
    one = TextEncoder(tiny).fingerprint
    copy = save_tiny_bert(tmp_path / "copy")
    assert TextEncoder(copy, device="cpu", progress=True).fingerprint == one
    others = {
        TextEncoder(tiny, pooling="cls").fingerprint,
        TextEncoder(tiny, max_length=8).fingerprint,
        TextEncoder(tiny, precision="fp32").fingerprint,
        TextEncoder(save_tiny_bert(tmp_path / "seed", seed=1)).fingerprint,
    }
    assert len(others | {one}) == 5


def test_only_max_length_tokens_are_read(tiny: Path) -> None:
    encoder = TextEncoder(tiny, max_length=4, precision="fp32")
    a, b, c = encoder.encode(["space film", "space film and a cook book", "film space"])
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert not np.allclose(a, c, atol=1e-3)


def test_a_model_with_few_positions_reads_fewer_tokens(tiny: Path) -> None:
    long = "space " * 500
    np.testing.assert_allclose(
        TextEncoder(tiny, max_length=500, precision="fp32", device="cpu").encode([long]),
        plainly(tiny, [long]),
        atol=1e-5,
    )


def test_other_weights_do_not_restore(tiny: Path, tmp_path: Path) -> None:
    folder = save_tiny_bert(tmp_path / "model")
    encoder = TextEncoder(folder, pooling="cls")
    state = encoder.state()
    save_tiny_bert(folder, seed=1)
    with pytest.raises(InputError, match="not those that the vectors were made with"):
        TextEncoder(folder).restore(state)


def test_progress_goes_to_stderr_as_lines(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    TextEncoder(tiny, progress=True).encode(TEXTS)
    out, err = capsys.readouterr()
    assert out == ""
    assert "reading texts: 92 of 92" in err
    assert 1 <= len(err.splitlines()) <= 10


def test_reading_a_model_is_silent_and_leaves_transformers_as_it_was(
    tiny: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    TextEncoder(tiny).encode(["space"])
    assert capfd.readouterr() == ("", "")
    assert (hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "max"}, "no pooling 'max'.*cls, last, mean"),
        ({"precision": "fp8"}, "no precision 'fp8'"),
        ({"max_length": 1}, "max_length must be 2..100000, got 1"),
    ],
)
def test_wrong_arguments_say_what_is_allowed(tiny: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TextEncoder(tiny, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "device", ["gpu", "meta", "cuda:99", "cuda" if not torch.cuda.is_available() else "xpu"]
)
def test_a_missing_device_is_named(device: str) -> None:
    with pytest.raises(InputError, match=f"no device '{device}' here"):
        choose_device(device)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_a_decoder_gives_what_a_plain_pass_gives(tmp_path: Path, family: str, pooling: str) -> None:
    folder = save_tiny_gpt(tmp_path, family=family)
    encoder = TextEncoder(folder, pooling=pooling, precision="fp32", device="cpu")  # type: ignore[arg-type]
    np.testing.assert_allclose(encoder.encode(TEXTS), plainly(folder, TEXTS, pooling=pooling), atol=1e-5)


def test_an_encoder_with_a_decoder_is_refused(tiny: Path, tmp_path: Path) -> None:
    sizes = {"d_model": 16, "d_ff": 32, "num_layers": 1, "num_heads": 2, "d_kv": 8, "vocab_size": 99}
    folder = save_tiny_bert(tmp_path)
    with quiet():
        T5Model(T5Config(**sizes, pad_token_id=0, decoder_start_token_id=0)).save_pretrained(folder)
    with pytest.raises(
        InputError, match=r"\(t5\) is an encoder with a decoder: give an encoder such as BERT"
    ):
        TextEncoder(folder).encode(["space"])


def test_broken_weights_give_one_line(tmp_path: Path) -> None:
    folder = save_tiny_bert(tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(InputError, match="cannot read the model in") as caught:
        TextEncoder(folder).encode(["space"])
    assert "\n" not in caught.value.message


def test_weights_that_lack_a_tensor_are_not_made_up(tmp_path: Path) -> None:
    folder = save_tiny_bert(tmp_path / "partial")
    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lack 1 of .* as encoder.layer.1.output.dense.weight"):
        TextEncoder(folder).encode(["space"])


@needs_minilm
def test_minilm_knows_what_is_near() -> None:
    encoder = TextEncoder("minilm")
    vectors = encoder.encode(["a film about space", "astronauts in orbit", "a cookbook", "baking bread"])
    near = vectors @ vectors.T
    assert near[0, 1] > near[0, 2] + 0.2
    assert near[2, 3] > near[2, 1] + 0.2


@needs_minilm
@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_minilm_agrees_with_a_plain_pass_in_fp32(precision: str) -> None:
    texts = [*TEXTS[::6], *TEXTS[-3:]]
    found = TextEncoder("minilm", precision=precision).encode(texts)  # type: ignore[arg-type]
    oracle = plainly(find_folder("minilm"), texts, max_length=64)
    assert (found * oracle).sum(1)[oracle.any(1)].min() >= 0.999
