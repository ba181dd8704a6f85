"""What each process of `test_parallel` runs: fits on 127.0.0.1, of which the first writes what came out.

It is called with a folder; where torchrun has not started it, it fits in one process.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.models import sequence_net
from acclimate.models.sequence import SequenceModel
from acclimate.parallel import processes
from acclimate.training import Training
from tests.models.test_sequence import SMALL, OneHot, kinds

FITS: dict[str, dict[str, Any]] = {
    "full": {"validation_users": 40, "epochs": 2, "max_length": 5},
    "sampled": {"validation_users": 0, "epochs": 1, "loss": "sampled", "negatives": 32},
    "asked": {"validation_users": 40, "epochs": 1, "repeats": True, "baskets": True, "item_bias": True},
    "apart": {
        **{"item_rows": "apart", "validation_users": 40, "epochs": 3, "loss": "sampled", "negatives": 32},
        **{"item_vector": "sum", "id_dropout": 0.2, "item_bias": True, "averaging": 0.9, "l1": 1e-5},
    },
    "text apart": {
        **{"item_rows": "apart", "validation_users": 0, "epochs": 1, "loss": "gbce", "negatives": 32},
        "item_vector": "text",
    },
    "read": {"validation_users": 0, "epochs": 1, "user_text": "alone", "averaging": 0.9},
}
"""Without dropout: what one process drops in its part another drops in its own. Ids are dropped alike."""


class Stopped(Exception):
    """What ends a fit in its second epoch."""


def main(folder: Path) -> None:
    sequence_net.bf16_helps = lambda device: False  # it rounds to three digits, each part in its own way
    for name, params in FITS.items():
        watched: list[float] = []

        def watch(epoch: int, value: float, seen: list[float] = watched) -> None:
            seen.append(value)

        def stop(epoch: int, value: float) -> None:
            if epoch == 1:
                raise Stopped

        params = dict(params)
        training = Training(
            folder / f"kept-{name}", "cpu", watch=watch, item_rows=params.pop("item_rows", "auto")
        )
        fixed = SMALL | {"dropout": 0.0, "batch_tokens": 256} | params
        if params["epochs"] > 2:  # it is stopped once, and goes on
            with suppress(Stopped):
                SequenceModel(OneHot(), **fixed, training=replace(training, watch=stop)).fit(kinds())
        model = SequenceModel(OneHot(), **fixed, training=training)
        model.fit(kinds())
        state, fitted = model.state()[0], model.fitted
        mine = processes().mine
        np.savez(folder / f"{name}-{mine}.npz", **state)
        assert fitted is not None
        told = {
            "resumed": fitted.resumed,
            "epochs": fitted.epochs,
            "figure": fitted.figure,
            "watched": watched,
            "curve": [{key: row[key] for key in ("epoch", "loss", "figure")} for row in fitted.curve],
        }
        (folder / f"{name}-{mine}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
