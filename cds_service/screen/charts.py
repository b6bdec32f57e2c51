"""Charts as SVG text, drawn on the server; colours come from the style sheet of the page.

Knows: bars, lines, axes.
Must not know: what is drawn. Texts are escaped here.
"""

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from math import ceil, floor, log10
from typing import Final

_W: Final = 720
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 26, 46
# the points of a line, by its class
_SHAPES: Final = {
    "critical": '<path d="M{x:.1f} {top:.1f}L{right:.1f} {bottom:.1f}H{left:.1f}z"/>',
    "warning": '<rect x="{left:.1f}" y="{top:.1f}" width="9" height="9"/>',
    "": '<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>',
}


def histogram(
    bars: Sequence[tuple[float, float, int | None]], marks: Sequence[tuple[float, str]], title: str, axis: str
) -> str:
    """Bars of (start, width, count; None when hidden) with vertical marks."""
    height = 250
    low = min(start for start, _, _ in bars)
    high = max(start + width for start, width, _ in bars)
    low, high = min([low, *(at for at, _ in marks)]), max([high, *(at for at, _ in marks)])
    span = (high - low) or 1.0
    low, high = max(0.0, low - span * 0.02), high + span * 0.02
    most = _nice(max([count for _, _, count in bars if count] or [1]))
    x = _Scale(low, high, _LEFT, _W - _RIGHT)
    y = _Scale(0, most, height - _BOTTOM, _TOP)
    parts = [_y_axis(y, most), _x_axis(x, height, axis)]
    for start, width, count in bars:
        left, right = x(start), x(start + width)
        if count is None:
            parts.append(_rect(left + 0.5, height - _BOTTOM - 5, right - left - 1, 5, "hidden", "hidden"))
        elif count:
            top = y(count)
            told = f"{start:g} to {start + width:g}: {count:,}"
            parts.append(_rect(left + 0.5, top, right - left - 1, height - _BOTTOM - top, "bar", told))
    for at, label in marks:
        parts.append(
            f'<line class="mark" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{_TOP - 8}" y2="{height - _BOTTOM}"/>'
            f'<text class="mark-text" x="{x(at) + 4:.1f}" y="{_TOP - 2}">{escape(label)}</text>'
        )
    return _svg(height, title, parts)


def labelled(rows: Sequence[tuple[str, str, float | None]], title: str, axis: str) -> str:
    """Horizontal bars of (label, class, value; None when hidden), each with its label and its value in words."""
    step, left = 30, 250
    height = _TOP + step * len(rows) + _BOTTOM
    most = _nice(max([value or 0 for _, _, value in rows] or [1]) or 1)
    x = _Scale(0, most, left, _W - _RIGHT - 60)
    drawn = [_x_axis(x, height, axis)]
    for place, (label, name, value) in enumerate(rows):
        top = _TOP + step * place
        told = "hidden" if value is None else f"{value:.2f}"
        drawn.append(f'<text class="label" x="{left - 10}" y="{top + 14}" text-anchor="end">{escape(label)}</text>')
        if value:
            drawn.append(_rect(x(0), top, max(x(value) - x(0), 0.8), 20, f"tier-{name}", f"{label}: {told}"))
        drawn.append(f'<text class="value" x="{x(value or 0) + 6:.1f}" y="{top + 14}">{told}</text>')
    return _svg(height, title, drawn)


