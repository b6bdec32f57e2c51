"""The screen and the hook give the same assessment, byte for byte: every sample, every shared case, every demo patient.

The request is put together here anew, from the files and not by the code of the screen.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.builders import PATIENT, patient
from tests.calls import CLOCK, EXPLAIN, INSTANCE, PATIENT_VIEW, calcium, phosphate
from tests.screen.runs import assessment_of, lines_of, screened, write

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
MIMIC = SHARED / "data" / "mimic-demo-fhir"
KEYS = {
    "Patient": "patient",
    "Observation": "observations",
    "Specimen": "observations",
    "DiagnosticReport": "observations",
    "Condition": "conditions",
    "MedicationRequest": "medications",
    "MedicationAdministration": "medications",
    "Medication": "medications",
    "MedicationStatement": "statements",
    "Procedure": "procedures",
}
ORDER = (*KEYS, "Encounter", "Location")

Resource = tuple[str, bytes]


@pytest.fixture(scope="module")
def hook(catalog: Catalog) -> Iterator[FlaskClient]:
    """The service as in production, but for the clock and the assessment on request."""
    settings = read_settings({}, sandbox=True, validate_evidence=False, database_url="")
    with create_app(settings, catalog=catalog).test_client() as client:
        yield client


def called(hook: FlaskClient, patient: str, encounter: str | None, at: str, prefetch: dict[str, Any]) -> bytes:
    """The assessment on the response, as its bytes stand there."""
    context = {"userId": "Practitioner/p1", "patientId": patient} | ({"encounterId": encounter} if encounter else {})
    body = {
        "hook": "patient-view",
        "hookInstance": INSTANCE,
        "context": context,
        "extension": {CLOCK: at, EXPLAIN: True},
        "prefetch": prefetch,
    }
    answer = hook.post(PATIENT_VIEW, data=msgspec.json.encode(body), content_type="application/json")
    assert answer.status_code == 200, answer.text
    extension = msgspec.json.decode(answer.data, type=dict[str, msgspec.Raw])["extension"]
    return bytes(msgspec.json.decode(extension, type=dict[str, msgspec.Raw])["org.calcinosis-cds.assessment"])


class Requested(msgspec.Struct):
    prefetch: dict[str, msgspec.Raw]
    context: dict[str, Any]
    extension: dict[str, Any]


class Held(msgspec.Struct):
    resourceType: str
    entry: list[dict[str, msgspec.Raw]] = []


def resources(value: msgspec.Raw) -> Iterator[Resource]:
    """Each resource of a prefetch value, on one line."""
    if bytes(value) == b"null":
        return
    held = msgspec.json.decode(value, type=Held)
    if held.resourceType != "Bundle":
        yield held.resourceType, bytes(value).replace(b"\n", b" ")
        return
    for entry in held.entry:
        if "resource" in entry:
            kind = msgspec.json.decode(entry["resource"], type=Held).resourceType
            yield kind, bytes(entry["resource"]).replace(b"\n", b" ")


def prefetch_of(held: Iterable[Resource], encounter: str | None) -> dict[str, Any]:
    """The prefetch of the documentation: one key a kind, for kinds that were exported at all."""
    found: dict[str, list[msgspec.Raw]] = {}
    ordered = sorted(held, key=lambda each: ORDER.index(each[0]))
    for kind, line in ordered:
        if kind in KEYS:
            found.setdefault(KEYS[kind], []).append(msgspec.Raw(line))
        elif encounter and (kind == "Location" or json.loads(line)["id"] == encounter):
            found.setdefault("encounter", []).append(msgspec.Raw(line))
    return found


def sample_requests() -> list[Any]:
    found = [pytest.param(path, id=path.parent.name) for path in sorted(ROOT.glob("examples/*/request.json"))]
    cases = sorted((SHARED / "cases").glob("*.json")) if (SHARED / "cases").is_dir() else []
    return found + [pytest.param(path, id=path.stem) for path in cases if not path.stem.endswith("-order")]


def owner_of(line: bytes) -> str | None:
    reference = (json.loads(line).get("subject") or {}).get("reference")
    return reference.split("/")[-1] if reference else None


class Case(msgspec.Struct):
    request: Requested


@pytest.mark.parametrize("path", sample_requests())
def test_a_sample_is_judged_as_the_hook_judges_it(
    catalog: Catalog, hook: FlaskClient, tmp_path: Path, path: Path
) -> None:
    text = path.read_bytes()
    is_case = path.name != "request.json"
    request = msgspec.json.decode(text, type=Case).request if is_case else msgspec.json.decode(text, type=Requested)
    held = [each for value in request.prefetch.values() for each in resources(value) if each[0] in ORDER]
    for kind in {kind for kind, _ in held}:
        write(tmp_path / "in" / f"{kind}.ndjson", (line for each, line in held if each == kind))
    at = request.extension[CLOCK]
    screened(catalog, [tmp_path / "in"], tmp_path / "out", at=at, everything=True)
    patient = request.context["patientId"]
    (line,) = (line for line in lines_of(tmp_path / "out") if json.loads(line)["patient"] == patient)
    told = json.loads(line)
    assert datetime.fromisoformat(told["at"]) == datetime.fromisoformat(at)
    # a result of another patient among those of this one goes to that other patient, whose it is
    own = [each for each in held if owner_of(each[1]) in (None, patient)]
    expected = called(hook, patient, told["encounter"], told["at"], prefetch_of(own, told["encounter"]))
    assert assessment_of(line) == expected


def test_orders_that_no_rule_asks_for_are_left_out_without_a_trace(
    catalog: Catalog, hook: FlaskClient, tmp_path: Path
) -> None:
    rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
    codings = [[], [{"system": rxnorm, "code": "723"}], [{"system": rxnorm, "code": "1894"}], [{"code": "x"}], [{}]]
    orders = [
        {
            "resourceType": kind,
            "id": f"m{place}",
            "status": status,
            "intent": "order",
            "medicationCodeableConcept": {"coding": coding, "text": "a medicine"},
            "subject": {"reference": f"Patient/{PATIENT}"},
        }
        for kind in ("MedicationRequest", "MedicationStatement", "MedicationAdministration")
        for status in ("active", "strange")
        for place, coding in enumerate(codings)
    ]
    named = {"resourceType": "Medication", "id": "named", "code": {"coding": codings[2]}}
    by_name = [orders[1] | {"id": "by-name", "medicationReference": {"reference": "Medication/named"}}, named]
    for held, seen in ((orders, True), ([orders[1]], False), (by_name, True)):
        lines = [json.dumps(each, default=str).encode() for each in (patient(), calcium(10.5), phosphate(7.5), *held)]
        write(tmp_path / "in" / "x.ndjson", lines)
        screened(catalog, [tmp_path / "in"], tmp_path / "out")
        (line,) = lines_of(tmp_path / "out")
        prefetch = prefetch_of(((json.loads(each)["resourceType"], each) for each in lines), None)
        assert assessment_of(line) == called(hook, PATIENT, None, json.loads(line)["at"], prefetch)
        assert (b"calcitriol" in line) is seen


@pytest.mark.skipif(not MIMIC.is_dir(), reason="the open data sets are not here")
@pytest.mark.parametrize("at", ["latest", "each-encounter"])
def test_every_demo_patient_is_judged_as_the_hook_judges_it(
    catalog: Catalog, hook: FlaskClient, tmp_path: Path, at: str
) -> None:
    held: dict[str, list[tuple[Resource, datetime | None]]] = defaultdict(list)
    for kind in ("Patient", "Observation", "Condition", "MedicationRequest", "Encounter"):
        for line in gzip.decompress((MIMIC / f"{kind}.ndjson.gz").read_bytes()).splitlines():
            if line:
                resource = json.loads(line)
                owner = resource.get("subject", {}).get("reference", f"Patient/{resource['id']}").split("/")[1]
                dated = [resource.get(name) for name in ("effectiveDateTime", "recordedDate", "authoredOn")]
                since = next((datetime.fromisoformat(text) for text in dated if text), None)
                held[owner].append(((kind, line), since))
    screened(catalog, [MIMIC], tmp_path, at=at)
    lines = lines_of(tmp_path)
    assert len(lines) == (100 if at == "latest" else 275)
    assert {json.loads(line)["patient"] for line in lines} == held.keys()
    for line in lines:
        told = json.loads(line)
        moment = datetime.fromisoformat(told["at"])
        then = [each for each, since in held[told["patient"]] if since is None or since <= moment]
        prefetch = {"patient": [], "observations": [], "conditions": [], "medications": []}
        prefetch |= prefetch_of(then, told["encounter"])
        assert assessment_of(line) == called(hook, told["patient"], told["encounter"], told["at"], prefetch)
