"""Each table of the TOML files beside this module is a patient, written for clinicians to read and sign.

labs: one table each, {calcium = "9.8 mg/dL", ago = "3 d"}; ago is "3 h" when left out.
conditions, medicines, procedures: ids, or tables with more. expect: what must be in the assessment, and only that.
orders: draft orders, a drug id or a table with `drugs`, `route` and more; uncoded_orders, background: other drafts of
the call. What is said of each is written "OT-1 critical", with the rules that lowered it behind; not_judged:
"OT-4 values-unknown", "draft not-coded".
"""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cds_service.calcinosis.assessment import Assessment
from cds_service.calcinosis.classify import classify
from cds_service.calcinosis.facts import Gap, GapReason, Mark
from cds_service.calcinosis.order_advice import advise
from cds_service.calcinosis.orders import NotJudged, Order, OrderAdvice, Unjudged
from cds_service.terminology.catalog import Catalog
from tests.facts import NOW, SHORT, Builder, taken
from tests.scenarios.signed import lines_of, signed

FOLDER = Path(__file__).parent
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted(FOLDER.glob("*.toml"))
    for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
]


def _facts(case: dict[str, Any], catalog: Catalog) -> Any:
    build = Builder(catalog)
    facts: list[Any] = []
    for lab in case.get("labs", []):
        options = dict(lab)
        name = next(key for key in options if SHORT.get(key, key) in catalog.inputs)
        facts.append(build.lab(name, options.pop(name), **options))
    for kind, make in (
        ("conditions", build.finding),
        ("medicines", build.medicine),
        ("procedures", build.event),
    ):
        for entry in case.get(kind, []):
            options = {"id": entry} if isinstance(entry, str) else dict(entry)
            facts.append(make(options.pop("id"), **options))
    gaps = tuple(
        Gap(
            analyte=SHORT.get(gap["analyte"], gap["analyte"]),
            reason=GapReason(gap["reason"]),
            detail=gap["detail"],
            taken=None if gap.get("ago") == "unknown" else taken(gap.get("ago", "3 h")),
            mark=Mark(gap["mark"]) if "mark" in gap else None,
        )
        for gap in case.get("unusable", [])
    )
    options = {key: case[key] for key in ("setting", "sex", "marks", "unread") if key in case}
    age = case.get("age", "60 y")
    return build.patient(*facts, age=None if age == "unknown" else age, gaps=gaps, **options)


def _orders(case: dict[str, Any], catalog: Catalog) -> list[Order]:
    build = Builder(catalog)
    orders = []
    for entry in case.get("orders", []):
        options = {"drugs": [entry]} if isinstance(entry, str) else dict(entry)
        orders.append(build.order(*options.pop("drugs"), **options))
    return orders


def _advised(advice: OrderAdvice) -> dict[str, Any]:
    """What is said of the orders in the words of the scenarios."""
    return {
        "order_tier": advice.tier,
        "orders": [" ".join((f.rule, f.tier, *f.downgraded_by)) for f in advice.findings],
        "reasons": sorted({str(reason) for f in advice.findings for reason in f.reasons}),
        "not_judged": [f"{each.rule or 'draft'} {each.reason}" for each in advice.not_judged],
        "kept": [f.rule for f in advice.findings if not f.removable],
        "emergencies": [str(kind) for kind in advice.seen.emergencies],
        "order_rules": list(advice.rules),
        "order_tests": list(advice.tests),
    }


def _seen(assessment: Assessment) -> dict[str, Any]:
    """The assessment in the words of the scenarios."""
    product = assessment.product
    return {
        "tier": assessment.tier,
        "headline": assessment.headline or "",
        "pathway": assessment.risk_pathway,
        "documented": assessment.documented_type,
        "confidence": assessment.confidence,
        "causes": [f"{cause.id} ({cause.basis})" for cause in assessment.causes],
        "also_recorded": sorted(str(also.id or also.text) for also in assessment.also_recorded),
        "product": "none" if product is None else product.value_mg2_dl2,
        "measured": "none" if product is None or product.measured_mg2_dl2 is None else product.measured_mg2_dl2,
        "after_dialysis": "none" if assessment.after_dialysis is None else assessment.after_dialysis.value_mg2_dl2,
        "calcium_kind": "none" if product is None else product.calcium.kind,
        "pair_class": "none" if product is None else product.pair_class,
        "freshness": "none" if product is None else product.freshness,
        "bound": "none" if product is None else product.bound,
        "caps": [cap.rule for cap in assessment.caps],
        "flags": sorted(assessment.flags),
        "gaps": sorted(f"{gap.analyte} {gap.reason}" for gap in assessment.gaps),
        "risk_factors": [factor.id for factor in assessment.risk_factors],
        "exposures": [exposure.drug for exposure in assessment.exposures],
        "population": list(assessment.population),
        "dialysis": assessment.setting.dialysis,
        "advice": list(assessment.advice),
        "tests": list(assessment.tests),
        "trend": "none" if assessment.trend is None else assessment.trend.direction,
        "persistent": assessment.trend is not None and assessment.trend.persistent,
        "rules": sorted(assessment.rules),
    }


def _same(key: str, want: Any, seen: Any) -> bool:
    if key in ("product", "measured", "after_dialysis") and want != "none":
        return isinstance(seen, Decimal) and seen == Decimal(want)
    if key == "rules":
        return set(want) <= set(seen)
    if key in ("flags", "gaps", "also_recorded"):
        return sorted(want) == seen
    return bool(want == seen)


def assess(case: dict[str, Any], catalog: Catalog) -> Assessment:
    """Judge the patient of a scenario."""
    return classify(_facts(case, catalog), catalog.knowledge, NOW)


def advised(case: dict[str, Any], assessment: Assessment, catalog: Catalog) -> OrderAdvice:
    """Judge the draft orders of a scenario."""
    unread = [NotJudged(reference, Unjudged.NOT_CODED) for reference in case.get("uncoded_orders", [])]
    facts, orders = _facts(case, catalog), _orders(case, catalog)
    return advise(facts, catalog.knowledge, NOW, assessment, orders, unread, case.get("background", ()))


def all_lines(case: dict[str, Any], catalog: Catalog) -> list[str]:
    """All that is said of a scenario, for the file that is signed."""
    assessment = assess(case, catalog)
    return [*lines_of(assessment), *(_order_lines(advised(case, assessment, catalog)) if "orders" in case else [])]


def _order_lines(advice: OrderAdvice) -> list[str]:
    return [f"orders: {line}" for line in lines_of(advice)]


@pytest.fixture(scope="module")
def signed_lines() -> dict[str, list[str]]:
    return signed()


@pytest.mark.parametrize("case", CASES)
def test_scenario(
    case: dict[str, Any], catalog: Catalog, signed_lines: dict[str, list[str]], request: pytest.FixtureRequest
) -> None:
    assessment = assess(case, catalog)
    assert assessment.evaluated_at == NOW
    seen, lines = _seen(assessment), lines_of(assessment)
    if "orders" in case:
        advice = advised(case, assessment, catalog)
        seen |= _advised(advice)
        lines += _order_lines(advice)
    differing = {
        key: {"want": want, "seen": seen[key]}
        for key, want in case["expect"].items()
        if not _same(key, want, seen[key])
    }
    assert not differing, case["name"]
    assert case["source"] in catalog.sources
    title = request.node.callspec.id
    assert lines == signed_lines.get(title), "python -m tests.scenarios.signed, then read the diff"


def test_every_signed_assessment_has_its_scenario(signed_lines: dict[str, list[str]]) -> None:
    assert list(signed_lines) == [str(case.id) for case in CASES]
