"""A batch of sequences in parts, one for each process that fits the net."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from acclimate.errors import InputError
from acclimate.models.heads import wanted
from acclimate.models.user_text import Read

if TYPE_CHECKING:
    from acclimate.models.sequence_net import Batch


def check_parted(params: Mapping[str, Any]) -> None:
    """Raise InputError if several processes cannot share the loss that these arguments make; names them."""
    for name in ("contrast", "perturbation"):
        if params[name]:
            raise InputError(
                f"{name}={params[name]:g} looks at a batch as a whole, which several processes cannot share: "
                f"set train.params.{name}=0, or fit in one process",
                field=f"train.params.{name}",
            )
    if wanted(params):
        raise InputError(
            "rating and click are means of their own over a batch, which several processes cannot share: set "
            "train.params.rating=off and train.params.click=false, or fit in one process",
            field="train.params.rating",
        )


def part_of_batch(batch: Batch, mine: int, count: int, params: Mapping[str, Any]) -> tuple[Batch, float]:
    """Return the sequences that one of ``count`` processes takes, near equal in events, and their weight.

    The loss of a batch is the mean over what is to be foreseen; so it is the sum of the losses of the parts
    by their weights, which sum to 1. A batch of fewer sequences than processes is not cut: the first process
    takes it all, and the weight of the others is 0.

    Args:
        batch: All of it.
        mine: Which process, 0 to ``count - 1``.
        count: How many there are.
        params: Arguments of the model.

    Raises:
        InputError: A part of the loss is not a mean over what is to be foreseen; names the argument.
    """
    check_parted(params)
    lengths = batch.steps.lengths
    ends = torch.cumsum(lengths, 0)
    if len(lengths) < count:
        return (batch, 1.0) if mine == 0 else (batch, 0.0)
    total = int(ends[-1])
    cuts = [int((2 * ends <= 2 * total * at // count + lengths).sum()) for at in range(count + 1)]
    cuts = [max(at, min(cut, len(lengths) - count + at)) for at, cut in enumerate(cuts)]
    low, high = cuts[mine], cuts[mine + 1]
    begin, end = (int(ends[at - 1]) if at else 0 for at in (low, high))
    steps = batch.steps
    some = steps._replace(
        items=steps.items[begin:end],
        lengths=lengths[low:high],
        times=steps.times[begin:end],
        asked=steps.asked[begin:end],
        told=steps.told[begin:end],
    )
    heard = batch.users and Read(batch.users.vectors[begin:end], batch.users.age[begin:end])
    batch, (low, high) = _asked(batch, begin, end) if batch.asked else (batch, (begin, end))
    weigh = batch.weights if params["loss"] == "full" else (batch.weights > 0).float()
    taken = batch._replace(
        steps=some, targets=batch.targets[low:high], weights=batch.weights[low:high], users=heard
    )
    whole = float(weigh.sum())
    return taken, float(weigh[low:high].sum()) / whole if whole else 1 / count


def _asked(batch: Batch, begin: int, end: int) -> tuple[Batch, tuple[int, int]]:
    """Return the batch with the states among the steps ``begin:end`` alone, and which targets are theirs."""
    asked = batch.asked
    assert asked is not None
    real = asked.states[: int(asked.rows.max()) + 1 if len(asked.rows) else 0]  # then it is filled up
    first, last = torch.searchsorted(real, real.new_tensor([begin, end])).tolist()
    low, high = torch.searchsorted(asked.rows, real.new_tensor([first, last])).tolist()
    had = asked.had
    if had is not None:
        start, stop = torch.searchsorted(had.rows, real.new_tensor([first, last])).tolist()
        had = type(had)(had.rows[start:stop] - first, had.items[start:stop], had.told[start:stop])
    states = asked._replace(states=real[first:last] - begin, rows=asked.rows - first, had=had)
    states = states._replace(rows=states.rows[low:high])
    return batch._replace(asked=states), (low, high)
