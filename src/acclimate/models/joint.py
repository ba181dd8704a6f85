"""The language model learns along with the sequence model, end to end.

At each step some of the batch's texts are read anew, and the loss of the sequence model goes through them to
the language model's adapter. The other texts stand as they were last read; all are read after each epoch,
before it is measured. So a step costs ``batch`` texts forward and backward, an epoch the catalogue forward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from acclimate.devices import memory_told
from acclimate.errors import InputError
from acclimate.models.item_vectors import TextSpace
from acclimate.models.sequence_net import Batch, SequenceNet
from acclimate.training import Batches, Fitted, Training, fit
from acclimate.types import JointEncoder


class JointNet(nn.Module):
    """A sequence net whose texts are read by a language model that learns.

    Args:
        net: Its table holds n items.
        reader: Gives vectors float32[m, text_d] of the texts at places int64[m], as
            `acclimate.types.JointEncoder` has it.
        space: Where the vectors are placed; it stays as it is.
        texts: Texts that are read anew at each step.
    """

    mean: Tensor
    axes: Tensor

    def __init__(self, net: SequenceNet, reader: Any, space: TextSpace, texts: int) -> None:
        super().__init__()
        self.net, self.reader, self.texts = net, reader, texts
        self.register_buffer("mean", torch.from_numpy(space.mean))
        self.register_buffer("axes", torch.from_numpy(space.axes))

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of the net, and the adapter's penalty."""
        items = self.net.items
        self._keep()
        self.reader.wrapped.step()
        seen = torch.unique(torch.cat([batch.steps.items, batch.targets]))
        seen = seen[items.told[seen, 0]]
        some = seen[torch.randperm(len(seen), device=seen.device)[: self.texts]]
        if len(some):
            items.anew = some, self._placed(self.reader(some))
        loss: Tensor = self.net.loss(batch) + self.reader.wrapped.penalty()
        return loss

    @torch.no_grad()
    def refresh(self) -> None:
        """Read all texts anew."""
        self.net.items.anew = None
        known = self.net.items.told
        self.net.items.text.copy_(torch.where(known, self._placed(self.reader.all()), 0.0))

    def _placed(self, vectors: Tensor) -> Tensor:
        return (vectors - self.mean) @ self.axes

    @torch.no_grad()
    def _keep(self) -> None:
        """Keep what the step before has read."""
        if self.net.items.anew is not None:
            places, texts = self.net.items.anew
            self.net.items.text[places] = texts.detach()
            self.net.items.anew = None


class Along:
    """Fits a net that has learned alone on, together with the language model that reads its texts.

    Args:
        reader: As in `JointNet`; its ``tuning`` says for how long, how fast and with how many texts.
        space: Where texts are placed.
        users: Whether the net reads users as texts too.

    Attributes:
        done: What the fit came to; None before it.

    Raises:
        InputError: The net reads users too, with what would change.
    """

    def __init__(self, reader: Any, space: TextSpace, *, users: bool = False) -> None:
        if users:
            raise InputError(
                "adapter.signal = sequence tunes what reads items, and user_text reads users with the same: "
                "take adapter.signal = pairs, or user_text = off",
                field="adapter.signal",
            )
        self.reader, self.space = reader, space
        self.done: Fitted | None = None

    @classmethod
    def of(cls, encoder: object, texts: Sequence[str], space: TextSpace | None, users: bool) -> Along | None:
        """Return what ``encoder`` learns along on ``texts``; None if it does not, or nothing was placed."""
        if space is None or not isinstance(encoder, JointEncoder):
            return None
        reader = encoder.joint(texts)
        if reader and not any(texts):
            raise InputError(
                "adapter.signal = sequence tunes what reads texts, and no item with events has one: give "
                "items texts, or set adapter.name = frozen",
                field="adapter.signal",
            )
        return cls(reader, space, users=users) if reader else None

    def __call__(
        self,
        net: SequenceNet,
        batches: Batches,
        training: Training,
        figure: Callable[[], float] | None,
        key: str,
    ) -> None:
        """Fit net and language model in place; ``figure`` measures the net, ``key`` names what is fitted.

        Raises:
            AcclimateError: The loss is not finite, or memory ran out; says what to lower.
        """
        tuning = self.reader.tuning
        steps = sum(1 for _ in batches(0))
        net.requires_grad_(True)
        net.items.ids.requires_grad_(net.items.id_width > 0)
        joint = JointNet(net, self.reader, self.space, tuning.batch)
        self.reader.wrapped.plan(tuning.epochs * steps)

        def measured() -> float:
            assert figure is not None
            joint.refresh()
            return figure()

        advice = f"lower adapter.batch, now {tuning.batch}, or train.params.batch_tokens"
        with memory_told(advice):
            self.done = fit(
                joint,
                batches,
                tuning.recipe(steps),
                replace(training, watch=None),
                figure=measured if figure else None,
                name="sequence-and-adapter",
                key=f"{key} {tuning}",
            )
            joint.refresh()
