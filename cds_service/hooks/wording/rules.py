"""What each rule says on a card, in one clause, and the sources it rests on.

One row a rule, so that a clinician can read and sign it. Names in braces are limits of mappings/criteria.toml.
Must not know: patients. A rule without a row here is printed by its id alone.
"""

from typing import NamedTuple


class Rule(NamedTuple):
    """The clause of a rule ("" when told elsewhere) and its sources in mappings/sources.toml, the primary one first."""

    clause: str
    sources: tuple[str, ...] = ()


SEED = "nunley-2020"

RULES: dict[str, Rule] = {
    # ---- values
    "CL-01": Rule("preliminary and registered results are pending, not used"),
    "CL-02": Rule("only blood, serum and plasma results are used"),
    "CL-03": Rule("results of another patient are left out"),
    "CL-04": Rule("a result that is not a plain number with a known unit is not interpreted"),
    "CL-05": Rule("a result with a comparator counts as a bound, never as an exact number"),
    "CL-10": Rule(
        "a Condition counts when it is active (or has no status) and is neither refuted nor entered in error; a "
        "suspected one is told as suspected and names no cause; a resolved one counts only where history matters"
    ),
    "CL-11": Rule("mg/L was converted to mg/dL"),
    "CL-12": Rule("a unit that cannot belong to the analyte is refused"),
    "CL-13": Rule("a value outside the plausible window is refused"),
    "CL-14": Rule(
        "ionised and total calcium contradict each other (ratio outside {ionized_total_low_ratio} to "
        "{ionized_total_high_ratio})"
    ),
    "CL-15": Rule("a unit is never repaired by guessing"),
    "CL-16": Rule("the laboratory's adjusted calcium is used and not corrected again"),
    "CL-17": Rule(
        "corrected calcium = total + {correction_mg_dl_per_g_dl} mg/dL for each g/dL of albumin below "
        "{albumin_reference_g_dl} g/dL",
        ("kdoqi-2003",),
    ),
    "CL-19": Rule("no albumin correction; measured total calcium is used"),
    "CL-20": Rule(
        "albumin correction agrees poorly with ionised calcium in kidney disease",
        ("gauci-2008", "clase-2000", "lian-2018"),
    ),
    "CL-26": Rule(
        "measured and corrected product fall in different tiers; in chronic kidney disease critical also needs a "
        "measured product of at least {straddle_measured_floor_mg2_dl2} mg2/dL2",
        ("gauci-2008", "clase-2000"),
    ),
    "CL-27": Rule("the phosphate may be an artefact: confirm before judging", ("aacc-2012", "clin-biochem-1995")),
    "CL-28": Rule("calcium and potassium look like EDTA contamination: no product"),
    # ---- time
    "CL-30": Rule("same draw: one specimen or report, or collected at most {same_draw_window} apart"),
    "CL-31": Rule("drawn at most {pair_near_window} apart with no dialysis, calcium, phosphate or surgery between"),
    "CL-32": Rule("drawn more than {pair_near_window} apart (at most {pair_far_window}): at most a warning"),
    "CL-33": Rule("calcium and phosphate that do not belong together in time are not multiplied"),
    "CL-34": Rule("the most recent admissible pair is used"),
    "CL-35": Rule("intensive care: fresh up to {fresh_icu}, recent up to {recent_icu}"),
    "CL-36": Rule("emergency or ward: fresh up to {fresh_inpatient}, recent up to {recent_inpatient}"),
    "CL-37": Rule(
        "maintenance dialysis: fresh up to {fresh_dialysis}, recent up to {recent_dialysis}", ("kdigo-2017",)
    ),
    "CL-38": Rule("CKD G4 to G5: fresh up to {fresh_ckd_g4_g5}, recent up to {recent_ckd_g4_g5}", ("kdigo-2017",)),
    "CL-39": Rule("CKD G3: fresh up to {fresh_ckd_g3}, recent up to {recent_ckd_g3}", ("kdigo-2017",)),
    "CL-40": Rule("outpatient: fresh up to {fresh_outpatient}, recent up to {recent_outpatient}"),
    "CL-41": Rule("stale or missing values are never read as normal"),
    "CL-42": Rule("trend and persistence over the last pairs", ("kdigo-2017",)),
    "CL-43": Rule("limits refer to samples before dialysis; a sample after it never lowers a tier"),
    # ---- tiers
    "CL-50": Rule(
        "product above {product_critical_mg2_dl2} mg2/dL2 with calcium or phosphate above range, fresh pair",
        (SEED, "cari-2006", "block-1998"),
    ),
    "CL-51": Rule(
        "product above {product_critical_mg2_dl2} mg2/dL2, but the data are not firm enough for critical",
        (SEED, "cari-2006"),
    ),
    "CL-52": Rule(
        "product above {product_warning_mg2_dl2} and at most {product_critical_mg2_dl2} mg2/dL2, not on "
        "maintenance dialysis",
        ("kdoqi-2003", "cari-2006"),
    ),
    "CL-53": Rule(
        "product above {product_warning_mg2_dl2} and at most {product_critical_mg2_dl2} mg2/dL2 on maintenance "
        "dialysis; a warning when calcium is high, a modifiable medicine is active or skin findings are recorded",
        ("kdoqi-2003", "young-2005"),
    ),
    "CL-54": Rule("product at most {product_warning_mg2_dl2} mg2/dL2: no tier from the product"),
    "CL-55": Rule(
        "calcium at or above {calcium_severe_mg_dl} mg/dL, or ionised calcium at or above "
        "{ionized_calcium_severe_mmol_l} mmol/L, whatever the product",
        ("tebben-2016",),
    ),
    "CL-56": Rule(
        "calcium from {calcium_moderate_mg_dl} to below {calcium_severe_mg_dl} mg/dL with a product of at most "
        "{product_warning_mg2_dl2} mg2/dL2",
        ("tebben-2016",),
    ),
    "CL-57": Rule(
        "phosphate at or above {phosphate_marked_mg_dl} mg/dL without calcium, or calcium at or above "
        "{calcium_moderate_mg_dl} mg/dL without phosphate",
        ("kdigo-2017",),
    ),
    "CL-58": Rule(
        "calcifying disease recorded; a warning when a modifiable medicine is active",
        (SEED, "kalajian-2009", "nigwekar-2015"),
    ),
    "CL-59": Rule("other calcinosis recorded: the type is told", (SEED,)),
    "CL-60": Rule("a cause is recorded and calcium or phosphate is missing, refused or stale", ("kdigo-2017",)),
    "CL-61": Rule("nothing to show"),
    # ---- causes and risk factors: told with the cause or the factor, here for their sources
    "CL-62": Rule("", (SEED,)),
    "CL-63": Rule(""),
    "CL-64": Rule("", (SEED,)),
    "CL-65": Rule("", (SEED, "kdigo-2017")),
    "CL-66": Rule("", (SEED,)),
    "CL-67": Rule("", (SEED,)),
    "CL-68": Rule("", (SEED,)),
    "CL-69": Rule("", (SEED,)),
    "CL-70": Rule("", (SEED, "tebben-2016")),
    "CL-71": Rule("", (SEED, "tebben-2016")),
    "CL-72": Rule("", (SEED, "cairo-bishop-2004", "howard-2011")),
    "CL-73": Rule("", (SEED,)),
    "CL-74": Rule("", (SEED,)),
    "CL-75": Rule("", (SEED,)),
    "CL-76": Rule("", (SEED,)),
    "CL-77": Rule("", (SEED,)),
    "CL-78": Rule("", (SEED,)),
    "CL-79": Rule("", ("nigwekar-2016", "hayashi-2012")),
    "CL-80": Rule("", ("nigwekar-2016", "hayashi-2012")),
    # ---- type: the clauses are in wording/findings.py
    # ---- populations
    # ---- draft orders
    "OT-1": Rule(
        "intravenous calcium with a product above {product_critical_mg2_dl2} mg2/dL2, or with phosphate at or above "
        "{order_phosphate_severe_mg_dl} mg/dL unless the product is below {product_warning_mg2_dl2} mg2/dL2",
        (SEED,),
    ),
    "OT-1b": Rule(
        "intravenous calcium with phosphate above {order_phosphate_marked_mg_dl} mg/dL and a product from "
        "{product_warning_mg2_dl2} to {product_critical_mg2_dl2} mg2/dL2",
        (SEED, "block-1998"),
    ),
    "OT-2": Rule(
        "oral calcium or active vitamin D with corrected calcium above {order_calcium_high_mg_dl} mg/dL; critical from "
        "{order_calcium_critical_mg_dl} mg/dL or with a product above {product_critical_mg2_dl2} mg2/dL2",
        ("kdoqi-2003", "kdigo-2017"),
    ),
    "OT-3": Rule(
        "sodium phosphate by mouth or as an enema with kidney disease G4 to G5, dialysis, eGFR below {egfr_severe} or "
        "phosphate above range",
        ("intern-med-2008",),
    ),
    "OT-3b": Rule(
        "sodium phosphate by mouth or as an enema with eGFR from {egfr_severe} to below {egfr_ckd}, acute kidney "
        "injury, bowel obstruction, or from {order_age_years} years",
        ("endoscopy-2003", "intern-med-2008"),
    ),
    "OT-4": Rule(
        "phosphate with phosphate above range, corrected calcium above {order_calcium_high_mg_dl} mg/dL or a product "
        "above {product_warning_mg2_dl2} mg2/dL2; critical above {product_critical_mg2_dl2} mg2/dL2",
        (SEED, "kdoqi-2003"),
    ),
    "OT-5": Rule("new vitamin K antagonist with active calciphylaxis", ("hayashi-2012", "nigwekar-2015")),
    "OT-5b": Rule(
        "new vitamin K antagonist on maintenance dialysis with a product above {product_warning_mg2_dl2} mg2/dL2",
        ("hayashi-2012", "nigwekar-2016"),
    ),
    "OT-6": Rule(
        "active vitamin D, or vitamin D from {order_vitamin_d_iu_per_day} IU a day, with granulomatous disease, "
        "corrected calcium above {order_calcium_high_mg_dl} mg/dL or 25-OH vitamin D above "
        "{vitamin_d_possible_ng_ml} ng/mL",
        ("amrein-2011", "tebben-2016"),
    ),
    "OT-7": Rule("thiazide with corrected calcium above {order_calcium_high_mg_dl} mg/dL", ("tebben-2016",)),
    "CL-111": Rule(
        "intravenous calcium is never discouraged in an emergency: potassium from {order_potassium_mmol_l} mmol/L "
        "(at most {order_emergency_window} old), corrected calcium below {order_calcium_emergency_mg_dl} mg/dL, "
        "ionised below {order_ionized_calcium_emergency_mmol_l} mmol/L, poisoning or arrest recorded"
    ),
    "CL-113": Rule(
        "calcium and active vitamin D are not called into question for {post_parathyroidectomy_window} after "
        "parathyroid surgery, nor with corrected calcium below {order_calcium_protected_mg_dl} mg/dL"
    ),
    "CL-150": Rule("age unknown: at most a warning"),
    "CL-151": Rule("newborn: adult limits are not validated", (SEED,)),
    "CL-152": Rule("infant: adult limits are not validated; severe hypercalcaemia counts"),
    "CL-153": Rule(
        "1 to 12 years: product above {product_child_mg2_dl2} mg2/dL2 with a value above its range for age",
        ("kdoqi-paediatric-2005",),
    ),
    "CL-154": Rule("13 to 17 years: product above {product_adolescent_mg2_dl2} mg2/dL2", ("kdoqi-paediatric-2005",)),
    "CL-155": Rule("age-specific reference ranges"),
    "CL-156": Rule("rules on single values apply from one year of age"),
    "CL-157": Rule("pregnancy: same limits, not validated; no advice on medicines"),
    "CL-158": Rule("palliative care recorded: fewer and lower cards"),
    "CL-159": Rule("values change by the hour: same draw only, fresh up to {fresh_turnover}"),
}

