"""The OpenAPI document: valid, served as it is made, true of the samples."""

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator, validate
from openapi_spec_validator import OpenAPIV31SpecValidator

from cds_service import __version__
from cds_service.hooks.openapi import document
from cds_service.hooks.services import services
from cds_service.terminology.catalog import Catalog
from tests.calls import PATIENT_VIEW

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/request.json"))


def test_the_document_is_valid_and_served(client: FlaskClient, catalog: Catalog) -> None:
    made = document(services(catalog), __version__)
    OpenAPIV31SpecValidator(made).validate()  # type: ignore[arg-type]
    assert client.get("/openapi.json").get_json() == json.loads(json.dumps(made))


def test_every_address_of_the_service_is_in_the_document(client: FlaskClient, catalog: Catalog) -> None:
    described = set(document(services(catalog), __version__)["paths"])  # type: ignore[call-overload]
    pages = {"/", "/metrics"}
    offered = {
        rule.rule for rule in client.application.url_map.iter_rules() if rule.endpoint.startswith("hooks.")
    } - pages
    by_service = {rule for rule in offered if "<service_id>" in rule}
    calls = {rule.replace("<service_id>", service.id) for rule in by_service for service in services(catalog)}
    assert described == offered - by_service | calls


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_samples_and_their_answers_fit_the_document(client: FlaskClient, path: Path) -> None:
    made = client.get("/openapi.json").get_json()
    request = json.loads(path.read_bytes())
    service = PATIENT_VIEW.replace("patient-view", request["hook"])
    operation = made["paths"][service]["post"]
    answer = client.post(service, json=request)
    wanted = operation["requestBody"]["content"]["application/json"]["schema"]
    given = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
    for value, schema in ((request, wanted), (answer.get_json(), given)):
        validate(value, schema | {"components": made["components"]}, cls=OAS31Validator)
