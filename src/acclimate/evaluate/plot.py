"""Curves over time as inline SVG: no script, no network, readable in light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from acclimate.durations import written

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 10, 28
NAMES, STRIP, BAR = 150, 34, 12
"""Where strips begin, behind their names; the height of a strip, and of a bar in it."""
DAY = 86_400.0

Curve = Sequence[tuple[float, float]]


def curves(title: str, meaning: str, series: Mapping[str, Curve]) -> str:
    """Return a figure with a line for each of ``series``: points (seconds, value >= 0) in order of time.

    Example:
        >>> "<polyline" in curves("ndcg@10", "by window", {"live": [(0.0, 0.1), (60.0, 0.2)]})
        True
    """
    points = [point for curve in series.values() for point in curve]
    low, high = min(at for at, _ in points), max(at for at, _ in points)
    top = round_up(max(value for _, value in points))

    def place(at: float, value: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * ((at - low) / (high - low) if high > low else 0.5)
        return round(x, 1), round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top), 1)

    lines = "".join(
        _line(number, name, [(*place(*point), point) for point in curve])
        for number, (name, curve) in enumerate(series.items())
    )
    legend = "".join(f'<li><i class="{hue(n)}"></i>{escape(name)}</li>' for n, name in enumerate(series))
    label = f"{title}, {meaning}: " + "; ".join(
        f"{name} from {curve[0][1]:.4f} to {curve[-1][1]:.4f}" for name, curve in series.items()
    )
    return (
        f'<figure class="wide"><figcaption><b>{escape(title)}</b> {escape(meaning)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{_axes(low, high, top)}{lines}</svg>"
        f'<ul class="legend">{legend}</ul></figure>'
    )


def signs(title: str, meaning: str, series: Mapping[str, Curve]) -> str:
    """Return a figure with a strip for each of ``series``: points (seconds, sign) in order of time.

    A bar above the line is a sign of 1, one below it of -1; where there is none, it is 0.

    Example:
        >>> signs("hits", "against the best", {"live": [(0.0, 1), (60.0, 0), (120.0, -1)]}).count("<rect")
        2
    """
    times = [at for strip in series.values() for at, _ in strip]
    low, high, right = min(times), max(times), WIDTH - RIGHT
    base = TOP + STRIP * len(series)
    parts = []
    for row, (name, strip) in enumerate(series.items()):
        middle = TOP + STRIP * (row + 0.5)
        bar = (right - NAMES) / len(strip)
        parts.append(f'<text x="{NAMES - 8}" y="{middle + 4:g}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<line x1="{NAMES}" x2="{right}" y1="{middle:g}" y2="{middle:g}"/>')
        for at, sign in strip:
            share = (at - low) / (high - low) if high > low else 0.5
            if sign:
                x, y = NAMES + (right - NAMES - bar) * share, middle - (BAR if sign > 0 else 0)
                words = f"{escape(name)}, {written(at)[:10]}: {'more' if sign > 0 else 'fewer'}"
                parts.append(
                    f'<rect class="{"c2" if sign > 0 else "c1"}" x="{x:.1f}" y="{y:g}" width="{bar:.1f}" '
                    f'height="{BAR}"><title>{words}</title></rect>'
                )
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x, day = NAMES + (right - NAMES) * share, written(low + share * (high - low))[:10]
        parts.append(f'<text x="{x:.1f}" y="{base + 18:g}" text-anchor="{anchor}">{day}</text>')
    label = f"{title}, {meaning}: " + "; ".join(
        f"{name} more in {sum(sign > 0 for _, sign in strip)}, fewer in {sum(sign < 0 for _, sign in strip)} "
        f"of {len(strip)}"
        for name, strip in series.items()
    )
    return (
        f'<figure class="wide"><figcaption><b>{escape(title)}</b> {escape(meaning)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {base + BOTTOM:g}" role="img" aria-label="{escape(label)}">'
        f'<g class="axes signs" aria-hidden="true">{"".join(parts)}</g></svg></figure>'
    )


def round_up(value: float) -> float:
    """Return the next 1, 2, 3, 4, 5, 6, 8 or 10 times a power of ten, for the end of an axis.

    Example:
        >>> round_up(0.33), round_up(0.0), round_up(70)
        (0.4, 1.0, 80.0)
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * min(step for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * 0.9999))


def hue(number: int) -> str:
    """Return the classes of the line with this number: eight hues, then the same dashed."""
    return f"c{number % 8}" + (" dashed" if number >= 8 else "")


def _line(number: int, name: str, placed: Sequence[tuple[float, float, tuple[float, float]]]) -> str:
    path = " ".join(f"{x},{y}" for x, y, _ in placed)
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="3">'
        f"<title>{escape(name)}, {written(at)[:10]}: {value:.4f}</title></circle>"
        for x, y, (at, value) in placed
    )
    return f'<g class="{hue(number)}"><polyline points="{path}"/>{dots}</g>'


def _axes(low: float, high: float, top: float) -> str:
    base, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = TOP + (base - TOP) * (1 - share)
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{top * share:.3g}</text>')
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x, day = LEFT + (right - LEFT) * share, written(low + share * (high - low))[:10]
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{day}</text>')
    return f'<g class="axes" aria-hidden="true">{"".join(parts)}</g>'
