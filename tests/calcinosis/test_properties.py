"""Laws of the judgement that hold for every patient, tried on generated ones."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.calcinosis.assessment import Tier
from cds_service.calcinosis.classify import classify
from cds_service.calcinosis.facts import Mark, Measurement, PatientFacts
from cds_service.terminology.load import load_catalog
from tests.facts import NOW, Builder

CATALOG = load_catalog()
BUILD = Builder(CATALOG)
GUARDS = {Mark.PHOSPHATE_EXTREME, Mark.PROTEIN_GAP}

numbers = st.decimals(min_value="0.3", max_value="30", places=2)
agos = st.sampled_from(["1 h", "3 h", "3 h", "20 h", "40 h", "80 h", "9 d", "40 d", "200 d", "500 d"])
UNITS = {
    "calcium": "mg/dL",
    "adjusted_calcium": "mg/dL",
    "ionized_calcium": "mmol/L",
    "phosphate": "mg/dL",
    "albumin": "g/dL",
    "total_protein": "g/dL",
    "pth": "pg/mL",
    "vitamin_d": "ng/mL",
    "creatinine": "mg/dL",
    "egfr": "mL/min/{1.73_m2}",
    "potassium": "mmol/L",
    "urate": "mg/dL",
    "bicarbonate": "mmol/L",
    "ck": "U/L",
}


@st.composite
def labs(draw: Callable[..., object]) -> Measurement:
    name = draw(st.sampled_from(sorted(UNITS)))
    comparator = draw(st.sampled_from(["", "", "", "", "< ", "> "]))
    value = f"{comparator}{draw(numbers)} {UNITS[str(name)]}"
    return BUILD.lab(str(name), value, ago=str(draw(agos)), day_only=bool(draw(st.booleans())))


@st.composite
def patients(draw: Callable[..., object]) -> PatientFacts:
    findings = draw(st.lists(st.sampled_from(sorted(CATALOG.knowledge.causes)), max_size=5))
    drugs = draw(st.lists(st.sampled_from(sorted(CATALOG.drugs)), max_size=4))
    events = draw(st.lists(st.sampled_from(["haemodialysis", "kidney_transplant", "parathyroidectomy"]), max_size=3))
    return BUILD.patient(
        *draw(st.lists(labs(), max_size=12)),  # type: ignore[misc]
        *[BUILD.finding(concept, active=bool(draw(st.booleans()))) for concept in findings],  # type: ignore[union-attr]
        *[BUILD.medicine(drug, started=str(draw(agos))) for drug in drugs],  # type: ignore[union-attr]
        *[BUILD.event(kind, ago=str(draw(agos))) for kind in events],  # type: ignore[union-attr]
        age=draw(st.sampled_from([None, "3 d", "100 d", "1 y", "12 y", "13 y", "17 y", "18 y", "80 y"])),  # type: ignore[arg-type]
        setting=str(draw(st.sampled_from(["icu", "ed", "inpatient", "outpatient", "unknown"]))),
    )


@settings(max_examples=300, deadline=None)
@given(patients())
def test_every_patient_gets_an_assessment_that_holds_together(facts: PatientFacts) -> None:
    assessment = classify(facts, CATALOG.knowledge, NOW)
    product = assessment.product
    if product is not None and product.value_mg2_dl2 > 70 and product.freshness != "stale":
        adult = assessment.population[0] in ("adult", "age-unknown")
        assert assessment.tier is Tier.CRITICAL or assessment.caps or not adult or assessment.headline == "CL-51"
    if product is not None:
        expected = product.corrected_mg2_dl2 if product.corrected_mg2_dl2 is not None else product.measured_mg2_dl2
        assert product.value_mg2_dl2 == expected
    assert (assessment.headline is None) == (assessment.tier is Tier.NONE)
    known = {
        *(m.reference for m in facts.measurements),
        *(f.reference for f in facts.findings),
        *(e.reference for e in facts.exposures),
        *(e.reference for e in facts.events),
        facts.patient_reference,
    }
    assert {ref for cause in assessment.causes for ref in cause.evidence} <= known


@settings(max_examples=150, deadline=None)
@given(patients(), st.randoms(use_true_random=False))
def test_the_order_of_the_facts_does_not_matter(facts: PatientFacts, random: object) -> None:
    shuffled = {}
    for name in ("measurements", "findings", "exposures", "events"):
        items = list(getattr(facts, name))
        random.shuffle(items)  # type: ignore[attr-defined]
        shuffled[name] = tuple(items)
    one = classify(facts, CATALOG.knowledge, NOW)
    other = classify(replace(facts, **shuffled), CATALOG.knowledge, NOW)
    assert (one.tier, one.product, one.headline, one.risk_pathway) == (
        other.tier,
        other.product,
        other.headline,
        other.risk_pathway,
    )
    assert [c.id for c in one.causes] == [c.id for c in other.causes]


@settings(max_examples=150, deadline=None)
@given(patients())
def test_an_unrelated_result_changes_nothing(facts: PatientFacts) -> None:
    unrelated = replace(BUILD.lab("weight", "70 kg"), reference="Observation/unrelated")
    more = replace(facts, measurements=(*facts.measurements, unrelated))
    assert classify(more, CATALOG.knowledge, NOW) == classify(facts, CATALOG.knowledge, NOW)


@settings(max_examples=200, deadline=None)
@given(
    st.decimals(min_value="7", max_value="13", places=1),
    st.decimals(min_value="1", max_value="14", places=1),
    st.decimals(min_value="0.1", max_value="4", places=1),
    st.sampled_from([(), ("ckd-stage-5",), ("esrd-dialysis", "dialysis-dependence")]),
    st.sampled_from(["8 y", "15 y", "60 y"]),
)
def test_raising_phosphate_never_lowers_a_tier_but_by_a_named_guard(
    calcium: Decimal, phosphate: Decimal, rise: Decimal, conditions: tuple[str, ...], age: str
) -> None:
    def judged(value: Decimal) -> object:
        facts = BUILD.patient(
            BUILD.lab("calcium", f"{calcium} mg/dL"),
            BUILD.lab("phosphate", f"{value} mg/dL"),
            BUILD.lab("albumin", "4.2 g/dL"),
            *[BUILD.finding(concept) for concept in conditions],
            age=age,
        )
        return classify(facts, CATALOG.knowledge, NOW)

    before, after = judged(phosphate), judged(phosphate + rise)
    lowered = after.tier.rank < before.tier.rank  # type: ignore[attr-defined]
    assert not lowered or GUARDS & set(after.flags)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("born", "expected"),
    [(date(2008, 10, 13), "adolescent"), (date(2008, 10, 12), "adult"), (date(2028, 1, 1), "age-unknown")],
)
def test_age_is_counted_to_the_day(born: date, expected: str) -> None:
    facts = replace(BUILD.patient(), birth_date=born)
    assert classify(facts, CATALOG.knowledge, NOW).population == (expected,)
