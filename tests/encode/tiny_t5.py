"""Models of 16 dimensions with random weights that write texts, in T5's and Marian's family."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    MarianConfig,
    MarianMTModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from acclimate.encode.weights import quiet

WORDS = ["space", "film", "cook", "book", "star", "one", "two", "three", "four", "电", "影", "书"]


def save_tiny_writer(folder: Path, *, seed: int = 0, family: str = "t5") -> Path:
    """Write configuration, random weights and a tokenizer of whole words into ``folder``."""
    vocabulary = {word: i for i, word in enumerate(["<pad>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", vocabulary["</s>"])]
    )
    ends = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "vocab_size": len(vocabulary)}
    torch.manual_seed(seed)
    with quiet():
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            pad_token="<pad>",
            eos_token="</s>",
            unk_token="<unk>",
            model_max_length=48,
        ).save_pretrained(folder)
        if family == "t5":
            config = T5Config(
                d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, initializer_factor=3.0, **ends
            )
            T5ForConditionalGeneration(config).save_pretrained(folder)
        else:
            marian = MarianConfig(
                d_model=16,
                encoder_ffn_dim=32,
                decoder_ffn_dim=32,
                encoder_layers=1,
                decoder_layers=1,
                encoder_attention_heads=2,
                decoder_attention_heads=2,
                max_position_embeddings=48,
                init_std=0.5,
                forced_eos_token_id=1,
                **ends,
            )
            MarianMTModel(marian).save_pretrained(folder)
    return folder
