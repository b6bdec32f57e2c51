"""The service as a client of the standard sees it: what it lists, and a call of each hook."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from examples.regenerate import examples
from tests import ehr
from tests.calls import INSTANCE, Json, bundle, calcium, patient, phosphate
from tests.conftest import NOW, counting_ids

DRAFT = {
    "resourceType": "MedicationRequest",
    "id": "draft-1",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/x1"},
    "medicationCodeableConcept": {
        "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "197435"}],
        "text": "calcium gluconate",
    },
}


@pytest.fixture
def server() -> Iterator[ehr.Ehr]:
    """The EHR's FHIR server."""
    with ehr.running() as running:
        yield running


@pytest.fixture(scope="session")
def standing(catalog: Catalog) -> Iterator[FlaskClient]:
    """A client of one service in sandbox mode for all tests that leave nothing behind."""
    settings = read_settings({}, sandbox=True, database_url="")
    app = create_app(settings, clock=lambda: NOW, new_id=counting_ids(), catalog=catalog)
    with app.test_client() as client:
        yield client


@pytest.fixture(scope="session")
def offered(standing: FlaskClient) -> list[Json]:
    """The entries of the discovery document."""
    services: list[Json] = standing.get("/cds-services").get_json()["services"]
    return services


@pytest.fixture(scope="session")
def answers(standing: FlaskClient, offered: list[Json]) -> list[tuple[str, TestResponse]]:
    """The answer to every example, by its name."""
    paths = {entry["hook"]: f"/cds-services/{entry['id']}" for entry in offered}
    given = []
    for example in examples():
        body = (example / "request.json").read_bytes()
        answer = standing.post(paths[json.loads(body)["hook"]], data=body, content_type="application/json")
        given.append((example.name, answer))
    return given


@pytest.fixture(scope="session")
def cards(answers: list[tuple[str, TestResponse]]) -> list[Json]:
    """All cards of the examples."""
    return [card for _, answer in answers if answer.status_code == 200 for card in answer.get_json()["cards"]]


def path_of(service: Mapping[str, Any]) -> str:
    return f"/cds-services/{service['id']}"


def context_of(hook: str, **changes: Any) -> Json:
    """The context of a hook with all that it requires; members given as ... are left out."""
    context: Json = {"userId": "Practitioner/p1", "patientId": "x1"}
    if hook.startswith("order-"):
        context["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": DRAFT}]}
    if hook == "order-select":
        context["selections"] = ["MedicationRequest/draft-1"]
    return {name: value for name, value in {**context, **changes}.items() if value is not ...}


def complete(service: Mapping[str, Any], *observations: Any) -> Json:
    """Prefetch with exactly the keys that the service lists: the patient, each result where it was asked for."""
    found = observations or (calcium(10.5), phosphate(7.5))
    data: Json = {}
    for key, query in service["prefetch"].items():
        asked = set(re.findall(r"%7C([0-9-]+)", query))
        data[key] = bundle(*(each for each in found if ehr.codes_of(each) & asked))
    return {**data, "patient": patient(), "encounter": None}


def request_of(service: Mapping[str, Any], **changes: Any) -> Json:
    """A call of the service; members given as ... are left out."""
    body: Json = {
        "hook": service["hook"],
        "hookInstance": INSTANCE,
        "context": context_of(service["hook"]),
        "prefetch": complete(service),
        **changes,
    }
    return {name: value for name, value in body.items() if value is not ...}


def told(answer: TestResponse) -> list[tuple[str, str, str]]:
    """The guidance of an answer: summary, indicator and detail of its cards."""
    assert answer.status_code == 200, answer.text
    return [(card["summary"], card["indicator"], card["detail"]) for card in answer.get_json()["cards"]]
