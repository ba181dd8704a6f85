"""What records changed: for whoever keeps something beside the state."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from acclimate.types import Events

Happened = tuple[int, int, float, float, float]
"""User and item by code, seconds, weight and value."""


@dataclass(slots=True)
class Changes:
    """What changed, and what happened.

    Args:
        users: Ids of users of whom anything was heard.
        items: Codes of new, edited or deleted items in ascending order.
        events: Events of other weight than 0, in the order of the log. None is later than when it was logged:
            a clock that goes wrong must not outweigh what others did.
        forgotten: Codes of users who were deleted.
    """

    users: set[str] = field(default_factory=set)
    items: list[int] = field(default_factory=list)
    events: list[Happened] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)


def stream(events: list[Happened]) -> Events:
    """Return events as columns.

    Example:
        >>> stream([(0, 7, 5.0, 1.0, float("nan"))]).item.tolist()
        [7]
    """
    user, item, time, weight, value = zip(*events, strict=True) if events else [()] * 5
    return Events(
        np.array(user, np.int32),
        np.array(item, np.int32),
        np.array(time, np.float64),
        np.array(weight, np.float32),
        np.array(value, np.float32),
    )
