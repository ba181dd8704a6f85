"""Read texts with a pre-trained transformer encoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from acclimate.encode.transformer import Pooling, Precision, Transformer
from acclimate.encode.weights import check_name, find_folder, folder_sha256
from acclimate.errors import InputError, check_range, nearest
from acclimate.progress import counting
from acclimate.types import Floats, State

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
        self._transformer: Transformer | None = None

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
        model = self._loaded()
        out = np.zeros((len(texts), model.dim), np.float32)
        filled = [i for i, text in enumerate(texts) if text.strip()]
        with counting(len(filled), "reading texts", shown=self.progress) as done:
            for start in range(0, len(filled), _WINDOW):
                window = filled[start : start + _WINDOW]
                tokens = model.tokens([texts[i] for i in window])
                parts = batches([len(row) for row in tokens], model.batch_tokens)
                found = model.each([[tokens[i] for i in part] for part in parts], self.pooling)
                for part, vectors in zip(parts, found, strict=True):
                    out[[window[i] for i in part]] = vectors
                    done(len(part))
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
        self.precision, self._transformer = settings["precision"], None
        if self.fingerprint != settings["fingerprint"]:
            self.pooling, self.max_length, self.precision = before
            raise InputError(
                f"the weights of encoder {self.name!r} here are not those that the vectors were made with: "
                "install the same version, or train again",
                code="encoder_differs",
                field="encoder",
            )

    def _loaded(self) -> Transformer:
        if self._transformer is None:
            self._transformer = Transformer(
                self.folder, max_length=self.max_length, device=self.device, precision=self.precision
            )
        return self._transformer


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


def _check_choice(field: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise InputError(f"no {field} {given!r}: {nearest(str(given), allowed)}", field=field)
