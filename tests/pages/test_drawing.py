"""Shapes lie where their values say."""

from datetime import timedelta
from decimal import Decimal

import pytest

from cds_service.pages.drawing import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, chart
from cds_service.pages.series import Guide, Panel, Point, Series
from tests.conftest import NOW

SPAN = (NOW - timedelta(days=100), NOW)


def point(value: str, days: int = 0) -> Point:
    at = NOW - timedelta(days=days)
    return Point(at=at, value=Decimal(value), name="x", told=value, at_text=at.isoformat(), source="Observation/1")


def panel(*points: Point, **more: object) -> Panel:
    series = [Series(name="x", mark="dot", points=points)] if points else []
    return Panel(id="x", title="x", unit="mg/dL", series=series, **more)  # type: ignore[arg-type]


def test_newer_lies_further_right_and_higher_lies_further_up() -> None:
    old, new = chart(panel(point("5", 50), point("9")), SPAN).dots
    assert old.x < new.x
    assert old.y > new.y


@pytest.mark.parametrize("values", [("1.5", "10"), ("0.9", "1.35"), ("52.08", "89.18"), ("520",), ("0",), ("70", "70")])
def test_every_point_and_tick_lies_inside_the_frame(values: tuple[str, ...]) -> None:
    drawn = chart(panel(*(point(value, n) for n, value in enumerate(values))), SPAN)
    for dot in drawn.dots:
        assert LEFT <= dot.x <= WIDTH - RIGHT
        assert TOP <= dot.y <= HEIGHT - BOTTOM
    assert 2 <= len(drawn.ys) <= 7
    for tick in drawn.ys:
        assert TOP <= tick.at <= HEIGHT - BOTTOM, "a tick below the frame would stand among the dates"


def test_a_limit_is_drawn_at_its_value() -> None:
    drawn = chart(panel(point("70"), guides=[Guide(Decimal(70), "70"), Guide(Decimal(55), "55")]), SPAN)
    assert drawn.guides[0].at == drawn.dots[0].y
    assert drawn.guides[1].at > drawn.guides[0].at


def test_a_panel_without_values_can_be_drawn() -> None:
    assert chart(panel(), (NOW, NOW)).dots == []


def test_what_is_older_than_the_shared_time_is_left_out() -> None:
    assert len(chart(panel(point("5", 300), point("6", 10)), SPAN).dots) == 1
