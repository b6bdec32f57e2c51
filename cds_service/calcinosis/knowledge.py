"""The reviewed clinical content as typed values; the numbers come from mappings/, never from here.

Knows: the names and units of limits and windows, what a cause and a default range are.
Must not know: where the content is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from cds_service.calcinosis.assessment import CalcinosisType


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A cause or entity of the source article or of the clinical rules.

    type: the article's type; None for an outcome (calcinosis itself, hypercalcaemia ...), which is never a cause.
    raises_product: a cause of section 4 of the clinical rules: it makes metastatic calcification likely (CL-60).
    documents_calcification: a record of it says that calcification is there (calciphylaxis, scrotal calcinosis ...).
    tissue_damage: a dystrophic cause that may be blamed for documented calcification (CL-84).
    """

    id: str
    name: str
    type: CalcinosisType | None
    raises_product: bool
    documents_calcification: bool
    tissue_damage: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultRange:
    """A reference range used only when the laboratory gives none (CL-08, table 1.3, CL-155).

    age_from_years (inclusive) to age_below_years (exclusive); the canonical unit of the input.
    """

    input: str
    age_from_years: Decimal
    age_below_years: Decimal
    low: Decimal | None
    high: Decimal | None
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Limits and windows of the rules, one field each; mappings/criteria.toml has exactly these names.

    The end of the name is the unit: mg2_dl2, mg_dl, mmol_l, g_dl, pg_ml, ng_ml, u_l; `window` and the freshness limits
    are durations; `ratio`, `fraction` and `multiple` have none.
    """

    # product (CL-50 to CL-54, CL-153, CL-154), and the measured product below which CL-26 withholds critical
    product_critical_mg2_dl2: Decimal
    product_warning_mg2_dl2: Decimal
    product_child_mg2_dl2: Decimal
    product_adolescent_mg2_dl2: Decimal
    straddle_measured_floor_mg2_dl2: Decimal
    # single values (CL-55 to CL-57)
    calcium_severe_mg_dl: Decimal
    calcium_moderate_mg_dl: Decimal
    ionized_calcium_severe_mmol_l: Decimal
    phosphate_marked_mg_dl: Decimal
    # albumin correction (CL-17 to CL-19)
    albumin_reference_g_dl: Decimal
    albumin_floor_g_dl: Decimal
    albumin_high_g_dl: Decimal
    correction_mg_dl_per_g_dl: Decimal
    albumin_window_acute: timedelta
    albumin_window_outpatient: timedelta
    ionized_window: timedelta
    ph_low: Decimal
    ph_high: Decimal
    # guards (CL-14, CL-27, CL-28)
    ionized_total_low_ratio: Decimal
    ionized_total_high_ratio: Decimal
    protein_gap_g_dl: Decimal
    paraprotein_phosphate_mg_dl: Decimal
    phosphate_extreme_mg_dl: Decimal
    edta_calcium_mg_dl: Decimal
    edta_potassium_mmol_l: Decimal
    # pairing (CL-30 to CL-33) and dialysis timing (CL-43)
    same_draw_window: timedelta
    pair_near_window: timedelta
    pair_far_window: timedelta
    post_dialysis_window: timedelta
    # freshness (CL-35 to CL-40, CL-159)
    fresh_icu: timedelta
    recent_icu: timedelta
    fresh_inpatient: timedelta
    recent_inpatient: timedelta
    fresh_dialysis: timedelta
    recent_dialysis: timedelta
    fresh_ckd_g4_g5: timedelta
    recent_ckd_g4_g5: timedelta
    fresh_ckd_g3: timedelta
    recent_ckd_g3: timedelta
    fresh_outpatient: timedelta
    recent_outpatient: timedelta
    fresh_turnover: timedelta
    # trend (CL-42)
    trend_change_fraction: Decimal
    persistent_window_acute: timedelta
    persistent_window_outpatient: timedelta
    # dialysis status (contract, section 8)
    dialysis_days: Decimal
    dialysis_window: timedelta
    # causes (section 4)
    pth_low_pg_ml: Decimal
    egfr_ckd: Decimal
    egfr_severe: Decimal
    egfr_failure: Decimal
    ckd_duration_window: timedelta
    aki_ratio: Decimal
    aki_ratio_window: timedelta
    aki_rise_mg_dl: Decimal
    aki_rise_window: timedelta
    hpt_ckd_pth_multiple: Decimal
    tertiary_pth_multiple: Decimal
    bicarbonate_high_mmol_l: Decimal
    vitamin_d_toxic_ng_ml: Decimal
    vitamin_d_possible_ng_ml: Decimal
    lysis_urate_mg_dl: Decimal
    lysis_potassium_mmol_l: Decimal
    lysis_phosphate_mg_dl: Decimal
    lysis_phosphate_child_mg_dl: Decimal
    lysis_calcium_mg_dl: Decimal
    lysis_window: timedelta
    turnover_window: timedelta
    phosphate_load_mg_dl: Decimal
    phosphate_load_window: timedelta
    ck_multiple: Decimal
    acute_cause_window: timedelta
    iatrogenic_window: timedelta
    post_parathyroidectomy_window: timedelta
    context_window: timedelta
    # calciphylaxis risk factors (CL-80)
    obesity_bmi_kg_m2: Decimal
    low_albumin_g_dl: Decimal
    # draft orders (section 8), emergencies (CL-111) and what is not called into question (CL-113)
    order_calcium_high_mg_dl: Decimal
    order_calcium_critical_mg_dl: Decimal
    order_calcium_protected_mg_dl: Decimal
    order_calcium_emergency_mg_dl: Decimal
    order_ionized_calcium_emergency_mmol_l: Decimal
    order_potassium_mmol_l: Decimal
    order_emergency_window: timedelta
    order_phosphate_severe_mg_dl: Decimal
    order_phosphate_marked_mg_dl: Decimal
    order_vitamin_d_iu_per_day: Decimal
    order_age_years: Decimal
    # ages (section 11)
    newborn_window: timedelta
    infant_below_years: Decimal
    child_below_years: Decimal
    adult_from_years: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """All reviewed content that the rules use. causes: by id. ranges: default ranges of each input."""

    criteria: Criteria
    causes: Mapping[str, Cause]
    ranges: tuple[DefaultRange, ...]
