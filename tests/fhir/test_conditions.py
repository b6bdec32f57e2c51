"""Conditions as findings (CL-10)."""

from datetime import datetime
from typing import Any

import pytest

from cds_service.calcinosis.facts import Mark, Specificity
from cds_service.terminology.catalog import Catalog
from tests.builders import ICD10, SNOMED, coding, concept, condition
from tests.fhir.reading import NOW, facts

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def clinical(code: str) -> Any:
    return concept(coding(CLINICAL, code))


def verification(code: str) -> Any:
    return concept(coding(VERIFICATION, code))


def test_a_finding_names_concept_code_and_condition(catalog: Catalog) -> None:
    (found,) = facts(catalog, condition()).findings
    assert (found.concept, found.specificity, found.code, found.reference) == (
        "esrd-dialysis",
        Specificity.EXACT,
        "SNOMED CT 46177005",
        "Condition/c1",
    )
    assert (found.active, found.suspected) == (True, False)


@pytest.mark.parametrize(
    "status", [..., None, clinical("active"), clinical("recurrence"), clinical("relapse"), "active"]
)
def test_active_or_without_status_is_active(catalog: Catalog, status: Any) -> None:
    assert [f.active for f in facts(catalog, condition(clinicalStatus=status)).findings] == [True]


@pytest.mark.parametrize(
    "status", [clinical("inactive"), clinical("resolved"), clinical("remission"), "resolved", concept(text="Resolved")]
)
def test_resolved_inactive_and_remission_are_history(catalog: Catalog, status: Any) -> None:
    assert [f.active for f in facts(catalog, condition(clinicalStatus=status)).findings] == [False]


def test_an_unknown_clinical_status_is_active_with_a_note(catalog: Catalog) -> None:
    read = facts(catalog, condition(clinicalStatus=clinical("unknown")))
    assert [f.active for f in read.findings] == [True]
    assert read.notes == ("Condition/c1: clinical status not known, read as active",)


@pytest.mark.parametrize("status", [verification("refuted"), verification("entered-in-error"), "refuted"])
def test_refuted_and_entered_in_error_are_dropped(catalog: Catalog, status: Any) -> None:
    assert facts(catalog, condition(verificationStatus=status)).findings == ()


@pytest.mark.parametrize("code", ["unconfirmed", "provisional", "differential"])
def test_what_is_not_confirmed_is_suspected(catalog: Catalog, code: str) -> None:
    assert [f.suspected for f in facts(catalog, condition(verificationStatus=verification(code))).findings] == [True]


@pytest.mark.parametrize("status", [..., None, verification("confirmed")])
def test_confirmed_or_unsaid_is_not_suspected(catalog: Catalog, status: Any) -> None:
    assert [f.suspected for f in facts(catalog, condition(verificationStatus=status)).findings] == [False]


@pytest.mark.parametrize(
    "end",
    [
        {"abatementDateTime": "2026-09-15"},
        {"abatementDateTime": "2025"},
        {"abatementPeriod": {"end": "2026-01-01"}},
        {"abatementAge": {"value": 60, "code": "a"}},
        {"abatementString": "last year"},
        {"abatementBoolean": True},
    ],
)
def test_an_abatement_ends_an_active_condition_with_a_note(catalog: Catalog, end: Any) -> None:
    read = facts(catalog, condition(**end))
    assert [f.active for f in read.findings] == [False]
    assert read.notes == ("Condition/c1: active with an abatement, read as history",)


@pytest.mark.parametrize(
    "end", [{"abatementDateTime": "2027-01-01"}, {"abatementBoolean": False}, {"abatementAge": None}]
)
def test_an_abatement_to_come_or_denied_ends_nothing(catalog: Catalog, end: Any) -> None:
    assert [f.active for f in facts(catalog, condition(**end)).findings] == [True]


def test_all_codings_give_findings_and_the_same_code_twice_gives_one(catalog: Catalog) -> None:
    codings = (coding(SNOMED, "46177005"), coding(ICD10, "N18.6"), coding(SNOMED, "46177005"))
    read = facts(catalog, condition(*codings))
    assert [f.code for f in read.findings if f.concept == "esrd-dialysis"] == ["SNOMED CT 46177005", "ICD-10-CM N18.6"]


def test_an_icd_code_without_dot_is_understood(catalog: Catalog) -> None:
    assert "esrd-dialysis" in [f.concept for f in facts(catalog, condition(coding(ICD10, "N186"))).findings]


def test_the_same_diagnosis_of_two_visits_stays_twice(catalog: Catalog) -> None:
    assert len(facts(catalog, condition(id="a"), condition(id="b")).findings) == 2


def test_text_without_a_code_is_counted_and_never_matched(catalog: Catalog) -> None:
    read = facts(catalog, condition(code={"text": "End stage renal disease"}))
    assert (read.findings, read.notes) == ((), ("Conditions without a code: 1",))


def test_an_unmapped_condition_is_nothing(catalog: Catalog) -> None:
    read = facts(catalog, condition(coding(SNOMED, "40930008", "Hypothyroidism")))
    assert (read.findings, read.notes) == ((), ())


@pytest.mark.parametrize(
    ("dates", "since"),
    [
        ({"onsetDateTime": "2024-03-01", "recordedDate": "2025-01-01"}, datetime(2024, 3, 1, tzinfo=NOW.tzinfo)),
        ({"onsetDateTime": "2024-03"}, datetime(2024, 3, 1, tzinfo=NOW.tzinfo)),
        ({"onsetDateTime": "2024"}, datetime(2024, 1, 1, tzinfo=NOW.tzinfo)),
        ({"onsetPeriod": {"start": "2024-03-01"}}, datetime(2024, 3, 1, tzinfo=NOW.tzinfo)),
        ({"recordedDate": "2025-01-01"}, datetime(2025, 1, 1, tzinfo=NOW.tzinfo)),
        ({"assertedDate": "2025-01-01"}, datetime(2025, 1, 1, tzinfo=NOW.tzinfo)),
        ({"dateRecorded": "2025-01-01"}, datetime(2025, 1, 1, tzinfo=NOW.tzinfo)),
        ({"onsetDateTime": "long ago", "recordedDate": "2025-01-01"}, datetime(2025, 1, 1, tzinfo=NOW.tzinfo)),
    ],
)
def test_since_is_the_onset_else_the_recording(catalog: Catalog, dates: Any, since: datetime) -> None:
    (found,) = facts(catalog, condition(**dates)).findings
    assert found.since is not None
    assert found.since.at == since


def test_body_sites_are_kept(catalog: Catalog) -> None:
    (found,) = facts(catalog, condition(bodySite=[concept(coding(SNOMED, "61685007"))])).findings
    assert found.sites == {"61685007"}


@pytest.mark.parametrize(
    "subject", [{"subject": {"reference": "Patient/x2"}}, {"subject": ..., "patient": {"reference": "Patient/x2"}}]
)
def test_a_condition_of_another_patient_is_dropped(catalog: Catalog, subject: Any) -> None:
    read = facts(catalog, condition(**subject))
    assert (read.findings, read.marks) == ((), {Mark.OTHER_SUBJECT})
