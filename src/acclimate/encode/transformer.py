"""A transformer on a device: tokens in, pooled unit vectors out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from acclimate.devices import bf16_helps, choose_device
from acclimate.encode.weights import quiet
from acclimate.errors import InputError
from acclimate.types import Floats

Pooling = Literal["mean", "cls"]
Precision = Literal["auto", "fp32", "bf16"]


class Transformer:
    """A Hugging Face encoder and its tokenizer, read from a folder.

    Args:
        folder: Holds ``config.json``, safetensors and the tokenizer.
        max_length: Tokens that are read of a text; a model that has places for fewer reads fewer.
        device: As in `choose_device`.
        precision: ``"auto"`` is bf16 where the device multiplies it natively.

    Attributes:
        dim: Length of the vectors.
        batch_tokens: Tokens in a batch that the device works on fast; more is slower on a CPU.

    Raises:
        InputError: The folder holds no complete encoder, or there is no such device.
    """

    def __init__(self, folder: Path, *, max_length: int, device: str, precision: Precision) -> None:
        self._device = choose_device(device)
        network, self._tokenizer = _read(folder)
        self._network = network.to(self._device).eval()
        self.dim: int = network.config.hidden_size
        self.max_length = min(max_length, self._tokenizer.model_max_length, _positions(network.config))
        self.batch_tokens = 2_048 if self._device.type == "cpu" else 65_536
        self._half = precision == "bf16" or (precision == "auto" and bf16_helps(self._device))

    def tokens(self, texts: list[str]) -> list[list[int]]:
        """Return the token ids of each text, with the special ones, cut off at ``max_length``."""
        clean = [text.encode("utf-8", "replace").decode() for text in texts]  # lone surrogates
        with quiet():
            found = self._tokenizer(clean, truncation=True, max_length=self.max_length)
        ids: list[list[int]] = found["input_ids"]
        return ids

    def each(self, batches: Sequence[list[list[int]]], pooling: Pooling) -> Iterator[Floats]:
        """Yield the `vectors` of each batch, in order; on a CPU several batches are worked on at once.

        A thread for each batch is faster than all threads in one batch, above all beside other work:
        they need not wait for one another after each matrix product.
        """
        import torch

        threads = torch.get_num_threads() if self._device.type == "cpu" else 1
        if threads == 1 or len(batches) == 1:
            yield from (self.vectors(batch, pooling) for batch in batches)
            return
        pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        try:
            yield from pool.map(partial(self.vectors, pooling=pooling), batches)
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)

    def vectors(self, tokens: Sequence[list[int]], pooling: Pooling) -> Floats:
        """Return unit vectors float32[b, dim] of b token lists of similar length."""
        import torch

        lengths = np.array([len(row) for row in tokens])
        ids = np.full((len(tokens), lengths.max()), self._tokenizer.pad_token_id)
        real = np.arange(lengths.max()) < lengths[:, None]
        ids[real] = np.concatenate(tokens)
        half = torch.autocast(self._device.type, torch.bfloat16) if self._half else nullcontext()
        with torch.inference_mode(), half:
            mask = torch.from_numpy(real).to(self._device)
            hidden = self._network(
                input_ids=torch.from_numpy(ids).to(self._device), attention_mask=mask.long()
            ).last_hidden_state.float()  # [b, tokens, dim]
            if pooling == "cls":
                pooled = hidden[:, 0]
            else:
                pooled = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
            out: Floats = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
        return out


def _read(folder: Path) -> tuple[Any, Any]:
    """Return network and tokenizer; every tensor comes from the file, none is made up."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoTokenizer

    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            network, found = AutoModel.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        first = str(error).strip().split("\n")[0]
        raise InputError(f"cannot read the model in {folder}: {first}", field="encoder") from error
    _check_encoder(folder, network.config, tokenizer)
    if missing := sorted(key for key in found["missing_keys"] if "pooler" not in key):
        raise InputError(
            f"the weights in {folder} lack {len(missing)} of the model's tensors, as {missing[0]}: "
            "save the whole model again",
            field="encoder",
        )
    return network, tokenizer


def _check_encoder(folder: Path, config: Any, tokenizer: Any) -> None:
    kinds = config.architectures or []
    generates = any(
        kind.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")) for kind in kinds
    )
    if generates or config.is_encoder_decoder or tokenizer.pad_token_id is None:
        raise InputError(
            f"the model in {folder} ({config.model_type}) is not an encoder: "
            "give one such as BERT, RoBERTa or E5",
            field="encoder",
        )


def _positions(config: Any) -> int:
    """Tokens that the model has positions for."""
    longest = getattr(config, "max_position_embeddings", None) or 100_000
    # RoBERTa and its kin count positions from the padding id on
    shifted = config.model_type in {"roberta", "xlm-roberta", "camembert", "mpnet"}
    return int(longest) - (config.pad_token_id + 1 if shifted else 0)
