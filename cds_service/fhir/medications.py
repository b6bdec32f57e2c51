"""Medicines as exposures: ordered, stated or given.

Knows: statuses and intents, periods of use.
Must not know: how a medicine is named (medicine.py), which codes there are (catalog), what a medicine does. Text
without a code is only counted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cds_service.calcinosis.facts import Exposure, Finding, Mark, Route, Taken
from cds_service.fhir import releases, shapes
from cds_service.fhir.dates import Future, since_when
from cds_service.fhir.draft import Draft
from cds_service.fhir.medicine import NOT_SYSTEMIC, drugs_of, medicine_of, route_of, route_of_form
from cds_service.fhir.record import PatientRecord
from cds_service.fhir.references import Belongs, Subjects
from cds_service.fhir.vocabulary import Vocabulary
from cds_service.terminology.catalog import DrugCode, FindingCode

_ORDERS: Final = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
_ORDERED: Final = {"active": True, "on-hold": False, "completed": False, "stopped": False, "ended": False}
_USED: Final = {
    # status -> in use; statuses that are not here never were
    "MedicationRequest": _ORDERED,
    "MedicationOrder": _ORDERED,
    "MedicationStatement": {
        **{"active": True, "recorded": True},
        **{"completed": False, "stopped": False, "on-hold": False},
    },
    "MedicationAdministration": {"in-progress": True, "completed": False, "stopped": False, "on-hold": False},
}
_NEVER: Final = frozenset({"cancelled", "entered-in-error", "draft", "not-done", "not-taken", "intended"})


@dataclass(frozen=True, slots=True)
class _Use:
    """Whether and when a medicine was in use."""

    reference: str
    active: bool
    administered: bool
    route: Route
    started: Taken | None
    ended: Taken | None


class Medications:
    """Reads the medicines of a record into a draft."""

    def __init__(
        self, record: PatientRecord, vocabulary: Vocabulary, now: datetime, subjects: Subjects, draft: Draft
    ) -> None:
        self._record = record
        self._vocabulary = vocabulary
        self._catalog = vocabulary.catalog
        self._now = now
        self._future = Future(now)
        self._subjects = subjects
        self._draft = draft

    def read(self) -> None:
        """Read orders, statements and administrations."""
        for request in self._record.requests:
            ordered = isinstance(request, shapes.MedicationOrder) or request.intent is None or request.intent in _ORDERS
            if self._counts(request) and ordered:
                self._request(request)
        for statement in self._record.statements:
            if self._counts(statement):
                self._statement(statement)
        for administration in self._record.administrations:
            if self._counts(administration):
                self._administration(administration)

    def _counts(self, resource: releases.Medicine) -> bool:
        whose = self._subjects.of(*releases.whose(resource))
        if whose is Belongs.OTHER:
            self._draft.marks.add(Mark.OTHER_SUBJECT)
        return whose in (Belongs.OURS, Belongs.UNSAID) and not releases.never_was(resource)

    # ---- the three kinds

    def _request(self, request: releases.Ordered) -> None:
        period = _bounds(request.dosageInstruction)
        written, ended = releases.order_dates(request)
        if ended and (period is None or not period.end):
            period = shapes.Period(period.start if period is not None else None, ended)
        self._add(request, request.dosageInstruction, period, written, unsaid=True, administered=False)

    def _statement(self, statement: shapes.MedicationStatement) -> None:
        period = statement.effectivePeriod or _bounds(statement.dosage)
        self._add(statement, statement.dosage, period, statement.effectiveDateTime, unsaid=True, administered=False)

    def _administration(self, given: shapes.MedicationAdministration) -> None:
        period, at = releases.given_when(given)
        dosage = [shapes.Dosage(route=given.dosage.route)] if given.dosage is not None else None
        # without a status nobody says that it was given
        self._add(given, dosage, period, at, unsaid=None, administered=True)

    def _add(
        self,
        resource: releases.Medicine,
        dosage: list[shapes.Dosage] | None,
        period: shapes.Period | None,
        at: str | None,
        *,
        unsaid: bool | None,
        administered: bool,
    ) -> None:
        kind = type(resource).__name__
        reference = f"{kind}/{resource.id or 'without-id'}"
        status = (resource.status or "").strip()
        active = _USED[kind].get(status)
        if active is None:
            if status in _NEVER or unsaid is None:
                return
            active = unsaid
        codings = self._codings(resource)
        drugs = [row for row in drugs_of(codings, self._vocabulary.drugs).values() if row.route_hint != NOT_SYSTEMIC]
        rows = self._interfering(codings)
        if not drugs and not rows:
            return
        started = self._when((period.start if period is not None else None) or at)
        ended = self._when(period.end) if period is not None else None
        if (ended is not None and not self._future.holds(ended)) or (
            started is not None and self._future.holds(started)
        ):
            active = False
        if isinstance(resource, shapes.MedicationStatement) and releases.is_out_of_use(resource):
            active = False
        use = _Use(reference, active, administered, route_of(dosage, self._catalog), started, ended)
        self._disturbances(rows, use)
        self._exposures(drugs, use)
        if status not in _USED[kind]:
            self._draft.note(f"{reference}: status missing or not known, read as in use")

    def _exposures(self, drugs: Iterable[DrugCode], use: _Use) -> None:
        """Add one exposure for each systemic medicine."""
        for row in drugs:
            drug = self._catalog.drugs[row.drug]
            self._draft.exposures.append(
                Exposure(
                    drug=drug.id,
                    group=drug.group,
                    name=drug.name,
                    reference=use.reference,
                    roles=drug.roles,
                    route=route_of_form(row, use.route),
                    active=use.active,
                    administered=use.administered,
                    started=use.started,
                    ended=use.ended,
                )
            )

    def _interfering(self, codings: Iterable[shapes.Coding]) -> list[FindingCode]:
        """What of these codes disturbs laboratory methods."""
        findings = self._vocabulary.findings
        return [row for coding in codings for row in findings(coding.system, coding.code or "")]

    def _disturbances(self, rows: Iterable[FindingCode], use: _Use) -> None:
        for row in rows:
            self._draft.findings.append(
                Finding(
                    concept=row.concept,
                    specificity=row.specificity,
                    name=row.display,
                    code=row.code,
                    reference=use.reference,
                    active=use.active,
                    history_counts=row.history_counts,
                    since=use.started,
                )
            )

    # ---- the medicine

    def _codings(self, resource: releases.Medicine) -> tuple[shapes.Coding, ...]:
        medicine = medicine_of(resource, self._record.medications)
        if not medicine.codings:
            lost = medicine.lost
            self._draft.tallies["medicines referred to that did not come" if lost else "medicines without a code"] += 1
        return medicine.codings

    def _when(self, text: str | None) -> Taken | None:
        return since_when(text, self._now.tzinfo) if text else None


def says_nothing(resource: shapes.AnyResource, vocabulary: Vocabulary) -> bool:
    """Whether this is a medicine told by codes alone that no rule asks for: it leaves no trace on a record."""
    if not isinstance(
        resource, shapes.MedicationRequest | shapes.MedicationStatement | shapes.MedicationAdministration
    ):
        return False
    concept = resource.medicationCodeableConcept
    if concept is None or resource.medicationReference is not None or resource.medication is not None:
        return False
    codings = [(coding.system or "", coding.code) for coding in concept.coding or () if coding.code]
    drugs, findings = vocabulary.drugs, vocabulary.findings
    return bool(codings) and not any(drugs(*coding) or findings(*coding) for coding in codings)


def _bounds(dosage: list[shapes.Dosage] | None) -> shapes.Period | None:
    """The period that the dosage names."""
    for each in dosage or ():
        repeat = each.timing.repeat if each.timing is not None else None
        if repeat is not None and repeat.boundsPeriod is not None:
            return repeat.boundsPeriod
    return None
