"""The language model's reading of a user, joined to the state of the sequence model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from acclimate.data.user_text import UserTexts
from acclimate.models.item_vectors import TextSpace
from acclimate.models.remembered import Remembered
from acclimate.rng import generator
from acclimate.types import Codes, Encoder, Floats, Histories, Item

USER_TEXT = ("off", "on", "alone")
"""Whether users are read as texts: not at all, beside the sequence, or instead of it."""
AGES = 10
"""Kinds of age of a text: 0, 1, 2 to 3, 4 to 7, ... events since it was read."""


class Read(NamedTuple):
    """What was read of the user of each state.

    Args:
        vectors: Placed vectors of texts float32[n, d]; zero where there is none.
        age: Events since then, int64[n].
    """

    vectors: Tensor
    age: Tensor

    @classmethod
    def now(cls, vectors: Floats, device: torch.device | None = None) -> Read:
        """Return what was read just now."""
        return cls(
            torch.from_numpy(vectors).to(device), torch.zeros(len(vectors), dtype=torch.int64).to(device)
        )


class UserReader:
    """Renders histories as `acclimate.data.user_text` does, and reads them by the encoder of the items.

    Args:
        encoder: Reads texts; None places everybody at zero.
        space: Where the items' texts are placed.
        texts: Renders.
    """

    def __init__(self, encoder: Encoder | None, space: TextSpace, texts: UserTexts) -> None:
        self.encoder: Any = getattr(encoder, "encoder", encoder)  # past a cache on disk
        self.space, self.texts = space, texts
        self._kept = Remembered()

    def place(self, histories: Histories) -> Floats:
        """Return float32[n, d]; a user of whom nothing can be read is the zero vector."""
        texts = self.texts.render(histories)
        if self.encoder is None or not texts:
            return np.zeros((len(texts), self.space.axes.shape[1]), np.float32)
        return self._kept.of(
            texts, lambda at: self.space.place(self.encoder.encode([texts[place] for place in at]))
        )

    def put_items(self, codes: Codes, items: Sequence[Item]) -> None:
        """Take in new and changed items; who had them reads otherwise from now on."""
        self.texts.put(codes.tolist(), items)


class Join(nn.Module):
    """Adds the reading of a user to the state of the sequence, as far as a learned gate lets it through.

    Args:
        width: d.
        alone: Whether the reading stands for the state.
    """

    def __init__(self, width: int, *, alone: bool) -> None:
        super().__init__()
        self.alone, self.norm = alone, nn.RMSNorm(width, elementwise_affine=False)
        self.projection = nn.Linear(width, width, bias=False)
        nn.init.eye_(self.projection.weight)
        if not alone:
            self.gate, self.age = nn.Linear(2 * width, 1), nn.Embedding(AGES, 1)
            nn.init.zeros_(self.gate.weight)
            nn.init.constant_(self.gate.bias, -1.0)
            nn.init.zeros_(self.age.weight)

    def forward(self, states: Tensor | None, read: Read) -> Tensor:
        """Return float32[n, d] of states float32[n, d]; without states, the reading alone."""
        told: Tensor = self.projection(self.norm(read.vectors))
        if states is None or self.alone:
            return told
        bucket = (read.age + 1).float().log2().long().clamp(max=AGES - 1)
        return states + torch.sigmoid(self.gate(torch.cat([states, told], dim=1)) + self.age(bucket)) * told


class Readings:
    """Which reading each step of a fit hears: one text for each window, however many steps it has.

    A history is cut into windows of at most ``longest`` steps. In each, one step is drawn, once for the whole
    fit; the text is rendered as of that step's question, heard by it and by the steps that follow until the
    next text, which are told how old it is. Steps before the first text of a user hear none. So a fit reads
    about ``steps / longest`` texts and at least one for each user, once, whatever the number of epochs; and
    no text knows what a step that hears it has to foresee.

    Args:
        train: What is learned from.
        reader: Reads it; its texts know the codes of ``train``.
        longest: Steps in a window.
        seed: Decides which steps.
    """

    def __init__(self, train: Histories, reader: UserReader, longest: int, seed: int) -> None:
        users, lengths = text_places(train.offsets, longest, seed)
        first = train.offsets[users] + lengths - 1  # the step that reads this event
        asked = train.first(users, lengths).replace(now=train.times[first + 1])
        vectors = reader.place(asked)
        self.vectors = torch.from_numpy(
            np.concatenate([np.zeros((1, vectors.shape[1]), np.float32), vectors])
        )
        total = int(train.offsets[-1])
        which, start = np.zeros(total, np.int64), np.zeros(total, np.int64)
        ends = np.append(first[1:], total)
        ends = np.minimum(ends, train.offsets[users + 1])
        for place, (low, high) in enumerate(zip(first.tolist(), ends.tolist(), strict=True), 1):
            which[low:high], start[low:high] = place, low
        self.which, self.age = torch.from_numpy(which), torch.from_numpy(np.arange(total) - start)

    def at(self, places: Tensor) -> Read:
        """Return what the steps that read the events ``places`` int64[n] hear."""
        return Read(self.vectors[self.which[places]], self.age[places])

    def weights(self, places: Tensor) -> Tensor:
        """Return how much each step counts for who hears nothing else: less for an older text, 0 for none."""
        return (self.which[places] > 0).float() / (1 + self.age[places])


def text_places(
    offsets: NDArray[np.int64], longest: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the user and the number of known events of each text, int64[k] both, in order of the events.

    Example:
        >>> text_places(np.array([0, 1, 8]), longest=3, seed=0)[0].tolist()
        [1, 1]
    """
    rng = generator(seed, "user texts")
    users, lengths = [], []
    for user, steps in enumerate((np.diff(offsets) - 1).tolist()):
        for start in range(0, steps, longest):
            users.append(user)
            lengths.append(1 + int(rng.integers(start, min(start + longest, steps))))
    return np.array(users, np.int64), np.array(lengths, np.int64)
