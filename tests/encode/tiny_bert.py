"""A BERT of 16 dimensions with random weights, so that a folder can be read without a network."""

from __future__ import annotations

import string
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizer

from acclimate.encode.weights import quiet

WORDS = ["space", "film", "cook", "book", "star", "电", "影", "书", "😀"]


def save_tiny_bert(folder: Path, *, seed: int = 0, **config: object) -> Path:
    """Write configuration, random weights and a word-piece tokenizer into ``folder``."""
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    pieces = [*letters, *(f"##{letter}" for letter in string.ascii_lowercase), *WORDS]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]
    torch.manual_seed(seed)
    sizes: dict[str, object] = {
        "vocab_size": len(vocabulary),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 48,
        "initializer_range": 0.5,
    }
    with quiet():
        words = {word: i for i, word in enumerate(vocabulary)}
        BertTokenizer(vocab=words, model_max_length=48).save_pretrained(folder)
        BertModel(BertConfig(**{**sizes, **config})).save_pretrained(folder)
    return folder
