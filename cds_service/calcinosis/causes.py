"""Which causes on the record explain the values or the documented calcification, and what is there but not blamed.

Knows: the recorded form of section 4, documented calcification (contract, section 8), iatrogenic exposures (CL-86).
Must not know: codes, tiers, words. Longer than 300 lines because what counts and what does not is decided together.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from cds_service.calcinosis.assessment import AlsoRecorded, Basis, CalcinosisType, CauseFound
from cds_service.calcinosis.chart import ALONE, CKD_BY_SEVERITY, TRANSPLANTS, Chart, states
from cds_service.calcinosis.facts import Finding, Position, Route, Taken
from cds_service.calcinosis.knowledge import Cause
from cds_service.calcinosis.names import CauseId, Concept, EventKind, Group

# Active codes of these say nothing of today once they are old (README-conditions: look-back for acute causes).
ACUTE_CAUSES = frozenset({CauseId.AKI, CauseId.TUMOUR_LYSIS, CauseId.RHABDOMYOLYSIS, CauseId.PHOSPHATE_LOAD})
# Count as a cause of high calcium only where calcium is high, or not known (CL-68, CL-71, corrections).
ONLY_WITH_HIGH_CALCIUM = frozenset(
    {
        CauseId.SARCOIDOSIS,
        CauseId.GRANULOMA_OTHER,
        CauseId.INFECTIOUS_GRANULOMA,
        CauseId.BONE_METASTASES,
        CauseId.BONE_MALIGNANCY,
        CauseId.PAGET,
        CauseId.OSTEOLYSIS,
        CauseId.IMMOBILISATION,
    }
)
GRANULOMATOUS_INFECTIONS = frozenset({CauseId.HISTOPLASMOSIS, CauseId.CRYPTOCOCCOSIS})
# Associations in the article, never drivers (remarks in mappings/causes.csv).
NEVER_BLAMED = frozenset(
    {
        CauseId.CKD_1,
        CauseId.CKD_2,
        CauseId.VITAMIN_D_DEFICIENCY,
        CauseId.DOWN_SYNDROME,
        CauseId.TRAUMA,
        CauseId.FOREIGN_BODY,
    }
)
RULE_OF_CAUSE: dict[str, str] = {
    **{cause: "CL-62" for cause in CKD_BY_SEVERITY},
    CauseId.AKI: "CL-63",
    CauseId.PRIMARY_HPT: "CL-64",
    CauseId.SECONDARY_HPT: "CL-65",
    CauseId.TERTIARY_HPT: "CL-66",
    CauseId.HPT_UNSPECIFIED: "CL-64",
    CauseId.PARANEOPLASTIC: "CL-67",
    **{
        cause: "CL-68"
        for cause in (
            CauseId.BONE_METASTASES,
            CauseId.BONE_MALIGNANCY,
            CauseId.PAGET,
            CauseId.OSTEOLYSIS,
            CauseId.IMMOBILISATION,
        )
    },
    CauseId.MILK_ALKALI: "CL-69",
    CauseId.VITAMIN_D_EXCESS: "CL-70",
    **{
        cause: "CL-71"
        for cause in (
            CauseId.SARCOIDOSIS,
            CauseId.GRANULOMA_OTHER,
            CauseId.INFECTIOUS_GRANULOMA,
            CauseId.HISTOPLASMOSIS,
            CauseId.CRYPTOCOCCOSIS,
        )
    },
    CauseId.TUMOUR_LYSIS: "CL-72",
    CauseId.PHOSPHATE_LOAD: "CL-73",
    CauseId.PARENTERAL_PHOSPHATE: "CL-73",
    CauseId.RHABDOMYOLYSIS: "CL-74",
    CauseId.TREATED_HYPOPARATHYROIDISM: "CL-75",
    CauseId.TUMORAL_CALCINOSIS: "CL-76",
    CauseId.CALCIPHYLAXIS: "CL-77",
    **{cause: "CL-78" for cause in TRANSPLANTS},
    CauseId.PARENTERAL_CALCIUM: "CL-86",
    CauseId.ELECTRODE_PASTE: "CL-86",
    CauseId.HEEL_STICKS: "CL-86",
}


@dataclass(frozen=True, slots=True)
class Levels:
    """Where calcium and phosphate stand at present; unknown when missing, refused or stale."""

    calcium: Position
    phosphate: Position

    @property
    def known(self) -> bool:
        """Both are known."""
        return Position.UNKNOWN not in (self.calcium, self.phosphate)

    @property
    def raised(self) -> bool:
        """At least one is above range."""
        return Position.HIGH in (self.calcium, self.phosphate)


@dataclass(frozen=True, slots=True)
class Documented:
    """A calcification that is on the record. concept: its id; evidence: the Conditions; active: not only history."""

    cause: Cause
    evidence: tuple[str, ...]
    active: bool


def found(chart: Chart, cause: str, basis: Basis, evidence: Iterable[str], *rules: str) -> CauseFound:
    """Return a cause with its name and type from the content, its own rule first."""
    known = chart.knowledge.causes[cause]
    own = RULE_OF_CAUSE.get(cause)
    return CauseFound(
        id=cause,
        name=known.name,
        type=known.type or CalcinosisType.UNDETERMINED,
        basis=basis,
        evidence=tuple(dict.fromkeys(evidence)),
        rules=tuple(dict.fromkeys([*([own] if own else []), *rules])),
    )


# ---- what is documented


def documented(chart: Chart, *, suspected: bool = False) -> tuple[Documented, ...]:
    """Return the calcifications on the record: an exact code, or two codes of one Condition that single out one.

    suspected: those that are suspected (CL-10) instead of those that are confirmed.
    """
    stated: dict[str, list[Finding]] = defaultdict(list)
    for finding in chart.facts.findings:
        cause = chart.knowledge.causes.get(finding.concept)
        if cause is not None and cause.documents_calcification and finding.suspected is suspected:
            stated[finding.reference].append(finding)
    by_concept: dict[str, list[Finding]] = defaultdict(list)
    for findings in stated.values():
        for concept in _concepts_documented(findings):
            by_concept[concept] += [f for f in findings if f.concept == concept]
    return tuple(
        Documented(
            chart.knowledge.causes[concept],
            tuple(dict.fromkeys(f.reference for f in findings)),
            any(f.active for f in findings),
        )
        for concept, findings in sorted(by_concept.items())
        if any(f.active or f.history_counts for f in findings)
    )


def _concepts_documented(findings: list[Finding]) -> set[str]:
    """Return the concepts that the codes of one Condition document (contract, section 8)."""
    exact = {f.concept for f in findings if f.specificity in ALONE}
    if exact:
        return exact
    by_code: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        by_code[finding.code].add(finding.concept)
    if len(by_code) < 2:
        return set()
    shared = set.intersection(*by_code.values())
    return shared if len(shared) == 1 else set()


def other_calcification(chart: Chart) -> tuple[AlsoRecorded, ...]:
    """Return vascular, renal or intracranial calcification, which is not calcinosis of the skin (CL-96)."""
    return tuple(
        AlsoRecorded(id=None, text=f"other calcification recorded: {name}", evidence=evidence)
        for name, evidence in _by_name(chart.active(Concept.OTHER_CALCIFICATION)).items()
    )


def skin_findings(chart: Chart) -> tuple[AlsoRecorded, ...]:
    """Return skin findings in kidney disease, which raise CL-53 to a warning and call for CL-104."""
    if chart.kidney_grade is None or chart.kidney_grade < 3:
        return ()
    return tuple(
        AlsoRecorded(id=None, text=f"skin finding recorded: {name}", evidence=evidence)
        for name, evidence in _by_name(chart.active(Concept.SKIN_FINDING)).items()
    )


def suspected(chart: Chart) -> tuple[AlsoRecorded, ...]:
    """Return what the record suspects: it is told as suspected and names no cause (CL-10)."""
    evidence: dict[str, list[str]] = defaultdict(list)
    for finding in chart.facts.findings:
        cause = chart.knowledge.causes.get(finding.concept)
        if cause is None or not (finding.suspected and finding.active and finding.specificity in ALONE):
            continue
        if cause.type is not None or cause.documents_calcification:
            evidence[cause.id].append(finding.reference)
    return tuple(
        AlsoRecorded(id=cause, text=f"{chart.knowledge.causes[cause].name}, suspected", evidence=refs, suspected=True)
        for cause, refs in sorted((cause, tuple(dict.fromkeys(refs))) for cause, refs in evidence.items())
    )


def _by_name(findings: Iterable[Finding]) -> dict[str, tuple[str, ...]]:
    names: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        names[finding.name].append(finding.reference)
    return {name: tuple(dict.fromkeys(references)) for name, references in sorted(names.items())}


# ---- causes on the record


def recorded(
    chart: Chart, levels: Levels, calcifications: tuple[Documented, ...]
) -> tuple[list[CauseFound], list[AlsoRecorded]]:
    """Return the recorded causes that count now, and those that are on the record but not blamed."""
    counted: list[CauseFound] = []
    aside: list[AlsoRecorded] = [*other_calcification(chart), *skin_findings(chart), *suspected(chart)]
    evidence = _recorded_evidence(chart, calcifications)
    for cause_id, references in evidence.items():
        cause = chart.knowledge.causes[cause_id]
        if cause.type is None:
            continue
        stated = any(set(references) & set(calcification.evidence) for calcification in calcifications)
        if (stated and cause_id not in NEVER_BLAMED) or _counts(chart, cause, levels, calcifications):
            counted.append(found(chart, cause_id, Basis.RECORDED, references))
        else:
            aside.append(AlsoRecorded(id=cause_id, text=cause.name, evidence=references))
    return counted, aside


def _recorded_evidence(chart: Chart, calcifications: tuple[Documented, ...]) -> dict[str, tuple[str, ...]]:
    """Return the evidence of each recorded cause; kidney disease once, as the most specific id."""
    found_by_cause: dict[str, list[str]] = defaultdict(list)
    for finding in chart.facts.findings:
        if finding.concept in chart.knowledge.causes and states(finding):
            found_by_cause[finding.concept].append(finding.reference)
    for cause, references in chart.transplants.items():
        found_by_cause[cause] = list(references)
    for calcification in calcifications:
        found_by_cause[calcification.cause.id] = list(calcification.evidence)
    for cause in CKD_BY_SEVERITY:
        found_by_cause.pop(cause, None)
    if chart.ckd is not None:
        found_by_cause[chart.ckd[0]] = list(chart.ckd[1])
    return {cause: tuple(dict.fromkeys(refs)) for cause, refs in found_by_cause.items()}


def _counts(chart: Chart, cause: Cause, levels: Levels, calcifications: tuple[Documented, ...]) -> bool:
    """Tell whether a recorded cause explains something now (section 4, CL-83 to CL-97)."""
    cause_id = cause.id
    if cause_id in NEVER_BLAMED or (cause_id in ACUTE_CAUSES and is_long_ago(chart, cause_id)):
        return False
    if cause_id in ONLY_WITH_HIGH_CALCIUM:
        return levels.calcium in (Position.HIGH, Position.UNKNOWN)
    if cause_id in GRANULOMATOUS_INFECTIONS:
        return levels.calcium is Position.HIGH or bool(calcifications)
    if cause_id == CauseId.TREATED_HYPOPARATHYROIDISM:
        return bool(chart.medicines(Group.ORAL_CALCIUM, Group.IV_CALCIUM, Group.ACTIVE_VITAMIN_D))
    if cause_id == CauseId.RHABDOMYOLYSIS:
        return levels.phosphate is not Position.NORMAL or bool(calcifications)
    if cause_id in TRANSPLANTS:
        return levels.raised or bool(calcifications)
    if cause.type is CalcinosisType.METASTATIC or cause.raises_product:
        return True
    return bool(calcifications) and (cause.tissue_damage or cause.type is not CalcinosisType.DYSTROPHIC)


def is_long_ago(chart: Chart, cause_id: str) -> bool:
    """Tell whether every record of an acute cause is older than its look-back; no date counts as present."""
    limit = chart.now - chart.knowledge.criteria.acute_cause_window
    dates = [f.since for f in chart.stated(cause_id)]
    return bool(dates) and all(since is not None and since.at < limit for since in dates)


def awaits_values(chart: Chart, causes: Iterable[CauseFound]) -> bool:
    """Tell whether a recorded cause of section 4 asks for calcium and phosphate (CL-60)."""
    return any(c.basis is Basis.RECORDED and chart.knowledge.causes[c.id].raises_product for c in causes)


# ---- iatrogenic causes of documented calcification (CL-86)


def iatrogenic(chart: Chart, calcifications: tuple[Documented, ...]) -> list[CauseFound]:
    """Return exposures of the last 90 days that may have laid down a documented calcification (CL-86).

    Calciphylaxis and disease coded as metastatic are not blamed on an infusion (CL-91).
    """
    open_types = [
        c for c in calcifications if c.cause.id not in (CauseId.CALCIPHYLAXIS, CauseId.METASTATIC_CALCIFICATION)
    ]
    if not open_types:
        return []
    causes = []
    for cause, references in (
        (CauseId.PARENTERAL_CALCIUM, _infusions(chart, Group.IV_CALCIUM)),
        (CauseId.PARENTERAL_PHOSPHATE, _infusions(chart, Group.PHOSPHATE_SALT)),
    ):
        if references:
            causes.append(found(chart, cause, Basis.RECORDED, references, "CL-86"))
    for cause, kinds in (
        (CauseId.ELECTRODE_PASTE, (EventKind.EEG, EventKind.EMG, EventKind.EVOKED_POTENTIALS)),
        (CauseId.HEEL_STICKS, (EventKind.HEEL_STICK,)),
    ):
        events = [e.reference for e in chart.facts.events if e.kind in kinds and _recent(chart, e.started)]
        if events:
            causes.append(found(chart, cause, Basis.EXPOSURE, events))
    return causes


def _infusions(chart: Chart, group: str) -> list[str]:
    routes = (Route.INTRAVENOUS, Route.UNKNOWN) if group == Group.IV_CALCIUM else (Route.INTRAVENOUS,)
    return [
        e.reference
        for e in chart.facts.exposures
        if e.group == group and e.route in routes and (e.active or _recent(chart, e.started) or _recent(chart, e.ended))
    ]


def _recent(chart: Chart, moment: Taken | None) -> bool:
    window = chart.knowledge.criteria.iatrogenic_window
    return moment is not None and chart.now - window <= moment.at <= chart.now
