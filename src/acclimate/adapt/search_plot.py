"""The plots of a search as inline SVG: no script, no network, readable in light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from acclimate.evaluate.plot import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH

BASE = HEIGHT - BOTTOM
NARROW = 440
"""Width of a plot of which two stand side by side."""


class Mark(NamedTuple):
    """A dot: where it is, what a reader sees above it, and whether it is the best."""

    x: float
    y: float
    label: str
    best: bool


class Scale(NamedTuple):
    """From values ``low..high`` to places ``start..end``; logarithmic if all values are positive."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + (self.end - self.start) * share, 1)

    def ticks(self, count: int) -> list[float]:
        """Return ``count`` values at even places; one if there are no two."""
        shares = [at / (count - 1) for at in range(count)] if self.high > self.low else [0.0]
        if self.log:
            return [self.low * (self.high / self.low) ** share for share in shares]
        return [self.low + (self.high - self.low) * share for share in shares]

    def whole(self) -> list[tuple[float, str]]:
        """Return up to five whole numbers, with their names."""
        return [(float(at), str(at)) for at in sorted({round(value) for value in self.ticks(5)})]


def marks_plot(
    title: str,
    meaning: str,
    marks: Sequence[Mark],
    *,
    log: bool = False,
    names: Sequence[str] = (),
    steps: bool = False,
) -> str:
    """Return a figure with a dot for each mark.

    Args:
        title: What stands on the x axis, or the y axis of a history.
        meaning: In words.
        marks: At least one.
        log: Whether the x axis is logarithmic.
        names: Of x = 0, 1, ..., where these are choices.
        steps: Whether x counts trials, and a line shows the best so far.

    Example:
        >>> plot = marks_plot("l2", "against ndcg@10", [Mark(1.0, 0.1, "trial 1", True)])
        >>> plot.count("<circle"), plot.count("<polyline")
        (1, 0)
    """
    xs, width = [mark.x for mark in marks], WIDTH if steps else NARROW
    x = Scale(min(xs), max(xs), LEFT + 8, width - RIGHT - 8, log and min(xs) > 0)
    if names:
        x = Scale(-0.5, len(names) - 0.5, LEFT, width - RIGHT)
    y = _upright([mark.y for mark in marks])
    best, line = -math.inf, list[str]()
    for mark in marks:
        if steps and line:
            line.append(f"{x(mark.x)},{y(best)}")
        best = max(best, mark.y)
        line.append(f"{x(mark.x)},{y(best)}")
    drawn = f'<g class="c0"><polyline points="{" ".join(line)}"/></g>' if steps else ""
    ranked = sorted(marks, key=lambda mark: mark.best)  # the best lies above the others
    drawn += "".join(
        f'<g class="{"c0" if mark.best else "c7"}"><circle cx="{x(mark.x)}" cy="{y(mark.y)}" '
        f'r="{6 if mark.best else 4}"><title>{escape(mark.label)}</title></circle></g>'
        for mark in ranked
    )
    top = max(marks, key=lambda mark: mark.y)
    label = f"{title}, {meaning}: {len(marks)} trials, the best {top.label}"
    places = [(float(at), name) for at, name in enumerate(names)] or [(v, f"{v:.3g}") for v in x.ticks(3)]
    return _figure(title, meaning, label, _axes(x, y, x.whole() if steps else places, width) + drawn, width)


def lines_plot(title: str, meaning: str, curves: Sequence[tuple[str, Sequence[float], bool]]) -> str:
    """Return a figure with a line for each (label, figure by epoch, whether it is the best).

    Example:
        >>> lines_plot("ndcg@10", "by epoch", [("trial 1", [0.1, 0.2], True)]).count("<polyline")
        1
    """
    longest = max(len(curve) for _, curve, _ in curves)
    x = Scale(1, longest, LEFT + 8, WIDTH - RIGHT - 8)
    y = _upright([value for _, curve, _ in curves for value in curve])
    drawn = "".join(
        f'<g class="{"c0" if best else "c7"}"><polyline points="'
        + " ".join(f"{x(at)},{y(value)}" for at, value in enumerate(curve, 1))
        + f'"><title>{escape(label)}</title></polyline></g>'
        for label, curve, best in sorted(curves, key=lambda each: each[2])
    )
    return _figure(
        title, meaning, f"{title}, {meaning}: {len(curves)} trials", _axes(x, y, x.whole()) + drawn
    )


def shares_plot(title: str, meaning: str, shares: Mapping[str, float]) -> str:
    """Return a figure with a bar for each share 0..1.

    Example:
        >>> "width:75.0%" in shares_plot("Share", "of the variance", {"l2": 0.75})
        True
    """
    rows = "".join(
        f'<div class="row"><span class="name">{escape(name)}</span>'
        f'<div class="track" role="img" aria-label="{escape(name)}: {share:.0%}">'
        f'<i style="left:0;width:{100 * share:.1f}%"></i></div><span class="value">{share:.0%}</span></div>'
        for name, share in shares.items()
    )
    return f"<figure><figcaption><b>{escape(title)}</b> {escape(meaning)}</figcaption>{rows}</figure>"


def _upright(values: Sequence[float]) -> Scale:
    """Return a scale for the y axis with some room at both ends."""
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.01
    return Scale(max(0.0, low - room), high + room, BASE, TOP)


def _axes(x: Scale, y: Scale, places: Sequence[tuple[float, str]], width: int = WIDTH) -> str:
    parts = []
    for value in y.ticks(5):
        at = y(value)
        parts.append(f'<line x1="{LEFT}" x2="{width - RIGHT}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{value:.3f}</text>')
    for value, name in places:
        at, last = x(value), value == places[-1][0] and x(value) > width - 40
        anchor = "end" if last else "middle"
        parts.append(
            f'<text x="{width - RIGHT if last else at}" y="{HEIGHT - 8}" text-anchor="{anchor}">'
            f"{escape(name)}</text>"
        )
    return f'<g class="axes" aria-hidden="true">{"".join(parts)}</g>'


def _figure(title: str, meaning: str, label: str, inner: str, width: int = WIDTH) -> str:
    return (
        f'<figure class="wide"><figcaption><b>{escape(title)}</b> {escape(meaning)}</figcaption>'
        f'<svg viewBox="0 0 {width} {HEIGHT}" role="img" aria-label="{escape(label)}">{inner}</svg></figure>'
    )
