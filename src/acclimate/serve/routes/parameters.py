"""What handlers ask for: the engine, and the query parameters that several of them share."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from acclimate.serve.engine import Engine
from acclimate.serve.schemas import K_RANGE, LONGEST_ID

Served = NamedDependency[Engine]
Id = Annotated[str, QueryParameter(min_length=1, max_length=LONGEST_ID, description="Any string.")]
MaybeId = Annotated[
    str | None, QueryParameter(min_length=1, max_length=LONGEST_ID, description="Any string.")
]
K = Annotated[int, QueryParameter(ge=K_RANGE[0], le=K_RANGE[1], description="How long the list may be.")]
Limit = Annotated[int, QueryParameter(ge=K_RANGE[0], le=K_RANGE[1], description="How many to show.")]
Prefix = Annotated[
    str,
    QueryParameter(
        max_length=LONGEST_ID,
        description="Only users whose id or attribute `name` begins so, upper and lower case alike.",
    ),
]
MaxEvents = Annotated[int | None, QueryParameter(ge=0, description="Only users with at most so many events.")]
Flag = FromQuery[bool]
