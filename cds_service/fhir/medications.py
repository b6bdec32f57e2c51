"""Medicines as exposures: ordered, stated or given.

Knows: statuses and intents, medicines by code, by reference and contained, ingredients, routes, periods of use.
Must not know: which codes there are (catalog), what a medicine does. Text without a code is only counted.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cds_service.calcinosis.facts import Exposure, Finding, Mark, Route, Taken
from cds_service.fhir import parts, shapes
from cds_service.fhir.dates import in_future, since_when
from cds_service.fhir.draft import Draft
from cds_service.fhir.record import PatientRecord
from cds_service.fhir.references import Belongs, Subjects, local_reference
from cds_service.fhir.vocabulary import Vocabulary
from cds_service.terminology.catalog import DrugCode

_ORDERS: Final = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
_USED: Final = {
    # status -> in use; statuses that are not here never were
    "MedicationRequest": {"active": True, "on-hold": False, "completed": False, "stopped": False, "ended": False},
    "MedicationStatement": {
        **{"active": True, "recorded": True},
        **{"completed": False, "stopped": False, "on-hold": False},
    },
    "MedicationAdministration": {"in-progress": True, "completed": False, "stopped": False, "on-hold": False},
}
_NEVER: Final = frozenset({"cancelled", "entered-in-error", "draft", "not-done", "not-taken", "intended"})
# The rules ask for the route of calcium and phosphate salts alone, and their injections go into a vein.
_ROUTE_OF_FORM: Final = {
    "oral": Route.ORAL,
    "injectable": Route.INTRAVENOUS,
    "rectal": Route.RECTAL,
    "other": Route.OTHER,
}


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
        self._subjects = subjects
        self._draft = draft

    def read(self) -> None:
        """Read orders, statements and administrations."""
        for request in self._record.requests:
            ordered = request.doNotPerform is not True and (request.intent is None or request.intent in _ORDERS)
            if self._is_ours(self._subjects.of(request.subject)) and ordered:
                self._request(request)
        for statement in self._record.statements:
            if self._is_ours(self._subjects.of(statement.subject, statement.patient)) and statement.taken != "n":
                self._statement(statement)
        for administration in self._record.administrations:
            if self._is_ours(self._subjects.of(administration.subject)):
                self._administration(administration)

    def _is_ours(self, whose: Belongs) -> bool:
        if whose is Belongs.OTHER:
            self._draft.marks.add(Mark.OTHER_SUBJECT)
        return whose in (Belongs.OURS, Belongs.UNSAID)

    # ---- the three kinds

    def _request(self, request: shapes.MedicationRequest) -> None:
        period = _bounds(request.dosageInstruction)
        self._add(request, request.dosageInstruction, period, request.authoredOn, unsaid=True, administered=False)

    def _statement(self, statement: shapes.MedicationStatement) -> None:
        period = statement.effectivePeriod or _bounds(statement.dosage)
        self._add(statement, statement.dosage, period, statement.effectiveDateTime, unsaid=True, administered=False)

    def _administration(self, given: shapes.MedicationAdministration) -> None:
        period = given.effectivePeriod or given.occurencePeriod
        at = given.effectiveDateTime or given.occurenceDateTime
        dosage = [shapes.Dosage(route=given.dosage.route)] if given.dosage is not None else None
        # without a status nobody says that it was given
        self._add(given, dosage, period, at, unsaid=None, administered=True)

    def _add(
        self,
        resource: shapes.MedicationRequest | shapes.MedicationStatement | shapes.MedicationAdministration,
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
        if not codings:
            return
        started = self._when((period.start if period is not None else None) or at)
        ended = self._when(period.end) if period is not None else None
        if (ended is not None and not in_future(ended, self._now)) or (
            started is not None and in_future(started, self._now)
        ):
            active = False
        use = _Use(reference, active, administered, self._route(dosage), started, ended)
        if self._exposures(codings, use) and status not in _USED[kind]:
            self._draft.note(f"{reference}: status missing or not known, read as in use")

    def _exposures(self, codings: list[shapes.Coding], use: _Use) -> bool:
        """Add one exposure for each medicine and what disturbs laboratory methods; tell whether there was any."""
        drugs: dict[str, DrugCode] = {}
        found = False
        for coding in codings:
            for row in self._catalog.drugs_for(coding.system or "", coding.code or ""):
                known = drugs.get(row.drug)
                if known is None or (not known.route_hint and row.route_hint):
                    drugs[row.drug] = row
            found |= self._interference(coding, use)
        for row in drugs.values():
            drug = self._catalog.drugs[row.drug]
            route = use.route if use.route is not Route.UNKNOWN else _ROUTE_OF_FORM.get(row.route_hint, Route.UNKNOWN)
            self._draft.exposures.append(
                Exposure(
                    drug=drug.id,
                    group=drug.group,
                    name=drug.name,
                    reference=use.reference,
                    roles=drug.roles,
                    route=route,
                    active=use.active,
                    administered=use.administered,
                    started=use.started,
                    ended=use.ended,
                )
            )
        return found or bool(drugs)

    def _interference(self, coding: shapes.Coding, use: _Use) -> bool:
        rows = self._vocabulary.findings(coding.system, coding.code or "")
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
        return bool(rows)

    # ---- the medicine

    def _codings(
        self, resource: shapes.MedicationRequest | shapes.MedicationStatement | shapes.MedicationAdministration
    ) -> list[shapes.Coding]:
        """All codes of the medicine: given here, or of the Medication referred to and its ingredients."""
        concepts = [resource.medicationCodeableConcept]
        references = [resource.medicationReference]
        if resource.medication is not None:
            concepts.append(resource.medication.concept)
            references.append(resource.medication.reference)
        lost = False
        for reference in references:
            if reference is None or not reference.reference:
                continue
            medication = self._medication(resource, reference.reference.strip())
            lost = lost or medication is None
            if medication is not None:
                concepts.append(medication.code)
                for ingredient in medication.ingredient or ():
                    concepts.append(ingredient.itemCodeableConcept)
                    concepts.append(ingredient.item.concept if ingredient.item is not None else None)
        codings = [coding for concept in concepts if concept for coding in concept.coding or () if coding.code]
        if not codings:
            self._draft.tallies["medicines referred to that did not come" if lost else "medicines without a code"] += 1
        return codings

    def _medication(
        self,
        resource: shapes.MedicationRequest | shapes.MedicationStatement | shapes.MedicationAdministration,
        name: str,
    ) -> shapes.Medication | None:
        if name.startswith("#"):
            return parts.contained(resource.contained, name, parts.contained_medication)
        held = self._record.medications
        return held.get(local_reference(name)) or held.get(name)

    def _route(self, dosage: list[shapes.Dosage] | None) -> Route:
        """The one route that the dosage codes; UNKNOWN when there is none or there are several."""
        routes = {
            route
            for each in dosage or ()
            for coding in (each.route.coding if each.route is not None else None) or ()
            if (route := self._catalog.route(coding.system or "", coding.code or "")) is not None
        }
        return routes.pop() if len(routes) == 1 else Route.UNKNOWN

    def _when(self, text: str | None) -> Taken | None:
        return since_when(text, self._now.tzinfo) if text else None


def _bounds(dosage: list[shapes.Dosage] | None) -> shapes.Period | None:
    """The period that the dosage names."""
    for each in dosage or ():
        repeat = each.timing.repeat if each.timing is not None else None
        if repeat is not None and repeat.boundsPeriod is not None:
            return repeat.boundsPeriod
    return None
