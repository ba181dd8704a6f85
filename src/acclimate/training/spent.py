"""What a fit costs, with what was spent on it before it was stopped and gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter, process_time


@dataclass(slots=True)
class Spent:
    """Seconds on the clock, and of the processors."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def add(self, seconds: float, cpu_seconds: float) -> None:
        """Add what was spent elsewhere."""
        self.seconds += seconds
        self.cpu_seconds += cpu_seconds


_OPEN: ContextVar[tuple[Spent, ...]] = ContextVar("spent", default=())


@contextmanager
def spent() -> Iterator[Spent]:
    """Measure what is done inside; of fits that go on, also what was done before they were stopped.

    Example:
        >>> with spent() as took:
        ...     told_before(60.0, 110.0)  # a fit says what it finds of itself
        >>> took.seconds > 60 and took.cpu_seconds > 110
        True
    """
    took, wall, cpu = Spent(), perf_counter(), process_time()
    token = _OPEN.set((*_OPEN.get(), took))
    try:
        yield took
    finally:
        _OPEN.reset(token)
        took.add(perf_counter() - wall, process_time() - cpu)


def told_before(seconds: float, cpu_seconds: float) -> None:
    """Tell all who measure of what was spent on a fit before."""
    for took in _OPEN.get():
        took.add(seconds, cpu_seconds)
