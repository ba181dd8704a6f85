"""The net of the sequence model: gated blocks over item vectors, cosine scores, and its loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from acclimate.config import EVENT_TYPES
from acclimate.devices import bf16_helps
from acclimate.errors import InputError
from acclimate.models import repeats
from acclimate.models.blocks import BUCKETS, Layout, time_buckets
from acclimate.models.heads import Answers, Heads, wanted
from acclimate.models.item_vectors import ItemVectors
from acclimate.models.layers import Dropout, RMSNorm
from acclimate.models.losses import SAMPLED, Added, Drawn, contrast_loss, pair_dots, perturbed, softmax_loss
from acclimate.models.mixers import BIASED, kinds_of, make_block
from acclimate.models.parts import part_of_batch
from acclimate.models.repeats import Had, ItemTerms
from acclimate.models.sequence_params import drawn_by
from acclimate.models.touched import touched
from acclimate.models.user_text import Join, Read
from acclimate.parallel import Processes
from acclimate.types import Floats, Histories

TOLD = 3
"""Figures that describe an event apart from its item and its type: see `told`."""
CONTRASTED = 1024
"""Sequences of a batch that are told apart by the contrastive loss: its scores are the square of them."""

ITS_OWN = ("items.", *(f"terms.{name}" for name in repeats.ITS_OWN))
"""Weights of the net that belong to single items: a model has them for the whole catalogue."""


class Steps(NamedTuple):
    """Packed events of some sequences, as the net reads them.

    Args:
        items: Item codes int64[total].
        lengths: Events of each sequence, int64[n], at least one.
        times: Seconds of each event, float64[total].
        asked: Seconds of the question after each event, float64[total]: when the next one happened, or the
            time of the request.
        told: What else is known of each event, float32[total, 3].
    """

    items: Tensor
    lengths: Tensor
    times: Tensor
    asked: Tensor
    told: Tensor

    @classmethod
    def of(cls, histories: Histories, device: torch.device | None = None) -> Steps:
        """Return the events of ``histories``; each is asked for at the next one, the last at ``now``."""
        asked = np.empty(len(histories.times))
        asked[:-1] = histories.times[1:]
        asked[histories.offsets[1:] - 1] = histories.now
        arrays = (histories.items.astype(np.int64), histories.lengths.copy(), histories.times, asked)
        parts = [torch.from_numpy(np.array(array)) for array in (*arrays, told(histories))]
        return cls(*(part.to(device) for part in parts))


def told(histories: Histories) -> Floats:
    """Return what is known of each event apart from its item and time, float32[total, TOLD + types].

    Its weight; ``log(1 + value)`` with a minus for values below 0, or 0 where there is none; whether
    there is none; and of each type of event whether it is one.
    """
    values, kinds = histories.values, histories.kinds
    out = np.zeros((len(histories.items), TOLD + len(EVENT_TYPES)), np.float32)
    out[:, 0] = histories.weights
    if values is not None:
        known = np.isfinite(values)
        out[known, 1] = np.sign(values[known]) * np.log1p(np.abs(values[known]))
        out[~known, 2] = 1
    else:
        out[:, 2] = 1
    if kinds is not None:
        typed = np.flatnonzero(kinds >= 0)
        out[typed, TOLD + kinds[typed].astype(np.int64)] = 1
    return out


class Asked(NamedTuple):
    """Which states are asked for what comes next, where that is not each one for the next event.

    Args:
        states: Places of the states among the steps, int64[s].
        rows: State of each target, 0..s-1, int64[t], rising.
        had: What the users had had by then; None if that is not told apart.
    """

    states: Tensor
    rows: Tensor
    had: Had | None = None


class Batch(NamedTuple):
    """What is read, and what comes next.

    Args:
        steps: The events.
        targets: Codes of the items that come next, int64[total], or int64[t] with ``asked``.
        weights: 1 where that is liked, else 0, float32 as long.
        views: Two other tellings of the same sequences, whose items may be -1 for a blank; or none.
        users: What was read of the user at each step, n is total; None if users are not read.
        answers: What came of the next event; None if no head asks.
        asked: Which states are asked; None if each is asked for the next event.
    """

    steps: Steps
    targets: Tensor
    weights: Tensor
    views: tuple[Steps, ...] = ()
    users: Read | None = None
    answers: Answers | None = None
    asked: Asked | None = None


class SequenceNet(nn.Module):
    """Item vectors, gated blocks, cosine scores with a learned temperature.

    Args:
        items: The vectors of the items that may be predicted, d wide.
        params: Arguments of `SequenceModel`: ``block layers heads dropout max_length places time feedback``
            ``user_text rating click``, and for training ``loss negatives label_smoothing perturbation`` and
            ``contrast`` are used.
        counts: Events of each item int64[n_items], from which negatives are drawn and biases start; for
            training alone.
    """

    chances: Tensor

    def __init__(
        self, items: ItemVectors, params: Mapping[str, Any], counts: NDArray[np.int64] | None = None
    ) -> None:
        super().__init__()
        counts = np.zeros(len(items.text), np.int64) if counts is None else counts
        chances = torch.from_numpy(counts.astype(np.float32) ** drawn_by(params))
        width = items.text.shape[1]
        self.items, self.params = items, dict(params)
        self.register_buffer("chances", chances / chances.sum(), persistent=False)
        self.terms = ItemTerms.of(counts, params)
        self.norm_in, self.norm_out = RMSNorm(width), RMSNorm(width)
        self.positions = nn.Parameter(torch.randn(params["max_length"], width) * 0.02)
        self.feedback = nn.Linear(TOLD, width) if params["feedback"] else None
        self.kinds = nn.Parameter(torch.zeros(len(EVENT_TYPES), width)) if params["feedback"] else None
        self.gaps = nn.Embedding(BUCKETS, width) if params["time"] else None
        self.dropout = Dropout(params["dropout"])
        kinds = kinds_of(params["block"], params["layers"])
        self.biased = params["time"] and not BIASED.keys().isdisjoint(kinds)
        made = width, params["heads"], params["dropout"]
        bias = {"places": params["places"], "time": params["time"]}
        self.blocks = nn.ModuleList(make_block(k, *made, depth, **bias) for depth, k in enumerate(kinds))
        for part in (self.gaps, self.feedback):
            if part is not None:
                nn.init.normal_(part.weight, std=0.02)
        reads = params["user_text"] != "off"
        self.join = Join(width, alone=params["user_text"] == "alone") if reads else None
        self.log_scale = nn.Parameter(torch.tensor(10.0).log())
        self.foretells = Heads(width, params) if wanted(params) else None
        self.spread = False
        """Whether processes that fit it shall hold the items apart."""

    @classmethod
    def restored(
        cls, params: Mapping[str, Any], id_width: int, arrays: Mapping[str, NDArray[Any]]
    ) -> SequenceNet:
        """Return a net of no items with the weights called ``net.*``, in eval mode.

        Raises:
            InputError: Weights are missing.
        """
        net = cls(ItemVectors(torch.zeros(0, params["width"]), id_width, 0.0), params)
        weights = {k[4:]: torch.from_numpy(np.array(v)) for k, v in arrays.items() if k.startswith("net.")}
        if net.kinds is not None:  # an earlier version knew fewer types of events, or none
            heard = weights.get("kinds", net.kinds[:0].detach())
            weights["kinds"] = F.pad(heard, (0, 0, 0, len(net.kinds) - len(heard)))
        missing = net.load_state_dict(weights, strict=False).missing_keys
        if any(not name.startswith(ITS_OWN) for name in missing):
            raise InputError("these weights are of another version of sequence: train anew", field="model")
        net.eval().requires_grad_(False)
        return net

    def placed(self, vectors: Tensor, told: Tensor, positions: Tensor) -> Tensor:
        """Return events as the blocks read them, float32[total, d], without what the time of a question adds.

        Args:
            vectors: Of their items, float32[total, d].
            told: What else is known of each, as `told` has it.
            positions: Place of each in its sequence, int64[total].
        """
        x: Tensor = self.norm_in(vectors) + self.positions[positions]
        if self.feedback is not None and self.kinds is not None:
            x = x + self.feedback(told[:, :TOLD]) + told[:, TOLD:] @ self.kinds
        return x

    def read(self, vectors: Tensor, steps: Steps, *, last: bool = False, users: Read | None = None) -> Tensor:
        """Return the state after each event, unit vectors float32[total, d], from float32[total, d].

        With ``last`` only the state after the last event of each sequence, float32[n, d], at less cost. Of
        users that were read, their readings are joined to it.
        """
        if self.join is not None and self.join.alone and users is not None:
            return self.hear(users)
        clock = (steps.times, steps.asked) if self.biased else ()
        layout = Layout.of(steps.lengths, *clock)
        x = self.placed(vectors, steps.told, layout.position)
        if self.gaps is not None:
            x = x + self.gaps(time_buckets(steps.asked - steps.times))
        x = self.dropout(x)
        *lower, top = self.blocks
        for block in lower:
            x = block(x, layout)
        x = top.last(x, layout) if last else top(x, layout)  # type: ignore[operator]
        state = self.norm_out(x).float()
        if self.join is not None and users is not None:
            state = self.join(state, users._replace(vectors=self.items.place(users.vectors))).float()
        return F.normalize(state, dim=1)

    def hear(self, users: Read) -> Tensor:
        """Return what was read of n users alone, unit vectors float32[n, d]."""
        assert self.join is not None
        told = users._replace(vectors=self.items.place(users.vectors))
        return F.normalize(self.join(None, told).float(), dim=1)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of each next item that is liked, with what the arguments add to it."""
        drawn, codes = None, None
        if self.params["loss"] != "full":
            drawn = Drawn.by(self.chances, self.params["negatives"])
            batch, drawn, codes = touched(batch, drawn, self.items.rows)
        table = self.items() if codes is None else self.items.of_some(codes)
        loss = self._foresee(table, batch, drawn, codes)
        if share := self.params["perturbation"]:
            loss = (loss + self._foresee(perturbed(table, loss, share), batch, drawn, codes)) / 2
        if batch.views:
            one, other = (self._whole(table, steps) for steps in batch.views)
            loss = loss + self.params["contrast"] * contrast_loss(one, other)
        return loss

    def part(self, batch: Batch, mine: int, count: int) -> tuple[Batch, float]:
        """Return what one of ``count`` processes takes of a batch, and its weight."""
        return part_of_batch(batch, mine, count, self.params)

    @property
    def apart(self) -> list[Tensor]:
        """Weights of which this process has rows of its own, see `acclimate.training.Apart`."""
        return [self.items.ids] if self.items.rows is not None and self.items.id_width else []

    def part_rows(self, group: Processes) -> bool:
        """Keep the rows of this process alone, if processes shall hold them apart; return whether."""
        if self.spread:
            self.items.part_rows(group)
        return self.spread

    def look_whole(self) -> None:
        """Let the first process have all items."""
        self.items.look_whole()

    def join_rows(self) -> None:
        """Let all processes have all items again."""
        self.items.join_rows()

    def _foresee(self, table: Tensor, batch: Batch, drawn: Drawn | None, codes: Tensor | None) -> Tensor:
        """Return the loss over ``table``, of all items or of those of ``codes`` int64[m], if given."""
        half = torch.bfloat16 if bf16_helps(table.device) else torch.float32
        with torch.autocast(table.device.type, half, enabled=half == torch.bfloat16):
            states = self.read(table[batch.steps.items], batch.steps, users=batch.users)
        unit, scale, asked = F.normalize(table, dim=1), self.scale, batch.asked
        along: Tensor | float = 0.0
        if self.foretells is not None and batch.answers is not None:
            along = self.foretells.loss(states, unit[batch.answers.items], batch.answers)
        own, added = self.terms.seen() if self.terms else None, None
        bias = own.bias if own else None
        bias = bias if bias is None or codes is None else bias[codes]
        if asked is not None:
            states = states[asked.states]
            if asked.had is not None and self.terms and own:
                pairs = asked.had.rows, asked.had.items
                near = pair_dots(states, unit, *pairs)
                added = Added(*pairs, self.terms.told(asked.had, own, near, scale))
        rows = torch.arange(len(states), device=states.device) if asked is None else asked.rows
        loss, p = self.params["loss"], self.params
        if drawn is None:
            options = {"dtype": half, "smoothing": p["label_smoothing"], "bias": bias, "added": added}
            whole = softmax_loss(
                states, unit, scale, batch.targets, rows=rows, weights=batch.weights, **options
            )
            return whole + along
        liked = batch.weights > 0
        if not liked.any():
            return 0 * states.sum() + 0 * table.sum() + along
        return SAMPLED[loss](states[rows[liked]], unit, scale, batch.targets[liked], drawn, bias) + along

    @property
    def timed(self) -> bool:
        """Whether the state depends on the time of the question."""
        return self.biased or self.gaps is not None

    @property
    def scale(self) -> Tensor:
        """The inverse temperature of the cosines, float32[]."""
        return self.log_scale.clamp(max=4.0).exp()

    def _whole(self, table: Tensor, steps: Steps) -> Tensor:
        """Return the state at the end of the first `CONTRASTED` sequences, float32[n, d]."""
        few = Steps(*(part[: steps.lengths[:CONTRASTED].sum()] for part in steps))
        few = few._replace(lengths=steps.lengths[:CONTRASTED])
        vectors = table[few.items.clamp(min=0)] * (few.items >= 0)[:, None]
        half = torch.bfloat16 if bf16_helps(table.device) else torch.float32
        with torch.autocast(table.device.type, half, enabled=half == torch.bfloat16):
            return self.read(vectors, few, last=True)
