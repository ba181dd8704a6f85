"""The sequence model with more and more of its clocks."""

from __future__ import annotations

from pathlib import Path

from acclimate.adapt.slow import Slow
from acclimate.adapt.stepped import Stepped
from acclimate.adapt.swapped import Swapped
from acclimate.encode import make_encoder
from acclimate.evaluate.prequential import Level
from acclimate.models.sequence import SequenceModel
from acclimate.training import Training

WIDTH = 64
"""Of the vectors."""


def clocks(seed: int, cache: Path) -> list[Level]:
    """Return the model as it was fitted, with live histories, with each clock, and with all of them."""
    training = Training(cache / "training", progress=True)
    encoder = make_encoder("minilm", cache=cache, progress=False)
    main = SequenceModel(encoder, width=WIDTH, seed=seed, training=training)
    return [
        Level("frozen", main, live=False, new_items=False),
        Level("live", main, learns=False),
        Level("prior", Swapped(main)),
        Level("step", Stepped(main)),
        Level("slow", Slow(main), every=128),
        Level("adapter", Slow(main, adapter="adalora"), every=128),
        Level("all", Swapped(Stepped(Slow(main)))),
    ]
