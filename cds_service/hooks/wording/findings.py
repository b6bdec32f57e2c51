"""What the parts of an assessment are called on a card: analytes, types, flags, populations, risk factors.

Tables only, for review by a clinician. Must not know: patients.
"""

ANALYTES: dict[str, str] = {
    "ca_total": "calcium",
    "ca_corrected_albumin": "calcium, adjusted by the laboratory",
    "ca_ionized": "ionised calcium",
    "ca_ionized_ph74": "ionised calcium (pH 7.4)",
    "phosphate": "phosphate",
    "albumin": "albumin",
    "protein_total": "total protein",
    "pth_intact": "PTH",
    "pthrp": "PTHrP",
    "vitd_25oh_total": "25-OH vitamin D",
    "vitd_25oh_d3": "25-OH vitamin D3",
    "vitd_125oh2": "1,25-(OH)2 vitamin D",
    "creatinine": "creatinine",
    "egfr": "eGFR",
    "alp_total": "alkaline phosphatase",
    "hco3": "bicarbonate",
    "co2_total": "total CO2",
    "ph_arterial": "blood pH",
    "urate": "urate",
    "potassium": "potassium",
    "ck": "creatine kinase",
    "bmi": "body mass index",
    "magnesium": "magnesium",
    "conditions": "problem list",
    "medications": "medicines",
    "procedures": "procedures",
    "encounter": "encounter",
}

CANONICAL_UNITS: dict[str, str] = {
    "ca_total": "mg/dL",
    "ca_corrected_albumin": "mg/dL",
    "phosphate": "mg/dL",
    "albumin": "g/dL",
    "protein_total": "g/dL",
    "ca_ionized": "mmol/L",
    "ca_ionized_ph74": "mmol/L",
}
"""Unit of the canonical value, for the analytes whose conversion is shown."""

CALCIUM_KINDS: dict[str, str] = {
    "total": "measured total",
    "adjusted": "adjusted by the laboratory",
    "corrected": "corrected for albumin",
    "ionized": "ionised",
}

TYPES: dict[str, str] = {
    "CL-81": "Calcification is recorded and the product is above {product_critical_mg2_dl2} mg2/dL2: metastatic type.",
    "CL-82": "No calcification is recorded; if it develops, the metastatic type fits these values.",
    "CL-82a": "No calcification is recorded; if it develops, the metastatic type fits these values.",
    "CL-82c": "Without calcium and phosphate that belong together the type of risk is undetermined.",
    "CL-82d": "The values do not settle the type of risk: undetermined.",
    "CL-82e": "No calcification is recorded; the values fit release or intake of phosphate (iatrogenic or mixed).",
    "CL-83": "Calcification is recorded with a cause that raises calcium or phosphate: metastatic type.",
    "CL-84": "Calcification is recorded with damaged tissue, calcium and phosphate in range: dystrophic type.",
    "CL-86": "Calcification is recorded after exposure to calcium or phosphate at the site: iatrogenic type.",
    "CL-87": (
        "Calcification is recorded with calcium and phosphate in range and no cause recorded: idiopathic type, only "
        "as good as the record."
    ),
    "CL-88": (
        "Calcification is recorded with damaged tissue and abnormal calcium or phosphate: mixed, dystrophic with a "
        "metastatic part."
    ),
    "CL-89": ("Probable {pathway}; metastatic calcification cannot be excluded without calcium and phosphate."),
    "CL-90": "Calcification is recorded; its type is undetermined without calcium and phosphate.",
    "CL-91": ("Calciphylaxis is recorded: metastatic type. Calcium and phosphate in or near range do not exclude it."),
    "CL-92": "Tissue disease and kidney disease recorded; check trend of calcium and phosphate.",
    "CL-93": "Calcium infusion injury with kidney failure or a high product: iatrogenic with a metastatic part.",
    "CL-94": "The tissue disease on the record is listed, not blamed: nothing calcified is recorded.",
    "CL-95": "A raised PTH with calcium in range is mentioned, not called the cause.",
    "CL-97": "Tumoral calcinosis: the type follows kidney function and phosphate.",
}
"""What a rule of section 6 concludes."""

NOT_EXCLUDED = "Calcium, phosphate and product in or near range do not exclude it."
"""Said for every documented calcifying disease (CL-58)."""

NEWER_AFTER_DIALYSIS = (
    "A newer sample, of {date}, was taken after dialysis (calcium x phosphate {newer}); phosphate rebounds, so it does "
    "not replace the one from before dialysis."
)
"""Said where a pair from before dialysis speaks although a newer one is there (CL-43)."""

KIDNEY_TREND = "Kidney disease recorded; check trend of calcium and phosphate."
"""Said where kidney disease stands beside calcification of another type (CL-92)."""

