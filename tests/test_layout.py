"""The rows of the house: a room imports only from the rows above its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "acclimate"
ROWS = [
    {
        "types",
        "histories",
        "durations",
        "errors",
        "home",
        "config",
        "rng",
        "metrics",
        "progress",
        "devices",
        "durable",
        "locks",
        "optimisers",
        "parallel",
        "tracking",
        "words",
    },
    {"data", "events", "training"},
    {"encode", "models", "retrieve", "policies", "rerank", "explain", "state"},
    {"recommend"},
    {"snapshot", "evaluate"},
    {"adapt"},
    {"serve"},
    {"cli"},
]
ROW = {room: number for number, row in enumerate(ROWS) for room in row}
LONGEST = 400


def imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield each import, except those under ``if TYPE_CHECKING``, which do not run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from (found for branch in node.orelse for found in imports(ast.Module([branch], [])))
        else:
            yield from imports(node)


def rooms_of(node: ast.Import | ast.ImportFrom) -> set[str]:
    """Return the rooms of Acclimate that an import names."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif node.module == "acclimate":
        names = [f"acclimate.{alias.name}" for alias in node.names]
    else:
        names = [node.module or ""]
    rooms = {name.split(".")[1] for name in names if name.startswith("acclimate.")}
    return rooms - {"__version__"}


def violations(text: str, room: str) -> list[str]:
    """Return what a file of ``room`` with this ``text`` does that the house does not allow."""
    found = []
    if len(text.splitlines()) > LONGEST:
        found.append(f"more than {LONGEST} lines")
    for node in imports(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            found.append(f"line {node.lineno}: relative import")
        for other in rooms_of(node) - {room}:
            below = ROW[other] > ROW[room]
            beside = ROW[other] == ROW[room] != 0  # row 0 is one room: all of it is small and pure
            if below or beside:
                found.append(
                    f"line {node.lineno}: {room} (row {ROW[room]}) imports {other} (row {ROW[other]})"
                )
    return found


FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def test_every_room_has_a_row() -> None:
    rooms = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in FILES}
    assert len(rooms) > 10
    assert rooms <= set(ROW), f"give these a row in tests/test_layout.py: {sorted(rooms - set(ROW))}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_from_the_rows_above(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    assert violations(path.read_text("utf-8"), room) == []


@pytest.mark.parametrize(
    ("text", "room", "expected"),
    [
        ("from acclimate.models.ease import EASE", "encode", "encode (row 2) imports models (row 2)"),
        ("import acclimate.serve.app", "state", "state (row 2) imports serve (row 6)"),
        ("from acclimate import recommend", "data", "data (row 1) imports recommend (row 3)"),
        ("def f():\n    from acclimate.cli import main", "serve", "line 2: serve (row 6) imports cli"),
        ("from acclimate.data.split import SPLITS", "errors", "errors (row 0) imports data"),
        ("from . import tables", "data", "relative import"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import acclimate.cli", "data", "imports cli"),
        ("x = 1\n" * 401, "data", "more than 400 lines"),
    ],
)
def test_a_violation_is_seen(text: str, room: str, expected: str) -> None:
    (found,) = violations(text, room)
    assert expected in found


@pytest.mark.parametrize(
    ("text", "room"),
    [
        ("from acclimate.types import Item", "data"),
        ("from acclimate.errors import InputError", "config"),
        ("from acclimate.models.ease import EASE", "models"),
        ("if TYPE_CHECKING:\n    from acclimate.cli import main", "types"),
        ("import acclimation.other", "types"),
    ],
)
def test_what_is_allowed_is_not_reported(text: str, room: str) -> None:
    assert violations(text, room) == []
