"""Where a value lies in a range, how old a patient is, and which pairs are kept beside the one that counts."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from cds_service.calcinosis.chart import Chart, range_position, years_between
from cds_service.calcinosis.facts import Position, Range
from cds_service.calcinosis.present import judge_pairs
from cds_service.terminology.catalog import Catalog
from tests.facts import NOW, Builder


def limits(low: str | None, high: str | None) -> Range:
    return Range(low and Decimal(low), high and Decimal(high), "mg/dL", "laboratory")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high", "value", "position"),
    [
        ("2.5", "4.5", "2.49", "low"),
        ("2.5", "4.5", "2.5", "normal"),
        ("2.5", "4.5", "4.5", "normal"),
        ("2.5", "4.5", "4.51", "high"),
        (None, "4.5", "0.1", "normal"),
        (None, "4.5", "4.51", "high"),
        ("2.5", None, "2.49", "low"),
        ("2.5", None, "99", "normal"),
        (None, None, "3", "unknown"),
    ],
)
def test_a_value_lies_within_its_limits_inclusive(low: str | None, high: str | None, value: str, position: str) -> None:
    assert range_position(Decimal(value), limits(low, high)) is Position(position)


def test_without_a_range_the_position_is_unknown() -> None:
    assert range_position(Decimal(3), None) is Position.UNKNOWN


@pytest.mark.parametrize(("phosphate", "ago"), [("3.4 mg/dL", "500 d"), ("> 3.4 mg/dL", "3 h")])
def test_a_stale_or_undecided_pair_is_kept_with_the_pairs(catalog: Catalog, phosphate: str, ago: str) -> None:
    build = Builder(catalog)
    facts = build.patient(build.lab("calcium", "9.4 mg/dL", ago=ago), build.lab("phosphate", phosphate, ago=ago))
    judged = judge_pairs(Chart.of(facts, catalog.knowledge, NOW))
    assert judged.products == (judged.stale or judged.undecided,)
    assert judged.result is None


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        ("2008-10-12", "2026-10-11", Decimal(17) + Decimal(364) / 366),
        ("2008-10-12", "2026-10-12", Decimal(18)),
        ("2023-03-01", "2024-02-29", Decimal(365) / 366),
        ("2026-10-12", "2026-10-12", Decimal(0)),
        ("2008-02-29", "2026-02-28", Decimal(17) + Decimal(364) / 366),
        ("2008-02-29", "2026-03-01", Decimal(18)),
        ("2008-02-29", "2026-04-02", Decimal(18) + Decimal(32) / 366),
        ("1964-02-29", "2024-02-28", Decimal(59) + Decimal(364) / 366),
        ("1964-02-29", "2024-02-29", Decimal(60)),
        ("2007-03-29", "2026-03-30", Decimal(19) + Decimal(1) / 366),
        ("2007-02-28", "2026-03-01", Decimal(19) + Decimal(1) / 366),
    ],
)
def test_age_grows_on_the_birthday_that_of_a_leap_day_on_the_first_of_march(birth: str, day: str, age: Decimal) -> None:
    assert years_between(date.fromisoformat(birth), date.fromisoformat(day)) == age


def test_a_birth_in_the_future_is_no_age(catalog: Catalog) -> None:
    facts = replace(Builder(catalog).patient(), birth_date=date(2028, 1, 1))
    assert Chart.of(facts, catalog.knowledge, NOW).age_group == "age-unknown"
