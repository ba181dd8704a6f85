"""Read texts with a pre-trained transformer encoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from acclimate.encode.progress import counting
from acclimate.encode.weights import check_name, find_folder, folder_sha256, quiet
from acclimate.errors import InputError, check_range, nearest
from acclimate.types import Floats, State

if TYPE_CHECKING:
    import torch

Pooling = Literal["mean", "cls"]
Precision = Literal["auto", "fp32", "bf16"]
_WINDOW = 65_536
"""Texts that are held as tokens at a time."""


class TextEncoder:
    """Turn texts into unit vectors with a Hugging Face encoder.

    The vectors of the last layer are averaged over the tokens of the text, or the first one is taken, and
    scaled to length 1. Texts are sorted by length and batched by tokens, so that little padding is computed;
    the order of the result is that of the input. Weights are read when they are first needed.

    Vectors of a text alone and in a batch, and of fp32 and bf16, agree to a cosine of at least .999.

    Args:
        model: ``"minilm"`` (inside the package that ``acclimate[demo]`` installs), a folder that
            ``save_pretrained`` wrote, or a hub id as in ``"intfloat/e5-small-v2"``.
        pooling: ``"mean"`` of the token vectors or ``"cls"``, the first; what the model was trained with.
        max_length: Tokens that are read of each text, at least 2; more is cut off. A model that has places
            for fewer reads fewer.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` takes the fastest there is.
        precision: ``"fp32"``, ``"bf16"``, or ``"auto"``: bf16 where the processor multiplies it natively.
        progress: Whether to say on stderr how far it is.

    Raises:
        NotFoundError: The package, folder or model does not exist.
        InputError: An argument has no such value.

    Example:
        >>> encoder = TextEncoder("minilm")
        >>> space, orbit, cook = encoder.encode(["a film about space", "astronauts in orbit", "a cookbook"])
        >>> bool(space @ orbit > space @ cook)
        True

    References:
        Reimers and Gurevych, "Sentence-BERT", EMNLP 2019, section 3 (mean pooling).
    """

    note: str | None = None

    def __init__(
        self,
        model: str | Path = "minilm",
        *,
        pooling: Pooling = "mean",
        max_length: int = 64,
        device: str = "auto",
        precision: Precision = "auto",
        progress: bool = False,
    ) -> None:
        self.name = str(model)
        check_name(self.name)
        _check_choice("pooling", pooling, ("mean", "cls"))
        _check_choice("precision", precision, ("auto", "fp32", "bf16"))
        self.pooling, self.precision = pooling, precision
        self.max_length = check_range("max_length", max_length, 2, 100_000)
        self.device, self.progress = device, progress
        self._folder: Path | None = None
        self._sha256: str | None = None
        self._network: Any = None
        self._tokenizer: Any = None

    @property
    def fingerprint(self) -> str:
        """Hash of weights, tokenizer, pooling, length and a precision that was asked for."""
        if self._sha256 is None:
            self._sha256 = folder_sha256(self.folder)
        parts = [self._sha256, self.pooling, self.max_length, self.precision]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """Where the weights are on this machine."""
        if self._folder is None:
            self._folder = find_folder(self.name)
        return self._folder

    def fit(self, texts: Sequence[str]) -> None:
        """Do nothing: the weights are pre-trained."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return unit vectors float32[n, d]; a text that is empty or blank is the zero vector."""
        self._load()
        out = np.zeros((len(texts), self._network.config.hidden_size), np.float32)
        filled = [i for i, text in enumerate(texts) if text.strip()]
        with counting(len(filled), "reading texts", shown=self.progress) as done:
            for start in range(0, len(filled), _WINDOW):
                window = filled[start : start + _WINDOW]
                tokens = self._tokens([texts[i] for i in window])
                for batch in batches([len(row) for row in tokens], self._budget):
                    out[[window[i] for i in batch]] = self._vectors([tokens[i] for i in batch])
                    done(len(batch))
        return out

    def state(self) -> State:
        """Return the settings and the fingerprint; the weights stay where they are."""
        settings = {
            "pooling": self.pooling,
            "max_length": self.max_length,
            "precision": self.precision,
            "fingerprint": self.fingerprint,
        }
        return {}, settings

    def restore(self, state: State) -> None:
        """Take on the settings.

        Raises:
            InputError: The weights on this machine are other than those of ``state``.
        """
        settings = state[1]
        before = self.pooling, self.max_length, self.precision
        self.pooling, self.max_length = settings["pooling"], settings["max_length"]
        self.precision = settings["precision"]
        if self.fingerprint != settings["fingerprint"]:
            self.pooling, self.max_length, self.precision = before
            raise InputError(
                f"the weights of encoder {self.name!r} here are not those that the vectors were made with: "
                "install the same version, or train again",
                code="encoder_differs",
                field="encoder",
            )

    def _load(self) -> None:
        if self._network is not None:
            return
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModel, AutoTokenizer

        device = choose_device(self.device)
        try:
            with quiet():
                tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
                network, found = AutoModel.from_pretrained(
                    self.folder,
                    local_files_only=True,
                    use_safetensors=True,
                    dtype=torch.float32,
                    output_loading_info=True,
                )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
            first = str(error).strip().split("\n")[0]
            raise InputError(f"cannot read the model in {self.folder}: {first}", field="encoder") from error
        if missing := sorted(key for key in found["missing_keys"] if "pooler" not in key):
            raise InputError(
                f"the weights in {self.folder} lack {len(missing)} of the model's tensors, as {missing[0]}: "
                "save the whole model again",
                field="encoder",
            )
        _check_encoder(self.name, network.config, tokenizer)
        self._longest = min(self.max_length, tokenizer.model_max_length, _positions(network.config))
        self._network, self._tokenizer = network.to(device).eval(), tokenizer
        self._budget = (
            2_048 if device.type == "cpu" else 65_536
        )  # tokens in a batch; larger is slower on a CPU
        self._half = self.precision == "bf16" or (self.precision == "auto" and bf16_helps(device))

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        clean = [text.encode("utf-8", "replace").decode() for text in texts]  # lone surrogates
        with quiet():
            found = self._tokenizer(clean, truncation=True, max_length=self._longest)
        ids: list[list[int]] = found["input_ids"]
        return ids

    def _vectors(self, tokens: list[list[int]]) -> Floats:
        """Return unit vectors float32[b, d] of b token lists of similar length."""
        import torch

        lengths = np.array([len(row) for row in tokens])
        ids = np.full((len(tokens), lengths.max()), self._tokenizer.pad_token_id)
        real = np.arange(lengths.max()) < lengths[:, None]
        ids[real] = np.concatenate(tokens)
        device = self._network.device
        half = torch.autocast(device.type, torch.bfloat16) if self._half else nullcontext()
        with torch.inference_mode(), half:
            mask = torch.from_numpy(real).to(device)
            hidden = self._network(
                input_ids=torch.from_numpy(ids).to(device), attention_mask=mask.long()
            ).last_hidden_state.float()  # [b, tokens, d]
            if self.pooling == "cls":
                pooled = hidden[:, 0]
            else:
                pooled = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
            vectors: Floats = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
        return vectors


def batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group indices by length, longest first, so that (texts x longest text) stays within ``budget``.

    Example:
        >>> batches([2, 9, 3, 8], budget=18)
        [[1, 3], [2, 0]]
    """
    out: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if out and (len(out[-1]) + 1) * lengths[out[-1][0]] <= budget:
            out[-1].append(index)
        else:
            out.append([index])
    return out


def choose_device(name: str) -> torch.device:
    """Return the device of that name; ``"auto"`` is the first of cuda, mps and cpu that there is.

    Raises:
        InputError: There is no such device here.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"no device {name!r} here: use 'auto', 'cpu', or 'cuda' on a machine with a GPU", field="device"
        ) from error
    return device


def bf16_helps(device: torch.device) -> bool:
    """Whether ``device`` multiplies bf16 natively, so that it is faster than fp32."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def _positions(config: Any) -> int:
    """Tokens that the model has positions for."""
    longest = getattr(config, "max_position_embeddings", None) or 100_000
    # RoBERTa and its kin count positions from the padding id on
    shifted = config.model_type in {"roberta", "xlm-roberta", "camembert", "mpnet"}
    return int(longest) - (config.pad_token_id + 1 if shifted else 0)


def _check_choice(field: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise InputError(f"no {field} {given!r}: {nearest(str(given), allowed)}", field=field)


def _check_encoder(name: str, config: Any, tokenizer: Any) -> None:
    kinds = config.architectures or []
    generates = any(
        kind.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")) for kind in kinds
    )
    if generates or config.is_encoder_decoder or tokenizer.pad_token_id is None:
        raise InputError(
            f"{name} ({config.model_type}) is not an encoder: give a model such as BERT, RoBERTa or E5",
            field="encoder",
        )
