"""Data that did not come with the call: read from the EHR's FHIR server, but only from one that may be read."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import ASSESSMENT, PATIENT_VIEW, calcium, call, critical_call, phosphate, prefetch
from tests.conftest import NOW
from tests.ehr import AUTHORIZATION, TOKEN, Ehr, running


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with running() as server:
        yield server


def app_of(catalog: Catalog, **settings: object) -> FlaskClient:
    return create_app(read_settings({}, database_url="", **settings), clock=lambda: NOW, catalog=catalog).test_client()


def test_the_sandbox_reads_what_lacks_from_a_server_of_this_machine(client: FlaskClient, ehr: Ehr) -> None:
    body = call(prefetch=..., fhirServer=ehr.url + "/", fhirAuthorization=AUTHORIZATION)
    answer = client.post(PATIENT_VIEW, json=body)
    told = answer.get_json()["extension"][ASSESSMENT]
    assert told["tier"] == "critical"
    assert "Patient/{{context.patientId}}" in told["dataSources"]["fetched"]
    assert {asked.token for asked in ehr.asked} == {f"Bearer {TOKEN}"}
    assert TOKEN not in answer.text


def test_an_open_server_is_read_without_a_header(client: FlaskClient, ehr: Ehr) -> None:
    answer = client.post(PATIENT_VIEW, json=call(prefetch=..., fhirServer=ehr.url))
    assert answer.status_code == 200
    assert {asked.token for asked in ehr.asked} == {None}


def test_prefetched_and_fetched_data_lead_to_the_same_guidance(client: FlaskClient, ehr: Ehr) -> None:
    sent = client.post(PATIENT_VIEW, json=critical_call()).get_json()["cards"][0]
    read = client.post(PATIENT_VIEW, json=call(prefetch=..., fhirServer=ehr.url)).get_json()["cards"][0]
    assert [sent[name] for name in ("summary", "indicator", "detail")] == [
        read[name] for name in ("summary", "indicator", "detail")
    ]


def test_what_came_with_the_call_is_not_read_again(client: FlaskClient, ehr: Ehr) -> None:
    whole = {**prefetch(calcium(10.5), phosphate(7.5)), "encounter": None}
    client.post(PATIENT_VIEW, json=call(prefetch=whole, fhirServer=ehr.url))
    assert ehr.asked == []


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_server_that_refuses_leads_to_412(client: FlaskClient, ehr: Ehr, status: int) -> None:
    ehr.status = status
    answer = client.post(PATIENT_VIEW, json=call(prefetch=..., fhirServer=ehr.url, fhirAuthorization=AUTHORIZATION))
    assert answer.status_code == 412
    assert answer.get_json()["resourceType"] == "OperationOutcome"
    assert TOKEN not in answer.text
    assert ehr.url not in answer.text


@pytest.mark.parametrize(
    "server", ["https://ehr.example.org/fhir", "http://169.254.169.254/latest", "http://127.0.0.1.example"]
)
def test_a_server_that_is_not_listed_is_never_asked(client: FlaskClient, server: str) -> None:
    # were it asked, the deadline would pass or the name be looked up; the test environment would show it
    answer = client.post(PATIENT_VIEW, json=call(prefetch=..., fhirServer=server, fhirAuthorization=AUTHORIZATION))
    assert answer.status_code == 412
    assert "not sent with the call" in answer.get_json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize("settings", [{}, {"fhir_servers": "https://ehr.example.org/fhir"}])
def test_production_asks_no_server_that_is_not_listed(
    catalog: Catalog, ehr: Ehr, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = app_of(catalog, **settings)
    https = ehr.url.replace("http://", "https://")
    answer = client.post(PATIENT_VIEW, json=call(prefetch=..., fhirServer=https, fhirAuthorization=AUTHORIZATION))
    assert answer.status_code == 412
    assert ehr.asked == []


def test_a_listed_server_is_asked(catalog: Catalog, ehr: Ehr) -> None:
    client = app_of(catalog, fhir_servers=f"https://other.example, {ehr.url}", sandbox=True)
    assert client.post(PATIENT_VIEW, json=call(prefetch=..., fhirServer=ehr.url)).status_code == 200
    assert ehr.asked != []


def test_the_sandbox_notes_evidence_that_is_no_valid_fhir(client: FlaskClient, production: FlaskClient) -> None:
    body = call(calcium(10.5, made_up_field=1), phosphate(7.5))
    notes = client.post(PATIENT_VIEW, json=body).get_json()["extension"][ASSESSMENT]["notes"]
    assert [note for note in notes if note.startswith("Observation/calcium: ")] != []
    card = production.post(PATIENT_VIEW, json=body).get_json()["cards"][0]
    assert card["extension"][ASSESSMENT]["notes"] == []
