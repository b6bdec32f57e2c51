"""Conditions as findings (CL-10).

Knows: clinical and verification status in their R4 and older spellings, abatement, onset.
Must not know: which codes there are (catalog), what a finding means. Text without a code is only counted.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import Raw

from cds_service.calcinosis.facts import Finding, Mark, Taken
from cds_service.fhir import parts, releases, shapes
from cds_service.fhir.dates import in_future, since_when
from cds_service.fhir.draft import Draft
from cds_service.fhir.record import PatientRecord
from cds_service.fhir.references import Belongs, Subjects
from cds_service.fhir.vocabulary import Vocabulary
from cds_service.terminology.catalog import FindingCode

_ACTIVE: Final = frozenset({"active", "recurrence", "relapse"})
_HISTORY: Final = frozenset({"inactive", "remission", "resolved"})
_DROPPED: Final = frozenset({"refuted", "entered-in-error"})
_SUSPECTED: Final = frozenset({"unconfirmed", "provisional", "differential"})
_CLINICAL: Final = _ACTIVE | _HISTORY
_VERIFICATION: Final = _DROPPED | _SUSPECTED | {"confirmed"}
_NO_SITES: Final[frozenset[str]] = frozenset()
# members of an Enum are looked up slowly; this one is looked up for every mapped Condition
_OURS: Final = Belongs.OURS


def read_conditions(
    record: PatientRecord, vocabulary: Vocabulary, now: datetime, subjects: Subjects, draft: Draft
) -> None:
    """Add one Finding for each mapped coding and concept; duplicates stay, the rules count evidence."""
    findings_of = vocabulary.findings
    for condition in record.conditions:
        rows: list[FindingCode] = []
        coded = False
        for coding in (condition.code.coding if condition.code is not None else None) or ():
            if coding.code:
                coded = True
                rows += findings_of(coding.system, coding.code)
        if (rows or not coded) and _is_ours(subjects.of(*releases.whose(condition)), draft):
            verified = status_word(condition.verificationStatus, _VERIFICATION)
            if verified in _DROPPED:
                continue
            if rows:
                _add(condition, rows, now, verified in _SUSPECTED, draft)
            else:
                draft.tallies["Conditions without a code"] += 1


def _is_ours(whose: Belongs, draft: Draft) -> bool:
    if whose is _OURS:
        return True
    if whose is Belongs.OTHER:
        draft.marks.add(Mark.OTHER_SUBJECT)
    return whose is Belongs.UNSAID


def _add(
    condition: shapes.Condition, rows: Iterable[FindingCode], now: datetime, suspected: bool, draft: Draft
) -> None:
    reference = f"Condition/{condition.id or 'without-id'}"
    active = _is_active(condition, now, reference, draft)
    since = _since(condition, now)
    sites = _NO_SITES if condition.bodySite is shapes.ABSENT else _sites(condition)
    for row in dict.fromkeys(rows):
        draft.findings.append(
            Finding(
                concept=row.concept,
                specificity=row.specificity,
                name=row.display,
                code=row.code,
                reference=reference,
                active=active,
                history_counts=row.history_counts,
                suspected=suspected,
                since=since,
                sites=sites,
            )
        )


def _sites(condition: shapes.Condition) -> frozenset[str]:
    return frozenset(
        coding.code
        for concept in parts.concepts(condition.bodySite) or ()
        for coding in concept.coding or ()
        if coding.code
    )


def _is_active(condition: shapes.Condition, now: datetime, reference: str, draft: Draft) -> bool:
    """Active by its status, or by the absence of one; an abatement that lies behind us ends it all the same."""
    status = status_word(condition.clinicalStatus, _CLINICAL)
    if status in _HISTORY:
        return False
    if _has_abated(condition, now):
        if status in _ACTIVE:
            draft.note(f"{reference}: active with an abatement, read as history")
        return False
    if status is None and condition.clinicalStatus is not None:
        draft.note(f"{reference}: clinical status not known, read as active")
    return True


def status_word(status: shapes.CodeableConcept | str | None, known: frozenset[str]) -> str | None:
    """The status code: a coding of the concept (or the very word as its text), or the plain code of STU3."""
    if status is None:
        return None
    if isinstance(status, str):
        words = [status]
    elif status.coding and status.coding[0].code in known:
        return status.coding[0].code
    else:
        words = [coding.code for coding in status.coding or () if coding.code] or [status.text or ""]
    return next((word for word in (each.strip().lower() for each in words) if word in known), None)


def _has_abated(condition: shapes.Condition, now: datetime) -> bool:
    period = condition.abatementPeriod
    text = condition.abatementDateTime or (period.end or period.start if period is not None else None)
    if text:
        when = since_when(text, now.tzinfo)
        return when is None or not in_future(when, now)
    return bool(
        condition.abatementBoolean
        or condition.abatementString
        or _is_there(condition.abatementAge)
        or _is_there(condition.abatementRange)
        or _is_there(condition.abatementQuantity)
    )


def _is_there(raw: Raw) -> bool:
    return raw is not shapes.ABSENT and bytes(raw) != b"null"


def _since(condition: shapes.Condition, now: datetime) -> Taken | None:
    when = since_when(condition.onsetDateTime, now.tzinfo) if condition.onsetDateTime else None
    if when is not None:
        return when
    period = condition.onsetPeriod
    for text in (
        period.start if period is not None else None,
        condition.recordedDate,
        condition.assertedDate,
        condition.dateRecorded,
    ):
        when = since_when(text, now.tzinfo) if text else None
        if when is not None:
            return when
    return None
