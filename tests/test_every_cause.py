"""Every cause of mappings/causes.csv through the HTTP endpoint: by each code, by pattern, by exposure, or why not.

A cause is to be found alone: what a code does not state must not be reported with it.
"""

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.calcinosis.causes import NEVER_BLAMED, ONLY_WITH_HIGH_CALCIUM
from cds_service.calcinosis.chart import CKD_BY_SEVERITY, TRANSPLANTS
from cds_service.calcinosis.names import CauseId
from cds_service.interchange.recognition import EXPOSURES, INFUSIONS, PATTERNS, PROCEDURES
from cds_service.terminology import codes, layout
from cds_service.terminology.load import load_catalog, read_shipped
from tests.builders import bundle, coding, condition, medication_request, observation, procedure
from tests.calls import ASSESSMENT, PATIENT_VIEW, call, prefetch

Json = dict[str, Any]

CONTENT, CATALOG = read_shipped(), load_catalog()
CAUSES = {row["id"]: row for row in CONTENT.of(layout.CAUSES)}
NAMES = {row["name"]: row["id"] for row in CAUSES.values()}
# (system, code) -> concept -> specificity, what a shorter ICD code that includes it says among them
CODES: dict[tuple[str, str], dict[str, str]] = {
    (system, row["code"]): {each.concept: each.specificity for each in CATALOG.findings(system, row["code"])}
    for system in (codes.SNOMED, codes.ICD10CM, codes.ICD10WHO, codes.ICD9CM)
    for row in CONTENT.of(layout.FINDINGS[system])
}
ALONE = ("exact", "narrower")

CALCINOSIS = (codes.ICD10CM, "L94.2")
CODED = sorted(c for c in CAUSES if any(states.get(c) in ALONE for states in CODES.values()))
# Recorded, yet never blamed: associations, and tumours or lesions too common to be.
ASIDE = {c for c in CAUSES if CAUSES[c]["type"] == "dystrophic" and CAUSES[c]["tissue_damage"] == "no"}
ASIDE = (ASIDE | set(NEVER_BLAMED)) - {CauseId.INFECTIOUS_GRANULOMA}
# Causes that no code states alone, no pattern and no exposure shows: what is said about them instead.
OUT_OF_REACH = {
    "calcinosis-cutis-circumscripta",
    "calcinosis-cutis-universalis",
    "idiopathic-penile-calcinosis",
    "idiopathic-vulval-calcinosis",
    "immobilisation",
    "local-tissue-damage-other",
    "milia-like-calcinosis",
}


def judged(client: FlaskClient, *resources: Json, **prefetched: object) -> Json:
    """The assessment of a patient with these resources."""
    kinds: dict[str, list[Json]] = defaultdict(list)
    for number, each in enumerate(resources):
        kinds[each["resourceType"]].append({**each, "id": f"{each['id']}-{number}"})
    answered = prefetch(*kinds["Observation"]) | {
        "conditions": bundle(*kinds["Condition"]),
        "medications": bundle(*kinds["MedicationRequest"]),
        "procedures": bundle(*kinds["Procedure"]),
    }
    answer = client.post(PATIENT_VIEW, json=call(prefetch=answered | prefetched))
    assert answer.status_code == 200, answer.text
    assessment: Json = answer.get_json()["extension"][ASSESSMENT]
    return assessment


def lab(analyte: str, value: str, ago: int = 0) -> Json:
    """A result of this morning, or of so many days ago."""
    days = {0: "2026-10-12", 1: "2026-10-11", 3: "2026-10-09", 91: "2026-07-13"}
    return observation(analyte, value, at=f"{days[ago]}T07:30:00+02:00")


def values(calcium: float | None, phosphate: float | None) -> list[Json]:
    found = {"calcium": calcium, "phosphate": phosphate}
    return [lab(name, f"{value} mg/dL") for name, value in found.items() if value is not None]


def found(assessment: Mapping[str, Any]) -> dict[str, str]:
    """The causes and where they stand: recorded, pattern, exposure, or aside (recorded and not blamed)."""
    blamed = {cause["id"]: cause["basis"] for cause in assessment["causes"]}
    return blamed | {also["id"]: "aside" for also in assessment["alsoRecorded"] if also["id"]}


