"""One patient as five releases of FHIR write it: the facts are the same, and no release has to be named.

The resources are written by hand after the pages of each release; STU3, R4B and R5 are checked with its models.
"""

import importlib
import json
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from cds_service.calcinosis.facts import EncounterClass, PatientFacts, Route
from cds_service.fhir import releases
from cds_service.fhir.client import FhirServer
from cds_service.fhir.gather import Query, gather
from cds_service.fhir.read import read_facts
from cds_service.outgoing.session import new_session
from cds_service.terminology.catalog import Catalog
from tests.builders import AT, LOINC, RXNORM, SNOMED, bundle, coding, concept, quantity, raw
from tests.fhir.reading import NOW

Json = dict[str, Any]
ESRD = concept(coding(SNOMED, "46177005", "End-stage renal disease"))
CALCITRIOL = concept(coding(RXNORM, "1894", "calcitriol"))
WARFARIN = concept(coding(RXNORM, "11289", "warfarin"))
DIALYSIS = concept(coding(SNOMED, "302497006", "Hemodialysis"))
BY_MOUTH = concept(coding(SNOMED, "26643006", "Oral route"))
INPATIENT = coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IMP")
MINE = {"reference": "Patient/x1"}
SESSION = {"start": "2026-10-09T08:00:00+02:00", "end": "2026-10-09T12:00:00+02:00"}
STATUS = "http://terminology.hl7.org/CodeSystem/"


def observation(key: str, code: str, value: str, **more: Any) -> Json:
    number = quantity(value)
    return {
        "resourceType": "Observation",
        "id": key,
        "status": "final",
        "code": concept(coding(LOINC, code)),
        "subject": MINE,
        "effectiveDateTime": AT,
        "valueQuantity": number | {"value": float(number["value"])},
        **more,
    }


def named(kind: str, key: str, **fields: Any) -> Json:
    return {"resourceType": kind, "id": key, **fields}


PATIENT = named("Patient", "x1", birthDate="1960-04-01", gender="female")
PANEL: Json = {
    "resourceType": "Observation",
    "id": "panel",
    "status": "final",
    "code": concept(coding(LOINC, "24323-8")),
    "subject": MINE,
    "effectiveDateTime": AT,
}
TWO = [{"reference": "Observation/ca"}, {"reference": "Observation/p"}]
RELATED = [{"type": "has-member", "target": each} for each in TWO]


def dstu2() -> list[Json]:
    high = concept(coding("http://hl7.org/fhir/v2/0078", "H"))
    return [
        observation("ca", "17861-6", "10.5 mg/dL", comments="hemolysed", interpretation=high),
        observation("p", "2777-1", "7.5 mg/dL"),
        {**PANEL, "related": RELATED},
        named(
            *("Condition", "c"),
            patient=MINE,
            code=ESRD,
            clinicalStatus="active",
            verificationStatus="confirmed",
            dateRecorded="2024-03-01",
        ),
        named(
            *("Condition", "old"),
            patient=MINE,
            code=concept(coding(SNOMED, "31541009")),
            verificationStatus="confirmed",
            abatementQuantity={"value": 50, "unit": "a"},
        ),
        named(
            *("MedicationOrder", "m"),
            patient=MINE,
            status="active",
            dateWritten="2026-09-01",
            medicationCodeableConcept=CALCITRIOL,
            dosageInstruction=[{"text": "1 daily", "route": BY_MOUTH}],
        ),
        named(
            *("MedicationStatement", "s"),
            patient=MINE,
            status="active",
            wasNotTaken=True,
            note="told by phone",
            medicationCodeableConcept=WARFARIN,
        ),
        named("Procedure", "d", subject=MINE, status="completed", code=DIALYSIS, performedPeriod=SESSION),
        named(
            *("Procedure", "n"),
            subject=MINE,
            status="completed",
            notPerformed=True,
            code=concept(coding(SNOMED, "70536003")),
            performedPeriod=SESSION,
        ),
        named("Encounter", "e", patient=MINE, status="in-progress", **{"class": "inpatient"}),
    ]


