"""A decoder of 16 dimensions with random weights that reads bytes; Llama's family, as SmolLM2."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from acclimate.encode.weights import quiet


def save_tiny_gpt(folder: Path, *, seed: int = 0, family: str = "llama") -> Path:
    """Write configuration, random weights and a byte tokenizer without padding or mask into ``folder``."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<|endoftext|>": 0, **{letter: i + 1 for i, letter in enumerate(letters)}}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    ends = {"bos_token_id": 0, "eos_token_id": 0, "vocab_size": len(vocabulary), "initializer_range": 0.3}
    torch.manual_seed(seed)
    with quiet():
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, eos_token="<|endoftext|>", model_max_length=48
        ).save_pretrained(folder)
        if family == "gpt2":
            sizes = {"n_embd": 16, "n_inner": 32, "n_layer": 2, "n_head": 2, "n_positions": 48}
            GPT2LMHeadModel(GPT2Config(**sizes, **ends)).save_pretrained(folder)
        else:
            config = LlamaConfig(
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=1,
                max_position_embeddings=48,
                tie_word_embeddings=True,
                **ends,
            )
            LlamaForCausalLM(config).save_pretrained(folder)
    return folder
