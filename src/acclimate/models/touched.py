"""Which items a batch looks at: with a loss over items that are drawn, those are few, and the others idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from acclimate.models.losses import Drawn
from acclimate.models.rows import Rows

if TYPE_CHECKING:
    from acclimate.models.sequence_net import Batch


def touched(batch: Batch, drawn: Drawn, rows: Rows | None) -> tuple[Batch, Drawn, Tensor]:
    """Return the batch and what was drawn by places in place of codes, and the code of each place int64[m].

    Args:
        batch: Item codes; what is no item is below 0, and stays so.
        drawn: The negatives.
        rows: How processes hold the items apart, if they do: then the codes are those of all of them.
    """
    steps, answers = batch.steps, batch.answers
    parts = [steps.items, batch.targets, drawn.items, *(view.items for view in batch.views)]
    parts += [answers.items] if answers else []
    codes = torch.unique(torch.cat(parts))
    codes = codes[codes >= 0]
    if rows is not None:
        codes = rows.everyones(codes)

    def place(items: Tensor) -> Tensor:
        return torch.where(items >= 0, torch.searchsorted(codes, items), items)

    batch = batch._replace(
        steps=steps._replace(items=place(steps.items)),
        targets=place(batch.targets),
        views=tuple(view._replace(items=place(view.items)) for view in batch.views),
        answers=answers._replace(items=place(answers.items)) if answers else None,
    )
    return batch, drawn._replace(items=place(drawn.items)), codes
