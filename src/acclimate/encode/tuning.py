"""Tune a language model on the data at hand, into an adapter."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.devices import memory_told
from acclimate.encode.adapters import ADAPTERS, Adapter, check_kind, wrap
from acclimate.encode.rewording import Rewording
from acclimate.encode.synonyms import check_synonyms, read_synonyms
from acclimate.errors import SEEDS, AcclimateError, InputError, check_range, nearest
from acclimate.training import Recipe, Training, fit
from acclimate.training.spent import spent
from acclimate.types import Histories

if TYPE_CHECKING:
    from acclimate.encode.paraphrase import Paraphrase, Retold
    from acclimate.encode.signals import TextNet
    from acclimate.encode.transformer import Pooling

SIGNALS: dict[str, str] = {
    "pairs": "items that one user liked near in time come near",
    "text": "words of the catalogue are foreseen: masked ones, or by a decoder each next one",
    "sequence": "the sequence model's loss, end to end; sequence alone has it",
}
"""Registered name -> what the language model learns from."""
KEPT = 4
"""Adapters that a folder keeps: those of a comparison, and of the fit on everything."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a language model is tuned when an encoder is fitted.

    Args:
        adapter: A key of `acclimate.encode.adapters.ADAPTERS`.
        signal: A key of `SIGNALS`.
        size: Ranks, tokens, units or layers, by adapter; 0 for its own.
        epochs: Passes over the data.
        steps: Batches in a pass at most: what bounds the cost.
        batch: Pairs or texts in a batch; with ``sequence``, texts that are read anew in a step.
        learning_rate: 0 for the adapter's own.
        word_dropout: Share of the words of a text that are left out in a step, 0..1; with ``pairs``. Of
            Chinese and Japanese, letters.
        synonyms: A file of words that mean the same, as `acclimate.encode.synonyms.read_synonyms` reads it.
        synonym_share: Share of the words with a synonym that are replaced in a step, 0..1; with ``pairs``.
        paraphraser: Folder of a model that tells texts otherwise, or two folders, there and back, as in
            `acclimate.encode.paraphrase.LocalParaphraser`; with ``pairs``.
        paraphrase_share: Share of a step's texts that are told otherwise, 0..1, if there is a paraphraser.
        seed: Decides first weights and order.

    Raises:
        InputError: An argument has no such value; says what is allowed.

    Example:
        >>> Tuning("lora", size=4).rate
        0.0005
    """

    adapter: str = "lora"
    signal: str = "pairs"
    size: int = 0
    epochs: int = 1
    steps: int = 200
    batch: int = 64
    learning_rate: float = 0.0
    word_dropout: float = 0.0
    synonyms: str = ""
    synonym_share: float = 0.0
    paraphraser: str | Sequence[str] = ""
    paraphrase_share: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        check_kind(self.adapter, self.size)
        if self.signal not in SIGNALS:
            raise InputError(
                f"no signal {self.signal!r}: {nearest(self.signal, SIGNALS)}", field="adapter.signal"
            )
        for name, low in (("epochs", 1), ("steps", 1), ("batch", 2)):
            check_range(name, getattr(self, name), low, 10**6)
        if not 0 <= self.learning_rate < 1:
            raise InputError(
                f"adapter.learning_rate must be at least 0 and below 1, got {self.learning_rate}",
                field="adapter.learning_rate",
            )
        if not 0 <= self.word_dropout < 1:
            raise InputError(
                f"adapter.word_dropout must be at least 0 and below 1, got {self.word_dropout}",
                field="adapter.word_dropout",
            )
        check_range("seed", self.seed, 0, SEEDS)
        self._check_synonyms()
        self._check_paraphraser()
        for name in ("word_dropout", "synonym_share"):
            if getattr(self, name) and self.signal != "pairs":
                raise InputError(
                    f"adapter.{name} goes with adapter.signal = pairs, got {self.signal}: set it to 0",
                    field=f"adapter.{name}",
                )

    def _check_synonyms(self) -> None:
        if not 0 <= self.synonym_share <= 1:
            raise InputError(
                f"adapter.synonym_share must be 0..1, got {self.synonym_share}", field="adapter.synonym_share"
            )
        if self.synonyms:
            check_synonyms(Path(self.synonyms))
        elif self.synonym_share:
            raise InputError(
                f"adapter.synonym_share is {self.synonym_share}, and there are no synonyms: give "
                "adapter.synonyms, a file, or set it to 0",
                field="adapter.synonym_share",
            )

    @property
    def rate(self) -> float:
        """The learning rate that is used."""
        return self.learning_rate or ADAPTERS[self.adapter].learning_rate

    def _check_paraphraser(self) -> None:
        if not 0 <= self.paraphrase_share <= 1:
            raise InputError(
                f"adapter.paraphrase_share must be 0..1, got {self.paraphrase_share}",
                field="adapter.paraphrase_share",
            )
        if not self.paraphraser:
            return
        from acclimate.encode.paraphrase import check_folders

        check_folders(self.paraphrasers)
        if self.signal != "pairs":
            raise InputError(
                f"adapter.paraphraser goes with adapter.signal = pairs, got {self.signal}: leave it out",
                field="adapter.paraphraser",
            )

    @property
    def paraphrasers(self) -> list[str]:
        """The folders of ``paraphraser``: none, one, or there and back."""
        one = isinstance(self.paraphraser, str)
        return [self.paraphraser] if self.paraphraser and one else list(self.paraphraser)  # type: ignore[list-item]

    def rewording(self, tellings: Sequence[str] | None = None) -> Rewording:
        """Return how texts are told at each step.

        Args:
            tellings: Another telling of each text, if there are any.

        Raises:
            InputError: The file of synonyms cannot be read; says why.
        """
        synonyms = read_synonyms(Path(self.synonyms)) if self.synonyms else None
        return Rewording(
            self.seed, self.word_dropout, synonyms, self.synonym_share, tellings, self.paraphrase_share
        )

    def recipe(self, steps: int) -> Recipe:
        """Return how `acclimate.training.fit` learns in ``steps`` steps an epoch."""
        warmup = max(1, min(20, self.epochs * steps // 10))
        return Recipe(self.epochs, self.rate, warmup=warmup, seed=self.seed, patience=self.epochs)


@dataclass(frozen=True, slots=True)
class Base:
    """A language model that is tuned.

    Args:
        folder: Its weights.
        sha256: Of the folder.
        pooling: As in `acclimate.encode.text.TextEncoder`.
        max_length: Tokens that are read of a text.
    """

    folder: Path
    sha256: str
    pooling: Pooling
    max_length: int

    def net(self, tuning: Tuning, texts: Sequence[str], rewording: Rewording | None = None) -> TextNet:
        """Return it with a new adapter, ready to learn; ``net.wrapped.plan`` has to hear for how long."""
        from acclimate.encode.signals import TextNet
        from acclimate.encode.transformer import read_model

        network, reader = read_model(self.folder, self.max_length)
        wrapped = wrap(network, tuning.adapter, tuning.size, seed=tuning.seed)
        return TextNet(wrapped, reader.leave(wrapped.tokens), self.pooling, texts, tuning, rewording)


def tune(
    base: Base,
    texts: Sequence[str],
    histories: Histories | None,
    tuning: Tuning,
    training: Training,
    paraphrase: Paraphrase | None = None,
) -> Adapter:
    """Tune a language model on texts or on what users liked, and return the adapter.

    With a folder in ``training``, an adapter that was made of the same things before is taken from there.

    Args:
        base: What is tuned.
        texts: n texts.
        histories: What users liked, by places in ``texts``; for ``signal="pairs"``.
        tuning: How; its signal is ``"text"`` or ``"pairs"``.
        training: Where.
        paraphrase: Tells texts otherwise, in place of the ``paraphraser`` of ``tuning``.

    Raises:
        InputError: There is nothing to learn from, or the file of synonyms or the paraphraser is of no use.
        AcclimateError: The loss is not finite, memory ran out, or the paraphraser failed; says what to do.
    """
    other = _retold(base, texts, tuning, training, paraphrase)
    rewording = tuning.rewording(other.tellings if other else None)
    key = _key(base, texts, histories, tuning, rewording)
    kept = training.folder / "adapters" / key[:16] if training.folder else None
    if kept:
        with suppress(AcclimateError):  # not there, or damaged: it is made anew
            return Adapter.load(kept)
    with spent() as took:
        net, module, batches = _prepared(base, texts, histories, tuning, rewording)
        net.wrapped.plan(tuning.epochs * batches.steps)
        recipe = tuning.recipe(batches.steps)
        with memory_told(advice(tuning, base.max_length)):
            done = fit(module, batches, recipe, training, name="adapter", key=key)
    told = {"untold": other.untold} if other else {}
    adapter = finished(net, base, tuning, seconds=took.seconds, loss=done.curve[-1]["loss"], **told)
    if kept:
        adapter.save(kept)
    return adapter


def forget_older(folder: Path) -> None:
    """Throw away all but the `KEPT` newest adapters that `tune` has kept in ``folder``."""
    found = [(each.stat().st_mtime, each) for each in (folder / "adapters").glob("*")]
    for _, each in sorted(found)[:-KEPT]:
        shutil.rmtree(each, ignore_errors=True)


def finished(net: TextNet, base: Base, tuning: Tuning, **told: float) -> Adapter:
    """Return the adapter of a net that has learned.

    Raises:
        AcclimateError: A weight is not finite.
    """
    net.wrapped.step()  # adalora drops its last ranks
    made = {**asdict(tuning), **{name: round(value, 4) for name, value in told.items()}}
    adapter = Adapter.of(net.wrapped, tuning.adapter, base.sha256, made)
    if not all(math.isfinite(float(array.sum())) for array in adapter.weights.values()):
        raise AcclimateError(
            f"the {tuning.adapter} adapter's weights are not finite: lower adapter.learning_rate, "
            f"now {tuning.rate:g}",
            code="loss_not_finite",
        )
    return adapter


def advice(tuning: Tuning, max_length: int) -> str:
    """Return what to lower where memory runs out."""
    return (
        f"lower adapter.batch, now {tuning.batch}, or take a smaller adapter than {tuning.adapter}; "
        f"in Python also max_length, now {max_length}"
    )


def _retold(
    base: Base, texts: Sequence[str], tuning: Tuning, training: Training, paraphrase: Paraphrase | None
) -> Retold | None:
    """Return other tellings of the texts, if they are asked for."""
    if not tuning.paraphrase_share or tuning.signal != "pairs" or not (tuning.paraphraser or paraphrase):
        return None
    from acclimate.encode.paraphrase import LocalParaphraser, retold

    local = paraphrase or LocalParaphraser(
        tuning.paraphrasers, max_length=base.max_length, device=training.device
    )
    return retold(texts, local, folder=training.folder, progress=training.progress)


def _prepared(
    base: Base, texts: Sequence[str], histories: Histories | None, tuning: Tuning, rewording: Rewording
) -> Any:
    """Return the text net, the module that has the loss, and its batches."""
    from acclimate.encode.signals import Pairs, PairsNet, Words, WordsNet

    drawn = {"batch": tuning.batch, "steps": tuning.steps, "seed": tuning.seed}
    if tuning.signal == "pairs":
        if histories is None:
            raise InputError(
                "tuning on pairs needs what users liked: give fit(texts, histories)", field="histories"
            )
        pairs = Pairs(histories, texts, **drawn)
        net = base.net(tuning, texts, rewording)
        return net, PairsNet(net), pairs
    net = base.net(tuning, [])
    network, tokenizer = net.wrapped.network, net.reader.tokenizer
    kinds = network.config.architectures or []
    causal = tokenizer.mask_token_id is None or any(
        kind.endswith(("ForCausalLM", "LMHeadModel")) for kind in kinds
    )
    tied = causal and bool(network.config.tie_word_embeddings)
    words = Words(net.reader, texts, causal=causal, **drawn)
    return net, WordsNet(net, network.get_input_embeddings(), tied=tied), words


def _key(
    base: Base, texts: Sequence[str], histories: Histories | None, tuning: Tuning, rewording: Rewording
) -> str:
    digest = hashlib.sha256(f"{base.sha256} {base.pooling} {base.max_length} {tuning}".encode())
    if rewording.synonyms:
        digest.update(repr(rewording.synonyms.others).encode("utf-8", "surrogatepass"))
    for text in (*texts, *(rewording.tellings or ())):
        digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    if histories is not None and tuning.signal == "pairs":
        for array in (histories.items, histories.offsets, histories.weights > 0):
            digest.update(array.tobytes())
    return digest.hexdigest()
