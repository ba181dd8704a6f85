"""Plots of what was measured, as SVG files that stand alone, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files

from acclimate.evaluate.plot import HEIGHT, LEFT, WIDTH, Curve, curves, hue

COLUMNS = 5
LINE = 20


def picture(title: str, series: Mapping[str, Curve]) -> str:
    """Return an SVG file with a line for each of ``series``: points (seconds, value) in order of time.

    Example:
        >>> picture("NDCG@10", {"live": [(0.0, 0.1), (60.0, 0.2)]}).startswith("<svg xmlns=")
        True
    """
    drawn = re.search(r"<svg .*?>(.*)</svg>", curves(title, "", series), re.DOTALL)
    assert drawn is not None
    rows = -(-len(series) // COLUMNS)
    height = LINE + HEIGHT + LINE * rows
    style = files("acclimate.evaluate").joinpath("plot.css").read_text("utf-8")
    keys = "".join(_key(number, name) for number, name in enumerate(series))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
        f"<title>{escape(title)}</title><style>{style}"
        f"text {{ font: 12px system-ui, sans-serif; fill: var(--ink) }}</style>"
        f'<rect width="{WIDTH}" height="{height}" fill="var(--card)"/>'
        f'<text x="{LEFT}" y="15" font-weight="bold">{escape(title)}</text>'
        f'<g transform="translate(0 {LINE})">{drawn[1]}</g>{keys}</svg>\n'
    )


def _key(number: int, name: str) -> str:
    x = LEFT + (WIDTH - LEFT) / COLUMNS * (number % COLUMNS)
    y = LINE + HEIGHT + LINE * (number // COLUMNS) + 6
    return (
        f'<g class="{hue(number)}"><polyline points="{x:.0f},{y - 4} {x + 16:.0f},{y - 4}"/>'
        f'<text x="{x + 20:.0f}" y="{y}">{escape(name)}</text></g>'
    )
