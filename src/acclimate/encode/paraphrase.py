"""Texts of the catalogue told otherwise by a model that the user gives: a paraphrase, or there and back."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.devices import choose_device, memory_told
from acclimate.encode.cache import on_disk
from acclimate.encode.transformer import Reader, load_local, positions
from acclimate.encode.weights import complete, folder_sha256, quiet
from acclimate.errors import AcclimateError, InputError, NotFoundError
from acclimate.progress import counting, say

Paraphrase = Callable[[Sequence[str]], Sequence[str]]
"""Texts -> one other telling of each, in their order; one that is blank leaves the text as it is. If it has a
``fingerprint``, a text that names what it does, its tellings are kept on disk."""

_FIELD = "adapter.paraphraser"
_SCHEMA = """CREATE TABLE IF NOT EXISTS tellings (
    model TEXT, text BLOB, telling BLOB, PRIMARY KEY (model, text)) WITHOUT ROWID"""
_AT_ONCE = 256
"""Texts after which the tellings are saved, so that a kill loses little."""


@dataclass(frozen=True, slots=True)
class Retold:
    """Other tellings of texts.

    Args:
        tellings: One for each text, in their order.
        untold: Different texts that were given none, and stand for themselves.
    """

    tellings: list[str]
    untold: int


class LocalParaphraser:
    """Tell texts otherwise by an encoder with a decoder (T5, BART, Marian), or by two: there and back.

    The likeliest words are taken, none are drawn, so that the same texts are told alike. Models are read when
    they are first needed.

    Args:
        folders: One that paraphrases, or two that translate, the second back to the language of the texts;
            each was written by ``save_pretrained``, with its tokenizer.
        max_length: Tokens that are read of a text, and that are told.
        device: As in `acclimate.encode.text.TextEncoder`.

    Raises:
        NotFoundError: There is no such folder.
        InputError: There are none or more than two, or one holds no model.

    References:
        Sennrich et al., "Improving neural machine translation models with monolingual data", ACL 2016
        (back-translation).
    """

    def __init__(self, folders: Sequence[str], *, max_length: int = 64, device: str = "auto") -> None:
        check_folders(folders)
        self.folders, self.max_length, self.device = [Path(folder) for folder in folders], max_length, device
        self._read: list[tuple[Any, Reader]] = []

    @property
    def fingerprint(self) -> str:
        """Hash of weights, tokenizers and length."""
        parts = [folder_sha256(folder) for folder in self.folders]
        return hashlib.sha256(f"{parts} {self.max_length}".encode()).hexdigest()

    def __call__(self, texts: Sequence[str]) -> list[str]:
        """Return one telling of each text; it may be blank.

        Raises:
            InputError: A folder holds no model that writes texts; says why.
        """
        self._read = self._read or [read_writer(folder, self.max_length) for folder in self.folders]
        told = list(texts)
        for network, reader in self._read:
            told = self._told(network, reader, told)
        return told

    def _told(self, network: Any, reader: Reader, texts: list[str]) -> list[str]:
        import torch

        from acclimate.encode.text import batches

        device = choose_device(self.device)
        network.to(device)
        places = [place for place, text in enumerate(texts) if text.strip()]
        tokens, told = reader.tokens([texts[place] for place in places]), [""] * len(texts)
        budget = 2_048 if device.type == "cpu" else 32_768
        for part in batches([len(row) for row in tokens], budget):
            ids, real = reader.padded([tokens[at] for at in part])
            with torch.inference_mode(), quiet():
                made = network.generate(
                    input_ids=torch.from_numpy(ids).to(device),
                    attention_mask=torch.from_numpy(real).long().to(device),
                    do_sample=False,
                    max_new_tokens=reader.max_length,
                )
            found = reader.tokenizer.batch_decode(made, skip_special_tokens=True)
            for at, text in zip(part, found, strict=True):
                told[places[at]] = " ".join(text.split())
        return told


def retold(
    texts: Sequence[str], paraphrase: Paraphrase, *, folder: Path | None = None, progress: bool = False
) -> Retold:
    """Return another telling of each text; equal texts are told once, blank ones stay.

    Args:
        texts: n texts.
        paraphrase: Tells them.
        folder: Where tellings are kept, if ``paraphrase`` has a ``fingerprint``; None keeps none.
        progress: Whether to say on stderr how far it is, and how many have none.

    Raises:
        AcclimateError: It failed, or memory ran out; says how.
        InputError: It returned another number of texts, something else than texts, or nothing but blanks.

    Example:
        >>> retold(["a film", "", "jaws"], lambda texts: [text.replace("film", "movie") for text in texts])
        Retold(tellings=['a movie', '', 'jaws'], untold=0)
    """
    todo = list(dict.fromkeys(text for text in texts if text.strip()))
    model = getattr(paraphrase, "fingerprint", None)
    kept = _Kept(folder / "tellings-1.sqlite", str(model)) if folder and model else None
    told = kept.read(todo) if kept else {}
    missing = sorted((text for text in todo if text not in told), key=len, reverse=True)
    with counting(len(missing), "telling texts otherwise", shown=progress) as done:
        for start in range(0, len(missing), _AT_ONCE):
            part = missing[start : start + _AT_ONCE]
            made = dict(zip(part, _asked(paraphrase, part), strict=True))
            told |= made
            if kept:
                kept.write(made)
            done(len(part))
    untold = sum(not told[text].strip() for text in todo)
    if todo and untold == len(todo):
        raise InputError(
            f"the paraphraser gave a blank text for each of {len(todo)} texts: take another one, or none",
            field=_FIELD,
        )
    if untold and progress:
        say(f"{untold} of {len(todo)} texts were given no other telling, and stay as they are")
    return Retold([text if not told.get(text, "").strip() else told[text] for text in texts], untold)


def check_folders(folders: Sequence[str]) -> None:
    """Look whether one or two folders hold models; nothing is read.

    Raises:
        NotFoundError: There is no such folder.
        InputError: There are none or more than two, or one holds no model.
    """
    if not 1 <= len(folders) <= 2:
        raise InputError(
            f"{_FIELD} must be one folder, or two, there and back, got {len(folders)}", field=_FIELD
        )
    for folder in folders:
        if not isinstance(folder, str) or not Path(folder).is_dir():
            raise NotFoundError(
                f"no folder {folder!r}: {_FIELD} takes folders that save_pretrained wrote", field=_FIELD
            )
        if not complete(Path(folder)):
            raise InputError(
                f"{folder} is no usable model: it must hold config.json and weights as .safetensors",
                field=_FIELD,
            )


def read_writer(folder: Path, max_length: int) -> tuple[Any, Reader]:
    """Return the network and the tokenizer of an encoder with a decoder.

    Raises:
        InputError: The folder holds none, or not all of its weights; says why.
    """
    try:
        tokenizer, network, missing = load_local("AutoModelForSeq2SeqLM", folder)
    except InputError as error:
        raise InputError(
            f"cannot read the paraphraser in {folder}: {error}: give an encoder with a decoder, such as T5, "
            "BART or Marian",
            field=_FIELD,
        ) from error
    if missing:
        raise InputError(
            f"the weights in {folder} lack {len(missing)} of the model's tensors, as {missing[0]}: "
            "save the whole model again",
            field=_FIELD,
        )
    return network.eval(), Reader(tokenizer, max_length, positions(network.config))


def _asked(paraphrase: Paraphrase, texts: list[str]) -> list[str]:
    """Return what ``paraphrase`` gives for ``texts``, as many."""
    try:
        with memory_told("take a smaller paraphraser, or none"):
            answer = paraphrase(texts)
    except AcclimateError:
        raise
    except Exception as error:
        raise AcclimateError(
            f"the paraphraser failed: {type(error).__name__}: {error}",
            code="paraphraser_failed",
            field=_FIELD,
        ) from error
    if isinstance(answer, str) or not isinstance(answer, Sequence):
        raise InputError(
            f"the paraphraser must return a list of texts, got {type(answer).__name__}", field=_FIELD
        )
    if len(answer) != len(texts):
        raise InputError(
            f"the paraphraser must return one text for each, got {len(answer)} for {len(texts)}", field=_FIELD
        )
    for text, other in zip(texts, answer, strict=True):
        if not isinstance(other, str):
            raise InputError(
                f"the paraphraser must return texts, got {type(other).__name__} for {text[:80]!r}",
                field=_FIELD,
            )
    return list(answer)


class _Kept:
    """Tellings on disk, by the fingerprint of the model and the sha256 of the text."""

    def __init__(self, path: Path, model: str) -> None:
        self.path, self.model = path, model

    def read(self, texts: Sequence[str]) -> dict[str, str]:
        def job(db: sqlite3.Connection) -> dict[bytes, bytes]:
            query = "SELECT text, telling FROM tellings WHERE model = ?"
            return dict(db.execute(query, [self.model]).fetchall())

        known = on_disk(self.path, _SCHEMA, job) or {}
        keys = {text: _sha256(text) for text in texts}
        return {
            text: known[key].decode("utf-8", "surrogatepass") for text, key in keys.items() if key in known
        }

    def write(self, told: dict[str, str]) -> None:
        rows = [
            (self.model, _sha256(text), other.encode("utf-8", "surrogatepass"))
            for text, other in told.items()
        ]

        def job(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO tellings VALUES (?, ?, ?)", rows)

        on_disk(self.path, _SCHEMA, job)


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
