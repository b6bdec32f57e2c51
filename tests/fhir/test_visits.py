"""Procedures, the Encounter and the Patient."""

from datetime import date
from typing import Any

import pytest

from cds_service.calcinosis.facts import EncounterClass, Mark, Sex
from cds_service.terminology.catalog import Catalog
from tests.builders import SNOMED, coding, concept, encounter, patient, procedure
from tests.fhir.reading import facts

ROLES = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"

# ---- procedures


def test_a_procedure_is_an_event_with_its_times(catalog: Catalog) -> None:
    (found,) = facts(catalog, procedure()).events
    assert (found.kind, found.reference) == ("haemodialysis", "Procedure/p1")
    assert found.started is not None
    assert found.ended is not None
    assert (found.started.text, found.ended.text) == ("2026-10-11T08:00:00+02:00", "2026-10-11T12:00:00+02:00")


@pytest.mark.parametrize(
    ("status", "count"),
    [
        *(("completed", 1), ("in-progress", 1), (..., 1), ("unknown", 1), ("not-done", 0), ("entered-in-error", 0)),
        *(("preparation", 0), ("stopped", 0), ("aborted", 0)),
    ],
)
def test_only_what_was_done_or_is_under_way_counts(catalog: Catalog, status: Any, count: int) -> None:
    assert len(facts(catalog, procedure(status=status)).events) == count


def test_a_procedure_that_was_not_done_in_stu3_form_is_none(catalog: Catalog) -> None:
    assert facts(catalog, procedure(notDone=True)).events == ()


@pytest.mark.parametrize("field", ["performedDateTime", "occurrenceDateTime"])
def test_a_time_alone_is_the_start(catalog: Catalog, field: str) -> None:
    (found,) = facts(catalog, procedure(performedPeriod=..., **{field: "2026-10-11"})).events
    assert found.started is not None
    assert (found.started.text, found.ended) == ("2026-10-11", None)


def test_a_procedure_to_come_is_none(catalog: Catalog) -> None:
    assert facts(catalog, procedure(performedPeriod={"start": "2026-12-01"})).events == ()


def test_look_alikes_are_excluded(catalog: Catalog) -> None:
    code = next(
        code for code, rows in catalog.procedure_codes[SNOMED].items() if all(row.use == "exclude" for row in rows)
    )
    assert facts(catalog, procedure(coding(SNOMED, code))).events == ()


def test_a_procedure_without_a_code_is_counted(catalog: Catalog) -> None:
    read = facts(catalog, procedure(code={"text": "Haemodialysis"}))
    assert (read.events, read.notes) == ((), ("Procedures without a code: 1",))


def test_a_procedure_of_another_patient_is_dropped(catalog: Catalog) -> None:
    read = facts(catalog, procedure(subject={"reference": "Patient/x2"}))
    assert (read.events, read.marks) == ((), {Mark.OTHER_SUBJECT})


# ---- encounter


