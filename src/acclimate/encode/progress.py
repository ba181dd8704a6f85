"""How far a long job is: a bar on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def counting(total: int, label: str, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told how many more are done.

    Args:
        total: How many there are.
        label: What is being done, as in ``"reading texts"``.
        shown: False keeps silent.
    """
    console = Console(stderr=True)
    if not shown or not total:
        yield lambda n: None
    elif console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(label, total=total)
            yield lambda n: bar.advance(task, n)
    else:
        yield _Lines(console, total, label)


class _Lines:
    """Prints a line for each tenth that is done."""

    def __init__(self, console: Console, total: int, label: str) -> None:
        self.console, self.total, self.label, self.done = console, total, label, 0

    def __call__(self, n: int) -> None:
        before, self.done = self.done, self.done + n
        if self.done * 10 // self.total > before * 10 // self.total:
            self.console.print(f"{self.label}: {self.done} of {self.total}", highlight=False)
