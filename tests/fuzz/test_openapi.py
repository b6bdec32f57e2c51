"""Schemathesis over the OpenAPI document, in this process: what fits it, or just not, gets an answer that it names."""

import atexit
import json
import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from cds_service.app import create_app
from cds_service.settings import read_settings
from tests.storage.databases import sqlite_at

pytestmark = pytest.mark.fuzz
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))
ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_bytes())
SAMPLE = json.loads((ROOT / "examples" / "product-just-above-70" / "request.json").read_bytes())
NO_DATA = 412  # whether the rest of the call fits is then not looked at
# rules that a schema does not express well: which characters are printable; a fhirServer of null is as none; which
# drafts can be read
NOT_IN_THE_DOCUMENT = ("printable", "fhirAuthorization is given without fhirServer", "drafts could not be read")
OF_THE_BODY = [checks.negative_data_rejection, checks.positive_data_acceptance]
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    *OF_THE_BODY,
]
made: set[tuple[str, str, bool]] = set()


@cache
def service() -> Flask:
    """The service with a database, so that feedback is taken; made at the first call."""
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    url = sqlite_at(Path(folder.name) / "journal.sqlite3")
    return create_app(read_settings({}, sandbox=True, database_url=url))


schema = schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config.from_dict({"generation": {"mode": "all"}}))
schema.app = lambda environ, start: service()(environ, start)


def fill(body: object) -> None:
    """Give a call that brings no data those of a sample, so that it gets beyond their lack."""
    context = body.get("context") if isinstance(body, dict) else None
    if isinstance(body, dict) and isinstance(context, dict) and body.get("prefetch", {}) in ({}, None):
        body["prefetch"] = owned(SAMPLE["prefetch"], SAMPLE["context"]["patientId"], context.get("patientId"))


def owned(value: object, before: str, now: object) -> object:
    """The same data of another patient."""
    if isinstance(value, dict):
        return {key: owned(each, before, now) for key, each in value.items()}
    if isinstance(value, list):
        return [owned(each, before, now) for each in value]
    return {before: now, f"Patient/{before}": f"Patient/{now}"}.get(value, value) if isinstance(value, str) else value


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck])
def test_every_answer_is_one_of_the_document(case: Case) -> None:
    fill(case.body)
    answer = case.call()
    made.add((case.method, case.path, answer.status_code == 200))
    left_out = answer.status_code == NO_DATA or any(each in answer.text for each in NOT_IN_THE_DOCUMENT)
    case.validate_response(answer, checks=CHECKS, excluded_checks=OF_THE_BODY if left_out else [])


def test_every_address_was_called_well_and_badly() -> None:
    """Runs after the tests above."""
    for path, methods in DOCUMENT["paths"].items():
        method = next(iter(methods)).upper()
        assert (method, path, True) in made
        assert method == "GET" or (method, path, False) in made
