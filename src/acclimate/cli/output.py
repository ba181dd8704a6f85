"""What a command says: results on stdout, all else on stderr; under ``--json`` one document on stdout."""

from __future__ import annotations

import os
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDTH = 120
"""Columns of a table in a file or a pipe."""


class Output:
    """The two streams of a command.

    A person reads tables on stdout and notes on stderr. Under ``--json`` stdout holds one document
    and nothing else, so that it can be piped.

    Args:
        as_json: Whether ``--json`` was given.

    Example:
        >>> Output(as_json=True).document({"ndcg@10": float("nan"), "name": "épée"})
        {
          "ndcg@10": null,
          "name": "épée"
        }
    """

    def __init__(self, as_json: bool = False) -> None:
        from rich.console import Console

        self.as_json = as_json
        self.console: Console = _wide(Console(stderr=as_json))
        """Where tables go: stdout, or stderr under ``--json``."""
        self.notes: Console = Console(stderr=True)
        """Where progress and remarks go: stderr."""
        self._started = perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the command began to speak."""
        return perf_counter() - self._started

    def show(self, *what: RenderableType) -> None:
        """Print part of the result for a person; nothing under ``--json``."""
        if not self.as_json:
            words = all(isinstance(part, str) for part in what)
            self.console.print(*what, highlight=False, soft_wrap=words)

    def note(self, text: str) -> None:
        """Print a remark on stderr, in both modes."""
        self.notes.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)

    def step(self, text: str) -> None:
        """Print on stderr what long work does now, and how many seconds went by before it."""
        self.note(f"{self.seconds:6.1f} s  {text}")

    def document(self, document: dict[str, Any]) -> None:
        """Print the JSON document if ``--json`` was given: UTF-8, NaN and infinity as null."""
        if self.as_json:
            text = msgspec.json.format(encode(document), indent=2).decode()
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


def _wide(console: Console) -> Console:
    """Give tables room where no terminal says how wide it is."""
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH
    return console


def encode(document: dict[str, Any]) -> bytes:
    """Return compact JSON of dicts, structs, dataclasses, NumPy values and paths."""
    return msgspec.json.encode(document, enc_hook=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return value.tolist()
    if hasattr(value, "items"):
        return dict(value)
    raise TypeError(f"cannot write a {type(value).__name__} as JSON")