def setting(catalog: Catalog, *resources: Any) -> EncounterClass:
    return facts(catalog, *resources, encounter_id="e1").encounter_class


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("IMP", EncounterClass.INPATIENT),
        ("ACUTE", EncounterClass.INPATIENT),
        ("EMER", EncounterClass.ED),
        ("AMB", EncounterClass.OUTPATIENT),
        ("VR", EncounterClass.OUTPATIENT),
        ("XYZ", EncounterClass.UNKNOWN),
    ],
)
def test_the_class_code_is_the_setting(catalog: Catalog, code: str, expected: EncounterClass) -> None:
    assert setting(catalog, encounter(code)) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([concept(coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IMP"))], EncounterClass.INPATIENT),
        (..., EncounterClass.UNKNOWN),
        ("inpatient", EncounterClass.INPATIENT),  # DSTU2
        ("other", EncounterClass.UNKNOWN),
        ({"display": "inpatient"}, EncounterClass.UNKNOWN),
    ],
)
def test_the_class_may_have_other_forms(catalog: Catalog, given: Any, expected: EncounterClass) -> None:
    assert setting(catalog, encounter(**{"class": given})) is expected


def test_only_the_encounter_of_the_context_counts(catalog: Catalog) -> None:
    assert setting(catalog, encounter("EMER", id="e0"), encounter("IMP")) is EncounterClass.INPATIENT
    assert setting(catalog, encounter("EMER", id="e0")) is EncounterClass.UNKNOWN
    assert facts(catalog, encounter("IMP")).encounter_class is EncounterClass.UNKNOWN


@pytest.mark.parametrize("status", ["planned", "cancelled", "entered-in-error"])
def test_a_visit_that_is_none_has_no_setting(catalog: Catalog, status: str) -> None:
    assert setting(catalog, encounter("IMP", status=status)) is EncounterClass.UNKNOWN


def ward(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Location", "id": "l1", "type": [concept(coding(ROLES, "ICU"))], **more}


@pytest.mark.parametrize(
    ("stay", "expected"),
    [
        ({"status": "active"}, EncounterClass.ICU),
        ({}, EncounterClass.ICU),
        ({"status": "completed"}, EncounterClass.INPATIENT),
        ({"status": "planned"}, EncounterClass.INPATIENT),
        ({"period": {"end": "2026-10-11T08:00:00+02:00"}}, EncounterClass.INPATIENT),
        ({"period": {"start": "2026-10-11T08:00:00+02:00"}}, EncounterClass.ICU),
    ],
)
def test_an_inpatient_now_in_an_intensive_care_location_is_icu(
    catalog: Catalog, stay: Any, expected: EncounterClass
) -> None:
    visit = encounter("IMP", location=[{"location": {"reference": "Location/l1"}, **stay}])
    assert setting(catalog, visit, ward()) is expected


def test_an_intensive_care_location_may_be_contained(catalog: Catalog) -> None:
    visit = encounter("IMP", location=[{"location": {"reference": "#l1"}}], contained=[ward()])
    assert setting(catalog, visit) is EncounterClass.ICU


def test_another_ward_and_an_outpatient_are_not_icu(catalog: Catalog) -> None:
    place = [{"location": {"reference": "Location/l1"}}]
    other = ward(type=[concept(coding(ROLES, "HOSP"))])
    assert setting(catalog, encounter("IMP", location=place), other) is EncounterClass.INPATIENT
    assert setting(catalog, encounter("AMB", location=place), ward()) is EncounterClass.OUTPATIENT


def test_an_encounter_of_another_patient_is_dropped(catalog: Catalog) -> None:
    read = facts(catalog, encounter("IMP", subject={"reference": "Patient/x2"}), encounter_id="e1")
    assert (read.encounter_class, read.marks) == (EncounterClass.UNKNOWN, {Mark.OTHER_SUBJECT})


# ---- patient


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1960-04-01", date(1960, 4, 1)),
        ("1960-04", date(1960, 4, 1)),
        ("1960", date(1960, 1, 1)),
        ("1960-02-30", None),
        ("unknown", None),
        (..., None),
        (None, None),
    ],
)
def test_a_birth_date_may_be_partial(catalog: Catalog, text: Any, expected: date | None) -> None:
    assert facts(catalog, patient(birthDate=text)).birth_date == expected


@pytest.mark.parametrize(
    ("gender", "sex"), [("female", Sex.FEMALE), ("male", Sex.MALE), ("other", Sex.UNKNOWN), (..., Sex.UNKNOWN)]
)
def test_the_administrative_gender_is_read(catalog: Catalog, gender: Any, sex: Sex) -> None:
    assert facts(catalog, patient(gender=gender)).sex is sex


def test_a_patient_with_a_broken_birth_date_is_still_the_patient(catalog: Catalog) -> None:
    assert facts(catalog, patient(birthDate=1960)).birth_date is None