def documented(assessment: Mapping[str, Any]) -> set[str]:
    return {NAMES[name] for name in assessment["documentedNames"]}


# ---- by code ---------------------------------------------------------------------------------------------------------


def expected(concepts: Mapping[str, str]) -> dict[str, str]:
    """What the codes of one Condition are to show: kidney disease once, outcomes never as causes."""
    stated = [c for c, specificity in concepts.items() if specificity in ALONE and c in CAUSES]
    kidney = [c for c in CKD_BY_SEVERITY if c in stated][:1]
    if "dialysis-dependence" in concepts:
        kidney = [CauseId.ESRD]
    others = [c for c in stated if c not in CKD_BY_SEVERITY and CAUSES[c]["type"] != "outcome"]
    if {CauseId.PRIMARY_HPT, CauseId.SECONDARY_HPT, CauseId.TERTIARY_HPT} & set(others):
        others = [c for c in others if c != CauseId.HPT_UNSPECIFIED]
    # A code that names the calcification too blames what it names, however common that is alone.
    together = any(CAUSES[c]["documents_calcification"] == "yes" for c in stated)
    aside = set(NEVER_BLAMED) if together else ASIDE
    return {c: "aside" if c in aside else "recorded" for c in (*kidney, *others)}


def setting(cause: str) -> list[Json]:
    """The values, diseases and medicines beside which a record of the cause counts."""
    row = CAUSES[cause]
    if cause in ONLY_WITH_HIGH_CALCIUM:
        return values(None, 3.6)  # calcium unknown; high with a cancer would also fit hypercalcaemia of malignancy
    if cause == CauseId.RHABDOMYOLYSIS or cause in TRANSPLANTS:
        return values(9.4, 5.0)
    if cause == CauseId.TREATED_HYPOPARATHYROIDISM:
        return [*values(9.4, 3.6), medication_request()]
    if row["type"] in ("metastatic", "outcome") or row["documents_calcification"] == "yes":
        return values(9.4, 3.6)
    return [*values(9.4, 3.6), condition(coding(*CALCINOSIS))]


@pytest.mark.parametrize("cause", CODED)
def test_each_code_that_states_a_cause_shows_it_alone(client: FlaskClient, cause: str) -> None:
    for (system, code), concepts in CODES.items():
        if concepts.get(cause) in ALONE:
            assessment = judged(client, condition(coding(system, code)), *setting(cause))
            assert found(assessment) == expected(concepts), (system, code)
            if CAUSES[cause]["documents_calcification"] == "yes":
                assert cause in documented(assessment), (system, code)


@pytest.mark.parametrize("cause", ["hypercalcaemia", "hyperphosphataemia"])
def test_a_recorded_level_is_an_outcome_and_the_result_rules(client: FlaskClient, cause: str) -> None:
    for (system, code), concepts in CODES.items():
        if concepts.get(cause) in ALONE:
            assessment = judged(client, condition(coding(system, code)), *values(9.4, 3.6))
            assert (assessment["tier"], found(assessment)) == ("none", {}), (system, code)


@pytest.mark.parametrize("cause", sorted(PROCEDURES))
def test_each_procedure_that_tells_of_a_cause_shows_it(client: FlaskClient, cause: str) -> None:
    told = [
        (system, row["code"], row["kind"])
        for system, table in layout.PROCEDURES.items()
        for row in CONTENT.of(table)
        if row["kind"] in PROCEDURES[cause] and row["use"] != "exclude"
    ]
    assert told
    for system, code, kind in told:
        days = ("2026-10-07", "2026-10-11")  # maintenance dialysis shows on two days
        done = [procedure(coding(system, code), performedPeriod=..., performedDateTime=day) for day in days]
        calcinosis = [condition(coding(*CALCINOSIS))] if CAUSES[cause]["type"] == "iatrogenic" else []
        seen = found(judged(client, *done, *values(9.4, 5.0), *calcinosis))
        basis = "exposure" if cause in EXPOSURES else "recorded"
        both = {CauseId.HEART_TRANSPLANT: basis, CauseId.LUNG_TRANSPLANT: basis}
        assert seen == (both if kind == "heart_lung_transplant" else {cause: basis}), (system, code)


# ---- by pattern, exposure, infusion ----------------------------------------------------------------------------------

