"""The etiology question: which of the four types fits, and how firm that is.

Knows: the table and the conflict rules of section 6 (CL-81 to CL-97), the confidence scale.
Must not know: how causes or tiers were found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cds_service.calcinosis.assessment import Basis, CalcinosisType, CauseFound, Confidence, Tier
from cds_service.calcinosis.causes import Documented, Levels
from cds_service.calcinosis.chart import TRANSPLANTS
from cds_service.calcinosis.names import CauseId
from cds_service.calcinosis.tier import Ruling

METASTATIC, DYSTROPHIC = CalcinosisType.METASTATIC, CalcinosisType.DYSTROPHIC
IATROGENIC, IDIOPATHIC = CalcinosisType.IATROGENIC, CalcinosisType.IDIOPATHIC
MIXED, UNDETERMINED, NONE = CalcinosisType.MIXED, CalcinosisType.UNDETERMINED, CalcinosisType.NONE
HIGH, MODERATE, LOW = Confidence.HIGH, Confidence.MODERATE, Confidence.LOW

LOCAL_IATROGENIC = frozenset(
    {CauseId.PARENTERAL_CALCIUM, CauseId.PARENTERAL_PHOSPHATE, CauseId.ELECTRODE_PASTE, CauseId.HEEL_STICKS}
)
VALUE_RULES = frozenset({"CL-50", "CL-51", "CL-52", "CL-53", "CL-55", "CL-56", "CL-153", "CL-154"})


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A pathway with the rule that gave it and the most confidence that the rule allows."""

    pathway: CalcinosisType
    rule: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Picture:
    """All that section 6 looks at.

    product_high, product_low: the product is above 70, or at most 55; both False when there is none.
    ruling: the tier that stands before palliative care is considered.
    guarded: an artefact guard, a newborn's or a post-dialysis value stands in the way (CL-82d).
    unusable: calcium or phosphate missing, stale, refused or unpaired.
    suspected: calcifications that the record only suspects (CL-10).
    """

    levels: Levels
    product_high: bool
    product_low: bool
    ruling: Ruling
    guarded: bool
    unusable: bool
    awaits_values: bool
    causes: Sequence[CauseFound]
    calcifications: Sequence[Documented]
    suspected: Sequence[Documented] = ()

    def blames(self, *ids: str) -> bool:
        """Tell whether one of these causes was found."""
        return any(cause.id in ids for cause in self.causes)

    def suspects(self, concept: str) -> bool:
        """Tell whether the record suspects this calcification."""
        return any(c.cause.id == concept for c in self.suspected)

    @property
    def tissue(self) -> bool:
        """A dystrophic cause is blamed, or dystrophic calcification is coded."""
        coded = any(c.cause.id == CauseId.DYSTROPHIC_CALCIFICATION for c in self.calcifications)
        return coded or any(cause.type is DYSTROPHIC for cause in self.causes)

    @property
    def iatrogenic(self) -> bool:
        """An exposure at the site is blamed, or tumour lysis under treatment (seed)."""
        return self.loaded or self.blames(*LOCAL_IATROGENIC, CauseId.TUMOUR_LYSIS)

    @property
    def loaded(self) -> bool:
        """A phosphate load is blamed; one that is merely possible never leads (section 4)."""
        loads = (CauseId.PHOSPHATE_LOAD, CauseId.PARENTERAL_PHOSPHATE)
        return any(cause.id in loads and cause.basis is not Basis.EXPOSURE for cause in self.causes)

    @property
    def metastatic_cause(self) -> bool:
        """A cause that raises calcium or phosphate is blamed; a graft alone is not one."""
        return any(
            cause.type is METASTATIC or cause.id in (CauseId.TUMORAL_CALCINOSIS, CauseId.RHABDOMYOLYSIS)
            for cause in self.causes
        )


def conclude(picture: Picture) -> Conclusion:
    """Return the type that fits (section 6, step 2)."""
    return _documented(picture) if picture.calcifications else _risk_only(picture)


def _risk_only(p: Picture) -> Conclusion:
    """Nothing calcified on the record: a pathway, never a diagnosis (CL-82 to CL-82e, CL-85, CL-94)."""
    if p.guarded:
        return Conclusion(UNDETERMINED, "CL-82d", LOW)
    if p.ruling.tier is not Tier.NONE and p.ruling.rule in VALUE_RULES:
        if p.blames(CauseId.TUMOUR_LYSIS):
            return Conclusion(MIXED, "CL-82e", MODERATE)
        if p.loaded:
            return Conclusion(IATROGENIC, "CL-82e", HIGH if p.product_high else MODERATE)
        return Conclusion(METASTATIC, "CL-82", HIGH) if p.product_high else Conclusion(METASTATIC, "CL-82a", MODERATE)
    if (p.unusable and p.awaits_values) or p.ruling.rule == "CL-57":
        return Conclusion(UNDETERMINED, "CL-82c", LOW)
    if p.suspected:
        return Conclusion(UNDETERMINED, "CL-10", LOW)
    return Conclusion(NONE, "CL-82b", HIGH)


