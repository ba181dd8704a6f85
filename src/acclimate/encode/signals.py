"""What a language model is tuned on: the catalogue's words, or what is liked together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from acclimate.devices import bf16_helps
from acclimate.encode.rewording import Rewording
from acclimate.encode.transformer import Pooling, Reader, pool
from acclimate.encode.wrapped import Wrapped
from acclimate.errors import InputError
from acclimate.rng import generator
from acclimate.types import Histories

if TYPE_CHECKING:
    from acclimate.encode.tuning import Tuning

NEAR = 3
"""Two likes of a user are near if at most so many events lie from one to the other."""
MASKED = 0.15
TEMPERATURE = 0.05
_AT_ONCE = 64


class TextNet(nn.Module):
    """Vectors of given texts, with gradients to an adapter.

    Args:
        wrapped: The network and its adapter.
        reader: Its tokenizer.
        pooling: As in `acclimate.encode.text.TextEncoder`.
        texts: n of them; one that is blank has the zero vector.
        tuning: How it learns along with a model; None if it does not.
        rewording: How texts are told while it learns; None as they are.
    """

    def __init__(
        self,
        wrapped: Wrapped,
        reader: Reader,
        pooling: Pooling,
        texts: Sequence[str],
        tuning: Tuning | None = None,
        rewording: Rewording | None = None,
    ) -> None:
        super().__init__()
        self.tuning, self.rewording = tuning, rewording if rewording and rewording.on else None
        self.wrapped, self.reader, self.pooling = wrapped, reader, pooling
        self.known = torch.tensor([bool(text.strip()) for text in texts], dtype=torch.bool)
        self.texts = [text if text.strip() else "-" for text in texts]
        self.tokens = reader.tokens(self.texts) if texts else []

    def hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return float32[b, t, d] of tokens int64[b, t], as precisely as the device is fast."""
        half = bf16_helps(ids.device)
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=half):
            found: Tensor = self.wrapped(ids, mask.long())
        return found.float()

    def forward(self, places: Tensor, turn: int = 0) -> Tensor:
        """Return unit vectors float32[m, d] of the texts at ``places`` int64[m], as told in ``turn``."""
        ids, real = self.reader.padded(self._read(places.tolist(), turn))
        mask = torch.from_numpy(real).to(places.device)
        vectors = pool(self.hidden(torch.from_numpy(ids).to(places.device), mask), mask, self.pooling)
        return vectors * self.known[places.cpu()].to(places.device)[:, None]

    def _read(self, places: list[int], turn: int) -> list[list[int]]:
        """Return the tokens of the texts, told otherwise while it learns."""
        if self.rewording is None or not self.training:
            return [self.tokens[place] for place in places]
        return self.reader.tokens(self.rewording([self.texts[place] for place in places], places, turn))

    @torch.no_grad()
    def all(self) -> Tensor:
        """Return float32[n, d], the vectors of all texts as they are now."""
        device = next(self.parameters()).device
        order = np.argsort([len(row) for row in self.tokens], kind="stable")
        parts = [
            torch.from_numpy(order[at : at + _AT_ONCE]).to(device) for at in range(0, len(order), _AT_ONCE)
        ]
        found = torch.cat([self(part) for part in parts])
        return found[torch.from_numpy(np.argsort(order)).to(device)]


class PairBatch(NamedTuple):
    """Pairs of texts that belong together.

    Args:
        texts: Places of u different texts, int64[u].
        left: Which of them each pair begins with, int64[b].
        right: Which of them it ends with, int64[b].
        log_chances: Log of how often a pair has the text, float32[u].
        turn: Number of the batch since the first epoch began, int64[1].
    """

    texts: Tensor
    left: Tensor
    right: Tensor
    log_chances: Tensor
    turn: Tensor