CANCER = condition(coding(codes.ICD10CM, "C50.9"))
TUBERCULOSIS = condition(coding(codes.ICD10CM, "A15.0"))
GRAFT = condition(coding(codes.ICD10CM, "Z94.0"))
SKIN = condition(coding(*CALCINOSIS))
KIDNEYS_WELL = lab("egfr", "90 mL/min/{1.73_m2}")
LOW_PTH, HIGH_PTH, MARKED_PTH = lab("pth", "5 pg/mL"), lab("pth", "90 pg/mL"), lab("pth", "900 pg/mL")
CALCIUM_CARBONATE = medication_request(coding(codes.RXNORM, "1897"))
CALCITRIOL = medication_request(coding(codes.RXNORM, "1894"))
IV_CALCIUM = medication_request(
    coding(codes.ATC, "B05XA07"), dosageInstruction=[{"route": {"coding": [coding(codes.SNOMED, "47625008")]}}]
)
PHOSPHATE = medication_request(coding(codes.ATC, "A06AG01"), authoredOn="2026-10-11T20:00:00+02:00")
IV_PHOSPHATE = medication_request(
    coding(codes.ATC, "B05XA09"),
    authoredOn="2026-10-11T20:00:00+02:00",
    dosageInstruction=[{"route": {"coding": [coding(codes.SNOMED, "47625008")]}}],
)


def gfr(value: int) -> list[Json]:
    return [lab("egfr", f"{value} mL/min/{{1.73_m2}}"), lab("egfr", f"{value} mL/min/{{1.73_m2}}", 91)]


BY_PATTERN: dict[str, list[Json]] = {
    CauseId.CKD_3: [*values(9.4, 3.6), *gfr(45)],
    CauseId.CKD_4: [*values(9.4, 3.6), *gfr(20)],
    CauseId.CKD_5: [*values(9.4, 3.6), *gfr(10)],
    CauseId.AKI: [*values(9.4, 3.6), lab("creatinine", "1.6 mg/dL"), lab("creatinine", "1.0 mg/dL", 3)],
    CauseId.PRIMARY_HPT: [*values(11.5, 2.2), HIGH_PTH, KIDNEYS_WELL],
    CauseId.SECONDARY_HPT: [*values(8.8, 3.0), HIGH_PTH, lab("1989-3", "8 ng/mL"), KIDNEYS_WELL],
    CauseId.TERTIARY_HPT: [*values(11.5, 3.0), MARKED_PTH, GRAFT],
    CauseId.PARANEOPLASTIC: [*values(12.5, 2.8), LOW_PTH, CANCER],
    CauseId.MILK_ALKALI: [
        *values(12.5, 3.0),
        LOW_PTH,
        CALCIUM_CARBONATE,
        lab("1963-8", "34 mmol/L"),
        lab("creatinine", "2.4 mg/dL"),
    ],
    CauseId.VITAMIN_D_EXCESS: [*values(12.5, 3.0), LOW_PTH, CALCITRIOL],
    CauseId.GRANULOMA_OTHER: [
        *values(12.5, 3.0),
        LOW_PTH,
        lab("62290-2", "90 pg/mL"),
        lab("62292-8", "40 ng/mL"),
    ],
    CauseId.INFECTIOUS_GRANULOMA: [*values(12.5, 3.0), LOW_PTH, TUBERCULOSIS],
    CauseId.TUMOUR_LYSIS: [*values(7.0, 6.0), CANCER, lab("3084-1", "11 mg/dL"), lab("potassium", "6.2 mmol/L")],
    CauseId.PHOSPHATE_LOAD: [*values(7.6, 8.0), PHOSPHATE],
    CauseId.PARENTERAL_PHOSPHATE: [*values(7.6, 8.0), IV_PHOSPHATE],
    CauseId.RHABDOMYOLYSIS: [
        *values(8.6, 6.0),
        lab("2157-6", "20000 U/L", 0)
        | {
            "referenceRange": [
                {"high": {"value": 200, "unit": "U/L", "system": "http://unitsofmeasure.org", "code": "U/L"}}
            ]
        },
    ],
    CauseId.TUMORAL_CALCINOSIS: [*values(9.4, 6.0), SKIN, KIDNEYS_WELL, lab("pth", "30 pg/mL")],
}
BY_EXPOSURE: dict[str, list[Json]] = {
    CauseId.MILK_ALKALI: [*values(12.5, 3.0), CALCIUM_CARBONATE, lab("1963-8", "34 mmol/L")],
    CauseId.VITAMIN_D_EXCESS: [*values(12.5, 3.0), CALCITRIOL],
    CauseId.PHOSPHATE_LOAD: [*values(9.0, 5.0), PHOSPHATE],
    CauseId.PARENTERAL_PHOSPHATE: [*values(9.0, 5.0), IV_PHOSPHATE],
}
BY_INFUSION: dict[str, list[Json]] = {
    CauseId.PARENTERAL_CALCIUM: [*values(9.4, 3.6), SKIN, IV_CALCIUM],
    CauseId.PARENTERAL_PHOSPHATE: [*values(9.4, 3.6), SKIN, IV_PHOSPHATE],
}


