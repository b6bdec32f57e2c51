"""The words of order cards, of suggestions and of orders that could not be judged.

Tables only, for review by a clinician. Names in braces are limits of mappings/criteria.toml, {drugs} the medicines of
the order, {because} what the finding rests on. Must not know: patients.
"""

from typing import NamedTuple

from cds_service.calcinosis.orders import Emergency, Reason, Unjudged


class Panel(NamedTuple):
    """Laboratory tests that are offered under one label. inputs: of mappings/inputs.csv."""

    label: str
    inputs: tuple[str, ...]


PANELS: tuple[Panel, ...] = (
    Panel("Order calcium, phosphate and albumin from one draw", ("ca_total", "phosphate", "albumin")),
    Panel("Order ionised calcium", ("ca_ionized",)),
    Panel("Order parathyroid hormone (PTH)", ("pth_intact",)),
    Panel("Order 25-OH vitamin D", ("vitd_25oh_total",)),
)
"""In the order in which they are offered (CL-100, CL-109)."""


class OrderWords(NamedTuple):
    """One order rule. summary: facts only. why: what may follow. advice: not in pregnancy (CL-157), with its basis."""

    summary: str
    why: str
    advice: str
    basis: str


_IV = OrderWords(
    "{because}: intravenous calcium ({drugs}) may precipitate calcium phosphate",
    "Intravenous calcium beside this phosphate or product may precipitate calcium phosphate in tissue and vessels. If "
    "it is meant for symptomatic hypocalcaemia, for hyperkalaemia with ECG change, in cardiac arrest, for "
    "calcium-channel-blocker poisoning or in massive transfusion: do not delay.",
    "Consider whether calcium is needed at once; the aim is phosphate towards its normal range.",
    "expert opinion; Nunley 2020",
)
_SODIUM_PHOSPHATE = (
    "Phosphate from an enema or an oral preparation is absorbed; deaths and tetany are published in kidney failure."
)

ORDERS: dict[str, OrderWords] = {
    "OT-1": _IV,
    "OT-1b": _IV,
    "OT-2": OrderWords(
        "{because} with {drugs} in the draft orders",
        "Calcium salts and active vitamin D raise calcium further. K/DOQI advises to reduce or hold calcium and active "
        "vitamin D while corrected calcium is above {order_calcium_high_mg_dl} mg/dL.",
        "Consider reviewing {drugs} until calcium is back in range.",
        "K/DOQI 2003, 6.3; KDIGO 2017 on calcium-based binders",
    ),
    "OT-3": OrderWords(
        "{drugs} with {because}: contraindicated group",
        f"{_SODIUM_PHOSPHATE} Kidney failure and high phosphate are contraindications.",
        "Consider a bowel preparation or laxative without phosphate.",
        "Intern Med 2008;47:643",
    ),
    "OT-3b": OrderWords(
        "{drugs} with {because}: phosphate may rise sharply",
        f"{_SODIUM_PHOSPHATE} A sharp rise is also published at 74 years with ordinary kidney function.",
        "Consider a bowel preparation or laxative without phosphate.",
        "Endoscopy 2003 (10.1055/s-2003-41507)",
    ),
    "OT-4": OrderWords(
        "{because}: phosphate ({drugs}) adds to the load",
        "Phosphate beside a high phosphate, a high calcium or a product above {product_warning_mg2_dl2} mg2/dL2 may "
        "precipitate as calcium phosphate.",
        "Consider whether phosphate is needed at present.",
        "expert opinion",
    ),
    "OT-5": OrderWords(
        "Calciphylaxis recorded as active, with a new order of a vitamin K antagonist ({drugs})",
        "Vitamin K antagonists are associated with calciphylaxis (odds ratio 11.4 in one study).",
        "Consider an alternative anticoagulant with the indication in view (mechanical valve, recent thrombosis); "
        "anticoagulation is not to lapse.",
        "Hayashi 2012; Nigwekar 2015",
    ),
    "OT-5b": OrderWords(
        "{because}, with a new order of a vitamin K antagonist ({drugs})",
        "Vitamin K antagonists are a risk factor of calciphylaxis in dialysis patients.",
        "Consider the indication and alternatives; anticoagulation is not to lapse.",
        "Hayashi 2012; Nigwekar 2016",
    ),
    "OT-6": OrderWords(
        "{because}, with {drugs} in the draft orders: calcium may rise",
        "Vitamin D may unmask or worsen hypercalcaemia in granulomatous disease and when calcium or 25-OH vitamin D is "
        "high.",
        "Consider measuring calcium, 25-OH and 1,25-(OH)2 vitamin D first.",
        "Amrein 2011; Tebben 2016",
    ),
    "OT-7": OrderWords(
        "{because}, with a thiazide ({drugs}) in the draft orders: thiazides raise calcium",
        "Thiazides lower the loss of calcium in urine and may raise calcium in blood.",
        "Consider whether a thiazide is wanted while calcium is high.",
        "Tebben 2016",
    ),
}

