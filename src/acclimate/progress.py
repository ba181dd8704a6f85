"""How far a long job is: a bar on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

WORTH_TELLING = 20.0
"""Seconds that are left at least where a line tells them."""


class Tell(Protocol):
    """Called with how many more are done, and if there is more to say than that, a note."""

    def __call__(self, n: int, note: str = "") -> None:
        """Say that ``n`` more are done."""
        ...


@contextmanager
def counting(
    total: int, label: str, *, shown: bool, lines: int = 10, at_most: bool = False
) -> Iterator[Tell]:
    """Yield a function that is told how many more are done.

    Args:
        total: How many there are.
        label: What is being done, as in ``"reading texts"``.
        shown: False keeps silent.
        lines: Lines at most where there is no terminal.
        at_most: It may be done before ``total``, and the words say so.
    """
    console = Console(stderr=True)
    if not shown or not total:
        yield lambda n, note="": None
    elif console.is_terminal:
        bound = "at most " if at_most else ""
        count = TextColumn(f"{{task.completed:.0f}} of {bound}{{task.total:.0f}},")
        left = TextColumn(f"{bound}left")
        columns = (TextColumn("{task.description}"), BarColumn(), count, left, TimeRemainingColumn())
        with Progress(*columns, TextColumn("{task.fields[note]}"), console=console) as bar:
            task = bar.add_task(label, total=total, note="")
            yield lambda n, note="": bar.update(task, advance=n, note=note)
    else:
        yield _Lines(console, total, label, lines, at_most)


def say(line: str) -> None:
    """Print one line about the work on stderr."""
    Console(stderr=True).print(line, style="dim", highlight=False, markup=False, soft_wrap=True)


class _Lines:
    """Prints a line for each tenth that is done, and each note that comes without anything done."""

    def __init__(self, console: Console, total: int, label: str, lines: int, at_most: bool) -> None:
        self.console, self.total, self.label, self.lines = console, total, label, lines
        self.bound = "at most " if at_most else ""
        self.done, self.at = 0, perf_counter()

    def __call__(self, n: int, note: str = "") -> None:
        before, self.done = self.done, self.done + n
        left = self._left(n)
        if not n or self.done * self.lines // self.total > before * self.lines // self.total:
            told = "  ".join(filter(None, [note, left]))
            line = f"{self.label}: {self.done} of {self.bound}{self.total}  {told}".rstrip()
            self.console.print(line, highlight=False, soft_wrap=True)

    def _left(self, n: int) -> str:
        """Say how long the rest takes at the pace of the last ``n``, where that is worth telling."""
        since, self.at = self.at, perf_counter()
        seconds = (self.at - since) / n * (self.total - self.done) if n else 0.0
        return f"{self.bound}{seconds / 60:.1f} min left" if seconds >= WORTH_TELLING else ""
