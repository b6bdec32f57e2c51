"""The advice a card may give (CL-100 to CL-109), with its basis; options to weigh, never an order and never a dose.

One row an advice id. A clinician reviews the words here; which of them apply is decided by the core.
Must not know: patients.
"""

from typing import NamedTuple


class Advice(NamedTuple):
    """words: the point. basis: its source in words. no_drugs: the words in pregnancy (CL-157), "" for none."""

    words: str
    basis: str
    no_drugs: str


_REPEAT = (
    "Consider repeating calcium, phosphate and albumin in one draw{ionized}; PTH, creatinine with eGFR and "
    "25-OH vitamin D where absent in the last 90 days."
)
_SKIN = "{when}; consider examining the skin for painful, livedoid, indurated or ulcerated areas."
_MISSING = "Consider measuring {missing} (calcium, phosphate and albumin in one draw)."
_URGENT = "Consider urgent assessment by the responsible team{pth}."
_ARTEFACT = (
    "Consider a repeat on a fresh peripheral draw to confirm {confirm}, and asking the laboratory about unit and "
    "interference{protein}."
)
_DYSTROPHIC = (
    "Consider rheumatology or dermatology follow-up of the underlying disease; with values in range, treatment "
    "aimed at calcium is not indicated."
)

ADVICE: dict[str, Advice] = {
    "CL-100": Advice(_REPEAT, "KDIGO 2017, 3.1", _REPEAT),
    "CL-101": Advice(
        "Consider reviewing calcium-based binders and active vitamin D: calcium is above range in kidney disease.",
        "K/DOQI 2003, 6.3; KDIGO 2017 on calcium-based binders",
        "",
    ),
    "CL-102": Advice(
        "Consider reviewing diet, binder adherence and dialysis adequacy with nephrology; the aim is phosphate "
        "towards its normal range.",
        "KDIGO 2017, 4.1.2",
        "Consider reviewing diet with nephrology; the aim is phosphate towards its normal range.",
    ),
    "CL-103": Advice(_SKIN, "expert opinion; Nunley 2020", _SKIN),
    "CL-104": Advice(
        "Consider urgent dermatology and nephrology opinion; review a vitamin K antagonist for an alternative "
        "anticoagulant with its indication in view (anticoagulation is not to lapse); review {calcium}iron and skin "
        "trauma such as injection sites.",
        "Nigwekar 2015",
        "Consider urgent dermatology and nephrology opinion.",
    ),
    "CL-105": Advice(
        _URGENT,
        "local hypercalcaemia pathway",
        _URGENT,
    ),
    "CL-106": Advice(
        "Consider PTHrP, 25-OH and 1,25-(OH)2 vitamin D and protein electrophoresis where absent, and a review of "
        "{supplements}thiazides.",
        "Tebben 2016",
        "Consider PTHrP, 25-OH and 1,25-(OH)2 vitamin D and protein electrophoresis where absent.",
    ),
    "CL-107": Advice(_DYSTROPHIC, "Nunley 2020", _DYSTROPHIC),
    "CL-108": Advice(_ARTEFACT, "AACC 2012; Clin Biochem 1995", _ARTEFACT),
    "CL-109": Advice(_MISSING, "KDIGO 2017, 3.1", _MISSING),
}

HYPOCALCAEMIA = (
    "Low calcium with high phosphate: the target is phosphate. Calcium for symptomatic hypocalcaemia (tetany, "
    "seizure, arrhythmia, long QT), for hyperkalaemia with ECG change or in cardiac arrest is not to be delayed "
    "because of this card."
)
"""Said whenever calcium is low beside a high phosphate (CL-111)."""

NEPHROLOGY_TODAY = "Consider discussing with nephrology today"
NEPHROLOGY_DAYS = "Consider discussing with nephrology within days"
"""CL-103: ward and emergency, or outpatient."""
