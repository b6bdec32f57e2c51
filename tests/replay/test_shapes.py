"""Official MIMIC shapes, HL7 examples and Synthea records through the HTTP endpoint: no error, and nothing passed over
in silence (make replay)."""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import ASSESSMENT, CLOCK, EXPLAIN, INSTANCE, PATIENT_VIEW
from tests.mimic import DATA

pytestmark = [
    pytest.mark.replay,
    pytest.mark.skipif(not DATA.is_dir(), reason="the open data sets are not here"),
]
Json = dict[str, Any]


@pytest.fixture(scope="module")
def hospital(catalog: Catalog) -> Iterator[FlaskClient]:
    """The sandbox, which notes what is no valid FHIR."""
    with create_app(read_settings({}, sandbox=True, database_url=""), catalog=catalog).test_client() as client:
        yield client


def lines(*parts: str) -> Iterator[Json]:
    with gzip.open(DATA.joinpath(*parts), "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def told(hospital: FlaskClient, patient: str, at: str, prefetch: Json) -> Json:
    body = {
        "hook": "patient-view",
        "hookInstance": INSTANCE,
        "context": {"userId": "Practitioner/p1", "patientId": patient},
        "extension": {CLOCK: at, EXPLAIN: True},
        "prefetch": prefetch,
    }
    answer = hospital.post(PATIENT_VIEW, json=body)
    assert answer.status_code == 200, answer.text
    assessment: Json = answer.get_json()["extension"][ASSESSMENT]
    return assessment


def test_the_official_mimic_shapes_are_answered_and_what_is_not_understood_is_told(hospital: FlaskClient) -> None:
    held: dict[str, list[Json]] = defaultdict(list)
    for name in ("MimicCondition", "MimicMedicationRequest"):
        for resource in lines("mimic-fhir-official", f"{name}.ndjson.gz"):
            held[resource["subject"]["reference"].removeprefix("Patient/")].append(resource)
    medications = {each["id"]: each for each in lines("mimic-fhir-official", "MimicMedication.ndjson.gz")}
    notes: Counter[str] = Counter()
    seen = 0
    for patient in lines("mimic-fhir-official", "MimicPatient.ndjson.gz"):
        own = held[patient["id"]]
        named = {(each.get("medicationReference") or {}).get("reference", "").rpartition("/")[2] for each in own}
        beside = [medications[name] for name in sorted(named & medications.keys())]
        prefetch = {"patient": patient, "observations": None, "all": [*own, *beside]}
        assessment = told(hospital, patient["id"], "2202-01-01T00:00:00-05:00", prefetch)
        seen += 1
        for note in assessment["notes"]:
            what, _, count = note.rpartition(": ")
            notes[what if count.isdigit() else note] += int(count) if count.isdigit() else 1
        # no laboratory results are in these files
        assert (assessment["product"], assessment["values"]) == (None, [])
        assert "incomplete_data" in assessment["flags"]
    print(f"\nofficial MIMIC shapes, {seen} patients")
    for note, count in notes.most_common(12):
        print(f"{count:6d} {note}")
    assert seen == 100
    assert notes["medicines referred to that did not come"] == 2843


@pytest.mark.parametrize("name", ["hl7-r4-4.0.1-examples.ndjson.gz", "us-core-9.0.0-examples.ndjson.gz"])
def test_every_official_example_is_answered(hospital: FlaskClient, name: str) -> None:
    tiers: Counter[str] = Counter()
    for resource in lines("hl7-examples", name):
        subject = (resource.get("subject") or {}).get("reference") or "Patient/x"
        patient = {"resourceType": "Patient", "id": subject.rpartition("/")[2].lstrip("#")}
        prefetch = {"patient": patient, "observations": None, "example": resource}
        tiers[told(hospital, patient["id"], "2026-11-24T00:00:00Z", prefetch)["tier"]] += 1
    print(f"\n{name}: {tiers.total()} examples, {dict(tiers)}")
    assert tiers.total() > 40


def test_every_synthea_record_is_answered_and_the_phosphate_that_lacks_is_named(hospital: FlaskClient) -> None:
    paths = sorted(DATA.joinpath("synthea-smart").glob("*.json.gz"))
    for path in paths:
        record = json.loads(gzip.decompress(path.read_bytes()))
        patient = record["entry"][0]["resource"]["id"]
        assessment = told(hospital, patient, "2026-11-24T00:00:00Z", {"everything": record})
        assert "ca_total" in {value["input"] for value in assessment["values"]} | {
            gap["analyte"] for gap in assessment["gaps"]
        }
        assert "phosphate" in {gap["analyte"] for gap in assessment["gaps"]}
    assert len(paths) == 12
