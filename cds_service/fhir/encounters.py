"""Where the patient is: the class of the Encounter that the call names.

Knows: the Encounter of the context, its class in R4 and R5 form, intensive care by the type of an active location.
Must not know: which class code means which setting (catalog).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cds_service.calcinosis.facts import EncounterClass, Mark
from cds_service.fhir import parts, releases, shapes
from cds_service.fhir.dates import in_future, since_when
from cds_service.fhir.draft import Draft
from cds_service.fhir.record import PatientRecord
from cds_service.fhir.references import Belongs, Subjects, local_reference
from cds_service.terminology.catalog import Catalog

_NO_VISIT: Final = frozenset({"planned", "cancelled", "entered-in-error"})
_LEFT: Final = frozenset({"completed", "planned", "reserved"})


def encounter_class(
    record: PatientRecord, catalog: Catalog, now: datetime, subjects: Subjects, draft: Draft
) -> EncounterClass:
    """The class of the Encounter named by the context; UNKNOWN without one."""
    for encounter in record.encounters:
        if encounter.id != record.encounter_id or (encounter.status or "").strip() in _NO_VISIT:
            continue
        whose = subjects.of(*releases.whose(encounter))
        if whose is Belongs.OTHER:
            draft.marks.add(Mark.OTHER_SUBJECT)
        elif whose is not Belongs.UNREADABLE:
            return _class_of(encounter, record, catalog, now, draft)
    return EncounterClass.UNKNOWN


def _class_of(
    encounter: shapes.Encounter, record: PatientRecord, catalog: Catalog, now: datetime, draft: Draft
) -> EncounterClass:
    found = {known for code in releases.class_codes(encounter) if (known := catalog.encounter_class(code)) is not None}
    if len(found) != 1:
        if encounter.class_ is not None:
            draft.note(f"Encounter/{encounter.id}: class not known")
        return EncounterClass.UNKNOWN
    setting = found.pop()
    if setting is EncounterClass.INPATIENT and any(
        catalog.intensive_care(code) for code in _locations(encounter, record, now)
    ):
        return EncounterClass.ICU
    return setting


def _locations(encounter: shapes.Encounter, record: PatientRecord, now: datetime) -> Iterator[str]:
    """The type codes of the locations where the patient is now."""
    for stay in encounter.location or ():
        if (stay.status or "") in _LEFT or _is_over(stay.period, now):
            continue
        name = (stay.location.reference or "").strip() if stay.location is not None else ""
        if name.startswith("#"):
            location = parts.contained(encounter.contained, name, parts.contained_location)
        else:
            location = record.locations.get(local_reference(name)) or record.locations.get(name)
        for concept in (parts.concepts(location.type) or ()) if location is not None else ():
            yield from (coding.code for coding in concept.coding or () if coding.code)


def _is_over(period: shapes.Period | None, now: datetime) -> bool:
    ended = since_when(period.end, now.tzinfo) if period is not None and period.end else None
    return ended is not None and not ended.day_only and not in_future(ended, now)