def stu3() -> list[Json]:
    return [
        observation("ca", "17861-6", "10.5 mg/dL", comment="hemolysed", context={"reference": "Encounter/e"}),
        observation("p", "2777-1", "7.5 mg/dL"),
        {**PANEL, "related": RELATED},
        named(
            *("Condition", "c"),
            subject=MINE,
            context={"reference": "Encounter/e"},
            code=ESRD,
            clinicalStatus="active",
            verificationStatus="confirmed",
            assertedDate="2024-03-01",
        ),
        named(
            *("Condition", "old"),
            subject=MINE,
            code=concept(coding(SNOMED, "31541009")),
            clinicalStatus="inactive",
            verificationStatus="confirmed",
        ),
        named(
            *("MedicationRequest", "m"),
            subject=MINE,
            status="active",
            intent="order",
            authoredOn="2026-09-01",
            context={"reference": "Encounter/e"},
            medicationCodeableConcept=CALCITRIOL,
            dosageInstruction=[{"route": BY_MOUTH}],
        ),
        named(
            *("MedicationStatement", "s"),
            subject=MINE,
            status="active",
            taken="n",
            medicationCodeableConcept=WARFARIN,
        ),
        named("Procedure", "d", subject=MINE, status="completed", code=DIALYSIS, performedPeriod=SESSION),
        named(
            *("Procedure", "n"),
            subject=MINE,
            status="suspended",
            notDone=True,
            code=concept(coding(SNOMED, "70536003")),
        ),
        named(
            "Encounter",
            "e",
            subject=MINE,
            status="in-progress",
            **{"class": coding("http://hl7.org/fhir/v3/ActCode", "IMP")},
        ),
        named("ProcedureRequest", "r", subject=MINE, status="active", intent="order", code=DIALYSIS),
    ]


def r4() -> list[Json]:
    return [
        observation("ca", "17861-6", "10.5 mg/dL", note=[{"text": "hemolysed"}]),
        observation("p", "2777-1", "7.5 mg/dL"),
        {**PANEL, "hasMember": TWO},
        named(
            *("Condition", "c"),
            subject=MINE,
            code=ESRD,
            clinicalStatus=concept(coding(STATUS + "condition-clinical", "active")),
            verificationStatus=concept(coding(STATUS + "condition-ver-status", "confirmed")),
            recordedDate="2024-03-01",
        ),
        named(
            *("Condition", "old"),
            subject=MINE,
            code=concept(coding(SNOMED, "31541009")),
            clinicalStatus=concept(coding(STATUS + "condition-clinical", "resolved")),
        ),
        named(
            *("MedicationRequest", "m"),
            subject=MINE,
            status="active",
            intent="order",
            authoredOn="2026-09-01",
            medicationCodeableConcept=CALCITRIOL,
            dosageInstruction=[{"route": BY_MOUTH}],
        ),
        named(*("MedicationStatement", "s"), subject=MINE, status="not-taken", medicationCodeableConcept=WARFARIN),
        named("Procedure", "d", subject=MINE, status="completed", code=DIALYSIS, performedPeriod=SESSION),
        named("Procedure", "n", subject=MINE, status="not-done", code=concept(coding(SNOMED, "70536003"))),
        named("Encounter", "e", subject=MINE, status="in-progress", **{"class": INPATIENT}),
    ]