CAPS: dict[str, str] = {
    "CL-14": "ionised and total calcium contradict each other",
    "CL-26": "only the albumin correction takes the product above the limit, and in kidney disease that is unreliable",
    "CL-27": "the phosphate may be falsely high",
    "CL-32": "calcium and phosphate were drawn far apart",
    "CL-33": "only the reporting time is known, not the collection time",
    "CL-150": "the age is unknown",
    "CL-153": "adult levels are not used in children",
    "CL-154": "adult levels are not used in adolescents",
    "CL-158": "palliative care is recorded",
    "CL-159": "values change by the hour",
    "CL-41": "the value is too old to judge the present",
    **dict.fromkeys(
        ("CL-35", "CL-36", "CL-37", "CL-38", "CL-39", "CL-40"), "the pair is not fresh enough for the setting"
    ),
}
"""Why a tier was lowered."""

TOPICS: dict[str, str] = {
    "CL-27": "Phosphate to be confirmed",
    "CL-50": "Calcium x phosphate above the historic limit",
    "CL-51": "Calcium x phosphate above the historic limit, data in doubt",
    "CL-52": "Calcium x phosphate above the K/DOQI target",
    "CL-53": "Calcium x phosphate above the K/DOQI target on dialysis",
    "CL-55": "Severe hypercalcaemia",
    "CL-56": "Hypercalcaemia",
    "CL-57": "Calcium or phosphate without its partner",
    "CL-58": "Calcifying disease recorded",
    "CL-59": "Type of recorded calcinosis",
    "CL-60": "Calcium or phosphate not usable with a cause on the record",
    "CL-151": "Newborns and infants",
    "CL-153": "Children",
    "CL-154": "Adolescents",
    "": "Calcium and phosphate",
}
"""The static topic of a card by headline rule; a site may remember an acknowledgement against it."""

SUSPECTED_TOPIC = ("CL10", "Suspected calcification")
"""The topic where a calcification is only suspected: what is acknowledged there does not hold for a confirmed one."""

LIMITS = (
    "Adult thresholds; association, not prediction. Not for emergency use; laboratory critical-value procedures "
    "apply. For health care professionals."
)
"""The limits line of every card."""
