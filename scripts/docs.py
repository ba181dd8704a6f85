"""Fill the generated parts of the docs from the code: ``python -m scripts.docs``.

A page marks such a part with ``<!-- generated: NAME -->`` and ``<!-- end -->``; what stands between is
replaced. ``--check`` writes nothing and fails where a page is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any

from benchmarks.report import accuracy, images
from benchmarks.report import page as benchmarks
from typer.main import get_command

ROOT = Path(__file__).parents[1]
PAGES = (*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("README*.md")))
BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def commands() -> str:
    """Return a section for each command: what it does, how it is called, its options."""
    return "\n\n".join(_command(path, command) for path, command in walk())


def walk() -> Iterator[tuple[str, Any]]:
    """Yield each command under its full name, as in ``acclimate data fetch``."""
    from acclimate.cli import app

    waiting = [("acclimate", get_command(app))]
    while waiting:
        path, command = waiting.pop(0)
        inner = getattr(command, "commands", {})
        waiting = [(f"{path} {name}", child) for name, child in inner.items()] + waiting
        if path != "acclimate":
            yield path, command


def _command(path: str, command: Any) -> str:
    options = [param for param in command.params if param.param_type_name == "option"]
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    words = [param.metavar or param.name.upper() for param in arguments]
    rows = [(f"`{word}`", param.help) for word, param in zip(words, arguments, strict=True)]
    rows += [
        (", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts)), param.help)
        for param in options
    ]
    table = [f"| {name} | {_plain(said or '')} |" for name, said in rows]
    usage = " ".join([path, *words])
    return "\n".join(
        [f"### `{usage}`", "", _plain(command.help or ""), "", "| option | meaning |", "|---|---|", *table]
    )


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("\b", "").replace("\\[", "[")


def routes() -> str:
    """Return a section for each route, from the OpenAPI page that the service answers with."""
    found = openapi()["paths"]
    out = []
    for path, methods in found.items():
        for method, operation in methods.items():
            out += [f"### `{method.upper()} {path}`", "", operation.get("description", "").strip(), ""]
            out += _parameters(operation) + _shape("Body", operation.get("requestBody", {}))
            answers = operation["responses"]
            out += _shape("Answer", answers.get("200", {}))
            others = [code for code in answers if code != "200"]
            out += [f"Errors: {', '.join(others)}.", ""] if others else []
    return "\n".join(out).strip()


def openapi() -> dict[str, Any]:
    """Return the document of ``/openapi.json``."""
    from acclimate.config import Home, Settings
    from acclimate.serve.app import make_app
    from acclimate.serve.engine import Engine

    return make_app(Engine(Home("nowhere"), Settings())).openapi_schema.to_schema()


def _parameters(operation: dict[str, Any]) -> list[str]:
    found = operation.get("parameters", [])
    if not found:
        return []
    rows = ["| parameter | type | meaning |", "|---|---|---|"]
    for parameter in found:
        needed = "needed" if parameter.get("required") else ""
        default = parameter["schema"].get("default")
        said = ". ".join(
            filter(
                None, [parameter.get("description", "").rstrip("."), needed and "Needed", _default(default)]
            )
        )
        rows.append(f"| `{parameter['name']}` | {_type(parameter['schema'])} | {said} |")
    return [*rows, ""]


def _default(value: Any) -> str:
    return "" if value is None else f"Default `{str(value).lower() if isinstance(value, bool) else value}`"


def _shape(label: str, holder: dict[str, Any]) -> list[str]:
    schema = holder.get("content", {}).get("application/json", {}).get("schema")
    return [f"{label}: {_type(schema)}.", ""] if schema else []


def schemas() -> str:
    """Return a table for each shape that travels, with a heading that the routes link to."""
    from acclimate.serve import schemas as module

    out = []
    for name, schema in sorted(openapi()["components"]["schemas"].items()):
        about = getattr(module, name, None)
        asked = isinstance(about, type) and issubclass(about, module.Request)
        told = cleandoc(about.__doc__ or "")
        out += [f"### {name}", "", told, "", "| field | type | meaning |", "|---|---|---|"]
        for field, kind in schema.get("properties", {}).items():
            needed = "Needed" if asked and field in schema.get("required", []) else ""
            said = [kind.get("description", "").rstrip("."), needed, _default(kind.get("default"))]
            out.append(f"| `{field}` | {_type(kind)} | {'. '.join(filter(None, said))} |")
        out.append("")
    return "\n".join(out).strip()


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if choices := schema.get("oneOf") or schema.get("anyOf"):
        return " or ".join(_type(choice) for choice in choices)
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    return f"{kind} {low:.0f}..{high:.0f}" if low is not None and high is not None else kind


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "routes": routes,
    "schemas": schemas,
    "benchmarks": benchmarks,
    "accuracy": lambda: accuracy(least=3),
    "accuracy-zh": lambda: accuracy("zh", least=3),
}


def filled(text: str) -> str:
    """Return a page with its generated parts made anew."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n\n{found[3]}", text)


def stale() -> dict[Path, str]:
    """Return what should stand in each page and plot that is out of date."""
    wanted = {page: filled(page.read_text("utf-8")) for page in PAGES}
    wanted |= {ROOT / "docs" / "images" / name: text for name, text in images().items()}
    return {
        path: text for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text
    }


def main() -> int:
    """Make every page and plot anew, or with ``--check`` return 1 where one is out of date."""
    found = stale()
    for path, text in found.items():
        print(f"{path.relative_to(ROOT)} is out of date" + ("" if "--check" in sys.argv else ": made anew"))
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
    return int(bool(found) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
