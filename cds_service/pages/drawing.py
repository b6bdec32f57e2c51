"""Panels as shapes of an SVG: where points, lines, limits and ticks lie. The template writes them.

Knows: pixels of one fixed picture, which the page scales.
Must not know: what the values mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Final

from cds_service.pages.series import Happening, Panel, Point

WIDTH: Final = 760
HEIGHT: Final = 196
LEFT, RIGHT, TOP, BOTTOM = 52, 84, 14, 38
LANE: Final = 24


@dataclass(frozen=True, slots=True)
class Dot:
    """A point at its place. shape: dot, square or diamond."""

    x: float
    y: float
    shape: str
    point: Point


@dataclass(frozen=True, slots=True)
class Tick:
    """A label at its place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One panel drawn. lines: the points attribute of a polyline for each series."""

    panel: Panel
    dots: Sequence[Dot]
    lines: Sequence[str]
    guides: Sequence[Tick]
    band: tuple[float, float] | None
    crosses: Sequence[tuple[float, str]]
    xs: Sequence[Tick]
    ys: Sequence[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True, slots=True)
class Bar:
    """A happening at its place, y from the top."""

    x: float
    y: float
    width: float
    happening: Happening


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """Medicines and sessions drawn below the charts, one lane a name."""

    bars: Sequence[Bar]
    names: Sequence[Tick]
    xs: Sequence[Tick]
    height: int
    width: int = WIDTH
    left: int = LEFT
    right: int = WIDTH - RIGHT


def chart(panel: Panel, span: tuple[datetime, datetime]) -> Chart:
    """Return the shapes of a panel over the shared time."""
    shown = [point for point in panel.points if point.at >= span[0]]
    low, high = _bounds(panel, shown)
    dots = [
        Dot(_x(point.at, span), _y(point.value, low, high), series.mark, point)
        for series in panel.series
        for point in series.points
        if point.at >= span[0]
    ]
    lines = [
        " ".join(f"{_x(p.at, span)},{_y(p.value, low, high)}" for p in series.points if p.at >= span[0])
        for series in panel.series
        if len(series.points) > 1
    ]
    crosses = [
        (_x(gap.taken.at, span), f"not used ({gap.reason}): {gap.detail}")
        for gap in panel.refused
        if gap.taken is not None and span[0] <= gap.taken.at <= span[1]
    ]
    return Chart(
        panel=panel,
        dots=dots,
        lines=lines,
        guides=[Tick(_y(each.value, low, high), each.label) for each in panel.guides],
        band=_band(panel, low, high),
        crosses=crosses,
        xs=dates(span),
        ys=[Tick(_y(value, low, high), f"{value.normalize():f}") for value in _steps(low, high)],
    )


def _bounds(panel: Panel, points: Sequence[Point]) -> tuple[Decimal, Decimal]:
    """The values at the lower and the upper edge, with some air."""
    values = [point.value for point in points] + [guide.value for guide in panel.guides]
    values += [each for each in (panel.band or ()) if each is not None]
    if not values:
        return Decimal(0), Decimal(1)
    low, high = min(values), max(values)
    air = (high - low) * Decimal("0.15") or abs(high) * Decimal("0.1") or Decimal(1)
    return max(low - air, Decimal(0)), high + air


def _band(panel: Panel, low: Decimal, high: Decimal) -> tuple[float, float] | None:
    if panel.band is None:
        return None
    below, above = panel.band
    return _y(high if above is None else above, low, high), _y(low if below is None else below, low, high)


def _x(at: datetime, span: tuple[datetime, datetime]) -> float:
    whole = (span[1] - span[0]) / timedelta(seconds=1) or 1
    share = (at - span[0]) / timedelta(seconds=1) / whole
    return round(LEFT + 8 + min(max(share, 0), 1) * (WIDTH - RIGHT - LEFT - 16), 1)


def _y(value: Decimal, low: Decimal, high: Decimal) -> float:
    return round(float(TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)), 1)


def _steps(low: Decimal, high: Decimal) -> list[Decimal]:
    """Three to six round values between the edges."""
    rough = (high - low) / 4
    power = Decimal(10) ** rough.adjusted()
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough)
    first = (low / step).to_integral_value(ROUND_CEILING) * step
    return [first + step * n for n in range(int((high - first) / step) + 1)]


def dates(span: tuple[datetime, datetime]) -> list[Tick]:
    """Return up to five days along the time, the last one today."""
    days = max((span[1] - span[0]).days, 1)
    count = min(days, 4)
    marks = [span[0] + (span[1] - span[0]) * n / count for n in range(count + 1)]
    return [Tick(_x(each, span), each.date().isoformat()) for each in marks]


def lanes(happenings: Sequence[Happening], span: tuple[datetime, datetime]) -> Lanes:
    """Return the bars of what ended after the begin of the time, one lane a name."""
    seen = [each for each in happenings if (each.end or span[1]) >= span[0] and each.start <= span[1]]
    names = list(dict.fromkeys(each.name for each in seen))
    bars = []
    for each in seen:
        start, end = _x(max(each.start, span[0]), span), _x(each.end or span[1], span)
        bars.append(Bar(start, 8 + LANE * names.index(each.name), max(end - start, 4), each))
    labels = [Tick(8 + LANE * at, name) for at, name in enumerate(names)]
    return Lanes(bars=bars, names=labels, xs=dates(span), height=8 + LANE * len(names) + BOTTOM)