def r5() -> list[Json]:
    return [
        observation("ca", "17861-6", "10.5 mg/dL", note=[{"text": "hemolysed"}]),
        observation("p", "2777-1", "7.5 mg/dL"),
        {**PANEL, "hasMember": TWO},
        named(
            *("Condition", "c"),
            subject=MINE,
            code=ESRD,
            clinicalStatus=concept(coding(STATUS + "condition-clinical", "active")),
            recordedDate="2024-03-01",
        ),
        named(
            *("Condition", "old"),
            subject=MINE,
            code=concept(coding(SNOMED, "31541009")),
            clinicalStatus=concept(coding(STATUS + "condition-clinical", "inactive")),
        ),
        named(
            *("MedicationRequest", "m"),
            subject=MINE,
            status="active",
            intent="order",
            authoredOn="2026-09-01",
            contained=[named("Medication", "inside", code=CALCITRIOL)],
            medication={"reference": {"reference": "#inside"}},
            dosageInstruction=[{"route": BY_MOUTH}],
        ),
        named(
            *("MedicationStatement", "s"),
            subject=MINE,
            status="recorded",
            medication={"concept": WARFARIN},
            adherence={
                "code": concept(coding("http://hl7.org/fhir/CodeSystem/medication-statement-adherence", "not-taking"))
            },
        ),
        named("Procedure", "d", subject=MINE, status="completed", code=DIALYSIS, occurrencePeriod=SESSION),
        named("Procedure", "n", subject=MINE, status="not-done", code=concept(coding(SNOMED, "70536003"))),
        named("Encounter", "e", subject=MINE, status="in-progress", **{"class": [concept(INPATIENT)]}),
    ]


RELEASES = {"DSTU2": dstu2, "STU3": stu3, "R4B": r4, "R5": r5}


def read(catalog: Catalog, resources: list[Json]) -> PatientFacts:
    record = gather({"patient": raw(PATIENT), "all": raw(bundle(*resources)), "observations": raw(None)}, "x1", "e")
    return read_facts(record, catalog, NOW)


@pytest.mark.parametrize("release", RELEASES)
def test_the_facts_are_the_same_in_every_release(catalog: Catalog, release: str) -> None:
    facts = read(catalog, RELEASES[release]())
    calcium, phosphate = facts.measurements
    assert (calcium.input, str(calcium.value), phosphate.input, str(phosphate.value)) == (
        *("ca_total", "10.5"),
        *("phosphate", "7.5"),
    )
    assert "sample_quality" in calcium.marks
    assert calcium.draws & phosphate.draws == {"Observation/panel"}
    ours = {(f.reference, f.active) for f in facts.findings if f.reference in ("Condition/c", "Condition/old")}
    assert ours == {("Condition/c", True), *({("Condition/old", False)} & ours)}
    assert [f.since.text for f in facts.findings if f.reference == "Condition/c" and f.since] == ["2024-03-01"]
    (calcitriol,) = [e for e in facts.exposures if e.active]
    assert (calcitriol.drug, calcitriol.route, calcitriol.started and calcitriol.started.text) == (
        *("calcitriol", Route.ORAL),
        "2026-09-01",
    )
    assert [(e.reference, e.ended and e.ended.text) for e in facts.events] == [("Procedure/d", SESSION["end"])]
    assert facts.encounter_class is EncounterClass.INPATIENT
    assert facts.gaps == ()
    assert [note for note in facts.notes if "not used" in note] == []


@pytest.mark.parametrize("release", ["STU3", "R4B", "R5"])
def test_the_examples_are_valid_in_their_release(release: str) -> None:
    package = "fhir.resources" + ("" if release == "R5" else f".{release}")
    for resource in [PATIENT, *RELEASES[release]()]:
        kind = resource["resourceType"]
        given = json.loads(json.dumps(resource))
        model = getattr(importlib.import_module(f"{package}.{kind.lower()}"), kind)
        model.model_validate(given)


def test_resources_of_several_releases_may_come_in_one_call(catalog: Catalog) -> None:
    mixed = [*dstu2()[:3], *stu3()[3:5], *r5()[5:7], *r4()[7:]]
    facts = read(catalog, mixed)
    assert (len(facts.measurements), len(facts.events), facts.gaps) == (2, 1, ())


@pytest.mark.parametrize("adherence", ["stopped-as-directed", "on-hold", "not-taking"])
def test_a_medicine_that_is_not_taken_by_its_adherence_is_not_in_use(catalog: Catalog, adherence: str) -> None:
    statement = {**r5()[6], "adherence": {"code": concept(coding("x", adherence))}}
    (warfarin,) = read(catalog, [statement]).exposures
    assert not warfarin.active


