"""How far a long job is: a bar on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

WORTH_TELLING = 20.0
"""Seconds that are left at least where they are told."""
SURE_AFTER = 5.0
"""Seconds of work before anything is said about the rest."""


class Tell(Protocol):
    """Called with how many more are done, and if there is more to say than that, a note."""

    def __call__(self, n: int, note: str = "", *, earlier: bool = False) -> None:
        """Say that ``n`` more are done; if ``earlier``, at another time, so at no pace."""
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
        yield lambda n, note="", *, earlier=False: None
    elif console.is_terminal:
        bound = "at most " if at_most else ""
        count = TextColumn(f"{{task.completed:.0f}} of {bound}{{task.total:.0f}}")
        rest = (TextColumn("{task.fields[left]}"), TextColumn("{task.fields[note]}"))
        pace = _Pace(total, bound)
        with Progress(TextColumn("{task.description}"), BarColumn(), count, *rest, console=console) as bar:
            task = bar.add_task(label, total=total, note="", left="")
            yield lambda n, note="", *, earlier=False: bar.update(
                task, advance=n, note=note, left=pace.left(n, earlier)
            )
    else:
        yield _Lines(console, total, label, lines, _Pace(total, "at most " if at_most else ""))


def say(line: str) -> None:
    """Print one line about the work on stderr."""
    Console(stderr=True).print(line, style="dim", highlight=False, markup=False, soft_wrap=True)


class _Pace:
    """How long the rest takes at the pace of all that was done here: single steps differ by far."""

    def __init__(self, total: int, bound: str) -> None:
        self.total, self.bound = total, bound
        self.done, self.earlier, self.began = 0, 0, perf_counter()

    def left(self, n: int, earlier: bool) -> str:
        """Take in that ``n`` more are done; say how long the rest takes, where that is known and long."""
        self.done += n
        self.earlier += n if earlier else 0
        spent, here = perf_counter() - self.began, self.done - self.earlier
        seconds = spent / here * (self.total - self.done) if here else 0.0
        told = spent >= SURE_AFTER and seconds >= WORTH_TELLING
        return f"{self.bound}{seconds / 60:.1f} min left" if told else ""


class _Lines:
    """Prints a line for each tenth that is done, and each note that comes without anything done."""

    def __init__(self, console: Console, total: int, label: str, lines: int, pace: _Pace) -> None:
        self.console, self.total, self.label, self.lines, self.pace = console, total, label, lines, pace

    def __call__(self, n: int, note: str = "", *, earlier: bool = False) -> None:
        before, left = self.pace.done, self.pace.left(n, earlier)
        done = self.pace.done
        if not n or done * self.lines // self.total > before * self.lines // self.total:
            told = "  ".join(filter(None, [note, left if n else ""]))
            line = f"{self.label}: {done} of {self.pace.bound}{self.total}  {told}".rstrip()
            self.console.print(line, highlight=False, soft_wrap=True)