class PairsNet(nn.Module):
    """Two texts of a pair are nearer than the other texts of the batch (InfoNCE, both ways).

    A negative is in the batch because it is popular, and its score is lowered for that; the right one is left
    as it is (logQ; Khrylchenko et al., "Correcting the logQ correction", RecSys 2025).

    Args:
        net: Reads the texts.
    """

    def __init__(self, net: TextNet) -> None:
        super().__init__()
        self.net = net

    def loss(self, batch: PairBatch) -> Tensor:
        """Return the mean loss of the pairs, and the adapter's penalty."""
        self.net.wrapped.step()
        vectors = self.net(batch.texts, int(batch.turn))
        ways = ((batch.left, batch.right), (batch.right, batch.left))
        loss = torch.stack([self._one_way(vectors, a, b, batch.log_chances) for a, b in ways]).mean()
        return loss + self.net.wrapped.penalty()

    @staticmethod
    def _one_way(vectors: Tensor, left: Tensor, right: Tensor, log_chances: Tensor) -> Tensor:
        scores = vectors[left] @ vectors[right].T / TEMPERATURE  # [b, b]
        own = torch.arange(len(left), device=left.device)
        aim = scores[own, own]
        scores = scores - log_chances[right]
        same = (right[None] == right[:, None]) | (right[None] == left[:, None])
        scores = scores.masked_fill(same, -torch.inf)
        scores[own, own] = aim
        return F.cross_entropy(scores, own)


