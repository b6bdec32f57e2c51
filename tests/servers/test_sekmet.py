"""The service reads from a real FHIR server as it reads from prefetch: open, with tokens, in pages, strict."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.fhir.client import FhirServer, Limits
from cds_service.fhir.gather import Query, gather
from cds_service.hooks.services import services
from cds_service.outgoing.session import new_session
from cds_service.terminology.catalog import Catalog
from tests import builders
from tests.calls import ASSESSMENT, PATIENT_VIEW, bundle, calcium, call, patient, phosphate, result
from tests.ehr import AUTHORIZATION
from tests.servers.sekmet import Sekmet

pytestmark = pytest.mark.servers
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/request.json"))

Json = dict[str, Any]


def told(client: FlaskClient, body: Json) -> Json:
    """The assessment, apart from where the data came from."""
    answer = client.post(f"/cds-services/metastatic-calcification-{body['hook']}", json=body)
    assert answer.status_code == 200, answer.text
    assessment: Json = answer.get_json()["extension"][ASSESSMENT]
    return assessment


def sources(assessment: Json) -> Json:
    """Takes the sources of the data out of an assessment."""
    found: Json = assessment.pop("dataSources")
    return found


# ---- open and strict


def renamed(node: Any, prefix: str, ours: set[str]) -> Any:
    """The same with ids of its own, for the samples share them."""
    if isinstance(node, list):
        return [renamed(each, prefix, ours) for each in node]
    if not isinstance(node, dict):
        return node
    changed = {key: renamed(value, prefix, ours) for key, value in node.items()}
    if isinstance(reference := changed.get("reference"), str) and reference in ours:
        kind, _, name = reference.partition("/")
        changed["reference"] = f"{kind}/{prefix}{name}"
    if "resourceType" in changed and "id" in changed:
        changed["id"] = prefix + changed["id"]
    return changed


def resources(prefetch: Json) -> list[Json]:
    """All resources of a prefetch, each once."""
    found: dict[str, Json] = {}
    for value in prefetch.values():
        held = [entry["resource"] for entry in value.get("entry", ())] if "entry" in (value or {}) else [value]
        for each in held:
            if each and "id" in each:
                found[f"{each['resourceType']}/{each['id']}"] = each
    return list(found.values())


def sample(path: Path) -> Json:
    """A sample under ids that no other sample has."""
    request: Json = json.loads(path.read_text("utf-8"))
    ours = {f"{each['resourceType']}/{each['id']}" for each in resources(request["prefetch"])}
    prefix = f"s{EXAMPLES.index(path)}-"
    request["prefetch"] = renamed(request["prefetch"], prefix, ours)
    context = renamed(request["context"], prefix, ours)
    request["context"] = context
    for name in {"patientId", "encounterId"} & context.keys():
        context[name] = prefix + context[name]
    if "selections" in context:
        context["selections"] = [each.replace("/", f"/{prefix}") for each in context["selections"]]
    request["extension"]["org.calcinosis-cds.explain"] = True
    return request


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_sample_is_valid_and_is_judged_the_same_from_a_real_server(
    strict: Sekmet, hospital: FlaskClient, path: Path
) -> None:
    request = sample(path)
    strict.load(resources(request["prefetch"]))
    sent = told(hospital, request)
    read = told(hospital, {**request, "prefetch": {}, "fhirServer": strict.url})
    assert (sources(sent)["fetched"], sources(read)["failed"]) == ([], [])
    assert read == sent


def test_what_the_strict_server_refuses_does_not_silence_the_service(strict: Sekmet, hospital: FlaskClient) -> None:
    broken = calcium(10.5) | {"status": "finished"} | {"effectiveDateTime": "12.10.2026"}
    entry = {"resource": broken, "request": {"method": "PUT", "url": "Observation/calcium"}}
    assert strict.send([entry]).status_code == 400
    answer = told(hospital, call(broken, phosphate(7.5)))
    assert "Observation/calcium" in [each["reference"] for each in answer["gaps"]]


# ---- paging


@pytest.fixture(scope="module")
def long_chart(strict: Sekmet) -> int:
    """Patient x1 with 130 results of calcium, and the number of them."""
    days = [f"2026-{month:02}-{day:02}T08:00:00+02:00" for month in range(1, 11) for day in range(1, 14)]
    results = [result("calcium", "9.4 mg/dL", id=f"ca{n}", at=day) for n, day in enumerate(days)]
    strict.load([patient(), *results])
    return len(days)


@pytest.mark.parametrize("wishes", ["", "_count=7", "_sort=-date&_count=500"])
def test_pages_of_a_real_server_are_read_to_the_end(strict: Sekmet, long_chart: int, wishes: str) -> None:
    query = Query("results", "Observation?patient=x1&code=http://loinc.org%7C17861-6", wishes=wishes)
    (fetched,) = FhirServer(strict.url, None, new_session(), Limits(total_s=60)).read([query])
    ids = [each["resource"]["id"] for page in fetched.pages for each in json.loads(page)["entry"]]
    assert (fetched.failure, len(ids), len(set(ids))) == (None, long_chart, long_chart)
    assert len(fetched.pages) == {"": 7, "_count=7": 19}.get(wishes, 1)


def test_more_pages_than_are_read_are_told(strict: Sekmet, long_chart: int) -> None:
    query = Query("results", "Observation?patient=x1&code=http://loinc.org%7C17861-6&_count=7&_sort=-date")
    (fetched,) = FhirServer(strict.url, None, new_session(), Limits(total_s=60, pages=3)).read([query])
    assert (fetched.failure, len(fetched.pages)) == ("more than 3 pages", 3)
    newest = json.loads(fetched.pages[0])["entry"][0]["resource"]["effectiveDateTime"]
    assert newest.startswith("2026-10-13")


def test_a_first_page_in_prefetch_is_followed_on_a_real_server(
    strict: Sekmet, hospital: FlaskClient, long_chart: int
) -> None:
    (first,) = (
        FhirServer(strict.url, None, new_session(), Limits(total_s=60, pages=1))
        .read([Query("results", "Observation?patient=x1&code=http://loinc.org%7C17861-6&_count=7")])[0]
        .pages
    )
    sent = {**call()["prefetch"], "observations-calcium": json.loads(first)}
    answer = told(hospital, call(prefetch=sent, fhirServer=strict.url))
    assert sources(answer)["fetched"] == ["observations-calcium (further pages)"]
    alone = told(hospital, call(prefetch=sent))
    assert sources(alone)["failed"] == ["observations-calcium: only the first page came"]


def test_medicines_by_reference_come_with_the_orders_or_after_them(strict: Sekmet, catalog: Catalog) -> None:
    medication = {
        "resourceType": "Medication",
        "id": "calcitriol",
        "code": builders.concept(builders.coding(builders.RXNORM, "1894")),
    }
    order = builders.medication_request(
        id="by-reference",
        medicationCodeableConcept=...,
        medicationReference={"reference": "Medication/calcitriol"},
    )
    strict.load([patient(), medication, order])
    wanted = services(catalog)[0].wanted

    def server() -> FhirServer:
        return FhirServer(strict.url, None, new_session(), Limits(total_s=60))

    beside = gather({}, "x1", None, server(), wanted)
    assert "Medication/calcitriol" in beside.medications
    assert "medications referred to" not in beside.fetched
    whole = {**call()["prefetch"], "medications": bundle(order)}
    prefetch = {key: builders.raw(value) for key, value in whole.items()}
    after = gather(prefetch, "x1", None, server(), wanted)
    assert "Medication/calcitriol" in after.medications
    assert after.fetched == ["medications referred to"]


# ---- tokens


@pytest.fixture(scope="module")
def ward(guarded: Sekmet) -> Sekmet:
    """The guarded server with patient x1: calcium times phosphate is 78.75 mg2/dL2."""
    guarded.load([patient(), calcium(10.5), phosphate(7.5), builders.condition()])
    return guarded


def asked(ward: Sekmet, token: str | None, **changes: Any) -> Json:
    authorization = {**AUTHORIZATION, "access_token": token} if token else ...
    return call(**{"prefetch": ..., "fhirServer": ward.url, "fhirAuthorization": authorization, **changes})


def test_a_server_that_wants_a_token_is_read_with_the_token_of_the_call(ward: Sekmet, hospital: FlaskClient) -> None:
    token = ward.token("system/*.rs")
    answer = told(hospital, asked(ward, token))
    assert (answer["tier"], sources(answer)["failed"]) == ("critical", [])
    assert [each["id"] for each in answer["causes"]] == ["esrd-dialysis"]


@pytest.mark.parametrize("token", [None, "made-up"])
def test_without_a_good_token_the_answer_is_412(ward: Sekmet, hospital: FlaskClient, token: str | None) -> None:
    answer = hospital.post(PATIENT_VIEW, json=asked(ward, token))
    assert answer.status_code == 412
    assert "status 401" in answer.text


def test_a_token_that_has_expired_is_told_and_never_taken_for_no_data(ward: Sekmet, hospital: FlaskClient) -> None:
    token = ward.token("system/*.rs")
    assert told(hospital, asked(ward, token))["tier"] == "critical"
    time.sleep(3.2)
    answer = hospital.post(PATIENT_VIEW, json=asked(ward, token))
    assert (answer.status_code, answer.get_json()["resourceType"]) == (412, "OperationOutcome")
    sent = call(calcium(10.5), phosphate(7.5))["prefetch"]
    del sent["conditions"]
    judged = told(hospital, asked(ward, token, prefetch=sent))
    assert judged["tier"] == "critical"
    assert "incomplete_data" in judged["flags"]
    assert sources(judged)["failed"] == ["conditions: the FHIR server answered with status 401"]


def test_what_the_scope_leaves_out_is_named(ward: Sekmet, hospital: FlaskClient) -> None:
    answer = told(hospital, asked(ward, ward.token("system/Patient.rs system/Observation.rs")))
    assert answer["tier"] == "critical"
    assert "incomplete_data" in answer["flags"]
    lost = sources(answer)["failed"]
    assert {each.partition(":")[0] for each in lost} == {"conditions", "medications", "statements", "procedures"}
    assert all(each.endswith("status 403") for each in lost)


def test_a_scope_without_results_leads_to_412_and_names_them(ward: Sekmet, hospital: FlaskClient) -> None:
    answer = hospital.post(PATIENT_VIEW, json=asked(ward, ward.token("system/Patient.rs system/Condition.rs")))
    assert answer.status_code == 412
    assert "observations-calcium" in answer.text
    assert "patient:" not in answer.text