def lines(
    series: Sequence[tuple[str, Sequence[tuple[float, float | None]]]], now: float, title: str, x_axis: str, y_axis: str
) -> str:
    """Lines of (class, points of (x, y; None when hidden)); now: where the value in force lies."""
    height = 260
    points = [(at, value) for _, held in series for at, value in held if value is not None]
    xs = sorted({at for _, held in series for at, _ in held})
    most = _nice(max([value for _, value in points] or [1]) or 1)
    x = _Scale(xs[0] - 2, xs[-1] + 2, _LEFT, _W - _RIGHT - 44)
    y = _Scale(0, most, height - _BOTTOM, _TOP)
    drawn = [_y_axis(y, most, y_axis), _x_axis(x, height, x_axis, xs)]
    drawn.append(f'<line class="mark" x1="{x(now):.1f}" x2="{x(now):.1f}" y1="{_TOP - 8}" y2="{height - _BOTTOM}"/>')
    drawn.append(f'<text class="mark-text" x="{x(now) + 4:.1f}" y="{_TOP - 2}">in force</text>')
    ends: list[tuple[float, float, str]] = []
    for name, held in series:
        seen = [(x(at), y(value), value) for at, value in held if value is not None]
        steps = [
            f"M{x(at):.1f} {y(value):.1f}L{x(to):.1f} {y(then):.1f}"
            for (at, value), (to, then) in pairwise(held)
            if value is not None and then is not None
        ]
        drawn.append(f'<path class="line line-{escape(name)}" d="{"".join(steps)}"/>')
        drawn += [_point(name, px, py, f"{name}: {value:.2f}") for px, py, value in seen]
        if seen:
            ends.append((seen[-1][0] + 9, seen[-1][1] + 4, name))
    return _svg(height, title, [*drawn, *_apart(ends)])


def _apart(ends: Sequence[tuple[float, float, str]]) -> list[str]:
    """The names of lines at their ends, none over another."""
    drawn, free = [], 0.0
    for x, y, name in sorted(ends, key=lambda end: end[1]):
        free = max(y, free + 13)
        drawn.append(f'<text class="end" x="{x:.1f}" y="{free:.1f}">{escape(name)}</text>')
    return drawn


def _point(name: str, x: float, y: float, told: str) -> str:
    """A point whose shape tells its line as its colour does."""
    shape = _SHAPES.get(name, _SHAPES[""]).format(x=x, y=y, left=x - 4.5, right=x + 4.5, top=y - 4.5, bottom=y + 4.5)
    return f'<g class="dot tier-{escape(name)}">{shape}<title>{escape(told)}</title></g>'


class _Scale:
    """From values to places on the drawing."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = low, high
        self._start, self._step = start, (end - start) / ((high - low) or 1)

    def __call__(self, value: float) -> float:
        return self._start + (value - self.low) * self._step


def _nice(most: float) -> float:
    """The next round number."""
    size = 10 ** floor(log10(most)) if most > 0 else 1
    return next(size * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if most <= size * step * 1.0001)


def _ticks(low: float, high: float) -> list[float]:
    step = _nice((high - low) / 8)
    first = ceil(low / step)
    return [step * number for number in range(first, floor(high / step) + 1)]


def _y_axis(y: _Scale, most: float, label: str = "") -> str:
    ticks = [most * share / 4 for share in range(5)]
    drawn = [
        f'<line class="grid" x1="{_LEFT}" x2="{_W - _RIGHT}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
        f'<text class="tick" x="{_LEFT - 7}" y="{y(t) + 4:.1f}" text-anchor="end">{t:,.4g}</text>'
        for t in ticks
    ]
    if label:
        drawn.append(f'<text class="axis" x="4" y="{_TOP - 12}">{escape(label)}</text>')
    return "".join(drawn)


def _x_axis(x: _Scale, height: int, label: str, ticks: Sequence[float] | None = None) -> str:
    base = height - _BOTTOM
    drawn = [f'<line class="base" x1="{x(x.low):.1f}" x2="{x(x.high):.1f}" y1="{base}" y2="{base}"/>']
    drawn += [
        f'<text class="tick" x="{x(t):.1f}" y="{base + 17}" text-anchor="middle">{t:g}</text>'
        for t in (ticks or _ticks(x.low, x.high))
    ]
    middle = (x(x.low) + x(x.high)) / 2
    drawn.append(f'<text class="axis" x="{middle:.0f}" y="{height - 8}" text-anchor="middle">{escape(label)}</text>')
    return "".join(drawn)


def _rect(x: float, y: float, width: float, height: float, name: str, told: str) -> str:
    return (
        f'<rect class="{name}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}">'
        f"<title>{escape(told)}</title></rect>"
    )


def _svg(height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_W} {height}" role="img" aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
