"""Real records and official examples, where they lie beside the project: counts that a correct reading must meet."""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cds_service.calcinosis.facts import GapReason, PatientFacts
from cds_service.fhir.gather import gather
from cds_service.fhir.read import read_facts
from cds_service.terminology.catalog import Catalog
from tests.builders import bundle, raw

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the open data sets are not here")


def lines(*parts: str) -> Iterator[dict[str, Any]]:
    with gzip.open(DATA.joinpath(*parts), "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def read(catalog: Catalog, patient: dict[str, Any], resources: list[Any], now: str) -> PatientFacts:
    prefetch = {"patient": raw(patient), "all": raw(bundle(*resources)), "observations": raw(None)}
    return read_facts(gather(prefetch, patient["id"]), catalog, datetime.fromisoformat(now))


def records(folder: str, patients: str, *kinds: str) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    held: dict[str, list[Any]] = defaultdict(list)
    for kind in kinds:
        for resource in lines(folder, f"{kind}.ndjson.gz"):
            held[resource["subject"]["reference"].removeprefix("Patient/")].append(resource)
    for patient in lines(folder, f"{patients}.ndjson.gz"):
        yield patient, held[patient["id"]]


def test_every_calcium_and_phosphate_of_the_mimic_demo_is_used_or_refused(catalog: Catalog) -> None:
    used: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    patients = defaultdict(set)
    active = 0
    for patient, resources in records(
        "mimic-demo-fhir", "Patient", "Encounter", "Observation", "Condition", "MedicationRequest"
    ):
        facts = read(catalog, patient, resources, "2202-01-01T00:00:00-05:00")
        for name in [m.input for m in facts.measurements] + [g.analyte for g in facts.gaps]:
            patients[name].add(patient["id"])
        used.update(m.input for m in facts.measurements)
        refused.update(g.analyte for g in facts.gaps if g.reason is GapReason.REFUSED)
        active += sum(e.active for e in facts.exposures)
    # one calcium of 2.7 mg/dL lies below the plausibility window
    assert (used["ca_total"], refused["ca_total"], len(patients["ca_total"])) == (2376, 1, 99)
    assert (used["phosphate"], refused["phosphate"], len(patients["phosphate"])) == (2336, 0, 100)
    assert (used["ca_ionized"], refused["ca_ionized"]) == (509, 0)
    assert active == 0


def test_the_official_mimic_shapes_are_read_without_failing(catalog: Catalog) -> None:
    medications = {
        f"Medication/{each['id']}": each for each in lines("mimic-fhir-official", "MimicMedication.ndjson.gz")
    }
    seen = 0
    for patient, resources in records(
        "mimic-fhir-official", "MimicPatient", "MimicEncounter", "MimicCondition", "MimicMedicationRequest"
    ):
        named = {(each.get("medicationReference") or {}).get("reference") for each in resources} & medications.keys()
        facts = read(catalog, patient, [*resources, *map(medications.get, named)], "2202-01-01T00:00:00-05:00")
        assert not any(exposure.active for exposure in facts.exposures)
        seen += 1
    assert seen == 100


@pytest.mark.parametrize("name", ["hl7-r4-4.0.1-examples.ndjson.gz", "us-core-9.0.0-examples.ndjson.gz"])
def test_no_official_example_is_refused_as_a_whole(catalog: Catalog, name: str) -> None:
    for resource in lines("hl7-examples", name):
        subject = (resource.get("subject") or {}).get("reference") or "Patient/x"
        patient = {"resourceType": "Patient", "id": subject.split("/")[-1]}
        facts = read(catalog, patient, [resource], "2026-11-24T00:00:00Z")
        assert not [note for note in facts.notes if "not used" in note]


def test_synthea_records_as_transactions_are_read(catalog: Catalog) -> None:
    now = datetime.fromisoformat("2026-11-24T00:00:00Z")
    for path in sorted(DATA.joinpath("synthea-smart").glob("*.json.gz")):
        text = gzip.decompress(path.read_bytes())
        patient = json.loads(text)["entry"][0]["resource"]["id"]
        facts = read_facts(gather({"everything": msgspec.Raw(text)}, patient), catalog, now)
        inputs = Counter(m.input for m in facts.measurements)
        assert inputs["ca_total"] > 0
        assert inputs["phosphate"] == 0
        assert (facts.marks, facts.birth_date is not None) == (frozenset(), True)
