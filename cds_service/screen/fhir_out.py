"""A card as a FHIR R4 resource for those who load results into a FHIR server.

Knows: DetectedIssue and RiskAssessment. Tests hold them against the models of fhir.resources.
Must not know: how the card came about.
"""

import hashlib
from typing import Final

import msgspec

from cds_service.calcinosis.assessment import Tier
from cds_service.hooks.contract import references_of
from cds_service.hooks.decide import Decision
from cds_service.screen.judge import Judged
from cds_service.screen.record import Record
from cds_service.screen.setup import DETECTED_ISSUE

_SEVERITY: Final = {Tier.CRITICAL: "high", Tier.WARNING: "moderate", Tier.INFO: "low"}
_TOPIC: Final = "urn:calcinosis-cds:topic"
_RISK: Final = "http://terminology.hl7.org/CodeSystem/risk-probability"
_OUTCOME: Final = "Metastatic calcification"


def resource_line(record: Record, judged: Judged, kind: str) -> bytes:
    """The card of a judgement as one line. It is marked preliminary: a screen judged it, no clinician."""
    assert judged.decision is not None  # noqa: S101  only judgements with a card come here
    make = _detected_issue if kind == DETECTED_ISSUE else _risk_assessment
    return msgspec.json.encode(make(record, judged, judged.decision))


def _common(record: Record, judged: Judged, kind: str) -> dict[str, object]:
    """A stable id, so that loading the same run twice replaces instead of doubling."""
    name = hashlib.sha256(f"{kind}\x1f{record.patient}\x1f{judged.moment.at.isoformat()}".encode()).hexdigest()
    return {"resourceType": kind, "id": f"screen-{name[:40]}", "status": "preliminary"}


def _detected_issue(record: Record, judged: Judged, decision: Decision) -> dict[str, object]:
    (card,) = decision.cards
    assessment = decision.assessment
    return {
        **_common(record, judged, "DetectedIssue"),
        "code": {"coding": [{"system": _TOPIC, "code": card.topic.code, "display": card.topic.display}]},
        "severity": _SEVERITY[assessment.tier],
        "patient": {"reference": f"Patient/{record.patient}"},
        "identifiedDateTime": judged.moment.at.isoformat(),
        "implicated": [{"reference": each} for each in references_of(assessment)],
        "detail": card.summary,
    }


def _risk_assessment(record: Record, judged: Judged, decision: Decision) -> dict[str, object]:
    (card,) = decision.cards
    assessment, encounter = decision.assessment, judged.moment.encounter
    visit: dict[str, object] = {}
    if encounter is not None and encounter.id:
        visit["encounter"] = {"reference": f"Encounter/{encounter.id}"}
    return {
        **_common(record, judged, "RiskAssessment"),
        "code": {"coding": [{"system": _TOPIC, "code": card.topic.code, "display": card.topic.display}]},
        "subject": {"reference": f"Patient/{record.patient}"},
        **visit,
        "occurrenceDateTime": judged.moment.at.isoformat(),
        "basis": [{"reference": each} for each in references_of(assessment)],
        "prediction": [
            {
                "outcome": {"text": _OUTCOME},
                "qualitativeRisk": {
                    "coding": [{"system": _RISK, "code": _SEVERITY[assessment.tier]}],
                    "text": f"tier {assessment.tier} of calcinosis-cds; no probability is implied",
                },
                "rationale": card.summary,
            }
        ],
    }
