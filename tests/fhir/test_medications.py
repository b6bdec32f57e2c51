"""Medicines as exposures."""

from typing import Any

import pytest

from cds_service.calcinosis.facts import Mark, Route
from cds_service.terminology.catalog import Catalog
from tests.builders import RXNORM, SNOMED, coding, concept, medication_request
from tests.fhir.reading import facts

CALCITRIOL = coding(RXNORM, "1894")
CARBONATE = coding(RXNORM, "1897")


def statement(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationStatement",
        "id": "s1",
        "status": "active",
        "medicationCodeableConcept": concept(CARBONATE),
        "subject": {"reference": "Patient/x1"},
        **more,
    }


def administration(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationAdministration",
        "id": "a1",
        "status": "completed",
        "medicationCodeableConcept": concept(CARBONATE),
        "subject": {"reference": "Patient/x1"},
        "effectivePeriod": {"start": "2026-10-11T08:00:00+02:00", "end": "2026-10-11T09:00:00+02:00"},
        **more,
    }


def medication(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Medication", "id": "med", "code": concept(CALCITRIOL), **more}


def test_an_active_order_is_an_exposure_with_group_and_roles(catalog: Catalog) -> None:
    (found,) = facts(catalog, medication_request()).exposures
    drug = catalog.drugs[found.drug]
    assert (found.group, found.name, found.roles) == (drug.group, drug.name, drug.roles)
    assert (found.active, found.administered, found.reference) == (True, False, "MedicationRequest/m1")
    assert found.started is not None
    assert found.started.text == "2026-09-01"


@pytest.mark.parametrize("status", ["completed", "stopped", "on-hold"])
def test_an_order_that_ended_or_rests_is_not_active(catalog: Catalog, status: str) -> None:
    assert [e.active for e in facts(catalog, medication_request(status=status)).exposures] == [False]


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "draft"])
def test_an_order_that_never_was_is_no_exposure(catalog: Catalog, status: str) -> None:
    assert facts(catalog, medication_request(status=status)).exposures == ()


@pytest.mark.parametrize("status", [..., "unknown"])
def test_an_order_without_a_known_status_counts_as_active_with_a_note(catalog: Catalog, status: Any) -> None:
    read = facts(catalog, medication_request(status=status))
    assert [e.active for e in read.exposures] == [True]
    assert read.notes == ("MedicationRequest/m1: status missing or not known, read as in use",)


@pytest.mark.parametrize(
    "more", [{"intent": "proposal"}, {"intent": "plan"}, {"intent": "option"}, {"doNotPerform": True}]
)
def test_a_proposal_a_plan_and_a_prohibition_are_no_exposure(catalog: Catalog, more: Any) -> None:
    assert facts(catalog, medication_request(**more)).exposures == ()


@pytest.mark.parametrize("period", [{"end": "2026-10-01"}, {"start": "2026-11-01"}])
def test_an_order_for_another_time_is_not_active(catalog: Catalog, period: Any) -> None:
    dosage = [{"timing": {"repeat": {"boundsPeriod": period}}}]
    assert [e.active for e in facts(catalog, medication_request(dosageInstruction=dosage)).exposures] == [False]


@pytest.mark.parametrize(
    ("reference", "contained", "others"),
    [
        ("#med", [medication()], []),
        ("Medication/med", ..., [medication()]),
        ("https://ehr.example.org/fhir/Medication/med/_history/1", ..., [medication()]),
    ],
)
def test_a_medicine_may_be_contained_or_referred_to(
    catalog: Catalog, reference: str, contained: Any, others: list[Any]
) -> None:
    order = medication_request(
        medicationCodeableConcept=..., medicationReference={"reference": reference}, contained=contained
    )
    assert len(facts(catalog, order, *others).exposures) == 1


def test_a_medicine_that_did_not_come_is_counted(catalog: Catalog) -> None:
    order = medication_request(medicationCodeableConcept=..., medicationReference={"reference": "Medication/gone"})
    read = facts(catalog, order)
    assert (read.exposures, read.notes) == ((), ("medicines referred to that did not come: 1",))


@pytest.mark.parametrize(
    "ingredient", [{"itemCodeableConcept": concept(CARBONATE)}, {"item": {"concept": concept(CARBONATE)}}]
)
def test_ingredients_count(catalog: Catalog, ingredient: Any) -> None:
    order = medication_request(medicationCodeableConcept=..., medicationReference={"reference": "Medication/med"})
    read = facts(catalog, order, medication(code=concept(text="own mixture"), ingredient=[ingredient]))
    assert [e.drug for e in read.exposures] == ["calcium-carbonate"]


def test_a_medicine_in_r5_form_is_read(catalog: Catalog) -> None:
    order = medication_request(medicationCodeableConcept=..., medication={"concept": concept(CARBONATE)})
    assert [e.drug for e in facts(catalog, order).exposures] == ["calcium-carbonate"]


