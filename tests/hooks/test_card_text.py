"""What the detail of a card says, as rendered text: values, gaps, causes, advice, limits."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from cds_service.calcinosis.assessment import (
    ActiveExposure,
    AlsoRecorded,
    Basis,
    CalcinosisType,
    Cap,
    Confidence,
    Dialysis,
    EarlierProduct,
    Freshness,
    Setting,
    Tier,
    Trend,
)
from cds_service.calcinosis.facts import (
    EncounterClass,
    Gap,
    GapReason,
    Mark,
    Position,
)
from cds_service.hooks.wording.advice import ADVICE
from cds_service.hooks.wording.findings import FLAGS, POPULATIONS
from cds_service.hooks.wording.reasons import REASONS
from cds_service.hooks.wording.rules import RULES, TOPICS
from tests.hooks.assessments import (
    CATALOG,
    HEADLINES,
    assessment,
    cause,
    corrected,
    gap,
    product,
    summary,
    text,
    value,
)

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


def test_a_newer_sample_from_after_dialysis_is_told_apart_from_the_one_that_is_judged() -> None:
    flags, newer = (Mark.POST_DIALYSIS,), EarlierProduct(Decimal("27.0"), "2026-10-12T08:00:00Z")
    said = text(assessment(flags=flags, after_dialysis=newer))
    assert "A newer sample, of 2026-10-12, was taken after dialysis (calcium x phosphate 27.0 mg2/dL2)" in said
    assert "The sample was taken after dialysis" not in said
    assert "The sample was taken after dialysis" in text(assessment(flags=flags))


def test_a_suspected_calcification_is_worded_as_suspected_in_summary_and_detail() -> None:
    also = AlsoRecorded(id="calciphylaxis", text="Calciphylaxis, suspected", evidence=("Condition/c2",), suspected=True)
    a = assessment("CL-58", Tier.INFO, suspected_names=("Calciphylaxis",), also_recorded=(also,))
    assert summary(a).startswith("Suspected calciphylaxis on the record, not confirmed; calcium x phosphate 73.0")
    said = text(a)
    assert "suspected on the record and not confirmed" in said
    assert "calciphylaxis, suspected (Condition/c2)" in said
    assert "A calcifying disease is on the record" not in said


def test_a_calcifying_disease_beside_old_values_does_not_present_their_product_as_current() -> None:
    old, gaps = product(freshness=Freshness.STALE), (gap(GapReason.STALE, days=120),)
    told = summary(assessment("CL-58", Tier.INFO, product=old, gaps=gaps, documented_names=("Calciphylaxis",)))
    assert told == (
        "Calciphylaxis recorded; last phosphate of 2026-06-14 (120 days old): calcium x phosphate cannot be calculated"
    )


def test_a_critical_that_was_withheld_is_listed_as_withheld() -> None:
    said = text(assessment("CL-51", Tier.WARNING, rules=("CL-50", "CL-51")))
    assert "- CL-51:" in said
    assert "- CL-50: withheld, as CL-51 tells" in said
    assert "- CL-50: product above 70" in text(assessment(rules=("CL-50",)))


def test_causes_are_worded_by_their_basis() -> None:
    found = (
        cause(),
        cause("Primary hyperparathyroidism", "primary-hyperparathyroidism", Basis.PATTERN),
        cause("Milk-alkali syndrome", "milk-alkali-syndrome", Basis.EXPOSURE),
    )
    said = text(assessment(causes=found))
    assert "Chronic kidney disease stage 4: recorded (Condition/c1" in said
    assert "Values fit primary hyperparathyroidism, not recorded as a diagnosis" in said
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


def test_calcium_is_not_called_into_question_where_it_is_needed() -> None:
    drug = ActiveExposure(group="oral_calcium", drug="x", name="calcium carbonate", modifiable=True, evidence=())
    low = product("7.9", "7.3")
    low = replace(low, calcium=replace(low.calcium, position=Position.LOW))
    for a in (
        assessment(advice=("CL-104", "CL-106"), exposures=(drug,), product=low),
        assessment(advice=("CL-104", "CL-106"), exposures=(drug,), population=("adult", "post-parathyroidectomy")),
    ):
        assert "Active medicines: calcium carbonate" in text(a)
        assert "review calcium" not in text(a)
        assert "supplements" not in text(a)
    plain = text(assessment(advice=("CL-104", "CL-106"), exposures=(drug,)))
    assert "Modifiable, active: calcium carbonate" in plain
    assert "review calcium, vitamin D, iron" in plain


def test_a_high_albumin_is_said_to_raise_total_calcium() -> None:
    high = value("albumin", "5.4", "g/dL", Position.HIGH)
    assert "High albumin can raise total calcium." in text(assessment(values=(high,)))
    assert "High albumin" not in text(assessment(values=(value("albumin", "5.0", "g/dL"),)))


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
