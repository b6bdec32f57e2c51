"""Why a card is shown, one row a headline rule: the finding and what it is associated with, never what it foretells.

Names in braces are limits of mappings/criteria.toml, or {calcium}. Must not know: patients.
"""

REASONS: dict[str, str] = {
    "CL-27": (
        "The phosphate is to be confirmed before the product is judged: interference is a common reason for a value "
        "like this."
    ),
    "CL-50": (
        "The product is above {product_critical_mg2_dl2} mg2/dL2 with calcium or phosphate above range. In this range "
        "calcium phosphate may precipitate in sound skin and tissue (metastatic calcification). "
        "{product_critical_mg2_dl2} is a historic limit, not a proven cut-off: an association."
    ),
    "CL-51": (
        "The product is above {product_critical_mg2_dl2} mg2/dL2, the historic limit associated with metastatic "
        "calcification, but the data are not firm enough for the highest level."
    ),
    "CL-52": (
        "The product is above {product_warning_mg2_dl2} mg2/dL2, the K/DOQI target, and not above the historic limit "
        "of {product_critical_mg2_dl2}. It is associated with calcification of soft tissue."
    ),
    "CL-53": (
        "The product is above {product_warning_mg2_dl2} mg2/dL2, the K/DOQI target, in a patient on maintenance "
        "dialysis. This is frequent; KDIGO looks at the trend rather than at one value."
    ),
    "CL-55": (
        "Severe hypercalcaemia ({calcium}): this matters whatever the product. A product below "
        "{product_critical_mg2_dl2} mg2/dL2 does not rule out calcification."
    ),
    "CL-56": (
        "Calcium is at or above {calcium_moderate_mg_dl} mg/dL ({calcium}); the product alone would not show it. A "
        "product below {product_critical_mg2_dl2} mg2/dL2 does not rule out calcification."
    ),
    "CL-57": (
        "One of calcium and phosphate is markedly raised, the other is not usable with it: the product is unknown."
    ),
    "CL-58": "A calcifying disease is on the record.",
    "CL-59": "Calcinosis is on the record; this card sorts its type from the values and causes on the record.",
    "CL-60": (
        "A cause of high calcium or phosphate is on the record, and calcium or phosphate is not usable: calcium x "
        "phosphate cannot be calculated, and this is not a normal result."
    ),
    "CL-151": (
        "The product is above {product_critical_mg2_dl2} mg2/dL2. This adult threshold is not validated in newborns "
        "and infants, whose phosphate is higher by age; calcium and phosphate are not judged."
    ),
    "CL-153": (
        "The product is above {product_child_mg2_dl2} mg2/dL2, the K/DOQI limit for children, with a value above its "
        "range for age."
    ),
    "CL-154": "The product is above {product_adolescent_mg2_dl2} mg2/dL2, the K/DOQI limit for adolescents.",
    "": "Calcium and phosphate on this record call for a look.",
}

SUSPECTED = "A calcification is suspected on the record and not confirmed: its type stays open, and it names no cause."
"""Said instead of the row of CL-58 or CL-59 where the calcification is only suspected (CL-10)."""
