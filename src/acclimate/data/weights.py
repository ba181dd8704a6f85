"""What an event of a table means: liked, disliked or only seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from acclimate.config import EventsTable, rating_scale
from acclimate.errors import InputError
from acclimate.types import Floats

if TYPE_CHECKING:
    import polars as pl

PRIOR, FAINT = 2.0, 0.05


def parse_positive(positive: str) -> float | None:
    """Return the lowest value that counts as positive, or None for "all".

    Raises:
        InputError: It is neither "all" nor ">=NUMBER".

    Example:
        >>> parse_positive(">=4"), parse_positive("all")
        (4.0, None)
    """
    if positive.strip() == "all":
        return None
    match = re.fullmatch(r"\s*>=\s*(-?\d+(?:\.\d+)?)\s*", positive)
    if not match:
        message = f"positive must be 'all' or a threshold such as '>=4', got {positive!r}"
        raise InputError(message, code="bad_positive", field="positive")
    return float(match.group(1))


def event_weights(events: pl.DataFrame, positive: str, table: EventsTable) -> Floats:
    """Return the weight of each event, float32[n].

    An event with a type weighs what ``table`` says. A rating whose table entry is a scale weighs what it does
    when it comes in live: in [-1, 1] around the mean of the user's ratings so far, this one included, which
    starts as two ratings of the middle; never less than 0.05 either way. An event without a type is a row of
    a ratings set: 1 if it is positive, else 0, an exposure; without a value it is positive only under "all".

    Args:
        events: ``user_id, value, event_type``, in order of time; users by id or by code.
        positive: "all" or ">=NUMBER".
        table: What each event type is worth.
    """
    import polars as pl

    least = parse_positive(positive)
    weight = pl.lit(1.0) if least is None else (pl.col("value") >= least).fill_null(False).cast(pl.Float64)
    if events["event_type"].null_count() < len(events):
        weight = _by_type(weight, table)
    return (
        events.with_columns(weight.cast(pl.Float32).alias("weight"))["weight"].to_numpy().astype(np.float32)
    )


def _by_type(untyped: pl.Expr, table: EventsTable) -> pl.Expr:
    """Return the weight of events that may have a type; ``untyped`` is that of those without."""
    import polars as pl

    kind = pl.col("event_type")
    worths = {name: getattr(table, name) for name in table.__struct_fields__}
    fixed = {name: worth for name, worth in worths.items() if not isinstance(worth, str)}
    weight = kind.replace_strict(fixed, default=0.0, return_dtype=pl.Float64)
    for name, worth in worths.items():
        if isinstance(worth, str):
            weight = pl.when(kind == name).then(_around_mean(name, *rating_scale(worth))).otherwise(weight)
    return pl.when(kind.is_null()).then(untyped).otherwise(weight)


def _around_mean(name: str, lowest: float, highest: float) -> pl.Expr:
    import polars as pl

    middle = (lowest + highest) / 2
    rating = pl.col("value").clip(lowest, highest).cast(pl.Float64)
    counts = (pl.col("event_type") == name).fill_null(False) & rating.is_not_null()
    total = pl.when(counts).then(rating).otherwise(0.0).cum_sum().over("user_id")
    mean = (PRIOR * middle + total) / (PRIOR + counts.cum_sum().over("user_id"))
    weight = ((rating - mean) / (highest - middle)).clip(-1.0, 1.0)
    return pl.when(weight.abs() >= FAINT).then(weight).otherwise(FAINT)
