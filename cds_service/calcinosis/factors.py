"""Risk factors of calciphylaxis, medicines that matter, and the advice that may be given.

Knows: CL-53 (modifiable list), CL-79, CL-80, and when CL-100 to CL-109 apply and CL-110 to CL-115 forbid them.
Must not know: words; risk factors are listed, never added up.
"""

from collections import defaultdict
from collections.abc import Iterable

from cds_service.calcinosis.assessment import ActiveExposure, CalcinosisType, Dialysis, RiskFactor, Tier
from cds_service.calcinosis.chart import MODIFIABLE_GROUPS, Chart
from cds_service.calcinosis.facts import Exposure, Mark, Position, Sex
from cds_service.calcinosis.names import CauseId, Concept, Group, Input
from cds_service.calcinosis.tier import ARTEFACT_GUARDS

SHOWN_GROUPS = (
    Group.VKA,
    Group.ORAL_CALCIUM,
    Group.IV_CALCIUM,
    Group.ACTIVE_VITAMIN_D,
    Group.NUTRITIONAL_VITAMIN_D,
    Group.PHOSPHATE_SALT,
    Group.ALKALI,
    Group.THIAZIDE,
    Group.LITHIUM,
    Group.RETINOID,
    Group.PTH_ANALOGUE,
)
# In the order of urgency; a card shows the first three that apply.
ADVICE_ORDER = (
    "CL-108",
    "CL-105",
    "CL-103",
    "CL-104",
    "CL-109",
    "CL-106",
    "CL-101",
    "CL-102",
    "CL-107",
    "CL-100",
)
ADVICE_SHOWN = 3
DRUG_ADVICE = frozenset({"CL-101", "CL-104", "CL-106"})
ONE_DRAW = (Input.CALCIUM, Input.PHOSPHATE, Input.ALBUMIN)


def exposures(chart: Chart) -> tuple[ActiveExposure, ...]:
    """Return the active medicines that matter, modifiable ones first (CL-53, CL-80)."""
    by_drug: dict[str, list[Exposure]] = defaultdict(list)
    for exposure in chart.medicines(*SHOWN_GROUPS):
        by_drug[exposure.drug].append(exposure)
    shown = [
        ActiveExposure(
            group=found[0].group,
            drug=drug,
            name=found[0].name,
            modifiable=found[0].group in MODIFIABLE_GROUPS,
            evidence=tuple(dict.fromkeys(e.reference for e in found)),
        )
        for drug, found in by_drug.items()
    ]
    order = [str(group) for group in SHOWN_GROUPS]
    return tuple(sorted(shown, key=lambda e: (not e.modifiable, order.index(e.group), e.drug)))


def risk_factors(chart: Chart) -> tuple[RiskFactor, ...]:
    """Return the calciphylaxis risk factors that are present, in the order of CL-80."""
    criteria = chart.knowledge.criteria
    bmi, albumin = chart.latest(Input.BMI), chart.latest(Input.ALBUMIN)
    obese = [f.reference for f in chart.active(Concept.OBESITY)]
    if bmi is not None and bmi.value is not None and bmi.value >= criteria.obesity_bmi_kg_m2:
        obese.append(bmi.reference)
    low_albumin = []
    if albumin is not None and albumin.value is not None and albumin.value < criteria.low_albumin_g_dl:
        low_albumin.append(albumin.reference)
    kidney = chart.ckd[1] if chart.ckd is not None and chart.ckd[0] == CauseId.ESRD else ()
    evidence: dict[str, Iterable[str]] = {
        "vitamin-k-antagonist": [e.reference for e in chart.medicines(Group.VKA)],
        "calcium-therapy": [e.reference for e in chart.medicines(Group.ORAL_CALCIUM, Group.IV_CALCIUM)],
        "active-vitamin-d": [e.reference for e in chart.medicines(Group.ACTIVE_VITAMIN_D)],
        "diabetes": [f.reference for f in chart.active(Concept.DIABETES)],
        "obesity": obese,
        "low-albumin": low_albumin,
        "female-sex": [chart.facts.patient_reference] if chart.facts.sex is Sex.FEMALE else [],
        "dialysis": kidney if chart.dialysis is Dialysis.MAINTENANCE else (),
    }
    return tuple(RiskFactor(name, tuple(dict.fromkeys(refs))) for name, refs in evidence.items() if refs)


def advice(
    chart: Chart,
    *,
    tier: Tier,
    from_values: bool,
    flags: frozenset[Mark],
    calcium: Position,
    phosphate: Position,
    product_high: bool,
    severe: bool,
    unusable: bool,
    pathway: CalcinosisType,
    calciphylaxis: bool,
) -> tuple[str, ...]:
    """Return the ids of the advice rules that apply, at most three (CL-100 to CL-109, CL-110 to CL-115).

    from_values: the tier rests on laboratory values. severe: calcium at or above the limit of CL-55.
    """
    if tier is Tier.NONE:
        return ()
    kidney = chart.kidney_grade is not None and chart.kidney_grade >= 3
    doubtful = any(guard in flags for guard in ARTEFACT_GUARDS)
    pth = chart.latest_position(Input.PTH)
    applies = {
        "CL-100": from_values,
        "CL-101": calcium is Position.HIGH and kidney and "post-parathyroidectomy" not in chart.population,
        "CL-102": phosphate is Position.HIGH and kidney,
        "CL-103": product_high and not doubtful and chart.age_group in ("adult", "age-unknown"),
        "CL-104": calciphylaxis or (chart.has(Concept.SKIN_FINDING) and kidney),
        "CL-105": severe,
        "CL-106": calcium is Position.HIGH and pth is Position.LOW,
        "CL-107": pathway is CalcinosisType.DYSTROPHIC,
        "CL-108": doubtful or Mark.UNIT_SUSPECT in flags,
        "CL-109": unusable,
    }
    pregnant = "pregnancy" in chart.population
    kept = [rule for rule in ADVICE_ORDER if applies[rule] and not (pregnant and rule in DRUG_ADVICE)]
    return tuple(kept[:ADVICE_SHOWN])


def missing_tests(
    chart: Chart, *, tier: Tier, from_values: bool, unusable: bool, flags: frozenset[Mark], corrected: bool
) -> tuple[str, ...]:
    """Return the laboratory tests that confirm the tier or lack for it (CL-100, CL-109); none in palliative care.

    from_values: the tier rests on laboratory values. corrected: the calcium of the product is an adjusted or corrected
    one, so that the correction matters. PTH and vitamin D are wanted when there is none within the context window.
    """
    if tier is Tier.NONE or not (from_values or unusable) or "palliative" in chart.population:
        return ()
    ionized = chart.latest(Input.IONIZED_CALCIUM, Input.IONIZED_CALCIUM_PH74)
    lacks = {
        Input.IONIZED_CALCIUM: (corrected and ionized is None) or Mark.CALCIUM_DISCORDANT in flags,
        Input.PTH: chart.latest(Input.PTH) is None,
        Input.VITAMIN_D_25: chart.latest(Input.VITAMIN_D_25, Input.VITAMIN_D_25_D3) is None,
    }
    return (*ONE_DRAW, *(name for name, wanted in lacks.items() if wanted))