def test_two_codes_of_one_medicine_are_one_exposure(catalog: Catalog) -> None:
    order = medication_request(CARBONATE, coding(SNOMED, "387307005"))
    assert [e.drug for e in facts(catalog, order).exposures] == ["calcium-carbonate"]


def test_text_without_a_code_is_counted(catalog: Catalog) -> None:
    read = facts(catalog, medication_request(medicationCodeableConcept={"text": "calcium carbonate"}))
    assert (read.exposures, read.notes) == ((), ("medicines without a code: 1",))


@pytest.mark.parametrize(
    ("code", "route"),
    [
        ("47625008", Route.INTRAVENOUS),
        ("26643006", Route.ORAL),
        ("37161004", Route.RECTAL),
        ("34206005", Route.OTHER),
        ("0", Route.UNKNOWN),
    ],
)
def test_the_route_is_that_of_the_dosage(catalog: Catalog, code: str, route: Route) -> None:
    dosage = [{"route": concept(coding(SNOMED, code))}]
    assert [e.route for e in facts(catalog, medication_request(dosageInstruction=dosage)).exposures] == [route]


def test_two_routes_are_no_route(catalog: Catalog) -> None:
    dosage = [{"route": concept(coding(SNOMED, "47625008"))}, {"route": concept(coding(SNOMED, "26643006"))}]
    assert [e.route for e in facts(catalog, medication_request(dosageInstruction=dosage)).exposures] == [Route.UNKNOWN]


@pytest.mark.parametrize(("hint", "route"), [("oral", Route.ORAL), ("injectable", Route.INTRAVENOUS)])
def test_without_a_dosage_route_the_form_of_the_product_tells(catalog: Catalog, hint: str, route: Route) -> None:
    code = next(
        code
        for code, rows in catalog.drug_codes[RXNORM].items()
        if len(rows) == 1 and rows[0].route_hint == hint and rows[0].drug.startswith("calcium-")
    )
    assert [e.route for e in facts(catalog, medication_request(coding(RXNORM, code))).exposures] == [route]


def test_a_form_that_does_not_reach_the_blood_is_no_exposure(catalog: Catalog) -> None:
    ointment = medication_request(coding(RXNORM, "388517"))
    assert facts(catalog, ointment).exposures == ()
    capsule = medication_request(coding(RXNORM, "308867"))
    assert [e.drug for e in facts(catalog, capsule).exposures] == ["calcitriol"]


# ---- statements and administrations


@pytest.mark.parametrize(
    ("more", "active"),
    [
        ({}, [True]),
        ({"status": "recorded"}, [True]),
        ({"status": "completed"}, [False]),
        ({"status": "stopped"}, [False]),
        ({"status": "intended"}, []),
        ({"status": "not-taken"}, []),
        ({"status": "entered-in-error"}, []),
        ({"taken": "n"}, []),
        ({"effectivePeriod": {"start": "2026-01-01", "end": "2026-06-01"}}, [False]),
        ({"effectivePeriod": {"start": "2026-01-01"}}, [True]),
    ],
)
def test_a_statement_is_active_by_its_status_and_period(catalog: Catalog, more: Any, active: list[bool]) -> None:
    assert [e.active for e in facts(catalog, statement(**more)).exposures] == active


@pytest.mark.parametrize(
    ("more", "active"),
    [
        ({}, [False]),
        ({"status": "in-progress", "effectivePeriod": {"start": "2026-10-12T08:00:00+02:00"}}, [True]),
        ({"status": "not-done"}, []),
        ({"status": "entered-in-error"}, []),
        ({"status": "unknown"}, []),
    ],
)
def test_an_administration_was_given_or_is_under_way(catalog: Catalog, more: Any, active: list[bool]) -> None:
    exposures = facts(catalog, administration(**more)).exposures
    assert [e.active for e in exposures] == active
    assert all(e.administered for e in exposures)


def test_an_administration_has_its_times_and_route(catalog: Catalog) -> None:
    (found,) = facts(catalog, administration(dosage={"route": concept(coding(SNOMED, "47625008"))})).exposures
    assert found.started is not None
    assert found.ended is not None
    assert (found.started.text, found.ended.text, found.route) == (
        "2026-10-11T08:00:00+02:00",
        "2026-10-11T09:00:00+02:00",
        Route.INTRAVENOUS,
    )


def test_a_medicine_that_disturbs_methods_is_a_finding(catalog: Catalog) -> None:
    read = facts(catalog, medication_request(coding(RXNORM, "236594")))
    assert [(f.concept, f.active, f.reference) for f in read.findings] == [
        ("drug-interference", True, "MedicationRequest/m1")
    ]


@pytest.mark.parametrize(
    "resource",
    [
        medication_request(subject={"reference": "Patient/x2"}),
        statement(subject={"reference": "Patient/x2"}),
        administration(subject={"reference": "Patient/x2"}),
    ],
)
def test_medicines_of_another_patient_are_dropped(catalog: Catalog, resource: Any) -> None:
    read = facts(catalog, resource)
    assert (read.exposures, read.marks) == ((), {Mark.OTHER_SUBJECT})
