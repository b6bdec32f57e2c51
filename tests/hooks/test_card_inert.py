"""Text that comes from the chart stays text on a card: no markup, link, table or line break comes of it."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from cds_service.calcinosis.assessment import (
    ActiveExposure,
    AlsoRecorded,
)
from cds_service.calcinosis.facts import (
    GapReason,
    Taken,
)
from cds_service.hooks.wording.write import inert, number
from tests.hooks.assessments import (
    HOSTILE,
    NOW,
    assessment,
    gap,
    measurement,
    product,
    text,
)

# ---- text that comes from the chart


@pytest.mark.parametrize("where", ["unit", "gap", "cause", "exposure", "reference", "time"])
def test_hostile_text_stays_text(where: str) -> None:
    unit = measurement("ca_total", "10.0", HOSTILE if where == "unit" else "mg/dL")
    if where == "reference":
        unit = replace(unit, reference=f"Observation/{HOSTILE}")
    if where == "time":
        unit = replace(unit, taken=Taken(NOW, HOSTILE))
    base = product()
    a = assessment(
        product=replace(base, calcium=replace(base.calcium, measurement=unit)),
        gaps=(gap(GapReason.REFUSED, detail=HOSTILE, days=3),) if where == "gap" else (),
        also_recorded=(AlsoRecorded(id=None, text=HOSTILE, evidence=(HOSTILE,)),) if where == "cause" else (),
        exposures=(
            (ActiveExposure(group=HOSTILE, drug="x", name=HOSTILE, modifiable=True, evidence=()),)
            if where == "exposure"
            else ()
        ),
    )
    said = text(a)
    plain = text(assessment())
    assert not re.search(r"[<>`!&~]|\]\(|www\.evil|//evil|\b\*", said.replace("**", ""))
    assert said.count("|") == plain.count("|")
    assert said.count("\n# ") == 0


def test_inert_text_keeps_units_and_comparators_readable() -> None:
    assert inert("mL/min/{1.73_m2}") == "mL/min/{1.73_m2}"
    assert inert("< 0.5 mg/dL") == "less than 0.5 mg/dL"
    assert inert("10*3/uL") == "10?3/uL"
    assert inert("x" * 100, 20) == "x" * 17 + "..."


def test_numbers_are_never_written_as_binary_noise() -> None:
    assert number(Decimal("7.300000000000001")) == "7.3"
    assert number(Decimal("9.20")) == "9.20"
    assert number(Decimal("1E+3")) == "1000"
    assert number(Decimal("1E+40")) == "1.000e+40"