@pytest.mark.parametrize("cause", sorted(BY_PATTERN))
def test_values_that_fit_a_cause_show_it_alone(client: FlaskClient, cause: str) -> None:
    seen = found(judged(client, *BY_PATTERN[cause]))
    graft = {CauseId.KIDNEY_TRANSPLANT: "recorded"} if GRAFT in BY_PATTERN[cause] else {}
    assert seen == {cause: "pattern", **graft}


@pytest.mark.parametrize("cause", sorted(BY_EXPOSURE))
def test_a_fitting_medicine_with_an_incomplete_pattern_is_possible_only(client: FlaskClient, cause: str) -> None:
    assert found(judged(client, *BY_EXPOSURE[cause])) == {cause: "exposure"}


@pytest.mark.parametrize("cause", sorted(BY_INFUSION))
def test_an_infusion_beside_recorded_calcinosis_is_blamed(client: FlaskClient, cause: str) -> None:
    assert found(judged(client, *BY_INFUSION[cause])) == {cause: "recorded"}


def test_every_pattern_exposure_and_infusion_that_is_promised_is_walked() -> None:
    assert set(BY_PATTERN) == set(PATTERNS)
    assert set(BY_EXPOSURE) | {CauseId.ELECTRODE_PASTE, CauseId.HEEL_STICKS} == set(EXPOSURES)
    assert set(BY_INFUSION) == set(INFUSIONS)


# ---- what cannot be found, and what must not be ----------------------------------------------------------------------


def test_every_cause_is_walked_or_said_to_be_out_of_reach() -> None:
    walked = {*CODED, *PROCEDURES, *PATTERNS, *EXPOSURES, *INFUSIONS}
    assert walked | OUT_OF_REACH == CAUSES.keys()
    assert not walked & OUT_OF_REACH


def test_a_cause_without_any_code_says_why() -> None:
    uncoded = {c for c in CAUSES if not any(c in concepts for concepts in CODES.values())}
    assert {c for c in CAUSES if CAUSES[c]["no_code_reason"]} == uncoded


def test_a_code_that_is_broader_residual_or_related_raises_nothing_alone(client: FlaskClient) -> None:
    vague = [key for key, concepts in CODES.items() if not set(concepts.values()) & set(ALONE)]
    assert len(vague) > 50
    for system, code in vague:
        for levels in (values(9.4, 3.6), values(11.5, 5.5), values(None, 3.6)):
            assessment = judged(client, condition(coding(system, code)), *levels)
            assert (found(assessment), documented(assessment)) == ({}, set()), (system, code)


def test_two_vague_codes_of_one_condition_document_only_what_they_share(client: FlaskClient) -> None:
    documenting = {c for c in CAUSES if CAUSES[c]["documents_calcification"] == "yes"}
    vague = {
        key: {c for c in concepts if c in documenting}
        for key, concepts in CODES.items()
        if not set(concepts.values()) & set(ALONE)
    }
    pairs = 0
    for (one, its), (other, theirs) in combinations(vague.items(), 2):
        if its and theirs:
            shared = its & theirs
            seen = documented(judged(client, condition(coding(*one), coding(*other)), *values(9.4, 3.6)))
            assert seen == (shared if len(shared) == 1 else set()), (one, other)
            pairs += len(shared) == 1
    assert pairs
