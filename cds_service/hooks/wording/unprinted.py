"""The clauses of rules that no card prints, because the card tells them with the cause or cannot show them.

For the page that a clinician signs (docs/knowledge.md). Names in braces are limits of mappings/criteria.toml.
Must not know: patients.
"""

from typing import Final

UNPRINTED: Final[dict[str, str]] = {
    # ---- values
    "CL-06": "a cancelled, empty or absent value is missing: never zero, never normal",
    "CL-07": "a component of a panel counts like a result of its own; status and time of the panel apply",
    "CL-08": "range and interpretation of the laboratory come before our defaults; a range in another unit is ignored",
    "CL-09": "words of the laboratory on the quality of the sample mark the result",
    "CL-18": (
        "publications disagree on the factor of the correction: {correction_mg_dl_per_g_dl} here; a laboratory may set "
        "its own within limits"
    ),
    "CL-21": "product = total calcium x phosphate of one pair, both in mg/dL",
    "CL-23": "the corrected product sets the tier where there is one, else the measured one",
    "CL-25": "never from rounded numbers, never from means, never from the highest values of different draws",
    # ---- causes: recorded, by pattern ("values fit"), by exposure ("possible")
    "CL-62": (
        "kidney disease is recorded (given once, the most specific id); pattern: eGFR below {egfr_ckd} over at least "
        "{ckd_duration_window} with none at or above it between; stages 1 and 2 are listed, not blamed"
    ),
    "CL-63": (
        "acute kidney injury is recorded within {acute_cause_window}; pattern: creatinine at least {aki_ratio} times a "
        "value of the {aki_ratio_window} before, or {aki_rise_mg_dl} mg/dL above one of the {aki_rise_window} before; "
        "not in kidney failure"
    ),
    "CL-64": (
        "primary or unspecified hyperparathyroidism is recorded; pattern: calcium high, PTH high or within range, "
        "phosphate low or in the lower half of its range; not with an eGFR below {egfr_severe}, kidney failure, acute "
        "kidney injury, a kidney graft or another parathyroid disease on the record"
    ),
    "CL-65": (
        "secondary hyperparathyroidism is recorded; pattern: PTH high, calcium not high, and kidney disease from G3 "
        "with high phosphate (in kidney failure only a PTH above {hpt_ckd_pth_multiple} times its upper limit), or low "
        "25-OH vitamin D with phosphate not high"
    ),
    "CL-66": (
        "tertiary hyperparathyroidism is recorded; pattern: calcium high, PTH at least {tertiary_pth_multiple} times "
        "its upper limit, on maintenance dialysis with high phosphate or after a kidney graft with phosphate not high"
    ),
    "CL-67": (
        "hypercalcaemia of malignancy is recorded; pattern: calcium high (or recorded as high where unknown) with "
        "an active cancer and a PTH low or not measured, or calcium high with PTHrP high and PTH low"
    ),
    "CL-68": (
        "bone metastases, bone-destroying malignancy, Paget disease, osteolysis or immobilisation is recorded; counts "
        "only where calcium is high or unknown"
    ),
    "CL-69": (
        "milk-alkali syndrome is recorded; pattern: calcium or alkali product in use (not intravenous), calcium high, "
        "bicarbonate above {bicarbonate_high_mmol_l} mmol/L, creatinine at least {aki_ratio} times its baseline (above "
        "range without one), PTH low; possible: alkalosis or creatinine part met, nothing against it, no dialysis"
    ),
    "CL-70": (
        "vitamin D intoxication is recorded; pattern: calcium high, PTH low (below range or {pth_low_pg_ml} pg/mL), "
        "25-OH vitamin D above {vitamin_d_toxic_ng_ml} ng/mL or active vitamin D in use; possible: 25-OH vitamin D "
        "above {vitamin_d_possible_ng_ml} ng/mL, or active vitamin D in use with PTH not measured"
    ),
    "CL-71": (
        "sarcoidosis or other granulomatous disease is recorded, calcium high or unknown; histoplasmosis and "
        "cryptococcosis with calcium high or calcinosis on the record; pattern: tuberculosis or fungal infection with "
        "calcium high and PTH low or not measured; or calcium high, PTH low, 1,25-(OH)2 vitamin D not low, 25-OH "
        "vitamin D not high, no active vitamin D in use, no cancer"
    ),
    "CL-72": (
        "tumour lysis is recorded within {acute_cause_window}; pattern, with a cancer on the record and calcium known "
        "and not high: two within {lysis_window} of urate from {lysis_urate_mg_dl} mg/dL, potassium from "
        "{lysis_potassium_mmol_l} mmol/L, phosphate from {lysis_phosphate_mg_dl} mg/dL (under 18 years "
        "{lysis_phosphate_child_mg_dl}), calcium up to {lysis_calcium_mg_dl} mg/dL; urate or potassium among them; not "
        "older than {turnover_window}"
    ),
    "CL-73": (
        "phosphate poisoning is recorded; pattern: phosphate high and above {phosphate_load_mg_dl} mg/dL within "
        "{phosphate_load_window} of a phosphate preparation, calcium not high; possible: phosphate high after one; "
        "intravenous preparations alone are parenteral phosphate"
    ),
    "CL-74": (
        "rhabdomyolysis is recorded within {acute_cause_window}, phosphate high, low or unknown, or calcinosis on the "
        "record; pattern: creatine kinase above {ck_multiple} times its upper limit within {turnover_window}, "
        "phosphate high"
    ),
    "CL-75": "hypoparathyroidism is recorded, with calcium or active vitamin D in use",
    "CL-76": (
        "tumoral calcinosis is recorded; pattern: calcinosis on the record, phosphate high, calcium normal, PTH not "
        "high, eGFR from {egfr_ckd}, no kidney disease on the record"
    ),
    "CL-77": "calciphylaxis is recorded; no pattern suffices",
    "CL-78": (
        "kidney, liver, heart or lung transplantation on the record (Condition or Procedure); counts where calcium or "
        "phosphate is high or calcinosis is on the record"
    ),
    "CL-79": "risk factors of calciphylaxis are listed, never added up",
    "CL-80": (
        "listed from a warning on, or with a calcifying disease: vitamin K antagonist, calcium therapy, active vitamin "
        "D, diabetes, obesity (recorded or body mass index from {obesity_bmi_kg_m2} kg/m2), albumin below "
        "{low_albumin_g_dl} g/dL, female sex, maintenance dialysis"
    ),
    # ---- type
    "CL-82b": "no calcification is recorded and no tier comes from the values: no type; a recorded cause is listed",
    "CL-85": "damaged tissue is recorded, values in range, nothing calcified recorded: no type, no card",
    "CL-96": (
        "vascular, valve, renal or intracranial calcification is not calcinosis of the skin: listed as another one"
    ),
    "CL-98": "what is missing or stale is named with its last date and what follows from it",
    # ---- what a card never says
    "CL-110": "no doses; no named antiresorptive, diuretic, thiosulfate, calcimimetic or dialysate change",
    "CL-112": (
        "never against a vitamin K antagonist without its alternative or the indication in view (mechanical valves, "
        "recent thrombosis)"
    ),
    "CL-115": 'never "no risk", "safe" or "excluded"',
    # ---- delivery and data
    "CL-123": "nothing found: no card",
    "CL-124": "one card at most when a chart is opened: the highest tier, other findings as lines in it",
    "CL-125": "not shown again to a user who acknowledged it, while nothing is new, the tier is no higher and the time "
    "is not up: 24 hours in hospital and for critical cards, 30 days in outpatient care",
    "CL-146": "part of the record could not be read: the tier may rise, and the card says what was not readable",
}