def _documented(p: Picture) -> Conclusion:
    """Calcification is on the record (CL-81, CL-83 to CL-93, CL-97)."""
    concepts = {c.cause.id for c in p.calcifications}
    if CauseId.CALCIPHYLAXIS in concepts:
        return Conclusion(METASTATIC, "CL-91", HIGH)
    if p.iatrogenic and not p.levels.raised:
        return _documented_iatrogenic(p)
    if not p.levels.known and not p.levels.raised:
        return _documented_without_values(p, concepts)
    if p.levels.raised:
        return _documented_raised(p)
    if p.tissue:
        return Conclusion(DYSTROPHIC, "CL-84", HIGH)
    if CauseId.METASTATIC_CALCIFICATION in concepts:
        return Conclusion(METASTATIC, "CL-83", LOW)  # as coded; the present values do not show why
    if CauseId.TUMORAL_CALCINOSIS in concepts and _uraemic(p):
        return Conclusion(METASTATIC, "CL-97", MODERATE)
    if p.metastatic_cause and not p.blames(*TRANSPLANTS):
        return Conclusion(UNDETERMINED, "CL-87", LOW)  # never idiopathic beside kidney or parathyroid disease
    return Conclusion(IDIOPATHIC, "CL-87", MODERATE)


def _documented_iatrogenic(p: Picture) -> Conclusion:
    if p.levels.known:
        return Conclusion(MIXED if p.tissue else IATROGENIC, "CL-86", MODERATE)
    if p.tissue or (p.metastatic_cause and _uraemic(p)):
        return Conclusion(MIXED, "CL-93" if _uraemic(p) else "CL-89", LOW)
    return Conclusion(IATROGENIC, "CL-89", LOW)


def _documented_without_values(p: Picture, concepts: set[str]) -> Conclusion:
    if p.tissue:
        return Conclusion(DYSTROPHIC, "CL-89", LOW)
    if CauseId.METASTATIC_CALCIFICATION in concepts:
        return Conclusion(METASTATIC, "CL-83", LOW)
    return Conclusion(UNDETERMINED, "CL-90", LOW)


def _documented_raised(p: Picture) -> Conclusion:
    if p.iatrogenic:
        mixed = p.product_high or p.tissue or (p.metastatic_cause and _uraemic(p))
        return Conclusion(MIXED if mixed else IATROGENIC, "CL-93" if mixed else "CL-86", MODERATE)
    if p.tissue:
        return Conclusion(MIXED, "CL-88", MODERATE)
    if p.product_high:
        return Conclusion(METASTATIC, "CL-81", HIGH)
    coded = any(c.cause.id == CauseId.METASTATIC_CALCIFICATION for c in p.calcifications)
    if p.metastatic_cause or coded:
        return Conclusion(METASTATIC, "CL-83", LOW if p.product_low else MODERATE)
    return Conclusion(UNDETERMINED, "CL-83", LOW)  # abnormal values without a cause: the table has no row


def _uraemic(p: Picture) -> bool:
    return p.blames(CauseId.ESRD, CauseId.CKD_5, CauseId.CKD_4, CauseId.CKD_3, CauseId.CKD, CauseId.AKI)


def documented_type(calcifications: Sequence[Documented]) -> CalcinosisType:
    """Return the type that is on the record; undetermined when it is open or the codes disagree."""
    types = set()
    for calcification in calcifications:
        concept = calcification.cause.id
        if concept == CauseId.METASTATIC_CALCIFICATION:
            types.add(METASTATIC)
        elif concept == CauseId.DYSTROPHIC_CALCIFICATION:
            types.add(DYSTROPHIC)
        elif calcification.cause.type is not None:
            types.add(calcification.cause.type)
    if not calcifications:
        return NONE
    return types.pop() if len(types) == 1 else UNDETERMINED


def confidence(conclusion: Conclusion, weaknesses: Sequence[str]) -> Confidence:
    """Return high, moderate for one weakness, low for two or more; never above what the rule allows."""
    counted = HIGH if not weaknesses else MODERATE if len(weaknesses) == 1 else LOW
    order = (LOW, MODERATE, HIGH)
    return min(counted, conclusion.confidence, key=order.index)
