"""How far a long job is: a bar on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Tell(Protocol):
    """Called with how many more are done, and if there is more to say than that, a note."""

    def __call__(self, n: int, note: str = "") -> None:
        """Say that ``n`` more are done."""
        ...


@contextmanager
def counting(total: int, label: str, *, shown: bool, lines: int = 10) -> Iterator[Tell]:
    """Yield a function that is told how many more are done.

    Args:
        total: How many there are.
        label: What is being done, as in ``"reading texts"``.
        shown: False keeps silent.
        lines: Lines at most where there is no terminal.
    """
    console = Console(stderr=True)
    if not shown or not total:
        yield lambda n, note="": None
    elif console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, TextColumn("{task.fields[note]}"), console=console) as bar:
            task = bar.add_task(label, total=total, note="")
            yield lambda n, note="": bar.update(task, advance=n, note=note)
    else:
        yield _Lines(console, total, label, lines)


class _Lines:
    """Prints a line for each tenth that is done."""

    def __init__(self, console: Console, total: int, label: str, lines: int) -> None:
        self.console, self.total, self.label, self.lines, self.done = console, total, label, lines, 0

    def __call__(self, n: int, note: str = "") -> None:
        before, self.done = self.done, self.done + n
        if self.done * self.lines // self.total > before * self.lines // self.total:
            line = f"{self.label}: {self.done} of {self.total}  {note}".rstrip()
            self.console.print(line, highlight=False, soft_wrap=True)