class Pairs:
    """Pairs of items that one user liked near in time, drawn anew for each epoch.

    Args:
        histories: Of likes; items are places in ``texts``.
        texts: Those that are blank or equal make no pair.
        batch: Pairs in a batch.
        steps: Batches in an epoch at most.
        seed: Decides the order.

    Raises:
        InputError: There is no pair.
    """

    def __init__(
        self, histories: Histories, texts: Sequence[str], *, batch: int, steps: int, seed: int
    ) -> None:
        liked = histories.liked()
        kind = np.unique(np.array([text.strip() for text in texts], dtype=object), return_inverse=True)[1]
        blank = np.array([not text.strip() for text in texts], bool)
        found = []
        for gap in range(1, NEAR + 1):
            left, right = liked.items[:-gap], liked.items[gap:]
            good = (liked.rows[:-gap] == liked.rows[gap:]) & (kind[left] != kind[right])
            good &= ~blank[left] & ~blank[right]
            found.append(np.stack([left[good], right[good]]))
        self.pairs: NDArray[np.int64] = np.concatenate(found, axis=1).astype(np.int64)
        n = self.pairs.shape[1]
        if n < 2:
            raise InputError(
                f"tuning on pairs needs users who liked two items with texts that differ, found {n} "
                "such pairs: give items texts, or set adapter.name = frozen",
                code="nothing_to_tune_on",
                field="adapter.signal",
            )
        counts = np.bincount(self.pairs.ravel(), minlength=len(texts)) / (2 * n)
        self.log_chances = np.log(np.maximum(counts, 1e-12)).astype(np.float32)
        self.batch, self.seed, self.steps = batch, seed, min(steps, max(1, n // batch))

    def __call__(self, epoch: int) -> Iterator[PairBatch]:
        """Yield ``steps`` batches."""
        order = generator(self.seed, "pairs", epoch).permutation(self.pairs.shape[1])
        parts = np.array_split(order[: self.steps * self.batch], self.steps)
        for turn, part in enumerate(parts, epoch * self.steps):
            texts, at = np.unique(self.pairs[:, part], return_inverse=True)
            left, right = at.reshape(2, -1)
            arrays = (texts, left, right, self.log_chances[texts], np.array([turn]))
            yield PairBatch(*map(torch.from_numpy, arrays))


class WordsBatch(NamedTuple):
    """Texts of which some words have to be foreseen: ids, mask and labels int64[b, t]; -100 is not asked."""

    ids: Tensor
    mask: Tensor
    labels: Tensor


class WordsNet(nn.Module):
    """Foresee words of the catalogue: those masked, or of a decoder each next one.

    The words are compared by the input embeddings of the model. A model whose own head is not these learns a
    linear map before, which is thrown away.

    Args:
        net: Reads the texts.
        words: The input embeddings, float32[vocabulary, d].
        tied: Whether they are the model's head.
    """

    def __init__(self, net: TextNet, words: nn.Embedding, *, tied: bool) -> None:
        super().__init__()
        self.net, self.words = net, words
        width = words.weight.shape[1]
        self.head = nn.Identity() if tied else nn.Linear(width, width)
        if isinstance(self.head, nn.Linear):
            nn.init.eye_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def loss(self, batch: WordsBatch) -> Tensor:
        """Return the mean cross-entropy of the words asked for, and the adapter's penalty."""
        self.net.wrapped.step()
        hidden = self.net.hidden(batch.ids, batch.mask)
        asked = batch.labels >= 0
        scores = self.head(hidden[asked]) @ self.words.weight.float().T
        loss: Tensor = F.cross_entropy(scores, batch.labels[asked]) + self.net.wrapped.penalty()
        return loss


class Words:
    """The catalogue's texts in batches, with words masked or, for a decoder, moved by one.

    Args:
        reader: The tokenizer.
        texts: Those that are blank or come twice are left out.
        causal: Whether each word is foreseen from those before, else 15 % are masked.
        batch: Texts in a batch.
        steps: Batches in an epoch at most.
        seed: Decides order and masks.

    Raises:
        InputError: There are no texts.
    """

    def __init__(
        self, reader: Reader, texts: Sequence[str], *, causal: bool, batch: int, steps: int, seed: int
    ) -> None:
        self.reader, self.causal = reader, causal
        self.mask: Any = reader.tokenizer.mask_token_id
        special = np.array(sorted(reader.tokenizer.all_special_ids))
        rows = reader.tokens(list(dict.fromkeys(text for text in texts if text.strip())))
        asked = [np.isin(row[1:] if causal else row, special, invert=True).sum() for row in rows]
        self.tokens = [row for row, words in zip(rows, asked, strict=True) if words]
        if not self.tokens:
            raise InputError(
                "tuning on text needs items with texts, found none: give items texts of several words, "
                "or set adapter.name = frozen",
                code="nothing_to_tune_on",
                field="adapter.signal",
            )
        self.special, self.batch, self.seed = special, batch, seed
        self.steps = min(steps, -(-len(self.tokens) // batch))

    def __call__(self, epoch: int) -> Iterator[WordsBatch]:
        """Yield ``steps`` batches."""
        rng = generator(self.seed, "words", epoch)
        order = rng.permutation(len(self.tokens))[: self.steps * self.batch]
        for part in np.array_split(order, self.steps):
            ids, real = self.reader.padded([self.tokens[place] for place in part])
            if self.causal:
                labels = np.where(real[:, 1:], ids[:, 1:], -100)
                yield self._batch(ids[:, :-1], real[:, :-1], labels)
            else:
                yield self._batch(*self._masked(ids, real, rng))

    def _masked(self, ids: NDArray[Any], real: NDArray[Any], rng: np.random.Generator) -> Any:
        """Mask words; each text has at least one. Of ten chosen one stays, and one becomes another."""
        word = real & np.isin(ids, self.special, invert=True)
        draw = np.where(word, rng.random(ids.shape), 2.0)
        chosen = word & ((draw < MASKED) | (draw == draw.min(axis=1, keepdims=True)))
        labels, fate = np.where(chosen, ids, -100), rng.random(ids.shape)
        other = rng.integers(0, len(self.reader.tokenizer), ids.shape)
        ids = np.where(chosen & (fate < 0.8), self.mask, np.where(chosen & (fate < 0.9), other, ids))
        return ids, real, labels

    @staticmethod
    def _batch(ids: NDArray[Any], real: NDArray[Any], labels: NDArray[Any]) -> WordsBatch:
        arrays = (ids.astype(np.int64), real.astype(np.int64), labels.astype(np.int64))
        return WordsBatch(*(torch.from_numpy(array) for array in arrays))
