"""A transformer on a device: tokens in, pooled unit vectors out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.devices import bf16_helps, choose_device
from acclimate.encode.adapters import Adapter
from acclimate.encode.weights import quiet
from acclimate.errors import InputError
from acclimate.types import Floats

if TYPE_CHECKING:
    from torch import Tensor

Pooling = Literal["mean", "cls", "last"]
Precision = Literal["auto", "fp32", "bf16"]


class Reader:
    """The tokenizer of a model: texts in, tokens out.

    Args:
        tokenizer: Of transformers.
        max_length: Tokens that shall be read of a text.
        places: Tokens that the model has places for.

    Attributes:
        pad: Token that fills up a batch; what it is does not matter.
    """

    def __init__(self, tokenizer: Any, max_length: int, places: int) -> None:
        self.tokenizer, self.places = tokenizer, min(places, tokenizer.model_max_length)
        self.max_length = min(max_length, self.places)
        known = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
        self.pad = int(next(token for token in known if token is not None))

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, with the special ones, cut off at ``max_length``."""
        if not texts:
            return []
        clean = [text.encode("utf-8", "replace").decode() for text in texts]  # lone surrogates
        with quiet():
            found = self.tokenizer(clean, truncation=True, max_length=self.max_length)
        return [ids or [self.pad] for ids in found["input_ids"]]

    def leave(self, places: int) -> Reader:
        """Leave some places to an adapter; return itself.

        Raises:
            InputError: Too few are left to read a text.
        """
        if self.places - places < 2:
            raise InputError(
                f"an adapter of {places} tokens leaves none of the model's {self.places} places to the text: "
                "lower its size",
                field="size",
            )
        self.max_length = min(self.max_length, self.places - places)
        return self

    def padded(self, tokens: Sequence[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return token ids int64[b, t] and which of them are real, bool[b, t]."""
        lengths = np.array([len(row) for row in tokens])
        ids = np.full((len(tokens), lengths.max()), self.pad)
        real = np.arange(lengths.max()) < lengths[:, None]
        ids[real] = np.concatenate(tokens)
        return ids, real


class Transformer:
    """A Hugging Face encoder or decoder and its tokenizer, read from a folder.

    Args:
        folder: Holds ``config.json``, safetensors and the tokenizer.
        max_length: Tokens that are read of a text; a model that has places for fewer reads fewer.
        device: As in `choose_device`.
        precision: ``"auto"`` is bf16 where the device multiplies it natively.
        adapter: Tunes it; None leaves it as it is.
        base: sha256 of the folder, which an adapter is compared with.

    Attributes:
        dim: Length of the vectors.
        batch_tokens: Tokens in a batch that the device works on fast; more is slower on a CPU.

    Raises:
        InputError: The folder holds no complete model, there is no such device, or the adapter belongs to
            another base.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_length: int,
        device: str,
        precision: Precision,
        adapter: Adapter | None = None,
        base: str = "",
    ) -> None:
        from acclimate.encode.wrapped import Frozen

        self._device = choose_device(device)
        network, reader = read_model(folder, max_length)
        self.dim: int = network.config.hidden_size
        wrapped = adapter.on(network, base).merge() if adapter else Frozen(network, 0)
        self._network, self._reader = wrapped.to(self._device).eval(), reader.leave(wrapped.tokens)
        self.batch_tokens = 2_048 if self._device.type == "cpu" else 65_536
        self._half = precision == "bf16" or (precision == "auto" and bf16_helps(self._device))

    def tokens(self, texts: list[str]) -> list[list[int]]:
        """Return the token ids of each text, with the special ones, cut off."""
        return self._reader.tokens(texts)

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

        ids, real = self._reader.padded(tokens)
        half = torch.autocast(self._device.type, torch.bfloat16) if self._half else nullcontext()
        with torch.inference_mode(), half:
            mask = torch.from_numpy(real).to(self._device)
            hidden = self._network(torch.from_numpy(ids).to(self._device), mask.long())
            out: Floats = pool(hidden, mask, pooling).cpu().numpy()
        return out


def pool(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Return unit vectors float32[b, d] of token vectors float[b, t, d].

    Args:
        hidden: The token vectors.
        mask: Which of them are real, bool[b, t]; those come first.
        pooling: As in `acclimate.encode.text.TextEncoder`.
    """
    from torch.nn import functional as F

    hidden = hidden.float()
    if pooling == "cls":
        return F.normalize(hidden[:, 0], dim=-1)
    lengths = mask.sum(1, keepdim=True)
    if pooling == "last":
        return F.normalize(
            hidden.gather(1, (lengths - 1)[..., None].expand(-1, 1, hidden.shape[2]))[:, 0], dim=-1
        )
    return F.normalize((hidden * mask.unsqueeze(-1)).sum(1) / lengths, dim=-1)


def load_local(kind: str, folder: Path) -> tuple[Any, Any, list[str]]:
    """Return tokenizer and network of a folder, and which tensors its file lacks.

    Args:
        kind: A class of transformers that finds the right one, as ``"AutoModel"``.
        folder: Where they lie.

    Raises:
        InputError: They cannot be read; the message is the first line of why.
    """
    import torch
    import transformers
    from safetensors import SafetensorError

    try:
        with quiet():
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            network, found = getattr(transformers, kind).from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise InputError(str(error).strip().split("\n")[0][:300]) from error
    return tokenizer, network, sorted(found["missing_keys"])


def read_model(folder: Path, max_length: int) -> tuple[Any, Reader]:
    """Return network and tokenizer; every tensor comes from the file, none is made up.

    Raises:
        InputError: The folder holds no complete encoder or decoder.
    """
    try:
        tokenizer, network, lacking = load_local("AutoModel", folder)
    except InputError as error:
        raise InputError(f"cannot read the model in {folder}: {error}", field="encoder") from error
    if network.config.is_encoder_decoder:
        raise InputError(
            f"the model in {folder} ({network.config.model_type}) is an encoder with a decoder: "
            "give an encoder such as BERT, RoBERTa or E5, or a decoder such as SmolLM2",
            field="encoder",
        )
    if missing := [key for key in lacking if "pooler" not in key]:
        raise InputError(
            f"the weights in {folder} lack {len(missing)} of the model's tensors, as {missing[0]}: "
            "save the whole model again",
            field="encoder",
        )
    return network, Reader(tokenizer, max_length, positions(network.config))


def positions(config: Any) -> int:
    """Return the number of tokens that a model of transformers has positions for."""
    longest = getattr(config, "max_position_embeddings", None) or 100_000
    # RoBERTa and its kin count positions from the padding id on
    shifted = config.model_type in {"roberta", "xlm-roberta", "camembert", "mpnet"}
    return int(longest) - (config.pad_token_id + 1 if shifted else 0)
