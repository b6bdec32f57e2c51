"""Procedures as events, and as findings where one states a lasting status.

Knows: which statuses say that something was done, times of performance.
Must not know: which codes there are (catalog).
"""

from datetime import datetime
from typing import Final

from cds_service.calcinosis.facts import Event, Finding, Mark
from cds_service.fhir import releases, shapes
from cds_service.fhir.dates import in_future, since_when
from cds_service.fhir.draft import Draft
from cds_service.fhir.record import PatientRecord
from cds_service.fhir.references import Belongs, Subjects
from cds_service.fhir.vocabulary import Vocabulary

_DONE: Final = frozenset({"completed", "in-progress"})
_NOT_DONE: Final = frozenset(
    {"preparation", "not-done", "on-hold", "stopped", "entered-in-error", "suspended", "aborted"}
)


def read_procedures(
    record: PatientRecord, vocabulary: Vocabulary, now: datetime, subjects: Subjects, draft: Draft
) -> None:
    """Add an Event for each kind of a procedure that was done or is under way, and findings of its codes."""
    for procedure in record.procedures:
        whose = subjects.of(procedure.subject)
        if whose is Belongs.OTHER:
            draft.marks.add(Mark.OTHER_SUBJECT)
        status = (procedure.status or "").strip()
        if whose not in (Belongs.OURS, Belongs.UNSAID) or status in _NOT_DONE or releases.never_was(procedure):
            continue
        codings = [coding for coding in (procedure.code.coding if procedure.code else None) or () if coding.code]
        if not codings:
            draft.tallies["Procedures without a code"] += 1
            continue
        if _add(procedure, codings, vocabulary, now, draft) and status not in _DONE:
            draft.note(f"Procedure/{procedure.id}: status missing or not known, read as done")


def _add(
    procedure: shapes.Procedure, codings: list[shapes.Coding], vocabulary: Vocabulary, now: datetime, draft: Draft
) -> bool:
    """Tell whether anything was mapped. A procedure dated in the future is planned, not done."""
    period, at = releases.done_when(procedure)
    start = (period.start if period is not None else None) or at
    started = since_when(start, now.tzinfo) if start else None
    ended = since_when(period.end, now.tzinfo) if period is not None and period.end else None
    if started is not None and in_future(started, now):
        return False
    reference = f"Procedure/{procedure.id or 'without-id'}"
    kinds = {
        row.kind: row
        for coding in codings
        for row in vocabulary.catalog.procedures(coding.system or "", coding.code or "")
        if row.use != "exclude"
    }
    findings = [row for coding in codings for row in vocabulary.findings(coding.system, coding.code or "")]
    for row in kinds.values():
        draft.events.append(Event(kind=row.kind, name=row.display, reference=reference, started=started, ended=ended))
    for found in dict.fromkeys(findings):
        draft.findings.append(
            Finding(
                concept=found.concept,
                specificity=found.specificity,
                name=found.display,
                code=found.code,
                reference=reference,
                history_counts=found.history_counts,
                since=started,
            )
        )
    return bool(kinds or findings)
