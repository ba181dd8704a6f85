"""Who looks further ahead than to the next event knows what is wanted later as well."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.data.dataset import Dataset
from acclimate.errors import InputError
from acclimate.models.sequence import SequenceModel
from acclimate.types import Histories

TASTES, EACH, LENGTH = 4, 6, 24
SMALL = {"width": 16, "heads": 1, "epochs": 12, "batch_tokens": 512, "validation_users": 0}


def wanderers(n_users: int) -> Dataset:
    """Let each user have a taste, and go round the items of it: what comes right next is always the same."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(n_users):
        taste, at = user % TASTES, rng.integers(EACH)
        rows += [(f"u{user}", f"i{taste * EACH + (at + time) % EACH}", float(time)) for time in range(LENGTH)]
    return Dataset.of([*((f"a{n}", f"i{n}", 0.0) for n in range(TASTES * EACH)), *rows])


def ranked(ahead: int, loss: str) -> list[int]:
    """Return all items, best first, of one who had the first two of the first taste."""
    data = wanderers(120)
    model = SequenceModel(ahead=ahead, loss=loss, **SMALL)
    model.fit(data)
    first, second = data.items.codes(["i0", "i1"])
    scores = model.score(Histories.of([[first, second]]))[0]
    return [int(data.items.ids[code][1:]) for code in np.argsort(-scores)]


@pytest.mark.parametrize("loss", ["full", "sampled"])
def test_all_that_follows_is_foreseen(loss: str) -> None:
    assert ranked(1, loss)[0] == 2
    assert set(ranked(EACH, loss)[:EACH]) == set(range(EACH))


def test_what_it_may_be_is_told() -> None:
    with pytest.raises(InputError, match=r"ahead must be 1\.\.1000000000, got 0"):
        SequenceModel(ahead=0)
    with pytest.raises(InputError, match="ahead=3 cannot be had with baskets"):
        SequenceModel(ahead=3, baskets=True)
