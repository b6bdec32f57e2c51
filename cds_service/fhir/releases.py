"""Where FHIR's releases differ in what is read here: the one place, so that the readers see one kind of resource.

Knows: DSTU2, STU3, R4, R4B and R5, field by field. What a resource holds tells its release; none has to be named, and
resources of several releases may come in one call. Only a query must fit its server: see `spelt_for`.
Must not know: codes of diseases, medicines or results.

| what | DSTU2 | STU3 | R4, R4B | R5 |
|---|---|---|---|---|
| order of a medicine | MedicationOrder, dateWritten, dateEnded | MedicationRequest, authoredOn | same | same |
| which medicine | medication[x] | medication[x] | medication[x] | medication (concept or reference) |
| ingredients | product.ingredient.item | ingredient.item[x] | ingredient.item[x] | ingredient.item |
| not taken, given, done | wasNotTaken, wasNotGiven, notPerformed | taken, notGiven, notDone | status | adherence |
| whose it is | patient | subject | subject | subject |
| members of a panel | related | related | hasMember | hasMember |
| status of a condition | code | code | concept | concept |
| a condition's end | also boolean, Quantity | also boolean | Age, dateTime, ... | the same |
| when it was noted | dateRecorded | assertedDate | recordedDate | recordedDate |
| when a procedure was done | performed[x] | performed[x] | performed[x] | occurrence[x] |
| when a medicine was given | effectiveTime[x] | effective[x] | effective[x] | occurence[x] (sic) |
| class of a visit | code | Coding | Coding | list of concepts |
| remarks on a result | comments | comment | note | note |
| normal range | meaning | type | type | type |
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec
from msgspec import Raw

from cds_service.fhir import parts, shapes

Ordered: TypeAlias = shapes.MedicationRequest | shapes.MedicationOrder
Medicine: TypeAlias = Ordered | shapes.MedicationStatement | shapes.MedicationAdministration

# R5 adherence: what is below not-taking; unknown and taking change nothing.
_NOT_TAKING: Final = ("not-taking", "on-hold", "stopped")
# the classes of DSTU2 in the words of the class codes since
_CLASSES: Final = {
    "inpatient": "IMP",
    "outpatient": "AMB",
    "ambulatory": "AMB",
    "emergency": "EMER",
    "home": "HH",
    "field": "FLD",
    "virtual": "VR",
}


def whose(resource: Medicine | shapes.Condition | shapes.Encounter | shapes.Procedure) -> tuple[Raw, ...]:
    """The subject of a resource, and what stood for it in DSTU2."""
    if isinstance(resource, shapes.MedicationOrder):
        return (resource.patient,)
    return (resource.subject,) if isinstance(resource, shapes.Procedure) else (resource.subject, resource.patient)


def never_was(resource: Medicine | shapes.Procedure) -> bool:
    """Whether the resource says that it was not taken, given or done, in another way than by its status."""
    if isinstance(resource, shapes.Procedure):
        return resource.notDone is True or resource.notPerformed is True
    if isinstance(resource, shapes.MedicationStatement):
        return resource.wasNotTaken is True or resource.taken == "n"
    if isinstance(resource, shapes.MedicationAdministration):
        return resource.wasNotGiven is True or resource.notGiven is True
    return isinstance(resource, shapes.MedicationRequest) and resource.doNotPerform is True


def is_out_of_use(statement: shapes.MedicationStatement) -> bool:
    """Whether a statement says by its adherence that the medicine is not taken at present."""
    adherence = parts.adherence(statement.adherence)
    codings = (adherence.code.coding if adherence is not None and adherence.code is not None else None) or ()
    return any((coding.code or "").strip().startswith(_NOT_TAKING) for coding in codings)


def medicine(resource: Medicine) -> Iterator[shapes.CodeableConcept | shapes.Reference]:
    """What the resource says which medicine it is: concepts, and references to a Medication."""
    for each in (resource.medicationCodeableConcept, resource.medicationReference):
        if each is not None:
            yield each
    if not isinstance(resource, shapes.MedicationOrder):
        yield from _concept_or_reference(resource.medication)


def ingredients(medication: shapes.Medication) -> Iterator[shapes.CodeableConcept | shapes.Reference]:
    """What a Medication is made of."""
    product = parts.product(medication.product)
    for each in (*(medication.ingredient or ()), *((product.ingredient if product is not None else None) or ())):
        if each.itemCodeableConcept is not None:
            yield each.itemCodeableConcept
        if each.itemReference is not None:
            yield each.itemReference
        item = parts.item(each.item)
        yield from _concept_or_reference(item)
        if item is None and each.item and (reference := parts.reference(each.item)) is not None:
            yield reference


def _concept_or_reference(
    given: shapes.CodeableReference | None,
) -> Iterator[shapes.CodeableConcept | shapes.Reference]:
    for each in (given.concept, given.reference) if given is not None else ():
        if each is not None:
            yield each


def order_dates(order: Ordered) -> tuple[str | None, str | None]:
    """When an order was written, and when it was ended (DSTU2 only)."""
    if isinstance(order, shapes.MedicationOrder):
        return order.dateWritten, order.dateEnded
    return order.authoredOn, None


def given_when(given: shapes.MedicationAdministration) -> tuple[shapes.Period | None, str | None]:
    """The period or the time of an administration."""
    return (
        given.effectivePeriod or given.occurencePeriod or given.effectiveTimePeriod,
        given.effectiveDateTime or given.occurenceDateTime or given.effectiveTimeDateTime,
    )


def done_when(procedure: shapes.Procedure) -> tuple[shapes.Period | None, str | None]:
    """The period or the time of a procedure."""
    return (
        procedure.performedPeriod or procedure.occurrencePeriod,
        procedure.performedDateTime or procedure.occurrenceDateTime,
    )


def members(observation: shapes.Observation) -> list[shapes.Reference]:
    """The results that belong to a panel."""
    found = parts.references(observation.hasMember) or []
    if observation.related is not shapes.ABSENT:
        related = parts.related(observation.related) or ()
        found += [each.target for each in related if each.type == "has-member" and each.target is not None]
    return found


def class_codes(encounter: shapes.Encounter) -> list[str]:
    """The codes of the class of a visit."""
    given = encounter.class_
    if given is None:
        return []
    if isinstance(given, str):
        return [_CLASSES.get(given.strip().lower(), given)]
    if isinstance(given, shapes.Coding):
        return [given.code] if given.code else []
    return [coding.code for concept in given for coding in concept.coding or () if coding.code]


def range_type(given: shapes.ReferenceRange) -> shapes.CodeableConcept | None:
    """What kind of range it is."""
    return given.type or given.meaning


# ---- queries

_RENAMED: Final = (("MedicationRequest?", "MedicationOrder?"),)


class _Capability(msgspec.Struct):
    fhirVersion: str | None = None


_CAPABILITY: Final = msgspec.json.Decoder(_Capability)


def has_other_spelling(query: str) -> bool:
    """Whether a query names something that was called otherwise before STU3."""
    return any(query.startswith(newer) for newer, _ in _RENAMED)


def spelt_for(query: str, capability: bytes) -> str | None:
    """The query as the server of this CapabilityStatement knows it; None when it should know it as it is."""
    try:
        version = _CAPABILITY.decode(capability).fhirVersion or ""
    except parts.UNREADABLE:
        return None
    if not version.startswith("1."):
        return None
    for newer, older in _RENAMED:
        if query.startswith(newer):
            return query.replace(newer, older, 1)
    return None