FLAGS: dict[str, str] = {
    "unit_mg_per_L": "A value was given in mg/L and divided by 10.",
    "decimal_comma": "A decimal comma was read as a decimal point.",
    "comparator": "A value carries a comparator and counts as a bound only.",
    "not_interpretable": "A calcium or phosphate result is not a plain number with a known unit and was not used.",
    "unit_suspect": "A result was refused for its unit or size: not plausible, not used.",
    "no_pair": (
        "Calcium and phosphate do not belong together: drawn too far apart, or with dialysis, intravenous calcium, a "
        "phosphate load or surgery between the draws. They were not multiplied."
    ),
    "urine_rejected": "A urine result was left out.",
    "specimen_rejected": "A result of another fluid than blood was left out.",
    "other_subject": "A result that belongs to another patient was left out.",
    "time_uncertain": "Only the reporting time of a result is known, not its collection time.",
    "sample_quality": "The laboratory remarked on the sample (haemolysis or similar): phosphate may be falsely high.",
    "protein_gap": "{protein}phosphate may be falsely high (interference by a paraprotein).",
    "phosphate_extreme": "Phosphate is extreme without a recorded reason: it may be falsely high (interference).",
    "drug_interference": "A medicine that disturbs the phosphate test is recorded: phosphate may be falsely high.",
    "calcium_discordant": "Ionised and total calcium contradict each other; one value or unit is probably wrong.",
    "straddle": (
        "Measured and corrected product fall on different sides of a limit; in kidney disease albumin correction "
        "agrees poorly with ionised calcium; consider measuring it."
    ),
    "post_dialysis": (
        "The sample was taken after dialysis; phosphate rebounds, so a lower value is not a change for the better."
    ),
    "stale_values": "Only old values are on the record.",
    "pending_result": "A result is pending (preliminary or registered) and was not used.",
    "incomplete_data": "Part of the record could not be read; the picture may be incomplete.",
}
"""Remarks on the data; a missing analyte is told among the gaps."""

ARTEFACTS: dict[str, str] = {
    "protein_gap": "interference by protein",
    "sample_quality": "sample quality",
    "phosphate_extreme": "extreme without recorded reason",
    "drug_interference": "drug interference",
}
"""Short reasons to confirm a phosphate, for the summary (CL-27)."""

POPULATIONS: dict[str, str] = {
    "adolescent": "Adolescent: the limit for 13 to 17 years (K/DOQI 2005) counts; consider paediatric nephrology.",
    "child": "Child: the limit for 1 to 12 years (K/DOQI 2005) counts; consider paediatric nephrology.",
    "infant": "Infant: adult thresholds are not validated in infants.",
    "newborn": "Newborn: adult thresholds are not validated in newborns.",
    "age-unknown": "Age unknown: adult thresholds were used.",
    "pregnancy": "Pregnancy: thresholds are not validated in pregnancy; no advice on medicines is given.",
    "palliative": "Palliative care is recorded.",
    "post-parathyroidectomy": (
        "Parathyroid surgery in the last 90 days: hungry-bone hypocalcaemia is possible; no change of calcium or "
        "vitamin D is suggested."
    ),
    "transplant": "A transplant is recorded: thresholds are not validated after transplantation.",
}

RISK_FACTORS: dict[str, str] = {
    "vitamin-k-antagonist": "vitamin K antagonist",
    "calcium-therapy": "calcium therapy",
    "active-vitamin-d": "active vitamin D",
    "diabetes": "diabetes",
    "obesity": "obesity",
    "low-albumin": "low albumin",
    "female-sex": "female sex",
    "dialysis": "dialysis",
}

GROUPS: dict[str, str] = {
    "oral_calcium": "oral calcium",
    "iv_calcium": "intravenous calcium",
    "phosphate_salt": "phosphate salt",
    "alkali": "alkali",
    "nutritional_vitamin_d": "vitamin D",
    "active_vitamin_d": "active vitamin D",
    "vka": "vitamin K antagonist",
    "thiazide": "thiazide",
    "lithium": "lithium",
    "retinoid": "retinoid",
    "pth_analogue": "PTH analogue",
}

KIDNEY_CAUSES = frozenset(
    {
        "chronic-renal-failure",
        "ckd-stage-1",
        "ckd-stage-2",
        "ckd-stage-3",
        "ckd-stage-4",
        "ckd-stage-5",
        "esrd-dialysis",
        "acute-kidney-injury",
    }
)

PAIR_CLASSES: dict[str, str] = {
    "A": "same draw",
    "B": "drawn {gap} apart",
    "C": "drawn {gap} apart, an approximate pair",
}

PROPER_NAMES = ("Paget", "Down", "Ehlers", "Werner", "Rothmund", "CREST")
"""First words of cause names that keep their capital inside a sentence."""