@pytest.mark.parametrize("adherence", ["taking", "taking-not-as-directed", "unknown"])
def test_a_medicine_that_is_taken_or_may_be_is_in_use(catalog: Catalog, adherence: str) -> None:
    statement = {**r5()[6], "adherence": {"code": concept(coding("x", adherence))}}
    (warfarin,) = read(catalog, [statement]).exposures
    assert warfarin.active


@pytest.mark.parametrize("field", ["notGiven", "wasNotGiven"])
def test_what_was_not_given_is_no_exposure(catalog: Catalog, field: str) -> None:
    given = named(
        *("MedicationAdministration", "a"),
        status="completed",
        patient=MINE,
        medicationCodeableConcept=CALCITRIOL,
        effectiveTimeDateTime=AT,
    )
    assert [e.started and e.started.text for e in read(catalog, [given]).exposures] == [AT]
    assert read(catalog, [{**given, field: True}]).exposures == ()


@pytest.mark.parametrize(
    "content",
    [
        {"product": {"ingredient": [{"item": {"reference": "#salt"}}]}},
        {"ingredient": [{"itemReference": {"reference": "#salt"}}]},
        {"ingredient": [{"item": {"reference": {"reference": "#salt"}}}]},
        {"ingredient": [{"item": {"concept": CALCITRIOL}}]},
        {"ingredient": [{"itemCodeableConcept": CALCITRIOL}]},
    ],
)
def test_the_ingredients_of_a_medicine_are_read_in_every_release(catalog: Catalog, content: Json) -> None:
    order = named(
        *("MedicationRequest", "m"),
        status="active",
        intent="order",
        subject=MINE,
        medicationReference={"reference": "#both"},
        contained=[named("Medication", "both", **content), named("Medication", "salt", code=CALCITRIOL)],
    )
    assert [each.drug for each in read(catalog, [order]).exposures] == ["calcitriol"]


def test_an_order_that_was_ended_is_not_active(catalog: Catalog) -> None:
    order = {**dstu2()[5], "dateEnded": "2026-10-01"}
    assert [e.active for e in read(catalog, [order]).exposures] == [False]


# ---- reading from servers of older releases

BASE = "https://ehr.example.org/fhir"
ORDERS = Query("medications", "MedicationRequest?patient=x1")


@pytest.mark.parametrize("status", [400, 404, 501])
def test_a_server_of_dstu2_is_asked_in_its_own_words(status: int) -> None:
    with responses.RequestsMock() as ehr:
        ehr.get(f"{BASE}/MedicationRequest?patient=x1", status=status)
        ehr.get(f"{BASE}/metadata", json={"resourceType": "Conformance", "fhirVersion": "1.0.2"})
        ehr.get(f"{BASE}/MedicationOrder?patient=x1", body=json.dumps(bundle(dstu2()[5])))
        (fetched,) = FhirServer(BASE, None, new_session()).read([ORDERS])
    assert (fetched.failure, len(fetched.pages), fetched.query.key) == (None, 1, "medications")


@pytest.mark.parametrize("capability", ['{"fhirVersion": "4.0.1"}', "[]", "<html>", '{"fhirVersion": 1}', "{}"])
def test_a_server_that_should_know_the_query_is_not_asked_twice(capability: str) -> None:
    with responses.RequestsMock() as ehr:
        ehr.get(f"{BASE}/MedicationRequest?patient=x1", status=404)
        ehr.get(f"{BASE}/metadata", body=capability)
        (fetched,) = FhirServer(BASE, None, new_session()).read([ORDERS])
    assert fetched.failure == "the FHIR server answered with status 404"


@given(st.binary(max_size=40) | st.builds(lambda v: json.dumps({"fhirVersion": v}).encode(), st.text(max_size=8)))
def test_no_capability_statement_breaks_the_reading(capability: bytes) -> None:
    assert releases.spelt_for("MedicationRequest?x", capability) in (None, "MedicationOrder?x")
