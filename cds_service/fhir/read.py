"""The patient's record in the words of the clinical rules.

Knows: the order of the readers and what they share.
Must not know: anything of one kind of resource (observations.py, conditions.py, medications.py, procedures.py,
encounters.py). Nothing here fails on a patient's data: what cannot be used becomes a gap, a mark or a note.
"""

from datetime import datetime
from typing import Final

from cds_service.calcinosis.chart import Chart
from cds_service.calcinosis.facts import EncounterClass, Mark, PatientFacts, Sex
from cds_service.fhir.conditions import read_conditions
from cds_service.fhir.dates import birth_date
from cds_service.fhir.draft import Draft
from cds_service.fhir.encounters import encounter_class
from cds_service.fhir.medications import Medications
from cds_service.fhir.observations import Observations
from cds_service.fhir.procedures import read_procedures
from cds_service.fhir.record import PatientRecord
from cds_service.fhir.references import Subjects
from cds_service.fhir.vocabulary import vocabulary_of
from cds_service.terminology.catalog import Catalog

_SEX: Final = {"female": Sex.FEMALE, "male": Sex.MALE}


def read_facts(record: PatientRecord, catalog: Catalog, now: datetime, *, every_result: bool = True) -> PatientFacts:
    """All that the rules may use of this record.

    now: the evaluation time; its zone is that of dates and times that name none.
    every_result: False leaves out results that cannot change the judgement (selection.py); much faster for long charts.
    """
    vocabulary = vocabulary_of(catalog)
    draft = Draft()
    subjects = Subjects(record.patient_id, record.addresses)
    observations = Observations(record, vocabulary, now, subjects, draft, every=every_result)
    observations.read()
    read_conditions(record, vocabulary, now, subjects, draft)
    Medications(record, vocabulary, now, subjects, draft).read()
    read_procedures(record, vocabulary, now, subjects, draft)
    setting = encounter_class(record, catalog, now, subjects, draft)
    observations.complete(lambda: Chart.of(_facts(record, draft, setting), catalog.knowledge, now))
    if record.other_patient:
        draft.marks.add(Mark.OTHER_SUBJECT)
    if record.unread:
        draft.marks.add(Mark.INCOMPLETE_DATA)
    for text in record.notes:
        draft.note(text)
    return _facts(record, draft, setting)


def _facts(record: PatientRecord, draft: Draft, setting: EncounterClass) -> PatientFacts:
    patient = record.patient
    return PatientFacts(
        patient_reference=f"Patient/{record.patient_id}",
        birth_date=birth_date(patient.birthDate) if patient is not None else None,
        sex=_SEX.get(patient.gender or "", Sex.UNKNOWN) if patient is not None else Sex.UNKNOWN,
        encounter_class=setting,
        measurements=tuple(draft.measurements),
        findings=tuple(draft.findings),
        exposures=tuple(draft.exposures),
        events=tuple(draft.events),
        gaps=tuple(draft.gaps),
        unread=frozenset(str(each) for each in record.unread),
        marks=frozenset(draft.marks),
        notes=draft.notes(),
    )
