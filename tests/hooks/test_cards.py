"""What a card says, as rendered text: numbers with units, gaps, sources, and nothing that must never be said."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.calcinosis.assessment import (
    ActiveExposure,
    AlsoRecorded,
    Assessment,
    Basis,
    CalcinosisType,
    Cap,
    CauseFound,
    Confidence,
    Dialysis,
    EarlierProduct,
    Freshness,
    Product,
    RiskFactor,
    Setting,
    Tier,
    Trend,
    Value,
)
from cds_service.calcinosis.facts import (
    EncounterClass,
    Gap,
    GapReason,
    Mark,
    Measurement,
    Position,
    Range,
    Taken,
)
from cds_service.hooks.cards import OVERRIDE_REASONS, cards_for
from cds_service.hooks.plain import card_as_text, response_as_text
from cds_service.hooks.wording.advice import ADVICE
from cds_service.hooks.wording.findings import ANALYTES, FLAGS, POPULATIONS, TYPES
from cds_service.hooks.wording.reasons import REASONS
from cds_service.hooks.wording.rules import CAPS, RULES, TOPICS
from cds_service.hooks.wording.write import inert, number
from cds_service.terminology.load import load_catalog

CATALOG = load_catalog()
NOW = datetime(2026, 10, 12, 10, 30, tzinfo=UTC)
HEADLINES = sorted(set(REASONS) - {""})
OUTPATIENT = Setting(EncounterClass.OUTPATIENT, Dialysis.NONE)
FACTORS = {"mmol/L": {"ca_total": Decimal("4.0078"), "phosphate": Decimal("3.0973762")}}
FORBIDDEN = (
    r"\bno risk\b",
    r"\bsafe\b",
    r"(?<!be )\bexcluded\b",
    r"\bpredicts?\b",
    r"\bimproved?\b",
    r"\b(stop|start|give|discontinue|administer|withhold)(s|ing)?\b",
    r"\blow(er)? risk\b",
    r"\blower(ing)? (the )?(serum )?calcium\b",
    r"\bdose\b",
    r"\bNone\b",
    r"[<>`|]{2}|<|>",
)


def taken(days: int = 3) -> Taken:
    at = NOW - timedelta(days=days)
    return Taken(at, at.isoformat())


def measurement(name: str, value: str, unit: str | None = "mg/dL", *, days: int = 3, **more: object) -> Measurement:
    factor = FACTORS.get(unit or "", {}).get(name, Decimal(1))
    known: dict[str, object] = {
        "value": Decimal(value) * factor,
        "reported": Decimal(value),
        "unit": unit,
        "taken": taken(days),
        "reference": f"Observation/{name.replace('_', '-')}",
    }
    return Measurement(input=name, **{**known, **more})  # type: ignore[arg-type]


def value(name: str, number: str, unit: str = "mg/dL", position: Position = Position.NORMAL, **more: object) -> Value:
    found = measurement(name, number, unit, **{k: v for k, v in more.items() if k == "days"})  # type: ignore[arg-type]
    kind = more.get("kind")
    return Value(
        measurement=found,
        canonical=found.value,
        position=position,
        range=Range(Decimal("2.5"), Decimal("4.5"), "mg/dL", "default"),
        kind=None if kind is None else str(kind),
    )


def product(calcium: str = "10.0", phosphate: str = "7.3", unit: str = "mg/dL", **changes: object) -> Product:
    one = value("ca_total", calcium, unit, kind="total")
    other = value("phosphate", phosphate, unit, Position.HIGH)
    assert one.canonical is not None
    assert other.canonical is not None
    result = one.canonical * other.canonical
    known: dict[str, object] = {
        "value_mg2_dl2": result,
        "value_mmol2_l2": result / Decimal("12.4137"),
        "bound": "exact",
        "measured_mg2_dl2": result,
        "corrected_mg2_dl2": None,
        "calcium": one,
        "phosphate": other,
        "albumin": None,
        "pair_class": "A",
        "gap_hours": Decimal(0),
        "age_hours": Decimal(72),
        "freshness": Freshness.FRESH,
    }
    return Product(**{**known, **changes})  # type: ignore[arg-type]


def corrected() -> Product:
    """Calcium 9.2 mg/dL, albumin 3.0 g/dL: corrected 9.2 + 0.8 x (4.0 - 3.0) = 10.0; times 7.3 = 73.0 or 67.16."""
    calcium = replace(value("ca_total", "9.2"), canonical=Decimal("10.0"), kind="corrected")
    return replace(
        product(),
        calcium=calcium,
        albumin=value("albumin", "3.0", "g/dL", Position.LOW),
        measured_mg2_dl2=Decimal("67.16"),
        corrected_mg2_dl2=Decimal("73.00"),
    )


def assessment(headline: str | None = "CL-50", tier: Tier = Tier.CRITICAL, **changes: object) -> Assessment:
    known: dict[str, object] = {
        "evaluated_at": NOW,
        "tier": tier,
        "headline": headline,
        "product": product(),
        "setting": OUTPATIENT,
        "rules": (headline,) if headline else (),
        "risk_pathway": CalcinosisType.METASTATIC,
        "population": ("adult",),
    }
    return Assessment(**{**known, **changes})  # type: ignore[arg-type]


def cause(
    name: str = "Chronic kidney disease stage 4",
    cause_id: str = "ckd-stage-4",
    basis: Basis = Basis.RECORDED,
    kind: CalcinosisType = CalcinosisType.METASTATIC,
) -> CauseFound:
    return CauseFound(id=cause_id, name=name, type=kind, basis=basis, evidence=("Condition/c1",), rules=("CL-62",))


def gap(reason: GapReason, analyte: str = "phosphate", detail: str = "", days: int | None = None) -> Gap:
    return Gap(analyte=analyte, reason=reason, detail=detail, taken=None if days is None else taken(days))


def card(a: Assessment, extension: Mapping[str, object] | None = None) -> dict[str, object]:
    ids = count(1)
    (found,) = cards_for(a, CATALOG, lambda: f"00000000-0000-4000-8000-{next(ids):012d}", extension or {})
    return found.to_json()


def summary(a: Assessment) -> str:
    return str(card(a)["summary"])


def text(a: Assessment) -> str:
    """Summary and detail as one string."""
    found = card(a)
    return f"{found['summary']}\n{found['detail']}"


# ---- the card as a CDS Hooks object


def test_nothing_to_show_gives_no_card() -> None:
    assert cards_for(assessment(None, Tier.NONE), CATALOG, lambda: "id", {}) == ()


def test_a_card_has_the_fields_of_the_specification_and_no_empty_ones() -> None:
    found = card(assessment(), {"org.calcinosis-cds.assessment": {"tier": "critical"}})
    assert list(found) == [
        "uuid",
        "summary",
        "indicator",
        "detail",
        "source",
        "links",
        "overrideReasons",
        "extension",
    ]
    assert found["indicator"] == "critical"
    assert found["extension"] == {"org.calcinosis-cds.assessment": {"tier": "critical"}}
    assert all(part not in (None, "", [], {}) for part in found.values())
    assert json.loads(json.dumps(found)) == found


def test_the_source_is_the_primary_source_of_the_headline_rule_with_year_and_address() -> None:
    source = card(assessment("CL-50"))["source"]
    assert isinstance(source, dict)
    assert "Nunley" in source["label"]
    assert "2020" in source["label"]
    assert source["url"].startswith("https://")
    assert "K/DOQI" in str(card(assessment("CL-52", Tier.WARNING))["source"])


@pytest.mark.parametrize("headline", HEADLINES)
def test_the_topic_is_static_alphanumeric_and_of_the_headline_rule(headline: str) -> None:
    source = card(assessment(headline, Tier.INFO))["source"]
    assert isinstance(source, dict)
    assert source["topic"]["code"] == headline.replace("-", "")
    assert source["topic"]["system"] == "urn:calcinosis-cds:topic"
    assert source["topic"]["code"].isalnum()
    assert source["topic"]["display"] == TOPICS[headline]


def test_reasons_to_override_come_with_warning_and_critical_only() -> None:
    assert len(OVERRIDE_REASONS) <= 6
    assert "overrideReasons" not in card(assessment("CL-53", Tier.INFO))
    reasons = card(assessment("CL-52", Tier.WARNING))["overrideReasons"]
    assert isinstance(reasons, list)
    assert all(reason["system"] and reason["code"] and reason["display"] for reason in reasons)


def test_cards_of_equal_assessments_are_equal_but_for_the_uuid() -> None:
    ids = iter(["one", "two"])
    (first,), (second,) = (cards_for(assessment(), CATALOG, lambda: next(ids), {}) for _ in range(2))
    assert first != second
    assert replace(first, uuid="") == replace(second, uuid="")


# ---- the summary


@pytest.mark.parametrize(
    ("a", "expected"),
    [
        (assessment(), "Calcium x phosphate 73.0 mg2/dL2 (above 70) on 2026-10-09: risk of metastatic calcification"),
        (
            # 2.35 x 2.41 = 5.6635 mmol2/L2; 9.41833 x 7.46467... = 70.3
            assessment(product=product("2.35", "2.41", "mmol/L")),
            "Calcium x phosphate 70.3 mg2/dL2 (5.66 mmol2/L2; above 70) on 2026-10-09: risk of metastatic "
            "calcification",
        ),
        (
            assessment("CL-52", Tier.WARNING, product=product("10.0", "6.1")),
            "Calcium x phosphate 61.0 mg2/dL2 on 2026-10-09, above the K/DOQI target of 55",
        ),
        (
            assessment(
                "CL-60",
                Tier.INFO,
                product=None,
                gaps=(gap(GapReason.MISSING),),
                setting=Setting(EncounterClass.OUTPATIENT, Dialysis.MAINTENANCE),
                causes=(cause(),),
            ),
            "Phosphate missing: calcium x phosphate cannot be calculated (dialysis recorded)",
        ),
        (
            assessment(
                "CL-60",
                Tier.INFO,
                product=None,
                gaps=(gap(GapReason.STALE, "ca_total", days=400), gap(GapReason.STALE, days=400)),
                causes=(cause(),),
            ),
            "Last calcium and phosphate of 2025-09-07 (400 days old): calcium x phosphate cannot be calculated "
            "(chronic kidney disease stage 4 recorded)",
        ),
        (
            assessment(
                "CL-27",
                Tier.WARNING,
                flags=(Mark.PROTEIN_GAP,),
                protein_gap_g_dl=Decimal("9.1"),
                product=product("10.1", "24.8"),
            ),
            # 10.1 x 24.8 = 250.48
            "Confirm phosphate 24.8 mg/dL of 2026-10-09: it may be falsely high (protein gap 9.1 g/dL); calcium x "
            "phosphate 250.5 mg2/dL2",
        ),
        (
            assessment("CL-151", Tier.INFO, population=("newborn",)),
            "Calcium x phosphate 73.0 mg2/dL2 on 2026-10-09: adult threshold not validated in newborns",
        ),
        (
            assessment("CL-58", Tier.INFO, product=product("9.0", "3.5"), documented_names=("Calciphylaxis",)),
            "Calciphylaxis recorded; calcium x phosphate 31.5 mg2/dL2 on 2026-10-09 does not exclude it",
        ),
        (
            assessment("CL-55", Tier.WARNING, product=product("21.0", "2.2")),
            "Severe hypercalcaemia: calcium 21.0 mg/dL on 2026-10-09; calcium x phosphate 46.2 mg2/dL2",
        ),
    ],
)
def test_the_summary_names_finding_number_unit_and_date(a: Assessment, expected: str) -> None:
    assert summary(a) == expected


def test_a_product_just_above_the_limit_is_not_written_as_the_limit() -> None:
    assert "70.02 mg2/dL2 (above 70)" in summary(assessment(product=product("11.67", "6.0")))  # 11.67 x 6.0 = 70.02
    assert " 70.0 mg2/dL2" in summary(assessment("CL-52", Tier.WARNING, product=product("10.0", "7.0")))


def test_a_lower_bound_is_called_at_least() -> None:
    bound = product("9.5", "20", bound="atLeast")
    bound = replace(
        bound, phosphate=replace(bound.phosphate, measurement=measurement("phosphate", "20", comparator=">"))
    )
    said = text(assessment(product=bound))
    assert "Calcium x phosphate at least 190.0 mg2/dL2" in said
    assert "more than 20 mg/dL" in said


# ---- the detail


def test_each_value_is_shown_as_reported_with_date_range_and_resource() -> None:
    said = text(assessment(product=corrected()))
    assert "| Phosphate | 7.3 mg/dL, high | 2026-10-09 10:30 +00:00 | 2.5 to 4.5 mg/dL (default) |" in said
    assert "Observation/phosphate" in said
    assert "| Albumin | 3.0 g/dL, low |" in said


def test_corrected_calcium_shows_formula_albumin_and_both_products() -> None:
    said = text(assessment(product=corrected()))
    assert "9.2 + 0.8 x (4.0 - 3.0) = 10.0 mg/dL" in said
    assert "corrected for albumin 3.0 g/dL of 2026-10-09" in said
    assert "With corrected calcium 73.0, with measured calcium 67.2 mg2/dL2" in said


def test_si_values_are_shown_as_reported_and_converted() -> None:
    said = text(assessment(product=product("2.35", "2.41", "mmol/L")))
    assert "2.35 mmol/L = 9.42 mg/dL" in said
    assert "2.41 mmol/L = 7.46 mg/dL" in said


def test_the_distance_of_the_draws_and_the_age_of_the_pair_are_told() -> None:
    said = text(assessment(product=product(pair_class="B", gap_hours=Decimal("19.98"))))
    assert "drawn 20 h apart (class B); 3 days old, fresh" in said


def test_a_low_calcium_beside_a_high_phosphate_brings_the_warning_not_to_delay_calcium() -> None:
    low = product("6.9", "10.5")
    low = replace(low, calcium=replace(low.calcium, position=Position.LOW))
    said = text(assessment(product=low))
    assert "Calcium is low (6.9 mg/dL). Phosphate is high (10.5 mg/dL)." in said
    assert "tetany, seizure, arrhythmia" in said
    assert "not to be delayed" in said
    assert "not to be delayed" not in text(assessment())


def test_ionised_calcium_is_told_in_words() -> None:
    said = text(assessment(values=(value("ca_ionized", "0.95", "mmol/L", Position.LOW),)))
    assert "Ionised calcium is low (0.95 mmol/L)" in said


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (gap(GapReason.MISSING, detail="no usable result on the record"), "Phosphate missing: no usable result"),
        (gap(GapReason.STALE, days=400), "Phosphate stale: last result of 2025-09-07, 400 days old, too old to judge"),
        (
            gap(GapReason.REFUSED, "ca_total", "7.79 mmol/L", 3),
            "Calcium of 2026-10-09 refused, as it came: 7.79 mmol/L: unit or value not plausible, not used; consider",
        ),
        (gap(GapReason.UNREADABLE, detail="3+"), "Phosphate not interpretable: 3+: not used; consider a repeat"),
        (gap(GapReason.PENDING, days=0), "Phosphate of 2026-10-12 pending (preliminary or registered), not used"),
        (gap(GapReason.NOT_FETCHED), "Phosphate could not be read from the record"),
    ],
)
def test_every_gap_is_named_with_its_reason_and_consequence(found: Gap, expected: str) -> None:
    said = text(assessment("CL-60", Tier.INFO, product=None, gaps=(found,)))
    assert expected in said
    assert "Calcium x phosphate cannot be calculated; this is not a normal result." in said


def test_a_stale_pair_is_shown_as_too_old_and_not_compared_with_the_limits() -> None:
    old = product(freshness=Freshness.STALE)
    said = text(assessment("CL-60", Tier.INFO, product=old, gaps=(gap(GapReason.STALE, days=400),)))
    assert "73.0 mg2/dL2 (5.88 mmol2/L2), too old to judge the present" in said
    assert "above 70" not in said
    assert "Phosphate is high" not in said


def test_causes_are_worded_by_their_basis() -> None:
    found = (
        cause(),
        cause("Primary hyperparathyroidism", "primary-hyperparathyroidism", Basis.PATTERN),
        cause("Milk-alkali syndrome", "milk-alkali-syndrome", Basis.EXPOSURE),
    )
    said = text(assessment(causes=found))
    assert "Chronic kidney disease stage 4: recorded (Condition/c1" in said
    assert "Values fit primary hyperparathyroidism, not recorded" in said
    assert "Possible milk-alkali syndrome" in said


def test_dystrophic_disease_with_kidney_disease_asks_for_the_trend() -> None:
    also = AlsoRecorded(id="esrd-dialysis", text="End-stage renal disease, dialysis", evidence=("Condition/c2",))
    a = assessment(
        "CL-59",
        Tier.INFO,
        product=product("9.0", "3.5"),
        risk_pathway=CalcinosisType.DYSTROPHIC,
        documented_names=("Calcinosis cutis (any type)",),
        documented_by=("Condition/c3",),
        causes=(cause("Dermatomyositis (adult onset)", "dermatomyositis", kind=CalcinosisType.DYSTROPHIC),),
        also_recorded=(also,),
        rules=("CL-59", "CL-84"),
    )
    assert summary(a) == "Calcinosis cutis recorded with dermatomyositis: fits the dystrophic type"
    assert "Kidney disease recorded; check trend" in text(a)


def test_a_probable_type_without_values_does_not_exclude_metastatic_calcification() -> None:
    a = assessment("CL-59", Tier.INFO, product=None, risk_pathway=CalcinosisType.DYSTROPHIC, rules=("CL-59", "CL-89"))
    assert "Probable dystrophic calcification; metastatic calcification cannot be excluded without calcium and" in text(
        a
    )


def test_calciphylaxis_is_not_excluded_by_values() -> None:
    a = assessment("CL-53", Tier.WARNING, documented_names=("Calciphylaxis",), rules=("CL-53", "CL-58", "CL-91"))
    assert re.search(r"(not|n't|cannot) (be )?(exclude|rule)[^.]*", text(a))
    assert "calciphylaxis recorded" in summary(a)


def test_modifiable_medicines_come_first_by_name() -> None:
    drugs = (
        ActiveExposure(
            group="vka", drug="warfarin", name="warfarin", modifiable=True, evidence=("MedicationRequest/1",)
        ),
        ActiveExposure(group="thiazide", drug="x", name="chlorthalidone", modifiable=False, evidence=()),
    )
    said = text(assessment("CL-53", Tier.WARNING, exposures=drugs, product=product("9.0", "6.7")))
    assert "Modifiable, active: warfarin (vitamin K antagonist; MedicationRequest/1)" in said
    assert "Other active medicines: chlorthalidone (thiazide)" in said
    assert said.index("warfarin (") < said.index("chlorthalidone")


def test_advice_is_a_point_to_consider_with_its_basis() -> None:
    said = text(assessment(advice=("CL-102", "CL-103")))
    assert "Basis: KDIGO 2017, 4.1.2 (CL-102)." in said
    assert "Consider discussing with nephrology within days" in said
    ward = text(assessment(advice=("CL-103",), setting=Setting(EncounterClass.INPATIENT, Dialysis.NONE)))
    assert "Consider discussing with nephrology today" in ward


def test_no_advice_on_medicines_in_pregnancy() -> None:
    said = text(assessment(advice=tuple(ADVICE), population=("adult", "pregnancy")))
    to_consider = said[said.index("**To consider**") : said.index("**How firm this is**")]
    assert "not validated in pregnancy" in said
    assert not re.search(r"binder|vitamin K|thiazide|supplement|active vitamin D", to_consider)


def test_a_vitamin_k_antagonist_is_reviewed_with_its_indication_in_view() -> None:
    said = text(assessment("CL-58", Tier.WARNING, advice=("CL-104",)))
    assert "review a vitamin K antagonist for an alternative anticoagulant with its indication in view" in said


def test_caps_artefacts_and_populations_are_explained() -> None:
    a = assessment(
        "CL-27",
        Tier.WARNING,
        caps=(Cap("CL-27", Tier.CRITICAL, Tier.WARNING), Cap("CL-32", Tier.WARNING, Tier.WARNING)),
        flags=(Mark.PROTEIN_GAP, Mark.POST_DIALYSIS),
        protein_gap_g_dl=Decimal("9.1"),
        population=("adult", "post-parathyroidectomy", "transplant"),
        weaknesses=("protein_gap", "pair class C"),
        confidence=Confidence.LOW,
    )
    said = text(a)
    assert "Critical was withheld, shown as warning: the phosphate may be falsely high (CL-27)" in said
    assert "Also calcium and phosphate were drawn far apart (CL-32)" in said
    assert "Total protein minus albumin is 9.1 g/dL: phosphate may be falsely high (interference" in said
    assert "phosphate rebounds" in said
    assert "hungry-bone hypocalcaemia" in said
    assert "transplant is recorded" in said
    assert "Confidence: low (protein gap, pair class C)" in said


def test_the_trend_is_told_with_earlier_products() -> None:
    earlier = (EarlierProduct(Decimal("71.2"), "2026-09-01T08:00:00Z"), EarlierProduct(Decimal("60"), "2026-08-01"))
    said = text(assessment(trend=Trend(direction="rising", persistent=True, previous=earlier)))
    assert "Earlier products: 71.2 (2026-09-01) and 60.0 (2026-08-01) mg2/dL2; rising" in said
    assert "second value in a row above 70" in said


def test_rules_limits_sources_and_version_stand_at_the_end() -> None:
    said = text(assessment(rules=("CL-30", "CL-50", "CL-62", "CL-82")))
    assert "CL-50: product above 70 mg2/dL2 with calcium or phosphate above range, fresh pair" in said
    assert "As told above: CL-62, CL-82" in said
    assert "https://" in said
    assert f"Content version {CATALOG.version}. Adult thresholds; association, not prediction." in said
    assert "Not for emergency use; laboratory critical-value procedures apply." in said


# ---- text that comes from the chart


HOSTILE = "<img src=x onerror=alert(1)> `x` | [a](//evil.example) ![b](http://evil.example)\n# www.evil.example &lt; *"


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


# ---- any assessment at all

texts = st.one_of(st.sampled_from(["mg/dL", "mmol/L", HOSTILE]), st.text(max_size=200))
decimals = st.decimals("0.01", "99999", places=2, allow_nan=False)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2026, 10, 12), timezones=st.just(UTC))  # noqa: DTZ001
takens = st.builds(lambda at, own, text: Taken(at, text if own else at.isoformat()), moments, st.booleans(), texts)
measurements = st.builds(
    Measurement,
    input=st.sampled_from([*ANALYTES, "unknown_analyte"]),
    value=decimals,
    reported=decimals | st.none(),
    unit=texts | st.none(),
    taken=takens,
    reference=texts,
    comparator=st.sampled_from([None, "<", "<=", ">", ">="]),
)
ranges = st.builds(Range, decimals | st.none(), decimals | st.none(), st.just("mg/dL"), st.just("laboratory"))
values = st.builds(
    Value,
    measurement=measurements,
    canonical=decimals,
    position=st.sampled_from(Position),
    range=ranges | st.none(),
    kind=st.sampled_from([None, "total", "adjusted", "corrected", "ionized"]),
)
products = st.builds(
    Product,
    value_mg2_dl2=decimals,
    value_mmol2_l2=decimals,
    bound=st.sampled_from(["exact", "atLeast", "atMost"]),
    measured_mg2_dl2=decimals | st.none(),
    corrected_mg2_dl2=decimals | st.none(),
    calcium=values,
    phosphate=values,
    albumin=values | st.none(),
    pair_class=st.sampled_from("ABC"),
    gap_hours=decimals,
    age_hours=decimals,
    freshness=st.sampled_from(Freshness),
)
known_causes = st.sampled_from(list(CATALOG.knowledge.causes.values()))
causes = st.builds(
    lambda known, basis, evidence: CauseFound(
        id=known.id,
        name=known.name,
        type=known.type or CalcinosisType.UNDETERMINED,
        basis=basis,
        evidence=evidence,
        rules=("CL-62",),
    ),
    known_causes,
    st.sampled_from(Basis),
    st.lists(texts, max_size=5).map(tuple),
)
names = st.lists(known_causes.map(lambda known: known.name), max_size=2).map(tuple)
gaps = st.builds(
    Gap,
    analyte=st.sampled_from(["ca_total", "phosphate", "albumin", "ca_p_product", "other_thing"]),
    reason=st.sampled_from(GapReason),
    detail=texts,
    taken=takens | st.none(),
    reference=texts | st.none(),
)
caps = st.builds(Cap, st.sampled_from([*CAPS, "CL-999"]), st.sampled_from(Tier), st.sampled_from(Tier))
also = st.builds(AlsoRecorded, id=st.sampled_from([None, "esrd-dialysis"]), text=texts, evidence=st.just(()))
rules = st.lists(st.sampled_from([*RULES, *TYPES, *ADVICE, "CL-999"]), max_size=8).map(tuple)
assessments = st.builds(
    Assessment,
    evaluated_at=st.just(NOW),
    tier=st.sampled_from([Tier.INFO, Tier.WARNING, Tier.CRITICAL]),
    headline=st.sampled_from([*HEADLINES, "CL-999"]),
    caps=st.lists(caps, max_size=2).map(tuple),
    risk_pathway=st.sampled_from(CalcinosisType),
    documented_names=names,
    documented_by=st.lists(texts, max_size=3).map(tuple),
    causes=st.lists(causes, max_size=8).map(tuple),
    also_recorded=st.lists(also, max_size=2).map(tuple),
    product=products | st.none(),
    trend=st.none()
    | st.builds(
        Trend,
        direction=st.sampled_from(["rising", "falling", "steady", "unknown"]),
        persistent=st.booleans(),
        previous=st.lists(st.builds(EarlierProduct, decimals, texts), max_size=2).map(tuple),
    ),
    flags=st.lists(st.sampled_from(Mark), max_size=4, unique=True).map(tuple),
    gaps=st.lists(gaps, max_size=3).map(tuple),
    risk_factors=st.lists(st.builds(RiskFactor, st.just("dialysis"), st.just(())), max_size=1).map(tuple),
    exposures=st.lists(
        st.builds(ActiveExposure, group=texts, drug=texts, name=texts, modifiable=st.booleans(), evidence=st.just(())),
        max_size=3,
    ).map(tuple),
    population=st.lists(st.sampled_from(["adult", *POPULATIONS]), max_size=2).map(tuple),
    setting=st.builds(Setting, st.sampled_from(EncounterClass), st.sampled_from(Dialysis)),
    rules=rules,
    advice=st.lists(st.sampled_from(list(ADVICE)), max_size=3).map(tuple),
    weaknesses=st.lists(texts, max_size=2).map(tuple),
    values=st.lists(values, max_size=3).map(tuple),
    protein_gap_g_dl=decimals | st.none(),
    uncorrected_because=texts | st.none(),
)


@settings(max_examples=300, deadline=None)
@given(assessments)
def test_no_assessment_makes_a_card_that_breaks_the_rules_of_cards(a: Assessment) -> None:
    found = card(a)
    line, detail = str(found["summary"]), str(found["detail"])
    assert 0 < len(line) <= 139
    assert "\n" not in line
    assert re.search(r"not a normal result|cannot be calculated|\d", line + detail)
    assert "Not for emergency use" in detail
    assert "**Rules that fired**" in detail or not a.rules
    for row in detail.split("\n"):
        assert not row.startswith("|") or row.count("|") == 6, row
    assert not re.search(r"[<>`]|\]\(|&\w", line + detail)
    assert not re.search(r"\d\.\d{7,}", line + detail)
    assert all(len(shown) == 80 for shown in card_as_text(found).split("\n") if not wide(shown))


def wide(line: str) -> bool:
    """Tell whether a line has characters that are not one column, whose width len() does not know."""
    return not line.isascii()


@pytest.mark.parametrize("headline", [*HEADLINES, "CL-999"])
@pytest.mark.parametrize("with_product", [True, False])
def test_no_card_says_what_must_never_be_said(headline: str, with_product: bool) -> None:
    a = assessment(
        headline,
        Tier.WARNING,
        product=product() if with_product else None,
        rules=tuple([*RULES, *TYPES]),
        advice=tuple(ADVICE),
        flags=tuple(Mark),
        caps=tuple(Cap(rule, Tier.CRITICAL, Tier.WARNING) for rule in CAPS),
        population=tuple(POPULATIONS),
        causes=tuple(cause(known.name, known.id) for known in CATALOG.knowledge.causes.values()),
        gaps=tuple(gap(reason, days=3) for reason in GapReason),
        documented_names=("Calciphylaxis",),
    )
    said = text(a)
    for pattern in FORBIDDEN:
        assert not re.search(pattern, said, re.I), pattern


# ---- the tables of wording


def test_every_row_of_wording_names_only_limits_and_sources_that_the_content_has() -> None:
    for rule, row in RULES.items():
        assert set(row.sources) <= set(CATALOG.sources), rule
    assert set(POPULATIONS) | {"adult"} >= {"newborn", "infant", "child", "adolescent", "age-unknown"}
    told = set(FLAGS) | {"missing_calcium", "missing_phosphate"}
    assert told == {str(mark) for mark in Mark}
    assert set(TOPICS) == set(REASONS)
    assert all(RULES[headline].sources for headline in HEADLINES)


def test_every_headline_of_the_core_has_its_words() -> None:
    from cds_service.calcinosis.tier import HEADLINE_ORDER

    assert set(HEADLINE_ORDER) == set(HEADLINES)


# ---- plain text


def test_a_card_is_a_box_of_eighty_columns() -> None:
    shown = card_as_text(card(assessment(product=corrected())))
    assert {len(line) for line in shown.split("\n")} == {80}
    assert shown.startswith("+-- CRITICAL ---")
    assert "- Phosphate: 7.3 mg/dL, high; 2026-10-09" in shown
    assert "**" not in shown


def test_no_card_is_told_as_looked_and_nothing_to_show() -> None:
    shown = response_as_text({"cards": []})
    assert "looked, nothing to show" in shown
    told = {
        "tier": "none",
        "product": {"value": 33.8, "bound": "exact", "freshness": "fresh"},
        "causes": [],
        "gaps": [],
    }
    shown = response_as_text({"cards": [], "extension": {"org.calcinosis-cds.assessment": told}})
    assert "tier:        none" in shown
    assert "33.8 mg2/dL2 (exact, fresh)" in shown


def test_an_error_is_told_with_its_diagnostics() -> None:
    issue = {"severity": "error", "code": "required", "diagnostics": "no patient data"}
    assert response_as_text({"resourceType": "OperationOutcome", "issue": [issue]}) == "error: no patient data"


def test_chart_text_cannot_drive_the_terminal() -> None:
    assert "\x1b" not in card_as_text({"summary": "\x1b[31mred", "detail": "\x07", "source": {"label": "\x9b"}})