ORDER_TOPICS: dict[str, str] = {
    "OT-1": "Intravenous calcium with high phosphate or product",
    "OT-1b": "Intravenous calcium with high phosphate",
    "OT-2": "Calcium or active vitamin D with high calcium",
    "OT-3": "Sodium phosphate, contraindicated group",
    "OT-3b": "Sodium phosphate, group at risk",
    "OT-4": "Phosphate with high phosphate, calcium or product",
    "OT-5": "Vitamin K antagonist with calciphylaxis",
    "OT-5b": "Vitamin K antagonist on dialysis",
    "OT-6": "Vitamin D with a tendency to high calcium",
    "OT-7": "Thiazide with high calcium",
}
"""The static topic of an order card; a site may remember an acknowledgement against it."""

REASONS: dict[Reason, str] = {
    Reason.DIALYSIS: "dialysis recorded",
    Reason.KIDNEY_DISEASE: "{kidney} recorded",
    Reason.KIDNEY_INJURY: "acute kidney injury",
    Reason.OBSTRUCTION: "bowel obstruction recorded",
    Reason.CALCIPHYLAXIS: "calciphylaxis recorded as active",
    Reason.GRANULOMA: "granulomatous disease recorded",
    Reason.PRODUCT: "calcium x phosphate above its limit",
    Reason.CALCIUM: "calcium above range",
    Reason.IONIZED_CALCIUM: "ionised calcium above range",
    Reason.PHOSPHATE: "phosphate above range",
    Reason.EGFR: "eGFR below its limit",
    Reason.VITAMIN_D: "25-OH vitamin D above its limit",
    Reason.AGE: "age above its limit",
}
"""What is recorded; a value is written with number, unit and date wherever it is at hand."""

EMERGENCIES: dict[Emergency, str] = {
    Emergency.POTASSIUM: "potassium {potassium}",
    Emergency.HYPERKALAEMIA: "hyperkalaemia recorded",
    Emergency.CALCIUM: "calcium very low ({calcium})",
    Emergency.HYPOCALCAEMIA: "hypocalcaemia recorded",
    Emergency.POISONING: "calcium-channel-blocker poisoning recorded",
    Emergency.ARREST: "cardiac arrest recorded",
}

URGENT_SUMMARY = "{emergencies}: needed intravenous calcium ({drugs}) is not to be delayed; {because}"
URGENT_SUMMARY_SHORT = "{emergencies}: needed intravenous calcium ({drugs}) is not to be delayed"
URGENT = "Shown as information only, because calcium may be needed at once: {emergencies} (CL-111)."
NO_REMOVAL = {
    "CL-111": "Removal of the order is not offered, because calcium may be needed at once (CL-111).",
    "CL-113": "Removal of the order is not offered: parathyroid surgery was lately (CL-113).",
    "CL-157": "Removal of the order is not offered: no advice on medicines in pregnancy (CL-157).",
}
LOWERED = "Critical was withheld, shown as {tier}: {why}"
PALLIATIVE = "Palliative care is recorded: shown as information only (CL-158)."

REMOVE = "Remove the draft order {name}"
REMOVALS: dict[str, str] = {
    **dict.fromkeys(
        ("OT-1", "OT-1b"), f"{REMOVE}, unless calcium is needed at once (low calcium with symptoms, arrest)"
    ),
    **dict.fromkeys(
        ("OT-5", "OT-5b"), f"{REMOVE}, and arrange alternative anticoagulation with its indication in view"
    ),
}
"""By rule, where a removal is never offered without its exception (CL-111) or alternative (CL-112)."""

UNJUDGED: dict[Unjudged, str] = {
    Unjudged.NOT_CODED: "not coded, not judged",
    Unjudged.CODE_UNKNOWN: "its code is not known here, not judged",
    Unjudged.UNREADABLE: "could not be read, not judged",
    Unjudged.OTHER_PATIENT: "names another patient, not judged",
    Unjudged.NOT_TO_BE_GIVEN: "its status says that nothing is to be given, not judged",
    Unjudged.NOT_AMONG_DRAFTS: "selected, but not among the drafts",
    Unjudged.ROUTE_UNKNOWN: "its route is not stated, not judged",
    Unjudged.DOSE_UNKNOWN: "the amount a day is not stated exactly, not judged",
    Unjudged.VALUES_UNKNOWN: "calcium or phosphate unknown or too old, not judged",
    Unjudged.RECORD_UNREAD: "the problem list could not be read, not judged",
}
