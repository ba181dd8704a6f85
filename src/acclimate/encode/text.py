"""Read texts with a pre-trained transformer encoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.encode.adapters import Adapter
from acclimate.encode.transformer import Pooling, Precision, Transformer
from acclimate.encode.tuning import Base, Tuning, finished, tune
from acclimate.encode.weights import check_name, find_folder, folder_sha256
from acclimate.errors import InputError, check_range, nearest
from acclimate.progress import counting
from acclimate.training import Training
from acclimate.types import Floats, Histories, State

if TYPE_CHECKING:
    from acclimate.encode.paraphrase import Paraphrase
    from acclimate.encode.signals import TextNet

_WINDOW = 65_536
"""Texts that are held as tokens at a time."""


class TextEncoder:
    """Turn texts into unit vectors with a Hugging Face encoder or decoder.

    The vectors of the last layer are averaged over the tokens of the text, or the first or last one is
    taken, and scaled to length 1. Texts are sorted by length and batched by tokens, so that little padding is
    computed; the order of the result is that of the input. Weights are read when they are first needed.

    Vectors of a text alone and in a batch, and of fp32 and bf16, agree to a cosine of at least .999.

    Args:
        model: ``"minilm"`` (inside the package that ``acclimate[demo]`` installs), a folder that
            ``save_pretrained`` wrote, or a hub id as in ``"intfloat/e5-small-v2"``.
        pooling: ``"mean"`` of the token vectors, ``"cls"``, the first, or ``"last"``; what the model was
            trained with. The first of a decoder has read nothing but itself.
        max_length: Tokens that are read of each text, at least 2; more is cut off. A model that has places
            for fewer reads fewer.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"auto"`` takes the fastest there is.
        precision: ``"fp32"``, ``"bf16"``, or ``"auto"``: bf16 where the processor multiplies it natively.
        progress: Whether to say on stderr how far it is.
        adapter: Tunes it, or the folder where one was saved.
        tuning: How ``fit`` tunes it; the adapter that comes out is ``adapter``. None leaves it as it is.
        training: Where and how ``fit`` runs.
        paraphrase: Tells texts otherwise for a tuning on ``pairs``: given texts, it returns one for each, in
            their order. It stands in for the paraphraser of ``tuning``.

    Raises:
        NotFoundError: The package, folder or model does not exist, or there is no adapter in the folder.
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
        adapter: Adapter | str | Path | None = None,
        tuning: Tuning | None = None,
        training: Training | None = None,
        paraphrase: Paraphrase | None = None,
    ) -> None:
        self.name = str(model)
        check_name(self.name)
        _check_choice("pooling", pooling, ("mean", "cls", "last"))
        _check_choice("precision", precision, ("auto", "fp32", "bf16"))
        self.pooling, self.precision = pooling, precision
        self.max_length = check_range("max_length", max_length, 2, 100_000)
        self.device, self.progress = device, progress
        if adapter is not None and tuning is not None:
            raise InputError("give adapter, one that was made, or tuning, how to make one", field="adapter")
        self.adapter = Adapter.load(Path(adapter)) if isinstance(adapter, str | Path) else adapter
        self.tuning = None if tuning is None or tuning.adapter == "frozen" else tuning
        self.paraphrase = _check_paraphrase(paraphrase, tuning)
        self.training = training or Training(device=device, progress=progress)
        self._folder: Path | None = None
        self._sha256: str | None = None
        self._transformer: Transformer | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of weights, tokenizer, pooling, length, a precision that was asked for, and the adapter.

        Raises:
            InputError: The adapter belongs to another base.
        """
        parts = [self.base_sha256, self.pooling, self.max_length, self.precision]
        if self.adapter is not None:
            self.adapter.check_base(self.base_sha256)
            parts.append(self.adapter.fingerprint)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def base_sha256(self) -> str:
        """Hash of weights and tokenizer, without an adapter."""
        if self._sha256 is None:
            self._sha256 = folder_sha256(self.folder)
        return self._sha256

    @property
    def folder(self) -> Path:
        """Where the weights are on this machine."""
        if self._folder is None:
            self._folder = find_folder(self.name)
        return self._folder

    def fit(self, texts: Sequence[str], histories: Histories | None = None) -> None:
        """Tune the adapter if there is a ``tuning``; the pre-trained weights stay as they are.

        Args:
            texts: n texts.
            histories: What users liked of them, by places in ``texts``.

        Raises:
            InputError: There is nothing to learn from.
            AcclimateError: The loss is not finite, or memory ran out; says what to lower.
        """
        if self.tuning is not None:
            self._adopt(None)
            if self.tuning.signal != "sequence":
                adapter = tune(self._base, texts, histories, self.tuning, self.training, self.paraphrase)
                self._adopt(adapter)

    def joint(self, texts: Sequence[str]) -> TextNet | None:
        """Return a net that learns along with a model, if the ``tuning`` has ``signal="sequence"``.

        Args:
            texts: n texts; the net gives vectors of their places int64[m].
        """
        if self.tuning is None or self.tuning.signal != "sequence":
            return None
        return self._base.net(self.tuning, texts)

    def take(self, net: TextNet) -> None:
        """Take over what a net of `joint` has learned."""
        assert self.tuning is not None
        self._adopt(finished(net, self._base, self.tuning))

    @property
    def _base(self) -> Base:
        return Base(self.folder, self.base_sha256, self.pooling, self.max_length)

    def _adopt(self, adapter: Adapter | None) -> None:
        self.adapter, self._transformer = adapter, None

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
        """Return settings, fingerprint and adapter; the pre-trained weights stay where they are."""
        settings: dict[str, Any] = {
            "pooling": self.pooling,
            "max_length": self.max_length,
            "precision": self.precision,
            "fingerprint": self.fingerprint,
        }
        if self.adapter is None:
            return {}, settings
        told = {name: getattr(self.adapter, name) for name in ("kind", "size", "base", "made")}
        arrays = {f"adapter.{name}": array for name, array in self.adapter.weights.items()}
        return dict(arrays), settings | {"adapter": told}

    def restore(self, state: State) -> None:
        """Take on the settings and the adapter.

        Raises:
            InputError: The weights on this machine are other than those of ``state``.
        """
        arrays, settings = state
        before = self.pooling, self.max_length, self.precision, self.adapter
        self.pooling, self.max_length = settings["pooling"], settings["max_length"]
        self.precision, adapter = settings["precision"], None
        if told := settings.get("adapter"):
            weights = {name[8:]: array for name, array in arrays.items() if name.startswith("adapter.")}
            adapter = Adapter(**told, weights=weights)
        self._adopt(adapter)
        same = (adapter is None or adapter.base == self.base_sha256) and (
            self.fingerprint == settings["fingerprint"]
        )
        if not same:
            self.pooling, self.max_length, self.precision, self.adapter = before
            raise InputError(
                f"the weights of encoder {self.name!r} here are not those that the vectors were made with: "
                "install the same version, or train again",
                code="encoder_differs",
                field="encoder",
            )

    def _loaded(self) -> Transformer:
        if self._transformer is None:
            self._transformer = Transformer(
                self.folder,
                max_length=self.max_length,
                device=self.device,
                precision=self.precision,
                adapter=self.adapter,
                base=self.base_sha256 if self.adapter else "",
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


def _check_paraphrase(paraphrase: Paraphrase | None, tuning: Tuning | None) -> Paraphrase | None:
    """Return ``paraphrase`` if ``tuning`` can use it."""
    if paraphrase is not None:
        if tuning is None or tuning.signal != "pairs":
            raise InputError('paraphrase goes with tuning=Tuning(..., "pairs")', field="paraphrase")
        if tuning.paraphraser:
            raise InputError("give paraphrase, or a paraphraser in tuning, one of them", field="paraphrase")
    return paraphrase


def _check_choice(field: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise InputError(f"no {field} {given!r}: {nearest(str(given), allowed)}", field=field)
