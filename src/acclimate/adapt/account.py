"""What came of a learner's work."""

from __future__ import annotations

from dataclasses import dataclass, field

from acclimate.adapt.drift import Finding
from acclimate.types import Verdict


@dataclass(slots=True)
class Account:
    """What came of it.

    Args:
        events: Events that were learned.
        open: Those of them that no published snapshot holds; they are learned again.
        offset: Up to where the log was read.
        published: Snapshots that became current, in order.
        waiting: Snapshots that passed the gate and wait for a person.
        refused: Snapshots that did not pass.
        rolled_back: Snapshots that were replaced by the one before, as they did worse.
        verdict: The last one of the gate; None if none was asked for.
        fitted: Snapshots that full fits wrote.
        drift: What was found last; None before anything was read.
        notes: What a person should know.
    """

    events: int = 0
    open: int = 0
    offset: int = 0
    published: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    rolled_back: list[str] = field(default_factory=list)
    verdict: Verdict | None = None
    fitted: list[str] = field(default_factory=list)
    drift: Finding | None = None
    notes: list[str] = field(default_factory=list)
